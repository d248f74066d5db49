"""What of TensorFlow's remarks reaches a terminal, or a file."""

import os
import subprocess
import sys

import pytest

from tests.runs import ROOT

pty = pytest.importorskip("pty")

REMARKS = (
    "WARNING: All log messages before absl::InitializeLog() is called are written to "
    "STDERR",
    "I0000 00:00:1795585447.927595    6934 port.cc:153] oneDNN is on",
    "W0000 00:00:1795585447.927595    6934 x.cc:1] no GPU",
)
KEPT = (
    "F0000 00:00:1795585447.927595    6934 cpu.cc:1] AVX is missing",
    "WARNING: other",
)
PROGRAM = f"""
import os, sys
from enas.base.quiet import _without_remarks
with _without_remarks():
    os.write(2, {chr(10).join([*REMARKS, *KEPT, ""]).encode()!r})
    if sys.argv[1:]:
        os.abort()
os.write(2, b"afterwards\\n")
"""


def printed(on_terminal, *arguments):
    """The lines that the program above prints on stderr."""
    ours, theirs = pty.openpty() if on_terminal else os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=ROOT,
        stderr=theirs,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    os.close(theirs)
    found = b""
    try:
        while part := os.read(ours, 1000):
            found += part
    except OSError:  # how the end of a terminal reads
        pass
    os.close(ours)
    process.wait()
    return found.decode().splitlines()


def test_remarks_do_not_reach_a_terminal():
    assert printed(True) == [*KEPT, "afterwards"]


def test_nothing_else_is_lost_where_tensorflow_aborts():
    assert printed(True, "abort") == [*KEPT]


def test_a_file_gets_all():
    assert printed(False) == [*REMARKS, *KEPT, "afterwards"]
