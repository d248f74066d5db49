"""CIFAR-10 batches: reading them, refusing hostile ones, and downloading them."""

import functools
import hashlib
import http.server
import io
import os
import pickle
import struct
import tarfile
import threading
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enas.base.errors import InputError
from enas.data_utils_cifar import CifarSource
from enas.images import cifar_download, safe_pickle
from enas.images.cifar_download import fetch
from enas.images.cifar_files import ARCHIVE_FOLDER, FILES, META_FILE
from tests.cifar_files import (
    NAMES,
    python2_batch,
    python3_batch,
    random_batch,
    write_folder,
)


@pytest.mark.parametrize("dump", [python2_batch, python3_batch])
@pytest.mark.parametrize("inner", ["", ARCHIVE_FOLDER])
def test_batches_are_read(dump, inner, tmp_path):
    batches = write_folder(tmp_path / inner, dump=dump)
    data = CifarSource(str(tmp_path)).read(num_valids=5)
    assert [len(split.labels) for split in data[:3]] == [55, 5, 12]
    rows = np.concatenate([rows for rows, _ in batches[:5]])
    labels = [label for _, labels in batches[:5] for label in labels]
    images = np.concatenate([data.train.images, data.valid.images])
    assert images.dtype == np.uint8 and images.shape == (60, 32, 32, 3)
    for row, column, channel in ((0, 0, 0), (3, 7, 1), (31, 30, 2)):
        expected = rows[:, channel * 1024 + row * 32 + column]
        np.testing.assert_array_equal(images[:, row, column, channel], expected)
    assert [*data.train.labels, *data.valid.labels] == labels
    assert list(data.test.labels) == batches[5][1]
    assert data.classes == tuple(NAMES)
    expected = data.train.images.mean((0, 1, 2)) / 255
    np.testing.assert_allclose(data.mean, expected, rtol=1e-5)


def test_limits_and_no_validation(tmp_path):
    write_folder(tmp_path)
    data = CifarSource(str(tmp_path)).read(0, train_limit=20, eval_limit=4)
    assert data.valid is None
    assert len(data.train.labels) == 20 and len(data.test.labels) == 4
    assert np.bincount(data.train.labels, minlength=10).max() <= 3
    with pytest.raises(InputError, match=r"num_valids: 60 .* leave none of 60"):
        CifarSource(str(tmp_path)).read(60)


def test_fortran_order_and_protocols():
    rows = np.asfortranarray(random_batch(3, 0)[0])
    for protocol in (2, 3, 4):
        loaded = safe_pickle.load(python3_batch(rows, [1, 2, 3], protocol))
        np.testing.assert_array_equal(loaded["data"].values, rows)
        assert loaded["labels"] == [1, 2, 3]


def test_plain_values():
    values = {"a": [1, -2, 70000, 2.5, None, True, ("x", b"y\xff", ())], "b": {}}
    for protocol in (2, 3, 4):
        assert safe_pickle.load(pickle.dumps(values, protocol)) == values


class Call:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class ArrayOfObjects(np.ndarray):
    pass


def with_shape(shape: bytes) -> bytes:
    """A batch of one row, the array's shape replaced by what some opcodes push."""
    batch = python2_batch(*random_batch(1, 0))
    pushed = b"J\x01\x00\x00\x00J\x00\x0c\x00\x00\x86"
    assert pushed in batch
    return batch.replace(pushed, shape)


ENCODE = b"\x80\x02c_codecs\nencode\n"
KILOBYTE = b"X\x00\x04\x00\x00" + b"a" * 1024
HOSTILE = {
    "a call": pickle.dumps(Call(os.mkdir, "victim")),
    "a call in protocol 0": pickle.dumps(Call(os.mkdir, "victim"), 0),
    "a call in protocol 2": pickle.dumps({"data": Call(os.mkdir, "victim")}, 2),
    "eval": pickle.dumps(Call(eval, "__import__('os').mkdir('victim')")),
    "an array of objects": python3_batch(np.array([[Call(os.mkdir, "victim")]]), [1]),
    "an array of floats": python3_batch(np.zeros((1, 3072), np.float32), [1]),
    "an array of a subclass": python3_batch(
        np.zeros((1, 3072), np.uint8).view(ArrayOfObjects), [1]
    ),
    "a codec that runs": ENCODE + b"(U\x01aU\x03hextR.",
    "a function's defaults changed": ENCODE + b"N}U\x0c__defaults__)s\x86b.",
    "an array without its bytes": with_shape(b"J\x00\x00\x00\x01K\x01\x86"),
    "a shape of text": with_shape(b"U\x01aJ\x00\x00\x00\x40\x86"),
    "a shape of two hundred ones": with_shape(b"(" + b"K\x01" * 200 + b"t"),
    "bytes made again and again": b"\x80\x02c_codecs\nencode\nq\x00"
    + b"X"
    + struct.pack("<I", 2**20)
    + b"a" * 2**20
    + b"q\x01U\x06latin1q\x02000"
    + b"h\x00h\x01h\x02\x86R0" * 100
    + b"N.",
    "a key of nested tuples": b"\x80\x02})" + b"\x85" * 100_000 + b"Ns.",
    "a key of shared pairs": b"\x80\x02})" + b"q\x00h\x00\x86" * 60 + b"Ns.",
    "keys that are numbers": b"\x80\x02}K\x01K\x01s.",
    "more objects than any batch": b"\x80\x02(" + b"]" * 300_000 + b"l.",
    "sets": b"\x80\x04\x8f.",
    "a copy of the top": b"\x80\x02]2\x86.",
    "an object of a class": b"\x80\x02cnumpy\nndarray\n)\x81.",
    "an object outside the file": b"\x80\x02U\x01aQ.",
    "an extension's object": b"\x80\x02\x82\x01.",
    "a long and coloured name": b"\x80\x02c\x1b[2J" + b"a" * 2**20 + b"\nb\n.",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_batch_is_refused_and_runs_nothing(kind, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_folder(tmp_path / "cifar")
    (tmp_path / "cifar" / "data_batch_2").write_bytes(HOSTILE[kind])
    with pytest.raises(InputError) as raised:
        CifarSource(str(tmp_path / "cifar")).read(5)
    message = str(raised.value)
    assert "data_batch_2 is no CIFAR-10 batch: it" in message
    assert len(message) < 500 and message.isprintable()
    assert os.listdir(tmp_path) == ["cifar"]
    tracemalloc.start()
    start = time.monotonic()
    with pytest.raises(safe_pickle.HostilePickleError):
        safe_pickle.load(HOSTILE[kind])
    assert tracemalloc.get_traced_memory()[1] < 2 * safe_pickle.MOST_BYTES
    assert time.monotonic() - start < 20
    tracemalloc.stop()


def test_names_that_would_never_end_when_printed_are_refused(tmp_path):
    write_folder(tmp_path)
    pairs = b")" + b"q\x00h\x00\x86" * 60
    meta = b"\x80\x02}(U\x0blabel_names](" + pairs * 10 + b"eu."
    (tmp_path / META_FILE).write_bytes(meta)
    with pytest.raises(InputError, match=r"batches\.meta .*no list of 10 names"):
        CifarSource(str(tmp_path)).read(5)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is damaged"),
        (b"garbage", "it is damaged"),
        (b"\x80\x02r\xff\xff\xff\x7f.", "it is damaged"),  # remembers nothing
        (b"\x80\x02h\x05.", "it is damaged"),  # recalls what was not remembered
        (b"\x80\x02T\xff\xff\xff\x7fabc.", "it is damaged"),  # text cut short
        (b"\x80\x05\x96" + struct.pack("<Q", 2**33), "it is damaged"),  # so many bytes
        (b"\x80\x02K\x01K\x02.", "it is damaged"),  # two values
        (b"\x80\x02R.", "it is damaged"),  # calls what is not there
        (pickle.dumps([1], 2), "it holds no dict"),
        (pickle.dumps({"labels": [1]}, 2), "it holds no array 'data'"),
        (python3_batch(np.zeros((2, 9), np.uint8), [0, 1]), r"shape \(2, 9\)"),
        (python3_batch(np.zeros((2, 3072), np.uint8), [0]), "no list of 2 numbers"),
        (python3_batch(np.zeros((2, 3072), np.uint8), [0, 10]), "a label is no number"),
        (python3_batch(np.zeros((2, 3072), np.uint8), [0, "1"]), "a label is no"),
    ],
)
def test_a_broken_batch_is_named(content, message, tmp_path):
    write_folder(tmp_path)
    (tmp_path / "test_batch").write_bytes(content)
    message = f"test_batch is no CIFAR-10 batch: .*{message}"
    with pytest.raises(InputError, match=message):
        CifarSource(str(tmp_path)).read(5)


def test_a_missing_file_is_named(tmp_path):
    write_folder(tmp_path)
    (tmp_path / META_FILE).write_bytes(pickle.dumps({"label_names": ["cat"]}, 2))
    with pytest.raises(InputError, match=r"batches\.meta .*no list of 10 names"):
        CifarSource(str(tmp_path)).read(5)
    (tmp_path / ARCHIVE_FOLDER).mkdir()  # empty, it is not where the files are
    (tmp_path / "data_batch_4").unlink()
    with pytest.raises(InputError, match=r"no file .*data_batch_4; .*cifar10_dataset"):
        CifarSource(str(tmp_path))


BATCH = python2_batch(*random_batch(2, 0))
HEAD = 200  # bytes, in which nearly all of a small batch's structure stands


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, HEAD), st.integers(0, 255)), max_size=4),
    st.integers(0, len(BATCH)),
    st.booleans(),
)
def test_damage_ends_in_a_value_or_a_value_error(changes, end, cut):
    content = bytearray(BATCH)
    for position, value in changes:
        content[position] = value
    try:
        safe_pickle.load(bytes(content[:end] if cut else content))
    except ValueError as error:
        assert str(error).startswith("it")


class Server(http.server.SimpleHTTPRequestHandler):
    """Serves a folder; understands byte ranges; breaks off where it is told to."""

    break_off_at = redirect = None
    content_type = "application/x-gzip"
    ranges = True

    def do_GET(self):
        if self.redirect:
            self.send_response(302)
            self.send_header("Location", self.redirect)
            self.end_headers()
            return
        if not os.path.exists(self.translate_path(self.path)):
            self.send_error(404)
            return
        with open(self.translate_path(self.path), "rb") as stream:
            content = stream.read()
        asked = self.headers.get("Range")
        self.asked.append(asked)
        start = int(asked[6:-1]) if asked and self.ranges else 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Type", self.content_type)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start : self.break_off_at])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    """(handler class, URL of an archive, its MD5, its bytes), served right here."""
    write_folder(tmp_path / "made" / ARCHIVE_FOLDER)
    path = tmp_path / "served" / "cifar.tar.gz"
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as tar:
        tar.add(tmp_path / "made" / ARCHIVE_FOLDER, ARCHIVE_FOLDER)
        add_text(tar, "../escaped")
        add_text(tar, str(tmp_path / "escaped"))
        add_text(tar, f"{ARCHIVE_FOLDER}/readme.html")
    handler = type("Handler", (Server,), {"asked": []})
    make = functools.partial(handler, directory=str(path.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), make) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        content = path.read_bytes()
        url = f"http://127.0.0.1:{httpd.server_port}/cifar.tar.gz"
        yield handler, url, hashlib.md5(content).hexdigest(), content
        httpd.shutdown()


def add_text(tar, name):
    member = tarfile.TarInfo(name)
    member.size = 5
    tar.addfile(member, io.BytesIO(b"hello"))


def test_download_unpacks_the_seven_files_and_nothing_else(server, tmp_path, capsys):
    handler, url, md5, _ = server
    folder = tmp_path / "deep" / "cifar10"
    fetch(str(folder), url, md5)
    assert sorted(os.listdir(folder)) == sorted([*FILES, "cifar.tar.gz"])
    assert not (tmp_path / "escaped").exists()
    assert not (tmp_path / "deep" / "escaped").exists()
    assert len(CifarSource(str(folder)).read(5).train.labels) == 55
    fetch(str(folder), url, md5)
    assert len(handler.asked) == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_goes_on(server, ranges, tmp_path):
    handler, url, md5, content = server
    handler.break_off_at, handler.ranges = 1000, ranges
    folder = tmp_path / "cifar10"
    with pytest.raises(
        InputError, match=r"0\.0 MB are in .*\.part; run again to go on"
    ):
        fetch(str(folder), url, md5)
    part = folder / "cifar.tar.gz.part"
    assert part.read_bytes() == content[:1000]
    handler.break_off_at = None
    fetch(str(folder), url, md5)
    assert handler.asked == [None, "bytes=1000-"]
    assert (folder / "cifar.tar.gz").read_bytes() == content and not part.exists()


def test_a_download_that_is_whole_but_was_not_checked(server, tmp_path):
    _, url, md5, content = server
    (tmp_path / "cifar.tar.gz.part").write_bytes(content)
    fetch(str(tmp_path), url, md5)
    assert (tmp_path / "data_batch_1").exists()


def test_no_server_and_no_such_file(server, tmp_path):
    handler, url, md5, _ = server
    with pytest.raises(InputError, match=r"http://127.0.0.1:1/x: .*run again"):
        fetch(str(tmp_path / "a"), "http://127.0.0.1:1/x", md5)
    (tmp_path / "served" / "cifar.tar.gz").rename(tmp_path / "served" / "other")
    with pytest.raises(InputError, match=r"cifar\.tar\.gz: 404 Not Found"):
        fetch(str(tmp_path / "a"), url, md5)
    handler.redirect = "http://[nowhere"
    with pytest.raises(InputError, match=r"cifar\.tar\.gz: .*run again"):
        fetch(str(tmp_path / "a"), url, md5)


def test_a_web_page_does_not_replace_what_has_come(server, tmp_path):
    handler, url, md5, content = server
    part = tmp_path / "cifar.tar.gz.part"
    part.write_bytes(content[:500])
    handler.content_type, handler.ranges = "text/html", False
    with pytest.raises(InputError, match="a web page came instead of an archive"):
        fetch(str(tmp_path), url, md5)
    assert part.read_bytes() == content[:500]


def test_trouble_with_the_folder_is_named(server, tmp_path):
    _, url, md5, _ = server
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"cannot use .*file"):
        fetch(str(tmp_path / "file"), url, md5)
    (tmp_path / "cifar.tar.gz.part").mkdir()
    with pytest.raises(InputError, match=r"cannot use .*\.part: Is a directory"):
        fetch(str(tmp_path), url, md5)


def test_a_damaged_archive_is_refused_by_name(server, tmp_path):
    _, url, md5, content = server
    folder = tmp_path / "cifar10"
    with pytest.raises(InputError, match=r"part is damaged .*removed; run again"):
        fetch(str(folder), url, "0" * 32)
    assert os.listdir(folder) == []
    archive = folder / "cifar.tar.gz"
    archive.write_bytes(content[:-1] + b"x")
    with pytest.raises(InputError, match=r"cifar\.tar\.gz is damaged .*remove it"):
        fetch(str(folder), url, md5)
    assert os.listdir(folder) == ["cifar.tar.gz"]
    # Wherever it is cut or spoilt: also an archive whose MD5 is as expected is named.
    for damaged in (content[: len(content) // 2], content[:9], b"no archive" * 9):
        archive.write_bytes(damaged)
        with pytest.raises(InputError, match=r"cifar\.tar\.gz (is damaged|holds no)"):
            fetch(str(folder), url, hashlib.md5(damaged).hexdigest())


def test_an_archive_without_a_batch_is_refused(tmp_path):
    archive = tmp_path / "cifar.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        link = tarfile.TarInfo(f"{ARCHIVE_FOLDER}/data_batch_1")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    md5 = hashlib.md5(archive.read_bytes()).hexdigest()
    with pytest.raises(InputError, match="data_batch_1 is no batch file"):
        fetch(str(tmp_path), "http://127.0.0.1:1/cifar.tar.gz", md5)
    with tarfile.open(archive, "w:gz") as tar:
        add_text(tar, "readme")
    md5 = hashlib.md5(archive.read_bytes()).hexdigest()
    with pytest.raises(InputError, match="holds no cifar-10-batches-py/data_batch_1"):
        fetch(str(tmp_path), "http://127.0.0.1:1/cifar.tar.gz", md5)


class Misbehaving(Server):
    """Sends what no server of an archive should: see `wrong`."""

    wrong = ""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", self.content_type)
        if self.wrong == "a length that is none":
            self.send_header("Content-Length", "many")
        self.end_headers()
        try:
            for _ in range(10_000):
                if self.wrong == "a byte at a time":
                    self.wfile.write(b"a")
                    time.sleep(0.02)
                else:
                    self.wfile.write(b"a" * 2**16)
        except OSError:  # the reader has left
            return


@pytest.mark.parametrize(
    "wrong, message",
    [
        ("without end", "more came than the 1000000 bytes of the archive"),
        ("a byte at a time", r"less than 1000 bytes came a second; .* run again"),
        ("a length that is none", "more came than the 1000000 bytes of the archive"),
    ],
)
def test_a_server_that_sends_without_end(wrong, message, tmp_path, monkeypatch):
    monkeypatch.setattr(cifar_download, "TIMEOUT", 1)
    handler = type("Handler", (Misbehaving,), {"asked": [], "wrong": wrong})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{httpd.server_port}/cifar.tar.gz"
        with pytest.raises(InputError, match=message):
            fetch(str(tmp_path), url, "0" * 32, 1_000_000)
        httpd.shutdown()
    assert os.path.getsize(tmp_path / "cifar.tar.gz.part") <= 1_000_000


@pytest.mark.parametrize("place", ["ftp://127.0.0.1/x", "file:///etc/passwd"])
def test_a_redirect_that_leaves_the_web_is_not_followed(server, place, tmp_path):
    handler, url, md5, _ = server
    handler.redirect = place
    with pytest.raises(InputError, match=r"leads away from the web|is not allowed"):
        fetch(str(tmp_path / "a"), url, md5)


def test_what_a_download_writes_to_is_its_own(server, tmp_path):
    """A pipe of that name does not block, and a link is not followed."""
    _, url, md5, _ = server
    (tmp_path / "mine.txt").write_text("mine")
    for name, make in (("a", os.mkfifo), ("b", lambda p: os.symlink("../mine.txt", p))):
        (tmp_path / name).mkdir()
        make(tmp_path / name / "cifar.tar.gz.part")
        with pytest.raises(InputError, match="cannot use"):
            fetch(str(tmp_path / name), url, md5)
    assert (tmp_path / "mine.txt").read_text() == "mine"
