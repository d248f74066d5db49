"""Images that several processes read, against those that one reads."""

import os
import shutil
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from PIL import Image

from tests.runs import ROOT

# Reads images of a folder by one process and by several, and prints what it saw.
READER = """
import os, signal, sys, time
import numpy as np
from enas.base.errors import InputError
from enas.data_utils import Source, begin_reading
from enas.images import reading

reading.FEW = 20
if sys.argv[2] == "die":
    Source.image = lambda *arguments: time.sleep(60)
source = Source(sys.argv[1], "train_data_dir")
files, labels = source.chosen()
begun = begin_reading([(source, file) for file in files], 8, 1)
if sys.argv[2] == "die":
    print(*begun._workers, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
print("begun", begun.is_begun, len(begun._workers))
if sys.argv[2] == "kill":
    os.kill(begun._workers[0], signal.SIGKILL)
try:
    images = begun.images()
except InputError as error:
    sys.exit(str(error))
reading.FEW = 10**9
alone = source.read(8, 1)
print("equal", *map(np.array_equal, (images, labels), alone))
try:
    os.waitpid(-1, os.WNOHANG)
    print("children are left")
except ChildProcessError:
    print("nobody is left")
"""


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    path = tmp_path / "folder"
    for name in ("a", "b"):
        os.makedirs(path / name)
        for number in range(40):
            image = rng.integers(0, 256, (9, 9), np.uint8)
            Image.fromarray(image).save(path / name / f"{number:02d}.png")
    return path


def read(folder, how="read"):
    command = [sys.executable, "-c", READER, str(folder), how]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.mark.skipif(sys.platform != "linux", reason="processes are copied on Linux")
@pytest.mark.parametrize("how", ["read", "kill"])
@pytest.mark.parametrize("is_zip", [False, True])
def test_several_processes_read_what_one_reads(folder, tmp_path, is_zip, how):
    """Even if one of them is killed, and though they share a zip that is open."""
    if is_zip:
        folder = shutil.make_archive(str(tmp_path / "images"), "zip", folder)
    done = read(folder, how)
    assert done.returncode == 0, done.stderr
    begun, equal, left = done.stdout.splitlines()
    assert begun == f"begun True {len(os.sched_getaffinity(0))}"
    assert equal == "equal True True"
    assert left == "nobody is left"


def is_running(process):
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="processes are copied on Linux")
def test_nobody_reads_on_for_a_program_that_was_killed(folder):
    workers = list(map(int, read(folder, "die").stdout.split()))
    assert workers
    end = time.monotonic() + 10
    while left := [worker for worker in workers if is_running(worker)]:
        assert time.monotonic() < end, left
        time.sleep(0.05)


def test_a_damaged_image_is_named(folder):
    (folder / "b" / "07.png").write_bytes(b"no image")
    done = read(folder)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("train_data_dir: cannot read image") and "07.png" in line
