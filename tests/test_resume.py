"""Runs that are ended by a signal, at some line of their log, and continued."""

import re
import signal

import pytest

from tests.runs import (
    CONTINUED,
    SAVED_OFTEN,
    SMALL_ARC,
    count,
    difference,
    succeed,
    variables,
    watch,
)

SEARCH = ("search_arc_mnist.py", *SAVED_OFTEN, "--num_epochs=2")
SEARCH += ("--controller_train_steps=3",)
TRAIN = ("train_arc_mnist.py", *SAVED_OFTEN, "--num_epochs=2")
TRAIN = tuple(flag for flag in TRAIN if "controller" not in flag)
TRAIN += (f"-fixed_arc={SMALL_ARC}", "--child_drop_path_keep_prob=0.8")
STEPS = 20  # an epoch


def end_at(line, number, *command):
    """A run that is sent a signal after the first line that matches."""
    return watch(*command, at=line, then=lambda process: process.send_signal(number))


def counters(folder):
    """Child steps, controller updates and whole epochs of the last checkpoint."""
    values = variables(folder)
    names = ("global_step", "controller_training/updates", "progress/epochs")
    return tuple(int(values[name]) for name in names)


def steps_of(lines):
    return [int(re.search(r"ch_step = (\d+)", x)[1]) for x in lines if "ch_step" in x]


def without_minutes(lines):
    return [line.partition("mins")[0] for line in lines]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The log and the last variables of a search that nothing ended."""
    out = str(tmp_path_factory.mktemp("undisturbed") / "out")
    lines = succeed(*SEARCH, f"--output_dir={out}")
    return lines, variables(out)


@pytest.mark.parametrize(
    "line, number, status",
    [
        ("epoch = 0     ch_step = 4 ", signal.SIGTERM, 143),
        ("ctrl_step = 1 ", signal.SIGINT, 130),
        ("epoch = 1     ch_step = 25 ", signal.SIGKILL, -9),
    ],
)
def test_a_search_that_was_ended_goes_on(tmp_path, undisturbed, line, number, status):
    """Where it was, and to the same end, bit by bit; also if its seed is not given."""
    out = str(tmp_path / "out")
    search = (*SEARCH, f"--output_dir={out}")
    code, before, errors = end_at(line, number, *search)
    assert code == status
    if number != signal.SIGKILL:
        assert errors[-1].startswith("search_arc_mnist.py: interrupted and saved; ")
        assert errors[-1].endswith(f"search_arc_mnist.py --resume={out}")
        assert any(line.startswith("saving …") for line in errors)
    step, updates, epochs = counters(out)
    after = succeed(*search, CONTINUED, "--seed=0")
    assert counters(out) == (2 * STEPS, 6, 2)
    assert count(before, "ctrl_step") + count(after, "ctrl_step") >= 12
    # No step is taken twice but those that a kill lost, at most one checkpoint's.
    assert steps_of(after) == list(range(step + 1, 2 * STEPS + 1))
    assert 0 <= steps_of(before)[-1] - step <= (1 if number == signal.SIGKILL else 0)
    # Nor is an epoch's round, its strings or its evaluation left out.
    rounds = 2 - epochs
    assert count(after, "Here are") == count(after, "valid_accuracy") == rounds
    first = next(x for x in after if x.startswith("ctrl_step"))
    assert first.startswith(f"ctrl_step = {updates} ")
    whole, values = undisturbed
    tail = without_minutes(after)[after.index(first) :]
    assert tail == without_minutes(whole)[-len(tail) :]
    assert difference(variables(out), values) is None


def test_a_training_that_was_ended_goes_on(tmp_path):
    whole, out = str(tmp_path / "whole"), str(tmp_path / "out")
    succeed(*TRAIN, f"--output_dir={whole}")
    train = (*TRAIN, f"--output_dir={out}")
    code, before, _ = end_at("epoch = 0     ch_step = 9 ", signal.SIGTERM, *train)
    assert code == 143
    after = succeed(*train, CONTINUED)
    assert steps_of(before) + steps_of(after) == list(range(1, 2 * STEPS + 1))
    assert difference(variables(out), variables(whole)) is None


def test_remains_of_a_kill_are_deleted(tmp_path):
    """And nothing else; the last whole checkpoint is the one that counts, also where
    the file that names it is lost, and one that is damaged is passed over."""
    out = tmp_path / "out"
    search = (*SEARCH, f"--output_dir={out}")
    code, _, _ = end_at("epoch = 0     ch_step = 4 ", signal.SIGTERM, *search)
    assert code == 143
    step, _, _ = counters(out)
    (out / "checkpoint").unlink()
    kept = ("mine.txt", "model.ckpt-best.index", "model.ckpt-9-99.index.bak")
    for name in (
        *kept,
        "model.ckpt-9-99.data-00000-of-00001.tempstate123",
        "model.ckpt-9-99.data-00000-of-00001",
        "model.ckpt-9-98.index",
    ):
        (out / name).write_text("")
    lines = succeed(*search, "--num_epochs=1", CONTINUED)
    assert steps_of(lines) == list(range(step + 1, STEPS + 1))
    left = {x.name for x in out.iterdir() if "9" in x.name or "mine" in x.name}
    left |= {x.name for x in out.glob("*best*")}
    assert left == {*kept, "model.ckpt-9-98.index.damaged"}


def test_epochs_of_another_length_are_refused(tmp_path):
    out = f"--output_dir={tmp_path / 'out'}"
    code, _, _ = end_at("epoch = 0", signal.SIGTERM, *SEARCH, out)
    assert code == 143
    flags = (tmp_path / "out" / "flags.json").read_text()
    code, _, errors = watch(*SEARCH, out, "--train_limit=100", CONTINUED)
    assert code == 1
    assert (tmp_path / "out" / "flags.json").read_text() == flags
    assert errors[-1].endswith(
        "an epoch of the run to be continued has 20 steps, now it would have 10; "
        "batch_size, the training images or the workers changed"
    )
