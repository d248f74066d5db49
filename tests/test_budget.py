"""The budget of a search: what strings cost, and what follows from it."""

import dataclasses
import json
import math
import random
import shlex
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import enas
import search_arc_cifar
import search_arc_mnist
import train_arc_cifar
import train_arc_mnist
from enas.controller import Sample
from enas.flags.network_shape import network_shape
from enas.flags.parse import parse
from enas.loop.search import penalty
from enas.many import rank_command
from enas.micro_controller import ControllerConfig, MicroController
from enas.report import analysis, ranking
from enas.report.budget import Budget, budget_of, costs_of, told
from enas.report.log import RULE, architecture_lines
from enas.report.log_reader import parse_log
from enas.report.pareto_plot import pareto_front
from enas.report.train_command import train_command
from enas.space.arc import leanest_arc, options_of, random_arc
from enas.space.cost import Cost, cost_of
from enas.space.operations import CLASSIC, TABLES
from tests.log_files import search_log
from tests.runs import SMALL, run_here

CLASSES = tuple("0123456789")
FLAGS = {word.partition("=")[0][2:]: word.partition("=")[2] for word in SMALL}
SHAPE = network_shape(
    parse(
        [
            "train_arc_mnist.py",
            "-fixed_arc",
            "0 0 0 0 0 0 0 0",
            *SMALL,
            "--child_num_cells=1",
        ],
        train_arc_mnist.CONSTANTS,
    ),
    1,
    CLASSES,
)


def arcs(cells=2, operations=CLASSIC):
    return st.integers(0, 10**6).map(
        lambda seed: random_arc(cells, random.Random(seed), operations)
    )


def settings_of(script, *words):
    return parse([f"{script.__name__}.py", *words], script.CONSTANTS)


@given(arcs(), st.floats(0, 30_000), st.integers(0, 3_000_000))
@settings(max_examples=50, deadline=None)
def test_what_is_over_is_a_part_of_each_bound(arc, most_bytes, most_work):
    budget = Budget(SHAPE, most_bytes, most_work)
    cost = budget.cost(arc)
    assert cost == cost_of(arc, SHAPE)
    fits = (not most_bytes or cost.file_bytes <= most_bytes) and (
        not most_work or cost.multiply_adds <= most_work
    )
    assert budget.fits(cost) == fits == (budget.over(cost) == 0)
    assert budget.is_bounded() == bool(most_bytes or most_work)
    twice = Budget(SHAPE, cost.file_bytes / 2, 0)
    assert math.isclose(twice.over(cost), 1.0)


@pytest.mark.parametrize("table", TABLES)
@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_no_string_is_leaner_than_the_leanest(table, data):
    operations = TABLES[table]
    shape = SHAPE._replace(operations=operations)
    cells = data.draw(st.integers(1, 4))
    least = cost_of(leanest_arc(cells, operations), shape)
    found = cost_of(data.draw(arcs(cells, operations)), shape)
    assert least.weight_bytes <= found.weight_bytes
    assert least.multiply_adds <= found.multiply_adds
    assert least.file_bytes <= 1.05 * found.file_bytes  # a step more or less


@pytest.mark.parametrize(
    ("searches", "trains", "words"),
    [
        (search_arc_mnist, train_arc_mnist, []),
        (search_arc_mnist, train_arc_mnist, ["--child_out_filters=8"]),
        (search_arc_mnist, train_arc_mnist, ["--budget_out_filters=4"]),
        (search_arc_mnist, train_arc_mnist, ["--child_fold_norms"]),
        (
            search_arc_mnist,
            train_arc_mnist,
            ["--child_num_layers=2", "--img_size=16", "--child_num_cells=3"],
        ),
        (search_arc_mnist, train_arc_mnist, ["--child_pool_layers=2 5"]),
        (search_arc_mnist, train_arc_mnist, ["--recipe=faithful", "--channel=3"]),
        (search_arc_mnist, train_arc_mnist, ["--child_ops=mixed"]),
        (search_arc_cifar, train_arc_cifar, ["--child_scheme=binarize"]),
    ],
)
def test_costs_are_those_of_the_command_that_trains(searches, trains, words):
    asked = settings_of(searches, "--budget_kb=100", *words)
    channels = 3 if searches is search_arc_cifar else asked.channel
    budget = costs_of(asked, channels, CLASSES)
    arc = random_arc(asked.child_num_cells, random.Random(3), asked.operations)
    flags = {name: str(value) for name, value in asked.flags().items()}
    script, *given_words = shlex.split(train_command(arc, flags))[1:-2]
    assert script == f"{trains.__name__}.py"
    shape = network_shape(
        parse([script, *given_words], trains.CONSTANTS), channels, CLASSES
    )
    assert budget == Budget(shape, 100_000.0, 0)
    if "--budget_out_filters=4" in words:
        assert shape.out_filters == 4
    without = dataclasses.replace(asked, budget_kb=0.0)
    assert budget_of(asked, channels, CLASSES) == budget
    assert budget_of(without, channels, CLASSES) is None


def test_flags_that_do_not_fit_together():
    with pytest.raises(enas.UsageError, match="pass budget_kb or budget_mult_adds"):
        settings_of(search_arc_mnist, "--budget_out_filters=4")
    for value in ("3", "-2"):
        with pytest.raises(enas.UsageError, match="it must be even, or 0"):
            settings_of(
                search_arc_mnist, "--budget_kb=9", f"--budget_out_filters={value}"
            )
    with pytest.raises(enas.UsageError, match="of another script"):
        parse(["train_arc_mnist.py", "--budget_kb=9"], train_arc_mnist.CONSTANTS)


def test_a_budget_that_nothing_fits_is_refused_at_once(tmp_path):
    process = run_here(
        "search_arc_mnist.py", *SMALL, "--budget_kb=1", f"--output_dir={tmp_path / 'o'}"
    )
    assert (process.returncode, process.stdout) == (2, "")
    (line,) = process.stderr.splitlines()
    assert (
        "no string fits the budget of 1 kB: with child_num_layers=1 and child_o" in line
    )
    assert not (tmp_path / "o").exists()


def test_how_many_uniform_strings_fit_is_told():
    asked = settings_of(search_arc_mnist, *SMALL, "--seed=1", "--budget_kb=1000")
    budget = costs_of(asked, 1, CLASSES)
    assert told(asked, budget).startswith("100% of uniform strings fit the budget of 1")
    costs = sorted(
        budget.cost(random_arc(2, random.Random(n))).file_bytes for n in range(300)
    )
    share = told(asked, budget._replace(file_bytes=costs[150])).partition("%")[0]
    assert 40 <= int(share) <= 60


def test_what_a_sample_loses_in_the_graph(graph, session):
    cells = [tf.compat.v1.placeholder(tf.int32, [8]) for _ in range(2)]
    sample = Sample(*cells, tf.zeros([]), tf.zeros([]))
    budget = Budget(SHAPE, 6000.0, 240_000)
    lost = penalty(budget, sample)
    assert lost.shape == [] and lost.dtype == tf.float32
    found = []
    for seed in range(20):
        arc = random_arc(2, random.Random(seed))
        found.append(session.run(lost, sample.feed(arc)))
        assert found[-1] == np.float32(budget.over(budget.cost(arc)))
    assert min(found) == 0.0 < max(found)


def test_without_preference_all_operations_start_alike(graph, session, initialize):
    config = ControllerConfig(num_cells=2, prefers=False)
    sample = MicroController(config).sample()
    even = sum(2 * math.log(count) for block in range(2) for count in options_of(block))
    initialize()
    entropy = np.mean([session.run(sample.entropy) for _ in range(10)])
    assert entropy == pytest.approx(even, rel=1e-3)
    # Its convolutions can be made unlikely, which those of a table that prefers cannot.
    (bias,) = [
        v for v in tf.compat.v1.global_variables() if v.op.name.endswith("op_bias")
    ]
    bias.load([-10.0, -10.0, 0.0, 0.0, 0.0], session)
    drawn = np.array([session.run(sample.normal_arc) for _ in range(300)])
    share = np.mean(drawn[:, 1::2] < 2)
    low, high = math.exp(-0.44), 1.0
    assert share == pytest.approx(2 * low / (2 * low + 3 * high), abs=0.05)


def test_the_line_of_a_log():
    cells = [0, 2, 1, 4], [1, 3, 1, 4]
    lines = architecture_lines(*cells, 0.5, Cost(1, 12345, 9876543)).splitlines()
    plain = architecture_lines(*cells, 0.5).splitlines()
    assert lines[:3] + lines[4:] == plain and lines[-1] == RULE
    assert lines[3] == "bytes = 12345      mult_adds = 9876543   "
    head = search_log(1, changed={"budget_kb": 12.0, "child_num_cells": 1}, cells=0)
    shown = [*head.splitlines(), *lines, *plain, "bytes = 1 mult_adds = 1", *lines]
    (read,) = parse_log(shown)
    assert [one.bytes for one in read.architectures] == [12345, None, 12345]
    assert [one.mult_adds for one in read.architectures] == [9876543, None, 9876543]
    assert [read.fits(one) for one in read.architectures] == [False, True, False]
    assert read.most_bytes() == 12000.0


def test_a_ranking_within_a_budget():
    strings = [random_arc(2, random.Random(n)) for n in range(6)]
    budget = Budget(SHAPE)
    sizes = sorted(budget.cost(arc).file_bytes for arc in strings)
    budget = budget._replace(file_bytes=float(sizes[3]), multiply_adds=10**9)
    sources = ["controller", "uniform"] * 3
    candidates = list(zip(strings, sources, strict=True))
    ranked = ranking.ranked(candidates, [50, 40, 30, 20, 10, 0], 50, budget)
    assert [one.fits for one in ranked] == [True] * 4 + [False] * 2
    for part in (ranked[:4], ranked[4:]):
        assert part == sorted(part, key=lambda one: -one.accuracy)
    head, *lines = ranking.table(ranked, None, budget).splitlines()
    assert head.split()[-6:] == ["kB", "mult-adds", "fits", "drawn", "by", "string"]
    assert [line.split()[5] for line in lines[:6]] == ["yes"] * 4 + ["no"] * 2
    fitting = {s: sum(o.fits and o.source == s for o in ranked) for s in sources}
    assert lines[6] == (
        f"within {sizes[3] / 1000:g} kB and 1,000,000,000 multiply-adds: "
        f"{fitting['controller']} of 3 controller, {fitting['uniform']} of 3 uniform; "
        f"the lines below are of these"
    )
    without = ranking.ranked(candidates, [50, 40, 30, 20, 10, 0], 50)
    assert [one.accuracy for one in without] == [1.0, 0.8, 0.6, 0.4, 0.2, 0.0]
    assert "kB" not in ranking.table(without)


def test_the_pareto_front():
    points = [(3.0, 0.9), (1.0, 0.5), (2.0, 0.8), (2.0, 0.7), (4.0, 0.9), (5.0, 0.6)]
    assert pareto_front(points) == [(1.0, 0.5), (2.0, 0.8), (3.0, 0.9)]
    assert pareto_front([]) == []


def test_a_search_within_a_budget(tmp_path, capsys):
    """From the search to its ranking, log, pictures and the command that follows."""
    out = str(tmp_path / "out")
    flags = FLAGS | {"seed": 3, "controller_train_steps": 2, "budget_out_filters": 2}
    flags |= {"budget_kb": 4.5, "controller_num_aggregate": 2}
    done = enas.search(num_epochs=1, output_dir=out, **flags)
    told_words = capsys.readouterr().err
    assert (
        "strings fit the budget of 4.5 kB with child_num_layers=1 and child_out_f"
        in (told_words)
    )
    assert "--child_out_filters=2" in told_words and "within 4.5 kB:" in told_words
    asked = settings_of(
        search_arc_mnist, *(f"--{name}={value}" for name, value in flags.items())
    )
    budget = costs_of(asked, 1, CLASSES)
    for one in done.ranking:
        cost = budget.cost(asked.parse_arc(one.arc))
        assert (one.bytes, one.mult_adds) == (cost.file_bytes, cost.multiply_adds)
        assert one.fits == (cost.file_bytes <= 4500)
    assert ranking.read(out) == done.ranking
    shown = [r for r in enas.read_log(out) if r["kind"] == "architecture"]
    assert [r["bytes"] for r in shown] == [
        budget.cost(asked.parse_arc(r["arc"])).file_bytes for r in shown
    ]
    figure = tmp_path / "sizes.svg"
    capsys.readouterr()
    rank(out, "--figure", str(figure))
    assert ranking.read(out) == done.ranking
    text = figure.read_text()
    assert all(word in text for word in ("controller", "uniform", "Pareto front"))
    picture = tmp_path / "log.svg"
    analysis.main([out, f"--output={picture}"])
    assert "fits" in capsys.readouterr().out
    assert picture.read_text().startswith("<?xml")
    with pytest.raises(enas.UsageError, match="another budget_kb"):
        enas.search(
            num_epochs=2,
            output_dir=out,
            reset_output_dir=False,
            **flags | {"budget_kb": 5.0},
        )


def rank(*words):
    with mock.patch.object(sys, "argv", ["rank_arcs", *words]):
        rank_command.main()


def test_a_ranking_without_a_budget_keeps_no_costs(tmp_path):
    one = ranking.Ranked("0 1", "uniform", 0.5, 0.1)
    ranking.save(str(tmp_path), [one])
    kept = json.loads((Path(tmp_path) / ranking.RANKING_FILE).read_text())
    assert kept == [{"arc": "0 1", "source": "uniform", "accuracy": 0.5, "error": 0.1}]
