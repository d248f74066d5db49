"""CIFAR-10 batches: reading them, refusing hostile ones, and downloading them."""

import functools
import hashlib
import http.server
import io
import os
import pickle
import tarfile
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enas import safe_pickle
from enas.data_utils_cifar import ARCHIVE_FOLDER, FILES, META_FILE, CifarSource
from enas.download_cifar import fetch
from enas.errors import InputError
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
    for protocol in range(5):
        loaded = safe_pickle.load(python3_batch(rows, [1, 2, 3], protocol))
        np.testing.assert_array_equal(loaded["data"].values, rows)


class Call:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class ArrayOfObjects(np.ndarray):
    pass


def hostile_pickles(path: str) -> dict[str, bytes]:
    call = Call(os.mkdir, path)
    rows, labels = random_batch(3, 0)
    hidden = {"data": rows, "labels": labels, "filenames": [call]}
    return {
        "a call": pickle.dumps(call),
        "a call in protocol 0": pickle.dumps(call, 0),
        "a call within a batch": pickle.dumps(hidden, 2),
        "a call through eval": pickle.dumps(
            Call(eval, f"__import__('os').mkdir({path!r})")
        ),
        "an array of objects": python3_batch(np.array([[call]], object), labels),
        "an array of another type": python3_batch(rows.astype(np.float32), labels),
        "an array of a subclass": python3_batch(rows.view(ArrayOfObjects), labels),
        "a codec that runs": b"c_codecs\nencode\n(U\x01aU\x03hextR.",
        "an array without its bytes": python2_batch(rows, labels).replace(
            b"J\x00\x0c\x00\x00\x86", b"J\x00\x0c\x00\x7f\x86"
        ),
    }


@pytest.mark.parametrize("kind", hostile_pickles(""))
def test_a_hostile_batch_is_refused_and_runs_nothing(kind, tmp_path):
    victim = tmp_path / "victim"
    write_folder(tmp_path / "cifar")
    content = hostile_pickles(str(victim))[kind]
    (tmp_path / "cifar" / "data_batch_2").write_bytes(content)
    message = r"data_path: .*data_batch_2 is no CIFAR-10 batch: its? "
    with pytest.raises(InputError, match=message):
        CifarSource(str(tmp_path / "cifar")).read(5)
    assert not victim.exists()
    with pytest.raises(safe_pickle.HostilePickleError):
        safe_pickle.load(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is damaged"),
        (b"garbage", "it is damaged"),
        (b"\x80\x02r\xff\xff\xff\x7f.", "it is damaged"),  # a memo of 2^31 objects
        (b"\x80\x05\x96" + b"\xff" * 7 + b"\x7f.", "it is damaged"),  # so many bytes
        (b"\x80\x02P1\n.", "it is damaged"),  # an object outside the file
        (b"\x80\x02\x82\x01.", "it is damaged"),  # an extension's object
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
    with pytest.raises(
        InputError, match=f"test_batch is no CIFAR-10 batch: .*{message}"
    ):
        CifarSource(str(tmp_path)).read(5)


def test_a_missing_file_is_named(tmp_path):
    write_folder(tmp_path)
    (tmp_path / META_FILE).write_bytes(pickle.dumps({"label_names": ["cat"]}, 2))
    with pytest.raises(InputError, match=r"batches\.meta .*no list of 10 names"):
        CifarSource(str(tmp_path)).read(5)
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

    break_off_at = None
    ranges = True

    def do_GET(self):
        with open(self.translate_path(self.path), "rb") as stream:
            content = stream.read()
        asked = self.headers.get("Range")
        self.asked.append(asked)
        start = int(asked[6:-1]) if asked and self.ranges else 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
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
    _, url, md5, _ = server
    with pytest.raises(InputError, match=r"http://127.0.0.1:1/x: .*run again"):
        fetch(str(tmp_path / "a"), "http://127.0.0.1:1/x", md5)
    (tmp_path / "served" / "cifar.tar.gz").rename(tmp_path / "served" / "other")
    with pytest.raises(InputError, match=r"cifar\.tar\.gz: "):
        fetch(str(tmp_path / "a"), url, md5)


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
