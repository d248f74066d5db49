"""How tests run the scripts and commands: as a person does, or in this process.

A process of its own takes seconds to load TensorFlow. So a test starts one where the
process is what it tests, and else calls the same `main` here.
"""

import gc
import importlib
import io
import os
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from typing import NamedTuple
from unittest import mock

import numpy as np

from enas.loop.main import main
from enas.session.checkpoint_files import found_in

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
ARC = "0 2 1 4 1 3 0 1 1 0 1 0 1 2 0 4 0 0 0 1 1 3 1 4 0 1 1 1 1 2 1 4 3 2 0 2 1 1 0 3"
SMALL = (
    "--child_num_layers=1",
    "--child_num_cells=2",
    "--child_out_filters=4",
    "--child_pool_layers=0 1",
    "--img_size=16",
    "--train_limit=200",
    "--eval_limit=110",
    "--batch_size=20",
    "--log_every=5",
)
# A small search that is saved as often as it can be, and draws all that there is.
SAVED_OFTEN = (
    *SMALL,
    "--child_use_aux_heads=False",
    "--log_every=1",
    "--controller_num_aggregate=2",
    "--child_keep_prob=0.9",
    "--crop_padding=1",
    "--n_aug_img=2",
    "--seed=7",
    "--save_every_minutes=1e-9",
)
CONTINUED = "--reset_output_dir=False"
SMALL_ARC = "0 0 1 3 2 1 0 4 1 2 1 4 0 1 2 0"
LINES = "\n".join(
    [
        r"^\w+\.{3,}.*$",
        r"^Layer +\d+: \[N, \d+, \d+, \d+\]$",
        r"^(Model has|Aux head uses) \d+ params$",
        r"^epoch = \d+ +ch_step = \d+ +loss = \d+\.\d{6} +lr = \d\.\d{4} +"
        r"\|g\| = \d+\.\d{4} +tr_acc = \d+ */ *\d+ +mins = \d+\.\d\d *$",
        r"^ctrl_step = \d+ +loss = -?\d+\.\d{3} +ent = \d+\.\d\d +lr = 0\.0020 +"
        r"\|g\| = \d+\.\d{4} +acc = \d\.\d{4} +bl = \d\.\d\d +mins = \d+\.\d\d$",
        r"^Epoch \d+: (Training controller|Eval)$",
        r"^Here are 10 architectures$",
        r"^\[[\d ]+\]$",
        r"^val_acc = \d\.\d{4}$",
        r"^-{80}$",
        r"^Eval at \d+$",
        r"^(Valid|Test) Num examples:  \d+$",
        r"^(valid|test)_accuracy: \d\.\d{4}$",
    ]
).split("\n")


def run(script, *flags):
    """Runs a script with its output redirected; returns the finished process."""
    return _run(os.path.join(ROOT, script), *flags)


def run_module(module, *arguments, before=()):
    """Runs `python -m module`; returns the finished process.

    before: a command that runs it."""
    return _run("-m", module, *map(str, arguments), before=before)


def _run(*command, before=()):
    return subprocess.run(
        [*before, sys.executable, *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


class Ended(NamedTuple):
    """How a program ended that ran in this process, by the names of a finished one."""

    returncode: int
    stdout: str
    stderr: str


def run_here(script, *flags):
    """Runs a script's `main` in this process; returns how it ended."""
    name = script.removesuffix(".py")
    task, constants = name.partition("_")[0], importlib.import_module(name).CONSTANTS
    return _here(partial(main, task, constants), script, *flags)


def run_module_here(module, *arguments):
    """Runs the `main` of a command's module in this process; returns how it ended."""
    name = module.rpartition(".")[2]
    return _here(importlib.import_module(module).main, name, *map(str, arguments))


def _here(program, *words):
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", list(words)),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            program()
            status = 0
        except SystemExit as leaving:
            status = leaving.code
    if status == 0:  # a run keeps its graph from being collected
        gc.unfreeze()
        gc.collect()
        gc.freeze()
    return Ended(status, out.getvalue(), err.getvalue())


def watch(script, *flags, at=None, then=None):
    """Runs a script; calls `then` with the process at the first line that matches `at`.

    Returns its status, its log, and its lines on stderr."""
    with tempfile.TemporaryFile("w+") as stderr:
        process = subprocess.Popen(
            [sys.executable, os.path.join(ROOT, script), *flags],
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=stderr,
            # This may have been started below nohup or &, where Ctrl-C is ignored.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        lines = []
        for line in process.stdout:
            lines.append(line.rstrip("\n"))
            if at is not None and re.match(at, line):
                then(process)
                at = None
        status = process.wait()
        stderr.seek(0)
        return status, lines, stderr.read().splitlines()


def variables(folder):
    """All that a folder's last checkpoint holds but how many there were, by name."""
    import tensorflow as tf

    reader = tf.train.load_checkpoint(found_in(str(folder))[-1])
    names = set(reader.get_variable_to_shape_map()) - {"saves"}
    return {name: reader.get_tensor(name) for name in names}


def difference(found, expected):
    """What is wrong with variables, in a few words; None where nothing is."""
    if found.keys() != expected.keys():
        return "other variables"
    return next(
        (
            f"{name} differs"
            for name, value in expected.items()
            if not np.array_equal(found[name], value)
        ),
        None,
    )


def succeed(script, *flags, how=run):
    """The lines that a run prints, which all are lines of a log; how: what runs it."""
    process = how(script, *flags)
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    assert_log(lines)
    return lines


def assert_log(lines):
    """Each line is one of a log."""
    for line in lines:
        assert any(re.match(pattern, line) for pattern in LINES), line


def count(lines, start):
    return sum(line.startswith(start) for line in lines)
