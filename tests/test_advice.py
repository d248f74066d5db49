"""What a run says before it begins, and how long it says that it will take."""

import importlib

import numpy as np
import pytest

from enas.data_utils import Data, Split, reader_of
from enas.flags.parse import parse
from enas.loop import advice, time_left
from enas.loop.time_left import TimeLeft, duration
from enas.report.log import FACTS

SEARCH, TRAIN = (
    importlib.import_module(f"{task}_arc_mnist").CONSTANTS
    for task in ("search", "train")
)
ARC = "0 0 1 3 2 1 0 4 1 2 1 4 0 1 2 0"


def settings(*words, constants=SEARCH):
    return parse(["search_arc_mnist.py", *words], constants)


def training(*words):
    given = (f"--fixed_arc={ARC}", "--child_num_cells=2")
    return settings(*given, *words, constants=TRAIN)


def data_of(train, valid, test, classes):
    splits = [
        None if n is None else Split(np.zeros((n, 1, 1, 1)), np.zeros(n, int))
        for n in (train, valid, test)
    ]
    return reader_of(Data(*splits, np.zeros(1), np.ones(1), classes))


def test_facts():
    data = data_of(3 * 100, 20, 30, ("cat", "do\x1bg"))
    asked = training("--n_aug_img=3", "--batch_size=64")
    found = advice.facts(asked, data)
    assert (*found, "workers") == FACTS
    assert list(found.values()) == [100, 20, 30, "cat, do\\x1bg", 5]
    line = advice.facts_line(asked, data)
    assert "100 training + 20 validation + 30 test images of 2 classes" in line
    assert "5 steps of 64 images, 3 copies of each" in line


def test_facts_of_several_workers():
    data = data_of(3 * 100, 20, 30, ("cat", "dog"))
    asked = training("--n_aug_img=3", "--batch_size=64")
    found = advice.facts(asked, data, workers=2)
    assert tuple(found) == FACTS
    assert (found["steps_per_epoch"], found["workers"]) == (3, 2)
    assert "3 steps of 128 images" in advice.facts_line(asked, data, workers=2)


def test_facts_without_validation_images_and_of_many_classes():
    data = data_of(128, None, 1, tuple(map(str, range(25))))
    found = advice.facts(settings(), data)
    assert "valid_images" not in found
    assert found["classes"].endswith("18, 19 and 5 others")
    assert found["steps_per_epoch"] == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--num_epochs=5",), "is still 0.006549 in the last of 5 epochs; with"),
        (("--num_epochs=5", "--child_lr_T_0=5"), None),
        (("--num_epochs=10",), None),
        (("--num_epochs=13",), "is still"),  # it has just restarted
        (("--num_epochs=30",), None),
        (("--num_epochs=2", "--child_lr_T_0=2"), None),
        (("--num_epochs=1",), None),
        (("--num_epochs=5", "--child_lr_cosine=False"), None),
    ],
)
def test_a_rate_that_does_not_fall_is_told(words, said):
    lines = advice.advice(training(*words), 430)
    assert any(said in line for line in lines) if said else lines == []


@pytest.mark.parametrize(
    ("words", "steps", "said"),
    [
        ((), 430, []),
        (("--num_epochs=10",), 430, []),
        (("--num_epochs=10",), 8, ["child steps are few", "a round of the controller"]),
        (("--num_epochs=70",), 8, ["--controller_train_every=38 "]),
        (("--num_epochs=70", "--controller_train_every=38"), 8, []),
        (("--num_epochs=70", "--controller_train_steps=6"), 8, []),
        (("--num_epochs=70", "--controller_training=False"), 8, []),
        (
            ("--num_epochs=10", "--controller_train_every=38"),
            8,
            ["num_epochs=32 makes 250"],
        ),
        (("--num_epochs=0",), 8, []),
    ],
)
def test_a_search_of_few_steps_is_told(words, steps, said):
    lines = advice.advice(settings(*words), steps)
    assert len(lines) == len(said)
    for line, part in zip(lines, said, strict=True):
        assert part in line


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "0 s"),
        (59.6, "1 min"),
        (90, "1 min 30 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (90000, "1 d 1 h"),
        (86400 * 3.5, "3 d 12 h"),
    ],
)
def test_durations(seconds, words):
    assert duration(seconds) == words


def test_time_left(monkeypatch):
    """The first step, which builds the rest, is not counted."""
    seconds = iter((1000.0, 1010.0, 1020.0))
    monkeypatch.setattr(time_left.time, "monotonic", lambda: next(seconds))
    left = TimeLeft(10)
    assert [left.step() for _ in range(3)] == ["", "1 min 20 s left", "1 min 10 s left"]
