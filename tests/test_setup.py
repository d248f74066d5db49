"""What setup.sh says where it cannot go on."""

import os
import shutil
import subprocess
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell script")


def run(folder, *arguments, python=None):
    shutil.copy(os.path.join(ROOT, "setup.sh"), folder)
    environment = os.environ | ({"PYTHON": str(python)} if python else {})
    return subprocess.run(
        ["bash", os.path.join(folder, "setup.sh"), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def fake_python(folder, body):
    path = folder / "python3"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def test_no_suitable_python(tmp_path):
    process = run(tmp_path, python=fake_python(tmp_path, "exit 1"))
    assert process.returncode == 1
    assert "no Python 3.10 to 3.13 found" in process.stderr


def test_no_venv_module(tmp_path):
    body = 'case "$*" in *venv*) exit 1;; esac'
    process = run(tmp_path, python=fake_python(tmp_path, body))
    assert process.returncode == 1
    assert process.stderr.count("\n") == 1
    assert "has no venv module; install it" in process.stderr


def test_unknown_word(tmp_path):
    process = run(tmp_path, "serach")
    assert process.returncode == 2
    assert process.stderr == "usage: ./setup.sh [search | test]\n"
