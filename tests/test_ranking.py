"""Ranking strings, and the events that a run leaves; the end-to-end runs are in
test_scripts.py."""

import glob
import json

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.reward_noise import components
from enas.base.errors import InputError
from enas.report.events import Events
from enas.report.ranking import Ranked, read, read_arcs, save_arcs, table
from enas.space.arc import arc_from_numbers
from tests.runs import ARC, SMALL_ARC, run_module, run_module_here


def test_means_and_their_difference():
    ranked = [
        Ranked("0 1", "controller", 0.9, 0.01),
        Ranked("0 2", "controller", 0.7, 0.01),
        Ranked("0 3", "uniform", 0.5, 0.01),
        Ranked("0 4", "uniform", 0.5, 0.01),
    ]
    lines = table(ranked).splitlines()
    assert lines[1].split() == ["1", "0.9000", "0.0100", "controller", "0", "1"]
    assert "mean of 2 controller: 0.8000 ± 0.1000" in lines
    assert "mean of 2 uniform: 0.5000 ± 0.0000" in lines
    assert lines[-1] == "controller - uniform: +0.3000 ± 0.1000 (standard error)"
    assert len(table(ranked[:1]).splitlines()) == 2  # one string has no spread


def test_a_difference_that_may_be_chance_is_called_none():
    for first, ahead in ((0.9, "+0.2000"), (0.1, "-0.2000")):
        ranked = [
            Ranked("0 1", "controller", first, 0.01),
            Ranked("0 2", "controller", 0.5, 0.01),
            Ranked("0 3", "uniform", 0.5, 0.01),
            Ranked("0 4", "uniform", 0.5, 0.01),
        ]
        *_, verdict, last = table(ranked).splitlines()
        assert verdict.startswith(f"controller - uniform: {ahead} ± 0.2000")
        assert last == "  no difference: it is within 2 standard errors"


def test_the_ranking_in_a_terminal():
    """The two cells of a string stand on two lines; nothing is lost."""
    ranked = [Ranked(ARC, "controller", 0.9, 0.01), Ranked(ARC, "uniform", 0.8, 0.01)]
    wide = table(ranked).splitlines()
    assert max(map(len, wide)) > 80 and table(ranked, 200) == table(ranked)
    narrow = table(ranked, 80).splitlines()
    assert max(map(len, narrow)) <= 80
    assert " ".join(narrow[1].split() + narrow[2].split()) == " ".join(wide[1].split())


@pytest.mark.parametrize(
    "change",
    [
        {"accuracy": None},
        {"accuracy": 1.5},
        {"error": "0.01"},
        {"bytes": 0.5},
        {"source": "../away"},
        {"arc": 1},
        {"x": 1},
    ],
)
def test_a_damaged_ranking(tmp_path, change):
    row = Ranked(ARC, "controller", 0.9, 0.01, 500, 1000)._asdict()
    path = tmp_path / "ranking.json"
    path.write_text(json.dumps([row]))
    assert read(str(tmp_path)) == [Ranked(**row)]
    path.write_text(json.dumps([row | change]))
    with pytest.raises(InputError, match=r"ranking.json is damaged"):
        read(str(tmp_path))


def test_a_rounds_strings_are_kept(tmp_path):
    assert read_arcs(str(tmp_path), 2) == []
    numbers = [int(word) for word in SMALL_ARC.split()]
    save_arcs(str(tmp_path), 3, [arc_from_numbers(numbers)] * 2)
    assert [str(arc) for arc in read_arcs(str(tmp_path), 2)] == [SMALL_ARC] * 2


@pytest.mark.parametrize(
    "content, message",
    [
        (None, "No such file or directory; name the output folder of a run"),
        ("{", "flags.json is damaged"),
        ("[1]", "flags.json is damaged"),
        ('{"seed": "x"}', "flags.json: flag --seed=x: "),
        ('{"child_num_layers": 6.5}', "flags.json: flag --child_num_layers=6.5: "),
        ('{"no_flag": 1}', "flags.json: Unknown command line flag 'no_flag'"),
        (
            '{"fixed_arc": "0 1"}',
            "is of a training; name the output folder of a search",
        ),
        ("{}", "has no checkpoint yet"),
    ],
)
def test_folders_that_hold_no_search(tmp_path, content, message):
    if content is not None:
        (tmp_path / "flags.json").write_text(content)
    process = run_module_here("enas.rank_arcs", tmp_path)
    assert process.returncode == 1
    assert process.stdout == ""
    assert message in process.stderr and process.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--draw=2", SMALL_ARC], "--draw draws strings; give none beside it"),
        (["--draw=-1"], "argument --draw: '-1' is no whole number above 0; see --help"),
        (["--draw=0"], "argument --draw: '0' is no whole number above 0; see --help"),
    ],
)
def test_strings_are_drawn_or_given(tmp_path, words, message):
    process = run_module_here("enas.rank_arcs", tmp_path, *words)
    assert (process.returncode, process.stdout) == (2, "")
    assert process.stderr == f"rank_arcs: {message}\n"


def test_wrong_usage():
    process = run_module("enas.rank_arcs")
    assert process.returncode == 2 and process.stdout == ""
    assert process.stderr.startswith("rank_arcs: the following arguments are required")
    assert process.stderr.count("\n") == 1


def test_events_can_be_read_back(tmp_path):
    with tf.Graph().as_default():
        events = Events(str(tmp_path))
        events.scalars("child", 7, {"loss": 1.5, "lr": 0.25})
        events.histogram("controller/ops", 2, [[0, 4], [4, 4]], 5)
        events.close()
    (path,) = glob.glob(f"{tmp_path}/events.*")
    found = {}
    for record in tf.data.TFRecordDataset(path):
        event = tf.compat.v1.Event.FromString(record.numpy())
        for value in event.summary.value:
            found[value.tag] = (event.step, value)
    assert found["child/loss"][0] == 7
    assert found["child/loss"][1].simple_value == 1.5
    assert found["child/lr"][1].simple_value == 0.25
    step, value = found["controller/ops"]
    assert (step, list(value.histo.bucket)) == (2, [1, 0, 0, 0, 3])


def test_what_rewards_are_made_of():
    """Strings, batches and chance, from sums of three that are known."""
    rng = np.random.default_rng(0)
    parts = (0.01, 0.03, 0.02)
    shapes = ((200, 1), (1, 150), (200, 150))
    accuracies = 0.9 + sum(
        rng.normal(0.0, part, shape) for part, shape in zip(parts, shapes, strict=True)
    )
    assert components(accuracies) == pytest.approx(parts, rel=0.15)
    assert components(np.ones((3, 4))) == (0.0, 0.0, 0.0)
