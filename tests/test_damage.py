"""Damaged inputs end in success or in one clear line.

`python -m tests.endurance inputs` tries thousands of them."""

import io
import os
import zipfile

import cv2
import numpy as np
import pytest

from enas.base.errors import InputError
from enas.data_utils import Source
from enas.images.image_files import MOST_BYTES
from tests import starts
from tests.damage import TRIES, outcomes
from tests.runs import run_module
from tests.servers import survive

COUNT = {
    "damaged arc strings": 1000,
    "damaged command lines": 300,
    "damaged folders of a run": 30,
    "hostile folders of a run": 40,
}


@pytest.mark.parametrize("name", TRIES)
def test_damaged(name, tmp_path):
    counts, wrong = outcomes(name, COUNT.get(name, 60), str(tmp_path))
    assert not wrong
    assert counts["refused"] > 0
    assert counts["read"] > 0


def write_zip(path, name, content):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return str(path)


def test_an_image_of_absurd_size_is_refused(tmp_path):
    """Though it is whole, and but some kilobytes on disk."""
    content = cv2.imencode(".png", np.zeros((8200, 8200), np.uint8))[1].tobytes()
    assert len(content) < 1_000_000
    path = write_zip(tmp_path / "a.zip", "class/0.png", content)
    with pytest.raises(InputError, match=r"cannot read image class/0.png in"):
        Source(path, "train_data_dir").read(8, 3)


def test_a_zip_bomb_is_refused(tmp_path):
    path = write_zip(tmp_path / "a.zip", "class/0.png", bytes(MOST_BYTES + 1))
    assert os.path.getsize(path) < 100_000
    with pytest.raises(InputError, match=r"cannot read image class/0.png in"):
        Source(path, "train_data_dir").read(8, 3)


def test_a_zip_unpacks_nothing(tmp_path):
    """Names that point elsewhere are names."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("../../class/0.png", b"no picture")
    (tmp_path / "inner").mkdir()
    path = tmp_path / "inner" / "a.zip"
    path.write_bytes(stream.getvalue())
    with pytest.raises(InputError):
        Source(str(path), "train_data_dir").read(8, 3)
    assert sorted(os.listdir(tmp_path)) == ["inner"]
    assert os.listdir(tmp_path / "inner") == ["a.zip"]


def test_a_pipe_is_no_image(tmp_path):
    (tmp_path / "class").mkdir()
    os.mkfifo(tmp_path / "class" / "0.png")
    with pytest.raises(InputError, match="cannot read image"):
        Source(str(tmp_path), "train_data_dir").read(8, 3)


def test_more_images_than_memory_are_refused(tmp_path):
    path = write_zip(tmp_path / "a.zip", "class/0.png", b"not read so far")
    with pytest.raises(
        InputError, match=r"1 images of 2000000 pixels .* lower img_size"
    ):
        Source(path, "train_data_dir").read(2_000_000, 3)


def test_hostile_pickles_in_a_process_of_little_memory():
    process = run_module("tests.pickles", 300)
    assert process.returncode == 0, process.stderr
    read, refused, wrong = map(int, process.stdout.split())
    assert read > 0 and refused > 0 and wrong == 0


def test_servers_that_misbehave():
    counts, wrong = survive(8)
    assert counts["refused"] == 8 and not wrong


def test_runs_that_start_at_once(tmp_path):
    counts, wrong = starts.survive(6, str(tmp_path))
    assert counts.total() >= 2 and not wrong
