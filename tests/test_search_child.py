"""The search child against the fixed child, and what a step leaves alone."""

import numpy as np
import pytest
import tensorflow as tf

from enas import common_ops
from enas.common_ops import Context
from enas.fixed_child import FixedChild
from enas.micro_child import MicroChild, bank_rows, route, row_offsets
from enas.space.arc import arc_from_numbers, unread_nodes
from enas.space.operations import CLASSIC, TABLES
from enas.utils import TrainConfig, get_train_ops
from tests.children import (
    SCHEME_NAMES,
    bank_of,
    convolved,
    edge_weights,
    feed_of,
    halved,
    images_and_labels,
    new_build,
    normalized,
    placeholders,
    tiny_config,
    values_of,
)

# Blocks of three: every operation stands on either side of a block in one of the rows.
CELLS = (
    [0, 0, 1, 1, 2, 2, 0, 3, 3, 4, 1, 0],
    [1, 1, 1, 2, 1, 3, 2, 4, 0, 0, 2, 1],
    [0, 2, 0, 3, 0, 4, 0, 0, 3, 1, 3, 2],
    [1, 3, 0, 4, 2, 0, 1, 1, 3, 2, 2, 3],
    [0, 4, 1, 0, 0, 1, 2, 2, 1, 3, 3, 4],
)


class CopiedChild(FixedChild):
    """A fixed child whose edges take their weights from a search child's banks."""

    def __init__(self, searched: MicroChild, arc, layer: int, filters: int):
        super().__init__(searched.config, arc, tf.constant(0.0))
        self.searched, self.filters = searched, filters
        self.edges = iter(
            (number * 2 + side, index, op)
            for number, block in enumerate(arc.normal)
            for side, (index, op) in enumerate((block[:2], block[2:]))
        )

    def _create_weights(self, specs, scheme):
        edge, index, op = next(self.edges)
        return edge_weights(self.searched, 0, edge, index, op, self.filters)

    def _norm(self, build, x, scale, offset):
        return common_ops.batch_norm(x, scale, offset)


def cells_of(operations):
    """CELLS, in which the operations of another table take their turns: on each edge
    stands each of them, or each third one of nine."""
    if operations is CLASSIC:
        return CELLS
    count, pieces = len(operations), []
    for cell, numbers in enumerate(CELLS):
        edges = range(len(numbers) // 2)
        ops = [(cell * len(edges) + edge) % count for edge in edges]
        pieces.append([x for edge in edges for x in (numbers[2 * edge], ops[edge])])
    assert {x for numbers in pieces for x in numbers[1::2]} == set(range(count))
    return pieces


@pytest.mark.parametrize(
    ("scheme", "recommended", "table"),
    [
        *((s, r, "classic") for s in SCHEME_NAMES for r in (False, True)),
        *((s, r, "plain") for s in SCHEME_NAMES for r in (False, True)),
        *(("ternarize", r, "mixed") for r in (False, True)),
    ],
)
def test_nodes_of_search_and_fixed_cell_agree(
    scheme, recommended, table, graph, session, initialize
):
    filters = 4
    changes = {"op_shortcut": recommended, "node_mean": recommended}
    changes |= {"operations": TABLES[table]}
    config = tiny_config(scheme, num_cells=3, out_filters=filters, **changes)
    rng = np.random.default_rng(0)
    inputs = [
        tf.constant(rng.normal(size=(2, 4, 4, filters)).astype(np.float32))
        for _ in range(2)
    ]
    child = MicroChild(config, *placeholders(config))
    context = Context(config.scheme, common_ops.batch_norm, recommended)
    cell = tf.compat.v1.placeholder(tf.int32, [12])
    with tf.compat.v1.variable_scope("child/layer_0"):
        routing = route(cell, 3, config.operations)
        nodes = child.run_blocks(context, inputs, routing, filters)
    twins, strings = [], cells_of(config.operations)
    for numbers in strings:
        arc = arc_from_numbers(numbers * 2, config.operations)
        fixed = CopiedChild(child, arc, 0, filters)
        blocks = fixed.run_blocks(new_build(), 0, list(inputs), arc.normal, 1)
        twins.append(tf.stack(blocks))
    searched = tf.raw_ops.TensorListStack(
        input_handle=nodes,
        element_shape=tf.constant([2, 4, 4, filters]),
        element_dtype=tf.float32,
    )
    initialize()
    for numbers, expected in zip(strings, session.run(twins), strict=True):
        actual = session.run(searched, {cell: numbers})
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)
        assert actual[2:].std() > 0


@pytest.mark.parametrize("share", [False, True])
def test_output_is_the_convolution_of_the_unread_nodes(
    share, graph, session, initialize
):
    """Float: relu of each unread node times its kernel row, or times the one that all
    share, summed, normalized."""
    config = tiny_config("float", num_cells=3, share_output_kernel=share)
    child = MicroChild(config, *placeholders(config))
    context = Context(config.scheme, common_ops.batch_norm)
    cell = tf.compat.v1.placeholder(tf.int32, [12])
    rng = np.random.default_rng(0)
    inputs = [
        tf.constant(rng.normal(size=(2, 4, 4, 4)).astype(np.float32)) for _ in range(2)
    ]
    with tf.compat.v1.variable_scope("child/layer_0"):
        nodes = child.run_blocks(context, inputs, route(cell, 3), 4)
        output = child.combine(context, nodes, route(cell, 3), 4, inputs[1].shape)
    stacked = tf.raw_ops.TensorListStack(
        input_handle=nodes,
        element_shape=tf.constant([2, 4, 4, 4]),
        element_dtype=tf.float32,
    )
    bank = next(v for v in child.variables() if v.name.endswith("final_conv/kernel:0"))
    initialize()
    for numbers in CELLS:
        actual, all_nodes, kernels = session.run(
            [output, stacked, bank], {cell: numbers}
        )
        unread = unread_nodes(arc_from_numbers(numbers * 2).normal)
        expected = sum(
            np.maximum(all_nodes[node], 0) @ kernels[0 if share else node].reshape(4, 4)
            for node in unread
        )
        np.testing.assert_allclose(actual, normalized(expected), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("pool_layers", [(), (0,)])
def test_a_child_of_one_layer(pool_layers, graph, session, initialize):
    """Float, against NumPy: node 2, the sum of the two inputs, is alone in the output.
    Its kernel stands in the third row. Where the layer is a reduction, its newest input
    is halved as it is, and the other one's calibration follows."""
    config = tiny_config("float", num_layers=-1, num_cells=1, pool_layers=pool_layers)
    cells = placeholders(config)
    child = MicroChild(config, *cells)
    images, labels = images_and_labels(config)
    outputs = child.build(images, labels, True)
    initialize()
    w = values_of(child, session)

    def relu(x):
        return np.maximum(x, 0)

    def conv_norm(x, scope):
        return normalized(convolved(x, w[f"{scope}/kernel"]))

    def reduced(x, scope):
        kernels = [w[f"{scope}/kernel_{name}"] for name in ("even", "odd")]
        return normalized(halved(x, *kernels))

    feed = feed_of(cells, [0, 4, 1, 4] * 2)
    logits, images = session.run([outputs.logits, images], feed)
    stem = conv_norm(images, "stem_conv")
    if pool_layers:
        first = reduced(relu(stem), "layer_0/calibrate_x")
        second = reduced(stem, "layer_0/reduction")
    else:
        first = conv_norm(relu(stem), "layer_0/calibrate_x")
        second = conv_norm(relu(stem), "layer_0/calibrate_y")
    filters = first.shape[-1]
    kernel = w["layer_0/final_conv/kernel"][2].reshape(1, 1, filters, filters)
    output = normalized(convolved(relu(first + second), kernel))
    expected = relu(output).mean((1, 2)) @ w["head/w"]
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-4)


def test_every_edge_and_node_has_a_row_of_its_own():
    for num_cells in (1, 3, 5, 7):
        offsets = row_offsets(num_cells)
        rows = [
            offset + index
            for edge, offset in enumerate(offsets)
            for index in range(edge // 2 + 2)
        ]
        assert rows == list(range(bank_rows(num_cells)))


@pytest.mark.parametrize("scheme", SCHEME_NAMES)
@pytest.mark.parametrize("optim_algo", ["sgd", "momentum", "adam"])
def test_a_step_changes_only_the_rows_it_reads(
    scheme, optim_algo, graph, session, initialize
):
    config = tiny_config(scheme, num_layers=0)  # a normal cell and a reduction
    cells = placeholders(config)
    child = MicroChild(config, *cells)
    outputs = child.build(*images_and_labels(config), False)
    step = tf.compat.v1.train.get_or_create_global_step()
    train = get_train_ops(
        outputs.total_loss,
        child.variables(),
        TrainConfig(optim_algo, lr_max=0.5, lr_min=0.5, l2_reg=0.01, clip_mode="norm"),
        step,
        1,
        1,
    )
    initialize()
    # Node 2 is read by the second block, so that both blocks are trained.
    for numbers in ([0, 0, 1, 1, 2, 1, 0, 0] * 2, [1, 4, 0, 2, 2, 0, 1, 0] * 2):
        before = session.run(child.variables())
        session.run(train.train, feed_of(cells, numbers))
        after = session.run(child.variables())
        changed = {
            v.op.name: np.flatnonzero((old != new).reshape(len(old), -1).any(axis=1))
            for v, old, new in zip(child.variables(), before, after, strict=True)
        }
        offsets = row_offsets(config.num_cells)
        edges = list(zip(numbers[:8:2], numbers[1:8:2], strict=True))
        for layer in range(config.num_layers + 2):
            for op in (0, 1):
                read = [
                    offsets[edge] + index
                    for edge, (index, sampled) in enumerate(edges)
                    if sampled == op
                ]
                assert list(changed[f"child/layer_{layer}/op_{op}"]) == read
            unread = unread_nodes(arc_from_numbers(numbers).normal)
            assert list(changed[f"child/layer_{layer}/final_conv/kernel"]) == unread
        for v, new in zip(child.variables(), after, strict=True):
            if config.scheme.H and "kernel" in v.op.name:
                assert np.abs(new).max() <= 1.0


def test_latent_kernels_in_a_bank_stay_in_bounds_and_batch_norm_does_not(
    graph, session, initialize
):
    config = tiny_config("ternarize")
    cells = placeholders(config)
    child = MicroChild(config, *cells)
    outputs = child.build(*images_and_labels(config), False)
    step = tf.compat.v1.train.get_or_create_global_step()
    rate = TrainConfig("adam", lr_max=3.0, lr_min=3.0)
    train = get_train_ops(outputs.total_loss, child.variables(), rate, step, 1, 1)
    initialize()
    numbers = [0, 0, 1, 1, 2, 1, 0, 0] * 2
    for _ in range(3):
        session.run(train.train, feed_of(cells, numbers))
    bank = bank_of(child, 2, 0)
    values = session.run(bank)
    for start, piece in zip(
        np.cumsum([0] + [p.size for p in common_ops.pieces_of(bank)]),
        common_ops.pieces_of(bank),
        strict=False,
    ):
        largest = np.abs(values[:, start : start + piece.size]).max()
        assert largest <= 1.0 if np.isfinite(piece.bound) else largest > 1.0


def test_batch_norm_of_the_batch(graph, session):
    """On faint images, where epsilon counts."""
    x = np.random.default_rng(0).normal(0.5, 0.005, (8, 4, 4, 3)).astype(np.float32)
    scale, offset = np.array([[1.0, 2.0, -0.5], [0.0, 1.0, 3.0]], np.float32)
    actual = session.run(common_ops.batch_norm(tf.constant(x), scale, offset))
    np.testing.assert_allclose(actual, scale * normalized(x) + offset, atol=5e-3)


def test_search_child_needs_no_dropout_or_moving_averages(graph):
    """All that the search child's graph holds is trainable: batch statistics."""
    config = tiny_config()
    child = MicroChild(config, *placeholders(config))
    child.build(*images_and_labels(config), False)
    assert tf.compat.v1.global_variables() == child.variables()


def test_only_training_builds_an_aux_head(graph):
    """The copy that gives reward has none, which nothing would read."""
    config = tiny_config(use_aux_heads=True)
    model = MicroChild(config, *placeholders(config))
    batch = images_and_labels(config)
    evaluated, training = (model.build(*batch, flag) for flag in (False, True))
    scopes = {
        op.name.split("/aux_head/")[0]
        for op in graph.get_operations()
        if "/aux_head/" in op.name
    }
    assert training.scope in scopes and evaluated.scope not in scopes - {model.scope}
    assert evaluated.total_loss is evaluated.loss


def test_weights_counted_by_hand(graph):
    """One layer + 2, one block, F = 4, K = 3 classes; layer 1 reduces to 8 filters."""
    config = tiny_config(num_layers=1, num_cells=1, pool_layers=(1,))
    model = MicroChild(config, *placeholders(config))
    outputs = model.build(*images_and_labels(config), False)

    def conv_norm(channels, filters, k=1):
        return k * k * channels * filters + 2 * filters

    def cell(filters):
        # 2 sides × 2 nodes to read; 3 nodes that the output may take in.
        separable = sum(
            2 * (k * k * filters + filters * filters + 2 * filters) for k in (3, 5)
        )
        return 4 * separable + 3 * filters * filters + 2 * filters

    stem = conv_norm(1, 12, 3)
    layer_0 = 2 * conv_norm(12, 4) + cell(4)
    # The reduction of the newest, and of the input before it, both from 4 channels; the
    # layer after it reads two images that need no calibration.
    layer_1 = 2 * conv_norm(4, 8) + cell(8)
    layer_2 = cell(8)
    total = stem + layer_0 + layer_1 + layer_2 + 8 * 3
    assert model.count_params() == (total, 0)
    assert [tuple(s) for s in outputs.layers] == [(0, 8, 4), (1, 4, 8), (2, 4, 8)]


def test_shortcut(graph, session, initialize):
    """Where the cells put out nothing, a layer is its shortcut."""
    child = tiny_config("ternarize", shortcut=True)
    cells = placeholders(child)
    outputs = MicroChild(child, *cells).build(*images_and_labels(child), False)
    initialize()
    arcs = [numbers * 2 for numbers in ([0, 4, 1, 4, 2, 4, 0, 4], [1, 0, 0, 2] * 2)]
    logits = [session.run(outputs.logits, feed_of(cells, arc)) for arc in arcs]
    assert np.abs(logits[0] - logits[1]).max() > 1e-3
    scales = [
        v
        for v in tf.compat.v1.trainable_variables()
        if v.op.name.endswith("final_conv/scale")
    ]
    assert len(scales) == 4
    session.run([scale.assign(tf.zeros_like(scale)) for scale in scales])
    logits = [session.run(outputs.logits, feed_of(cells, arc)) for arc in arcs]
    np.testing.assert_array_equal(*logits)
    assert np.abs(logits[0]).max() > 0


def test_op_shortcut_and_scale(graph, session, initialize):
    """With a scale of 0 and the shortcut, a convolution is the identity."""
    child = tiny_config("ternarize", op_shortcut=True, op_scale=0.0)
    cells = placeholders(child)
    outputs = MicroChild(child, *cells).build(*images_and_labels(child), False)
    initialize()
    logits = [
        session.run(outputs.logits, feed_of(cells, [0, op, 1, op, 2, op, 0, op] * 2))
        for op in (4, 0, 1, 3)
    ]
    for of_convolution in logits[1:3]:
        np.testing.assert_array_equal(of_convolution, logits[0])
    assert np.abs(logits[3] - logits[0]).max() > 1e-3


@pytest.mark.parametrize(
    ("table", "widest", "changes"),
    [
        ("classic", 1, {}),
        ("classic", 1, {"share_output_kernel": True}),
        ("mixed", 3, {}),
    ],
)
def test_how_much_a_string_reads_of_the_banks(table, widest, changes, graph, session):
    """At most what the child says, and that if all edges take the widest operation."""
    config = tiny_config(operations=TABLES[table], **changes)
    cells = placeholders(config)
    child = MicroChild(config, *cells)
    outputs = child.build(*images_and_labels(config), False)
    found = tf.gradients(outputs.total_loss, child.variables())
    read = [tf.size(g.values) for g in found if isinstance(g, tf.IndexedSlices)]
    session.run(tf.compat.v1.global_variables_initializer())

    def numbers(ops):
        # All edges read node 0, so that as many nodes as can be are unread.
        cell = [number for op in ops for number in (0, op)]
        return sum(session.run(read, dict.fromkeys(cells, cell)))

    assert numbers([widest] * 4) == child.most_read()
    assert 0 < numbers([widest, 0, len(TABLES[table]) - 1, 0]) < child.most_read()
