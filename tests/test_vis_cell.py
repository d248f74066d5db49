"""Pictures of cells and networks: nothing overlaps, everything is named and true."""

import os
import random
import re
import subprocess
import sys
from html import unescape
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import train_arc_mnist
from enas.drawing import command
from enas.drawing.cell_plot import cell_picture, cells_picture
from enas.drawing.network_plot import AUX_ROWS, Network, layers_of, network_picture
from enas.drawing.picture import draw
from enas.space import operations
from enas.space.arc import parse_arc, random_arc, unread_nodes
from enas.space.layer_plan import default_pool_layers
from tests.test_arc import README_STRINGS

ROOT = Path(__file__).parent.parent
TEXT = README_STRINGS[0]
arcs = st.builds(
    random_arc,
    st.sampled_from([1, 3, 5, 7]),
    st.integers(0, 2**32).map(lambda seed: random.Random(seed)),
)


def inside(box, points, margin=1e-3):
    """Whether points [N, 2] lie in a box, its outline excepted."""
    x, y = points.T
    return (
        (x > box.left + margin)
        & (x < box.right - margin)
        & (y > box.top + margin)
        & (y < box.bottom - margin)
    )


def samples(edge):
    """Points [N, 2] on an edge's curves."""
    points, t = np.array(edge.points), np.linspace(0, 1, 40)[:, None]
    parts = [
        (1 - t) ** 3 * points[i]
        + 3 * t * (1 - t) ** 2 * points[i + 1]
        + 3 * t**2 * (1 - t) * points[i + 2]
        + t**3 * points[i + 3]
        for i in range(0, len(points) - 1, 3)
    ]
    return np.concatenate(parts)


def check_layout(picture):
    """Boxes lie in the picture and apart from each other and from all lines."""
    for box in picture.boxes:
        assert box.left >= 0 and box.right <= picture.width + 1e-9
        assert box.top >= 0 and box.bottom <= picture.height + 1e-9
    for a, b in combinations(picture.boxes, 2):
        apart = a.right <= b.left or b.right <= a.left
        assert apart or a.bottom <= b.top or b.bottom <= a.top, (a, b)
    for edge in picture.edges:
        # An arrow has its direction from the last points.
        assert np.abs(np.subtract(edge.points[-1], edge.points[-2])).max() > 0.03
        points = samples(edge)
        assert (points >= -0.01).all()
        assert (points <= (picture.width + 0.01, picture.height + 0.01)).all()
        assert not any(inside(box, points).any() for box in picture.boxes), edge


def check_texts(picture):
    """Each text, as wide and high as it is drawn, lies within its box."""
    figure = draw(picture)
    axes = figure.axes[0]
    to_inches = axes.transData.inverted()
    drawn = [(text, text.get_window_extent()) for text in axes.texts]
    boxes = [box for box in picture.boxes for line in (box.text, box.note) if line]
    assert len(drawn) == len(boxes)
    for (text, extent), box in zip(drawn, boxes, strict=True):
        (left, bottom), (right, top) = to_inches.transform(extent)
        assert left >= box.left - 0.02 and right <= box.right + 0.02, text
        assert top >= box.top - 0.02 and bottom <= box.bottom + 0.02, text


@given(arcs)
@settings(max_examples=25)
def test_nothing_overlaps(arc):
    check_layout(cells_picture(arc))


@given(arcs)
@settings(max_examples=5)
def test_text_lies_within_its_box(arc):
    check_texts(cells_picture(arc))


def source_of(box, nodes, edges):
    """The node, a key of `nodes`, where the line begins that ends at a box's left."""
    (edge,) = [e for e in edges if near(e.points[-1], (box.left, box.middle))]
    starts = {node: (other.right, other.middle) for node, other in nodes.items()}
    (source,) = [node for node in starts if near(edge.points[0], starts[node])]
    return source


def near(point, other):
    return np.allclose(point, other, atol=1e-6)


@given(arcs)
@settings(max_examples=15)
def test_lines_join_what_the_string_says(arc):
    names = [operation.name for operation in operations.CLASSIC]
    for cell, reduces in zip(arc, (False, True), strict=True):
        boxes, edges = cell_picture("", cell, reduces)[2:]
        nodes = {box.text.removeprefix("node "): box for box in boxes}
        nodes = {int(text): box for text, box in nodes.items() if text.isdigit()}
        assert sorted(nodes) == list(range(len(cell) + 2))
        read = []
        for box in boxes:
            if box.text in names:
                source = source_of(box, nodes, edges)
                assert (box.note == "stride 2") == (reduces and source < 2)
                read.append((source, names.index(box.text)))
        assert sorted(read) == sorted(
            side for block in cell for side in (block[:2], block[2:])
        )


def texts_of(path):
    return [
        unescape(t) for t in re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text())
    ]


@pytest.mark.parametrize("seed", [43, 1])
def test_the_svg_names_everything(tmp_path, seed, capsys):
    arc = random_arc(5, random.Random(seed))
    command.main(["vis_cell", str(arc), f"--output={tmp_path / 'cell'}"])
    written = [str(tmp_path / f"cell.{kind}") for kind in ("png", "svg")]
    assert capsys.readouterr().out.splitlines() == written
    texts = texts_of(tmp_path / "cell.svg")
    for node in ("node 0", "node 1", "2", "3", "4", "5", "6"):
        assert texts.count(node) >= 2
    for number, operation in enumerate(operations.CLASSIC):
        ops = [op for cell in arc for b in cell for op in (b.op_x, b.op_y)]
        assert texts.count(operation.name) == ops.count(number)
    for cell in arc:
        unread = unread_nodes(cell)
        listed = ", ".join(map(str, unread))
        assert f"concat of nodes {listed}" in texts or f"node {listed}" in texts
    strided = [i for b in arc.reduction for i in (b.index_x, b.index_y) if i < 2]
    inputs = [node for node in unread_nodes(arc.reduction) if node < 2]
    assert texts.count("stride 2") == len(strided) + len(inputs)
    assert texts.count("factorized reduction") == len(inputs) == (seed == 43)


def test_a_new_operation_is_drawn():
    first = operations.CLASSIC.entries
    added = tuple(first[4]._replace(name=f"a wholly new operation {n}") for n in "678")
    table = operations.Operations("new", first + added * 2)
    picture = cells_picture(parse_arc("0 5 1 10 0 7 1 6", 1, table), table)
    check_layout(picture)
    check_texts(picture)
    names = [box.text for box in picture.boxes]
    assert {f"a wholly new operation {n}" for n in "678"} <= set(names)


def test_layers_of_the_default_train_configuration():
    layers = layers_of(parse_arc(TEXT, 5), 6, default_pool_layers(6), 32, 16)
    # Five unread nodes in the normal cell, four in the reduction cell.
    assert [(layer.number, layer.size, layer.channels) for layer in layers] == [
        (0, 32, 80),
        (1, 16, 128),
        (2, 16, 160),
        (3, 8, 256),
        (4, 8, 320),
        (5, 8, 320),
        (6, 4, 512),
        (7, 4, 640),
    ]
    assert [layer.number for layer in layers if layer.reduces] == [1, 3, 6]


@pytest.mark.parametrize("aux", [None, 0, 4, 7])
def test_the_network_is_laid_out_without_overlaps(aux):
    layers = layers_of(parse_arc(TEXT, 5), 6, (1, 3, 6), 32, 16)
    picture = network_picture(Network(32, 3, 16, layers, aux))
    check_layout(picture)
    check_texts(picture)
    assert any(box.text == "aux head" for box in picture.boxes) == (aux is not None)
    for line in (edge for edge in picture.edges if edge.dashed):
        x, y = line.points[0]
        right = [e for e in picture.edges if e is not line and samples(e)[1, 0] > x]
        aside = [np.unique(samples(edge)[:, 1] > y) for edge in right]
        assert all(len(sides) == 1 for sides in aside), "it crosses a line"
    # One line to the stem, two to each layer, one each to pool and classifier.
    in_main_column = 1 + 2 * len(layers) + 2
    assert len(picture.edges) == in_main_column + (aux is not None) * len(AUX_ROWS)


def test_layers_are_those_of_the_fixed_child(graph):
    import tensorflow as tf

    from enas.fixed_child import FixedChild
    from enas.models import AUX_FILTERS
    from tests.children import images_and_labels, tiny_config

    config = tiny_config(img_size=16, num_layers=2, pool_layers=(0, 3), num_cells=3)
    arc = random_arc(3, random.Random(13))
    assert unread_nodes(arc.reduction)[0] < 2
    model = FixedChild(config, arc, tf.constant(0.0))
    outputs = model.build(*images_and_labels(config, 1), False)
    layers = layers_of(arc, 2, (0, 3), 16, config.out_filters)
    drawn = [(layer.number, layer.size, layer.channels) for layer in layers]
    assert drawn == [tuple(shape) for shape in outputs.layers]
    notes = [note for _, note, _ in AUX_ROWS if note.endswith("filters")]
    assert notes == [f"{filters} filters" for filters in AUX_FILTERS]


def test_the_network_is_drawn_as_the_flags_say(tmp_path, capsys):
    flags = ["-network", "--child_num_layers", "2", "--img_size=24", "--channel=3"]
    flags += ["--child_pool_layers=1", "-child_out_filters=8"]
    command.main(["vis_cell", *flags, f"--output={tmp_path / 'x'}", TEXT])
    names = [Path(line).name for line in capsys.readouterr().out.splitlines()]
    assert names == ["x.png", "x.svg", "x_network.png", "x_network.svg"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    texts = texts_of(tmp_path / "x_network.svg")
    assert "24×24×3" in texts and "24×24×24" in texts
    assert "24×24×40   (5 unread nodes × 8 filters)" in texts
    assert "12×12×64   (4 unread nodes × 16 filters)" in texts
    assert "layer 1: reduction cell" in texts and "layer 3: normal cell" in texts
    assert "aux head" in texts
    assert not any(text.startswith("layer 4") for text in texts)


def test_a_picture_is_the_same_each_time(tmp_path):
    for name in "ab":
        command.main(["vis_cell", TEXT, f"--output={tmp_path / name}"])
    for kind in ("png", "svg"):
        first, second = ((tmp_path / f"{name}.{kind}").read_bytes() for name in "ab")
        assert first == second


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["0 2 1"], 2, r"the arc has 3 numbers; .*needs 8"),
        ([TEXT + " 0"], 2, r"the arc has 41 numbers; .*needs 40"),
        (["0 2 1 4 0 2 1 5"], 2, r"number 8 of the arc, op_y .* is 5; .* 0 to 4"),
        (["0 2 two 4 0 2 1 5"], 2, r"number 3 of the arc is 'two'"),
        ([], 2, r"fixed_arc is missing"),
        ([TEXT, "--nonsense"], 2, r"nonsense"),
        ([TEXT, "--output="], 2, r"output is ''; it must be the name of a file"),
        ([TEXT, "--img_size=28"], 2, r"images have 28 pixels .* multiple of 8"),
        (
            [TEXT, "--child_out_filters=7"],
            2,
            r"child_out_filters is 7; it must be even",
        ),
        ([TEXT, "--child_pool_layers=9"], 2, r"child_pool_layers has '9'"),
        ([TEXT, "--child_num_layers=101"], 2, r"101; at most 100 are drawn"),
        (["0 " * 168], 2, r"child_num_cells is 21; at most 20 are drawn"),
        (
            [TEXT, "--output=no/such/folder/cell"],
            1,
            r"cannot write no/such/folder/cell",
        ),
    ],
)
def test_what_is_wrong_is_said(words, status, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as exit_:
        command.main(["vis_cell", *words])
    captured = capsys.readouterr()
    assert exit_.value.code == status and captured.out == ""
    assert re.fullmatch(f"vis_cell: .*{message}.*\n", captured.err)
    assert not any(tmp_path.iterdir())


def test_strings_as_logs_show_them_and_without_quotes():
    for words in (
        ["[0 2 1 4]\n[1 3 0 1]"],
        ["-fixed_arc", "0 2 1 4 1 3 0 1"],
        list("02141301"),
    ):
        settings = command.read_settings(["vis_cell", *words])
        assert settings.fixed_arc == "0 2 1 4 1 3 0 1"
        assert settings.child_num_cells == 1


def test_defaults_are_those_of_the_train_script():
    train = train_arc_mnist.CONSTANTS
    own = set(command.CONSTANTS) - set(train)
    assert own == {"output", "network"}
    assert command.CONSTANTS.items() - train.items() == {
        ("output", "cell"),
        ("network", False),
    }


def test_the_command_writes_what_it_says_without_tensorflow(tmp_path):
    code = (
        "import sys, runpy; sys.argv[0] = 'vis_cell';"
        "runpy.run_module('enas.vis_cell', run_name='__main__');"
        "sys.exit('tensorflow' in sys.modules or 'matplotlib.pyplot' in sys.modules)"
    )
    output = tmp_path / "a"
    process = subprocess.run(
        [sys.executable, "-c", code, TEXT, "--network", f"--output={output}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    assert process.stdout.count("\n") == len(list(tmp_path.iterdir())) == 4


def test_the_picture_in_the_repository_is_small():
    assert (ROOT / "docs" / "cell.png").stat().st_size < 200_000


def test_only_pictures_are_written_over(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "a.png").write_text("mine")
    (tmp_path / "b.png").symlink_to(tmp_path / "mine.txt")
    os.mkfifo(tmp_path / "c.png")
    for name in "abc":
        with pytest.raises(SystemExit) as leaving:
            command.main(["vis_cell", TEXT, f"--output={tmp_path / name}"])
        assert leaving.value.code == 1
        assert "so it is not written over" in capsys.readouterr().err
    assert (tmp_path / "a.png").read_text() == "mine"
    assert (tmp_path / "mine.txt").read_text() == "mine"
    for _ in range(2):
        command.main(["vis_cell", TEXT, f"--output={tmp_path / 'd'}"])
