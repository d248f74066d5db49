"""Runs that are ended by a signal, at some line of their log, and continued."""

import os
import re
import signal
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
import tensorflow as tf

from tests.runs import ROOT, SMALL, count, succeed

FLAGS = (
    *SMALL,
    "--log_every=1",
    "--num_epochs=2",
    "--controller_train_steps=3",
    "--controller_num_aggregate=2",
    "--child_keep_prob=0.9",
    "--crop_padding=1",
    "--seed=7",
)
STEPS = 10  # an epoch


def end_at(start, number, *flags):
    """Starts a search and sends a signal after the first line that starts so.

    Returns its exit status, its log and the last line of stderr."""
    command = [sys.executable, os.path.join(ROOT, "search_arc_mnist.py"), *flags]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        # The tests may have been started below nohup or &, where Ctrl-C is ignored.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if line.startswith(start):
            process.send_signal(number)
            break
    rest, stderr = process.communicate()
    return process.returncode, lines + rest.splitlines(), stderr.splitlines()[-1]


def counters(folder):
    """Child steps, controller updates and whole epochs of the last checkpoint."""
    values = variables(folder)
    names = ("global_step", "controller_training/updates", "progress/epochs")
    return tuple(int(values[name]) for name in names)


def variables(folder):
    """All that the last checkpoint holds but how many there were."""
    reader = tf.train.load_checkpoint(folder)
    names = set(reader.get_variable_to_shape_map()) - {"saves"}
    return {name: reader.get_tensor(name) for name in names}


def without_minutes(lines):
    return [line.partition("mins")[0] for line in lines]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The log and the last variables of a run that nothing ended."""
    out = str(tmp_path_factory.mktemp("undisturbed") / "out")
    lines = succeed("search_arc_mnist.py", *FLAGS, f"--output_dir={out}")
    return lines, variables(out)


@pytest.mark.parametrize(
    "start, number, status",
    [
        ("epoch = 0     ch_step = 4 ", signal.SIGTERM, 143),
        ("ctrl_step = 1 ", signal.SIGINT, 130),
        ("epoch = 1     ch_step = 15 ", signal.SIGKILL, -9),
    ],
)
def test_a_search_that_was_ended_goes_on(tmp_path, undisturbed, start, number, status):
    """Where it was, and to the same end, bit by bit."""
    out = str(tmp_path / "out")
    flags = (*FLAGS, f"--output_dir={out}", "--save_every_minutes=0.0001")
    code, before, error = end_at(start, number, *flags)
    assert code == status
    if number != signal.SIGKILL:
        going_on = "interrupted and saved; --reset_output_dir=False goes on"
        assert error == f"search_arc_mnist.py: {going_on}"
    step, updates, epochs = counters(out)
    after = succeed("search_arc_mnist.py", *flags, "--reset_output_dir=False")
    assert counters(out) == (2 * STEPS, 6, 2)
    assert count(before, "ctrl_step") + count(after, "ctrl_step") >= 12
    # No step is taken twice but those that a kill lost, at most one checkpoint's.
    steps = [
        [int(re.search(r"ch_step = (\d+)", x)[1]) for x in lines if "ch_step" in x]
        for lines in (before, after)
    ]
    assert steps[1] == list(range(step + 1, 2 * STEPS + 1))
    assert 0 <= steps[0][-1] - step <= (1 if number == signal.SIGKILL else 0)
    # Nor is an epoch's round, its strings or its evaluation left out.
    rounds = 2 - epochs
    assert count(after, "Here are") == count(after, "valid_accuracy") == rounds
    first = next(x for x in after if x.startswith("ctrl_step"))
    assert first.startswith(f"ctrl_step = {updates} ")
    whole, values = undisturbed
    tail = without_minutes(after)[after.index(first) :]
    assert tail == without_minutes(whole)[-len(tail) :]
    np.testing.assert_equal(variables(out), values)


def test_remains_of_a_kill_are_deleted(tmp_path):
    """And nothing else; the checkpoint that the folder names is the one that counts."""
    out = str(tmp_path / "out")
    flags = (*FLAGS, f"--output_dir={out}", "--save_every_minutes=0.0001")
    code, _, _ = end_at("epoch = 0     ch_step = 4 ", signal.SIGTERM, *flags)
    assert code == 143
    step, _, _ = counters(out)
    for name in (
        "model.ckpt-9-9.data-00000-of-00001.tempstate123",
        "model.ckpt-9-9.index",
        "checkpoint.tmp9",
        "mine.txt",
    ):
        (tmp_path / "out" / name).write_text("")
    lines = succeed(
        "search_arc_mnist.py", *flags, "--num_epochs=1", "--reset_output_dir=False"
    )
    assert count(lines, "epoch = ") == STEPS - step
    left = {name for name in os.listdir(out) if "9" in name or name == "mine.txt"}
    assert left == {"mine.txt"}


def test_epochs_of_another_length_are_refused(tmp_path):
    out = f"--output_dir={tmp_path / 'out'}"
    code, _, _ = end_at("epoch = 0", signal.SIGTERM, *FLAGS, out)
    assert code == 143
    code, _, error = end_at(
        "never", 0, *FLAGS, out, "--train_limit=100", "--reset_output_dir=False"
    )
    assert code == 1
    assert error.endswith(
        "an epoch of the run to be continued has 10 steps, now it would have 5; "
        "batch_size or the training images changed"
    )
