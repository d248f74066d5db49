"""Runs that are ended by a signal, at some line of their log, and continued."""

import os
import re
import signal

from tests import finished
from tests.runs import (
    CONTINUED,
    SAVED_OFTEN,
    count,
    difference,
    run_here,
    succeed,
    variables,
    watch,
)

SEARCH = (
    "search_arc_mnist.py",
    *SAVED_OFTEN,
    "--num_epochs=2",
    "--train_limit=100",
    "--controller_train_steps=2",
    "--controller_num_aggregate=10",
)
STEPS = 10  # an epoch
UPDATES, SAMPLES = 2, 10  # of a round, and of an update
# Each end of a search that is continued after each: a line, a signal, the status.
ENDS = (
    ("epoch = 0     ch_step = 4 ", signal.SIGTERM, 143),
    ("ctrl_step = 1 ", signal.SIGINT, 130),
    ("epoch = 1     ch_step = 15 ", signal.SIGKILL, -9),
)
# Files of nobody's run, and what a kill may leave.
KEPT = ("mine.txt", "model.ckpt-best.index", "model.ckpt-9-999.index.bak")
REMAINS = (
    "model.ckpt-9-999.data-00000-of-00001.tempstate123",
    "model.ckpt-9-999.data-00000-of-00001",
    "model.ckpt-9-998.index",
)


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


def work_of(lines):
    """What a log tells of its run's work, but for minutes and for the headline that
    a round has again when it goes on."""
    begun = next(n for n, line in enumerate(lines) if re.match("epoch|ctrl_step", line))
    work = [line.partition("mins")[0] for line in lines[begun:]]
    return [line for line in work if not line.endswith("Training controller")]


def test_a_search_that_is_ended_again_and_again_goes_on(tmp_path):
    """Where it was, and to the same end, bit by bit; also if its seed is not given, and
    if a kill left its remains."""
    out, whole = str(tmp_path / "out"), str(tmp_path / "whole")
    undisturbed = succeed(*SEARCH, f"--output_dir={whole}")
    search = (*SEARCH, f"--output_dir={out}")
    logs, saved = [], [(0, 0, 0)]
    for line, number, status in ENDS:
        code, log, errors = end_at(line, number, *search)
        assert code == status
        if number != signal.SIGKILL:
            assert errors[-1].startswith("search_arc_mnist.py: interrupted and saved; ")
            assert errors[-1].endswith(f"search_arc_mnist.py --resume={out}")
            assert any(line.startswith("saving …") for line in errors)
        logs.append(log)
        saved.append(counters(out))
        if len(logs) == 1:
            leave_remains(tmp_path / "out")
            search = (*search, CONTINUED, "--seed=0")
    logs.append(succeed(*search))
    saved.append(counters(out))
    assert saved[-1] == (2 * STEPS, 2 * UPDATES, 2)
    lost = [check_part(*part) for part in zip(logs, saved, saved[1:], strict=False)]
    # Only the kill may lose the step that was not yet saved, which is then taken again.
    assert not any(lost[:2]) and lost[2] in (0, 1) and not lost[3]
    # The second signal came within an update, of which no sample was lost.
    drawn = [count(log, "ctrl_step") for log in logs]
    assert SAMPLES < drawn[1] < 2 * SAMPLES and sum(drawn) == 2 * UPDATES * SAMPLES
    works = [work_of(log) for log in logs]
    del works[2][len(works[2]) - lost[2] :]
    assert [line for work in works for line in work] == work_of(undisturbed)
    assert difference(variables(out), variables(whole)) is None
    check_remains(tmp_path / "out")


def check_part(log, before, after):
    """Checks what a start did, by what was saved before it and after it.

    Returns how many of its steps were not saved."""
    steps = steps_of(log)
    assert steps == list(range(before[0] + 1, before[0] + 1 + len(steps)))
    # Nor is an epoch's round, its strings or its evaluation left out.
    epochs = after[2] - before[2]
    assert count(log, "Here are") == count(log, "valid_accuracy") == epochs
    for first in [x for x in log if x.startswith("ctrl_step")][:1]:
        assert first.startswith(f"ctrl_step = {before[1]} ")
    return steps[-1] - after[0]


def leave_remains(out):
    """Puts files there, and loses the one that names the last checkpoint."""
    (out / "checkpoint").unlink()
    for name in (*KEPT, *REMAINS):
        (out / name).write_text("")


def check_remains(out):
    """What a kill left was deleted, and nothing else; a checkpoint that is damaged was
    passed over."""
    left = {x for x in os.listdir(out) if re.search(r"-9-99|mine|best", x)}
    assert left == {*KEPT, "model.ckpt-9-998.index.damaged"}


def test_a_training_that_was_ended_goes_on(finished_training, tmp_path):
    """To the same end, bit by bit, also as one that was not saved on its way."""
    train = (*finished.TRAINING, f"--output_dir={tmp_path / 'out'}", "--log_every=1")
    saved_often = (*train, "--save_every_minutes=1e-9")
    line = "epoch = 0     ch_step = 9 "
    code, before, _ = end_at(line, signal.SIGTERM, *saved_often)
    assert code == 143
    after = succeed(*train, CONTINUED)
    assert steps_of(before) + steps_of(after) == list(range(1, 41))
    whole = variables(finished_training.folder)
    assert difference(variables(tmp_path / "out"), whole) is None


def test_epochs_of_another_length_are_refused(finished_search, tmp_path):
    out = finished.copied(finished_search.folder, tmp_path / "out")
    before = {
        name: (tmp_path / "out" / name).read_text()
        for name in ("flags.json", "log.txt")
    }
    search = (*finished.SEARCH, f"--output_dir={out}", "--num_epochs=3", CONTINUED)
    process = run_here(*search, "--train_limit=100")
    assert process.returncode == 1
    for name, text in before.items():
        assert (tmp_path / "out" / name).read_text() == text
    assert process.stderr.splitlines()[-1].endswith(
        "an epoch of the run to be continued has 10 steps, now it would have 5; "
        "batch_size, the training images or the workers changed"
    )
