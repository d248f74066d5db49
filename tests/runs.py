"""How tests run the scripts and commands, as a person does."""

import os
import re
import subprocess
import sys

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
SMALL_ARC = "0 0 1 3 2 1 0 4 1 2 1 4 0 1 2 0"
LINES = "\n".join(
    [
        r"^\w+\.{3,}.*$",
        r"^Layer +\d+: \[N, \d+, \d+, \d+\]$",
        r"^(Model has|Aux head uses) \d+ params$",
        r"^epoch = \d+ +ch_step = \d+ +loss = \d+\.\d{6} +lr = \d\.\d{4} +"
        r"\|g\| = \d+\.\d{4} +tr_acc = \d+ */ *\d+ +mins = \d+\.\d\d *$",
        r"^ctrl_step = \d+ +loss = -?\d+\.\d{3} +ent = \d+\.\d\d +lr = 0\.0035 +"
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


def succeed(script, *flags):
    process = run(script, *flags)
    assert process.returncode == 0, process.stderr
    for line in process.stdout.splitlines():
        assert any(re.match(pattern, line) for pattern in LINES), line
    return process.stdout.splitlines()


def count(lines, start):
    return sum(line.startswith(start) for line in lines)
