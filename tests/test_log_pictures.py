"""The picture of a log, and several logs over one another."""

import os

import numpy as np
import pytest
from matplotlib.lines import Line2D

from enas.report.comparison import compared
from enas.report.comparison_plot import draw_several
from enas.report.log_plot import draw, running_mean
from enas.report.log_reader import read_log
from tests.analyses import only, run_main
from tests.log_files import (
    SPECIFIED,
    search_log,
    training_log,
)


def lines_of(axes):
    return {line.get_label(): line for line in axes.get_lines()}


def test_figure():
    run = only(search_log(5))
    figure = draw(run, "a$b$ {}")
    child, controller, accuracy, right, entropy = figure.axes
    assert child.get_xlabel() == "" and accuracy.get_xlabel().startswith("epochs")
    loss = lines_of(child)["loss"]
    assert loss.get_xdata()[0] == 25 / 430 and loss.get_xdata()[-1] == 5
    np.testing.assert_allclose(
        loss.get_ydata(), running_mean([step.loss for step in run.child_steps])
    )
    assert "training accuracy" in lines_of(right)
    baseline = lines_of(controller)["baseline"]
    assert list(baseline.get_ydata()) == [s.baseline for s in run.controller_samples]
    assert baseline.get_xdata()[11:13] == pytest.approx([1, 1 + 1 / 12])
    assert "entropy" in lines_of(entropy)
    for split in ("valid", "test"):
        line = lines_of(accuracy)[f"{split}, whole set"]
        assert list(line.get_xdata()) == [1, 2, 3, 4, 5]
        measured = [e.accuracy for e in run.evaluations if e.split == split]
        assert list(line.get_ydata()) == measured
    (dots,) = accuracy.collections
    assert dots.get_offsets().tolist() == [
        [a.epoch, a.accuracy] for a in run.architectures
    ]


def test_figure_of_a_first_epoch_and_of_a_training():
    start = only(search_log(1).partition("Epoch 1")[0])
    axes = draw(start, "").axes
    assert axes[2].get_xlabel() == "child steps, in the first epoch"
    assert lines_of(axes[0])["loss"].get_xdata()[0] == 25
    assert [text.get_text() for text in axes[1].texts] == ["not in the log yet"]


def notes(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_figures_without_a_controller():
    """A training has none, and a search may have none; nothing stands in its place."""
    random_search = search_log(
        2, changed={"controller_training": False}, controller=False
    )
    for text in (training_log(2), random_search):
        figure = draw(only(text), "")
        assert [axes.get_title("left") for axes in figure.axes] == [
            "Child training",
            "Accuracy on validation and test images",
            "",
        ]
        assert notes(figure) == []


def test_a_legend_shows_what_it_names():
    figure = draw(only(search_log(3)), "")
    legend = figure.axes[1].get_legend()
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == [
        "accuracy: samples, running mean",
        "baseline",
        "entropy: samples, running mean",
    ]
    lines = legend.findobj(Line2D)
    shown = [(line.get_marker(), line.get_linestyle()) for line in lines]
    assert shown == [(".", "None"), ("", "-"), ("", "--"), (".", "None"), ("", "-")]


def test_a_run_of_one_line_is_drawn():
    run = only(search_log(1).partition("epoch = 0     ch_step = 50 ")[0])
    assert len(run.child_steps) == 1
    loss = lines_of(draw(run, "").axes[0])["loss"]
    assert loss.get_marker() == "o" and len(loss.get_xdata()) == 1


@pytest.fixture
def two_logs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = [tmp_path / "a.txt", tmp_path / "b0.5" / "log.txt"]
    paths[1].parent.mkdir()
    paths[0].write_text(search_log(2, seed=1))
    paths[1].write_text(
        search_log(3, seed=2, changed={"child_lr_max": 0.05, "seed": 9})
    )
    return paths


def test_several_logs(two_logs, capsys):
    status, out, err = run_main(capsys, two_logs[0], two_logs[1].parent)
    assert (status, err) == (0, "analyze_log: the picture is comparison.png\n")
    assert os.path.getsize("comparison.png") > 20_000
    rows = [line.split() for line in out.splitlines()]
    assert rows[0] == ["log", "epochs", "valid", "best", "test", "strings", "flags"]
    for row, path, rate in zip(rows[1:3], two_logs, ("0.01", "0.05"), strict=True):
        (run,) = read_log(str(path))
        valid, test = run.evaluations[-2:]
        assert row[0] == {"a.txt": "a", "log.txt": "b0.5"}[path.name]
        assert row[1:3] == [str(run.epochs()), f"{valid.accuracy:.4f}"]
        assert row[4] == f"{test.accuracy:.4f}"
        best = max(np.mean([a.accuracy for a in run.architectures[:10]]), 0)
        assert float(row[5]) >= round(best, 4) and row[6] == f"child_lr_max={rate}"
    assert "train_arc" not in out
    assert run_main(capsys, *two_logs, "--output=x.svg")[0] == 0
    assert os.path.exists("x.svg")


def test_figure_of_several_logs(two_logs):
    runs = [(str(path), read_log(str(path))[0]) for path in two_logs]
    trained = ("t.txt", only(training_log(2)))
    figure = draw_several(compared([*runs, trained]))
    loss, strings, valid, test = figure.axes
    colors = [line.get_color() for line in loss.get_lines()]
    assert len(set(colors)) == 3
    for axes in (strings, valid, test):
        assert [line.get_color() for line in axes.get_lines()] == colors
    assert [len(line.get_xdata()) for line in strings.get_lines()] == [2, 3, 0]
    assert list(test.get_lines()[1].get_ydata()) == [
        e.accuracy for e in runs[1][1].evaluations if e.split == "test"
    ]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b0.5", "t"]
    assert [line.get_color() for line in legend.get_lines()] == colors
    assert len(draw_several(compared([trained, trained])).axes) == 3


@pytest.mark.parametrize(
    ("differing", "names"),
    [
        ([{"img_size": 24}, {"img_size": 32}], ["img_size=24", "img_size=32"]),
        ([{"img_size": 24, "seed": 5}, {"img_size": 32}], None),  # see below
        ([{"seed": 5}, {"seed": 6}], ["seed=5", "seed=6"]),
        ([{}, {}], ["a", "b"]),
        ([{"train_data_dir": "x" * 60}, {}], ["a", "b"]),
        (
            [
                {"img_size": 24, "channel": 3, "batch_size": 5, "child_n_bits": 2},
                {"img_size": 32},
            ],
            ["a", "b"],
        ),
    ],
)
def test_names_of_several_logs(differing, names):
    runs = [only(search_log(1, changed=one)) for one in differing]
    several = compared(list(zip(("logs/a.txt", "logs/b.log"), runs, strict=True)))
    expected = names or ["img_size=24", "img_size=32"]
    assert [one.name for one in several] == expected
    assert [one.file for one in several] == ["a", "b"]


def test_short_names_of_logs():
    run = only(SPECIFIED)
    for paths, files in (
        (("x/a/log.txt", "y/a/log.txt"), ["x/a", "y/a"]),
        (("runs/lr0.1/log.txt", "runs/lr0.2/log.txt"), ["lr0.1", "lr0.2"]),
        (("a.txt", "a.txt"), None),
        (("p" * 50 + "1.txt", "b.txt"), None),
    ):
        several = compared([(path, run) for path in paths])
        found = [one.file for one in several]
        assert len(set(found)) == 2 and max(map(len, found)) <= 28
        assert found == (files or found)


def test_running_mean():
    values = np.random.default_rng(1).random(400)
    beside = 5  # of 400 values
    expected = [values[max(0, i - beside) : i + beside + 1].mean() for i in range(400)]
    np.testing.assert_allclose(running_mean(values), expected)
    assert list(running_mean([])) == []
    assert list(running_mean([3.0, 5.0])) == [3, 5]
    assert list(running_mean([1.0, 2.0, 6.0])) == [1.5, 3, 4]
