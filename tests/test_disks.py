"""A run whose disk is full ends with one line, and goes on once there is room."""

import shutil
import subprocess
import sys

import pytest

from tests.disks import NAMESPACE
from tests.runs import run_module


def can_mount():
    if not sys.platform.startswith("linux") or shutil.which("unshare") is None:
        return False
    command = [*NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="no file system can be mounted here")
def test_a_full_disk():
    process = run_module("tests.disks", "quick", before=NAMESPACE)
    assert process.returncode == 0, process.stderr
    assert process.stdout == "1 0\n", process.stderr
