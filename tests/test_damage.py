"""Damaged inputs end in success or in one clear line.

`python -m tests.endurance inputs` tries thousands of them."""

import io
import os
import struct
import zipfile
import zlib

import pytest

from enas.data_utils import MOST_BYTES, Source
from enas.errors import InputError
from tests.damage import TRIES, outcomes

COUNT = {"arc strings": 1000, "command lines": 300, "folders of a run": 30}


@pytest.mark.parametrize("name", TRIES)
def test_damaged(name, tmp_path):
    counts, wrong = outcomes(name, COUNT.get(name, 60), str(tmp_path))
    assert not wrong
    assert counts["refused"] > 0


def png_header(width, height):
    """A PNG that claims a size, and has one row's worth of nothing."""

    def chunk(kind, content):
        body = kind + content
        checksum = struct.pack(">I", zlib.crc32(body))
        return struct.pack(">I", len(content)) + body + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    image = chunk(b"IDAT", zlib.compress(bytes(width)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + image + chunk(b"IEND", b"")


def write_zip(path, name, content):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return str(path)


def test_an_image_of_absurd_size_is_refused(tmp_path):
    path = write_zip(tmp_path / "a.zip", "class/0.png", png_header(60000, 60000))
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
