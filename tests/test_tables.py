"""Tables of operations: each is searched, trained, exported and drawn."""

import json
import random

import numpy as np
import pytest
import tensorflow as tf

import enas
import train_arc_mnist
from enas.common_ops import pieces_of
from enas.drawing import command
from enas.drawing.cell_plot import cells_picture
from enas.flags.parse import parse
from enas.loop import kept_run
from enas.loop.foresight import least_memory
from enas.micro_child import MicroChild
from enas.network.steps import Convolve, Depthwise
from enas.report import ranking
from enas.report.train_command import train_command
from enas.session.output_dir import FLAGS_FILE
from enas.space.arc import parse_arc, random_arc
from enas.space.banks import bank_plans
from enas.space.operations import CLASSIC, TABLES, Operations
from enas.space.schemes import SchemeSpec
from enas.utils import TrainConfig, get_train_ops
from tests.children import (
    bank_of,
    feed_of,
    images_and_labels,
    load,
    placeholders,
    tiny_config,
)
from tests.finished import SEARCH_FLAGS, copied
from tests.runs import SMALL_ARC
from tests.test_small_networks import FLAGS, trained_alone
from tests.test_vis_cell import check_layout, check_texts

MIXED, PLAIN = TABLES["mixed"], TABLES["plain"]
# Each width of both kernels, and so several that read one bank.
WIDTHS = [0, 0, 1, 1, 0, 2, 2, 0, 1, 3, 0, 4, 1, 5, 0, 6]


def test_the_tables():
    assert [op.name for op in MIXED] == [
        *(f"separable conv 3×3, {bits}" for bits in ("1 bit", "2 bits", "4 bits")),
        *(f"separable conv 5×5, {bits}" for bits in ("1 bit", "2 bits", "4 bits")),
        *("average pool 3×3", "max pool 3×3", "identity"),
    ]
    own = [op.own for op in MIXED]
    assert own[:6] == own[3:6] * 2 and own[6:] == [None] * 3
    assert [spec.format.bits for spec in own[:3]] == [1, 2, 4]
    assert own[:3] == [
        SchemeSpec("binarize"),
        SchemeSpec("ternarize"),
        SchemeSpec("quantize", 4),
    ]
    assert [op.name for op in PLAIN][:2] == ["conv 3×3", "conv 5×5"]
    assert PLAIN.entries[2:] == CLASSIC.entries[2:] == MIXED.entries[6:]
    for name, table in TABLES.items():
        assert table.name == name
        assert not any(op.own for op in table) or table is MIXED


def test_plain_convolutions_have_one_kernel():
    for op, size in enumerate((3, 5)):
        kernel, scale, offset = PLAIN[op].weights(6, 1, 0.1)
        assert kernel.shape == (size, size, 6, 6)
        assert (scale.start, PLAIN[op].weights(6, 2, 0.1)[1].start) == (0.1, 1.0)
        assert scale.shape == offset.shape == (6,)


class Alone(Operations):
    """A table whose operations share nothing, though they may differ in width alone."""

    def families(self):
        return [(number,) for number in range(len(self))]


ALONE = Alone(MIXED.name, MIXED.entries)


def test_families_differ_in_width_alone():
    assert MIXED.families() == [(0, 1, 2), (3, 4, 5), (6,), (7,), (8,)]
    assert CLASSIC.families() == PLAIN.families() == [(op,) for op in range(5)]


@pytest.mark.parametrize("operations", [ALONE, MIXED])
def test_banks_of_each_width(operations, graph):
    """Latent kernels keep the bounds and the format of what reads them."""
    share, changes = operations is MIXED, {"operations": operations}
    config = tiny_config("ternarize", num_layers=-1, pool_layers=(), **changes)
    child = MicroChild(config, *placeholders(config))
    child.build(*images_and_labels(config), False)
    kernels = ("kernels_0", "kernels_3") if share else range(6)
    for place, name in enumerate(kernels):
        found = [p for p in pieces_of(bank_of(child, 0, name)) if p.bound == 1.0]
        bits = 4 if share else (1, 2, 4)[place % 3]
        assert [piece.format.bits for piece in found] == [bits] * 4
    names = {plan.name for plan in bank_plans(operations, 4)}
    assert names == (
        {"kernels_0", "norms_0", "kernels_3", "norms_3"}
        if share
        else {f"op_{n}" for n in range(6)}
    )


def child_within(scope, operations):
    """A search child in a variable scope: its outputs, weights by name, and cells.

    It has a normal cell and a reduction."""
    config = tiny_config("ternarize", num_layers=0, operations=operations)
    cells = placeholders(config)
    with tf.compat.v1.variable_scope(scope):
        outputs = MicroChild(config, *cells).build(*images_and_labels(config), False)
    prefix = f"{scope}/child/"
    weights = {
        v.op.name.removeprefix(prefix): v
        for v in tf.compat.v1.trainable_variables()
        if v.op.name.startswith(prefix)
    }
    return outputs, weights, cells


def test_a_shared_bank_gathers_the_gradient_of_every_width(graph, session, initialize):
    """With the same kernels, banks of their own have the same gradient, row by row."""
    children = [child_within("own", ALONE), child_within("shared", MIXED)]
    fetched = []
    for outputs, weights, _ in children:
        names = [n for n in weights if n.split("/")[1].startswith(("op_", "kernels_"))]
        gradients = tf.gradients(outputs.total_loss, [weights[n] for n in names])
        assert all(isinstance(gradient, tf.IndexedSlices) for gradient in gradients)
        slices = [(gradient.indices, gradient.values) for gradient in gradients]
        fetched.append((names, (outputs.total_loss, slices)))
    initialize()
    _copy_kernels(session, children[0][1], children[1][1])
    losses, slices = [], []
    for (_, _, cells), (names, fetches) in zip(children, fetched, strict=True):
        loss, values = session.run(fetches, feed_of(cells, WIDTHS, MIXED))
        losses.append(loss)
        slices.append(dict(zip(names, values, strict=True)))
    np.testing.assert_allclose(*losses, rtol=1e-6)
    # Layer 0 is a normal cell, which has the widths of 3×3, and layer 1 a reduction.
    for layer, filters, ops in ((0, 4, (0, 1, 2)), (1, 8, (3, 4, 5))):
        rows, values = slices[1][f"layer_{layer}/kernels_{ops[0]}"]
        assert len(set(rows)) == len(rows) == (4 if layer == 0 else 3)
        own = {}
        for op in ops:
            specs = MIXED[op].weights(filters, 1)
            found = zip(*slices[0][f"layer_{layer}/op_{op}"], strict=True)
            own |= {row: _kernels(value, specs) for row, value in found}
        assert sorted(rows) == sorted(own)
        for row, value in zip(rows, values, strict=True):
            assert np.abs(value).max() > 0
            np.testing.assert_allclose(value, own[row], rtol=1e-3, atol=1e-6)


def _kernels(row, specs):
    """The kernels among the numbers of a row."""
    sizes = [int(np.prod(spec.shape)) for spec in specs]
    parts = np.split(row, np.cumsum(sizes)[:-1], axis=-1)
    kept = [p for p, s in zip(parts, specs, strict=True) if "wise" in s.name]
    return np.concatenate(kept, axis=-1)


def _copy_kernels(session, source, target):
    """Gives the weights of a child to one that shares, and its kernels to both."""
    values, given = session.run(source), []
    for name, variable in target.items():
        scope, _, bank = name.rpartition("/")
        if bank.startswith("kernels_"):
            first = int(bank.removeprefix("kernels_"))
            filters = {"0": 4, "1": 8}[scope[-1]]
            specs = MIXED[first].weights(filters, 1)
            own = [f"{scope}/op_{op}" for op in (first, first + 1, first + 2)]
            kernels = _kernels(values[own[0]], specs)
            for one in own:
                given.append((source[one], _with_kernels(values[one], kernels, specs)))
            given.append((variable, kernels))
        elif not bank.startswith("norms_"):  # these start alike
            given.append((variable, values[name]))
    load(session, given)


def _with_kernels(row, kernels, specs):
    row, place, taken = row.copy(), 0, 0
    for spec in specs:
        size = int(np.prod(spec.shape))
        if "wise" in spec.name:
            row[:, place : place + size] = kernels[:, taken : taken + size]
            taken += size
        place += size
    return row


@pytest.mark.parametrize("optim_algo", ["momentum", "adam"])
def test_a_step_of_shared_banks_changes_only_the_rows_it_reads(
    optim_algo, graph, session, initialize
):
    config = tiny_config(num_layers=-1, pool_layers=(), operations=MIXED)
    cells = placeholders(config)
    child = MicroChild(config, *cells)
    outputs = child.build(*images_and_labels(config), True)
    step = tf.compat.v1.train.get_or_create_global_step()
    rates = {"lr_max": 0.5, "lr_min": 0.5, "l2_reg": 0.01, "clip_mode": "norm"}
    config = TrainConfig(optim_algo, **rates)
    train = get_train_ops(outputs.total_loss, child.variables(), config, step, 1, 1)
    initialize()
    banks = [bank_of(child, 0, name) for name in ("kernels_0", "norms_0")]
    before = session.run(banks)
    session.run(train.train, feed_of(cells, WIDTHS, MIXED))
    after = session.run(banks)
    changed, of_norms = (
        np.flatnonzero((old != new).any(axis=1))
        for old, new in zip(before, after, strict=True)
    )
    # Edges 0, 1, 2 and 3 have 2, 2, 3 and 3 rows, and read nodes 0, 1, 0 and 2.
    read = [0, 3, 4, 9]
    assert list(changed) == read
    places = WIDTHS[1:8:2]
    assert list(of_norms) == sorted(
        10 * place + row for place, row in zip(places, read, strict=True)
    )
    assert np.abs(after[0]).max() <= 1.0


def test_layer_0_keeps_an_operation_s_own_format(graph):
    """The stem, calibration and output keep the format of the layer."""
    from tests.networks import random_child

    arc = parse_arc(" ".join(map(str, WIDTHS)), 2, MIXED)
    child = random_child(
        "quantize", 8, arc, first=("quantize", 3), operations=MIXED, num_layers=1
    )
    network = child.shape
    bits = {
        part: {
            step.format.bits
            for step, where in zip(network.steps, network.parts, strict=True)
            if where == part and isinstance(step, Convolve | Depthwise)
        }
        for part in ("stem_conv", "layer_0", "layer_1")
    }
    assert bits == {"stem_conv": {3}, "layer_0": {1, 2, 3, 4}, "layer_1": {1, 2, 4, 8}}


def settings_of(script, *flags):
    return parse([f"{script.__name__}.py", *flags], script.CONSTANTS)


def test_strings_of_another_table_are_refused():
    last = SMALL_ARC[:-1] + "8"
    flags = ("--child_num_cells=2", f"--fixed_arc={last}")
    words = (
        "number 16 of the arc, op_y of block 1 of the reduction cell, is 8; allowed is "
        "0 to {} with child_ops={}"
    )
    for ops, most in (("classic", 4), ("plain", 4)):
        with pytest.raises(enas.UsageError, match=words.format(most, ops)):
            settings_of(train_arc_mnist, *flags, f"--child_ops={ops}")
    settings = settings_of(train_arc_mnist, *flags, "--child_ops=mixed")
    assert settings.fixed_arc == last and settings.operations is MIXED
    with pytest.raises(ValueError, match="is 9; allowed is 0 to 8 with child_ops=mix"):
        enas.parse_arc(last[:-1] + "9", "mixed")
    with pytest.raises(enas.UsageError, match="child_ops is 'huge'; it must be one of"):
        enas.parse_arc(last, "huge")
    with pytest.raises(enas.UsageError, match="child_ops=mixed has operations of few"):
        settings_of(
            train_arc_mnist, *flags, "--child_ops=mixed", "--child_scheme=float"
        )


def test_a_command_carries_the_table():
    arc = random_arc(5, random.Random(1), MIXED)
    assert " --child_ops=mixed " in train_command(arc, {"child_ops": "mixed"})
    for older in ({}, {"child_ops": "classic"}):
        assert "child_ops" not in train_command(random_arc(5, random.Random(1)), older)


def test_a_wider_table_needs_more_memory():
    import search_arc_mnist

    least = {
        name: least_memory(settings_of(search_arc_mnist, f"--child_ops={name}"))
        for name in TABLES
    }
    assert least["classic"] < least["mixed"] < 1.1 * least["classic"]


@pytest.mark.parametrize("table", TABLES)
def test_pictures_of_every_operation(table, tmp_path, capsys):
    operations = TABLES[table]
    for seed in range(4):
        arc = random_arc(5, random.Random(seed), operations)
        picture = cells_picture(arc, operations)
        check_layout(picture)
        check_texts(picture)
        sides = [block.edges() for cell in arc for block in cell]
        texts = [box.text for box in picture.boxes]
        for number, operation in enumerate(operations):
            ops = [op for edges in sides for _, op in edges]
            assert texts.count(operation.name) == ops.count(number)
        fills = {
            box.fill
            for box in picture.boxes
            if box.text in {o.name for o in operations}
        }
        assert len(fills) == len({op for edges in sides for _, op in edges})
    output = f"--output={tmp_path / 'cell'}"
    command.main(["vis_cell", str(arc), f"--child_ops={table}", "--network", output])
    assert len(capsys.readouterr().out.split()) == 4
    assert all(path.stat().st_size > 1000 for path in tmp_path.iterdir())
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize(
    "table, scheme, filters, layers, head, fold",
    [
        ("mixed", "ternarize", 2, 2, 8, True),
        ("plain", "binarize", 6, 4, 2, False),
    ],
)
def test_from_a_search_to_a_packed_network(
    table, scheme, filters, layers, head, fold, tmp_path, capsys
):
    """A search, its continuation, its strings, a training and the file of it; with
    reductions, the aux head and all else that the scripts have by default."""
    operations = TABLES[table]
    out, trained_out = str(tmp_path / "search"), str(tmp_path / "train")
    flags = FLAGS | {"child_ops": table, "seed": 3, "child_num_cells": 1}
    flags |= {"child_out_filters": filters, "child_num_layers": layers}
    flags |= {"child_scheme": scheme, "child_head_bits": head}
    searching = {"controller_train_steps": 1}
    enas.search(num_epochs=1, output_dir=out, **flags, **searching)
    done = enas.search(
        num_epochs=2, output_dir=out, reset_output_dir=False, **flags, **searching
    )
    assert [one.epoch for one in done.evaluations] == [1, 2]
    assert len(done.ranking) == 20
    with pytest.raises(enas.UsageError, match="another child_ops"):
        enas.search(
            num_epochs=3,
            output_dir=out,
            reset_output_dir=False,
            **flags | {"child_ops": "classic"},
            **searching,
        )
    best = parse_arc(done.ranking[0].arc, 1, operations)
    records = enas.read_log(f"{out}/log.txt")
    strings = [r["arc"] for r in records if r["kind"] == "architecture"]
    assert len(strings) == 20
    largest = max(int(n) for arc in strings for n in arc.split()[1::2])
    assert largest > 4 or table != "mixed"
    assert len(ranking.read_arcs(out, 1, operations)) == 10
    kept = kept_run.settings_of(out, "search")
    assert kept.operations is operations
    told = capsys.readouterr().err
    assert f"--child_ops={table}" in told
    network = trained_alone(best, trained_out, head, child_fold_norms=fold, **flags)
    assert network.about["ops"] == table and network.about["arc"] == str(best)


def test_an_older_folder_is_of_the_first_table(finished_search, tmp_path):
    out = copied(finished_search.folder, tmp_path / "older")
    path = tmp_path / "older" / FLAGS_FILE
    flags = json.loads(path.read_text())
    del flags["child_ops"]
    flags["child_share_widths"] = False  # of versions between
    path.write_text(json.dumps(flags))
    assert kept_run.settings_of(out, "search").operations is CLASSIC
    changed = {"num_epochs": 3, "reset_output_dir": False, "output_dir": out}
    with pytest.raises(enas.UsageError, match=r"another child_ops \(was 'classic'\)"):
        enas.search(child_ops="mixed", **SEARCH_FLAGS | changed)
