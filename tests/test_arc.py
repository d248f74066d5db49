"""Reading and writing arc strings."""

import random
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enas.space.arc import (
    arc_from_numbers,
    format_cell,
    numbers_of,
    parse_arc,
    random_arc,
    unread_nodes,
)
from enas.space.operations import CLASSIC

README_STRINGS = (
    "0 2 1 4 1 3 0 1 1 0 1 0 1 2 0 4 0 0 0 1 1 3 1 4 0 1 1 1 1 2 1 4 3 2 0 2 1 1 0 3",
    "1 2 1 3 0 1 0 4 1 1 1 1 0 1 0 1 1 0 0 1 0 1 0 4 1 0 2 0 0 3 1 1 0 0 0 0 4 1 1 0",
)
num_cells = st.integers(1, 8)
arcs = st.builds(
    random_arc, num_cells, st.integers(0, 2**32).map(lambda seed: random.Random(seed))
)


@given(arcs)
def test_text_and_back(arc):
    assert parse_arc(str(arc), len(arc.normal)) == arc
    assert arc_from_numbers(numbers_of(arc)) == arc


@given(arcs, st.sampled_from([" ", "\n", "\t ", "  "]))
def test_any_white_space_and_the_brackets_of_a_log(arc, space):
    numbers = numbers_of(arc)
    half = len(numbers) // 2
    pasted = format_cell(numbers[:half]) + space + format_cell(numbers[half:])
    assert parse_arc(pasted, len(arc.normal)) == arc
    spaced = space + space.join(map(str, numbers)) + space
    assert parse_arc(spaced, len(arc.normal)) == arc


@pytest.mark.parametrize("text", README_STRINGS)
def test_strings_of_older_codes(text):
    assert str(parse_arc(text, 5)) == text


@given(st.text(max_size=60), num_cells)
def test_any_text_is_an_arc_or_a_value_error(text, cells):
    try:
        arc = parse_arc(text, cells)
    except ValueError as error:
        assert "\n" not in str(error)
    else:
        assert len(arc.normal) == len(arc.reduction) == cells


@given(arcs, st.data())
def test_a_number_out_of_range_is_named(arc, data):
    numbers = numbers_of(arc)
    position = data.draw(st.integers(0, len(numbers) - 1))
    block = position % (len(numbers) // 2) // 4
    is_index = position % 2 == 0
    limit = block + 1 if is_index else len(CLASSIC) - 1
    table = "" if is_index else " with child_ops=classic"
    numbers[position] = limit + data.draw(st.integers(1, 1000))
    is_wrong = f"number {position + 1} of the arc.* is {numbers[position]}; "
    wrong = f"{is_wrong}.*0 to {limit}{table}$"
    with pytest.raises(ValueError, match=wrong):
        parse_arc(" ".join(map(str, numbers)), len(arc.normal))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has 0 numbers; child_num_cells=5 needs 40"),
        ("0 1 2", "has 3 numbers"),
        ("0 " * 24, "so many are an arc of child_num_cells=3"),
        ("0 1 two 3", "number 3 of the arc is 'two'"),
        ("0 -1", "number 2 of the arc is '-1'"),
        ("0 1.0", "number 2 of the arc is '1.0'"),
        ("0 ²", "number 2"),
    ],
)
def test_what_is_wrong_is_said(text, message):
    with pytest.raises(ValueError, match=message):
        parse_arc(text, 5)


def test_unread_nodes():
    arc = parse_arc(README_STRINGS[0], 5)
    assert unread_nodes(arc.normal) == [2, 3, 4, 5, 6]
    assert unread_nodes(arc.reduction) == [2, 4, 5, 6]


@given(arcs)
def test_the_last_node_is_unread_and_some_input_is_read(arc):
    for cell in arc:
        unread = unread_nodes(cell)
        assert unread[-1] == len(cell) + 1
        assert 1 <= len(unread) <= len(cell) + 1


def test_parsing_needs_no_tensorflow():
    code = (
        "import sys; from enas.space.arc import parse_arc; import enas.flags;"
        "parse_arc('0 0 0 0 0 0 0 0', 1);"
        "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
