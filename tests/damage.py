"""Damaged inputs for every reader, and what each reader may answer: success, or an
error that says in one line what is wrong. Anything else is a defect.

A reader's tries are functions of a seed; the tests make some dozens of them, and
`python -m tests.damage NAME COUNT` as many as one likes.
"""

import glob
import hashlib
import io
import os
import resource
import shutil
import struct
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache

import cv2
import numpy as np
import tensorflow as tf

from enas.base.errors import InputError, UsageError
from enas.data_utils import Data, Source, Split, reader_of
from enas.data_utils_cifar import CifarSource
from enas.flags.parse import parse
from enas.flags.table import FLAGS, REFUSED
from enas.images import cifar_download
from enas.images.cifar_files import ARCHIVE_FOLDER, FILES, META_FILE
from enas.images.image_files import EXTENSIONS
from enas.loop.history import Evaluation, History
from enas.loop.kept_images import IMAGES_FILE
from enas.loop.stopping import keep_best
from enas.network import file
from enas.report import analysis, ranking
from enas.report.events import Events
from enas.report.log import Log
from enas.report.log_reader import read_log
from enas.session.input_pipeline import InputPipeline
from enas.session.output_dir import FLAGS_FILE, LOG_FILE, OutputDir
from enas.session.session import Session, input_errors
from enas.space.arc import parse_arc
from search_arc_mnist import CONSTANTS
from tests import cifar_files, damaged_networks
from tests.log_files import OLDER, SPECIFIED, search_log
from tests.runs import ARC
from train_arc_mnist import CONSTANTS as TRAIN_CONSTANTS

SLOW = 20.0  # seconds of computing, after which a reader counts as hung
LONGEST = 1000  # letters of a message
MOST_MEMORY = 1_000_000  # kB that a process may grow by; TensorFlow takes its part
RNG = np.random.Generator


@contextmanager
def little_memory() -> Iterator[None]:
    """What is done within it raises the most that this process ever held but a little.

    Raises AssertionError if it does not. What the process held before does not count:
    other tests may have trained in it.
    """
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        yield
    finally:
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < MOST_MEMORY, f"{grown} kB more memory were used"


def damaged(content: bytes, rng: RNG) -> bytes:
    """Some bytes of a file changed, cut out, doubled, put in, or all of it replaced."""
    data = np.frombuffer(content, np.uint8).copy()
    start, end = np.sort(rng.integers(0, len(data) + 1, 2))
    noise = rng.integers(0, 256, int(rng.integers(1, 64)), dtype=np.uint8)
    kind = rng.integers(9)
    if kind == 0:
        for position in rng.integers(0, len(data), rng.integers(1, 20)):
            data[position] ^= 1 << rng.integers(8)
    elif kind == 1:
        data[rng.integers(0, len(data))] = rng.choice([0, 1, 127, 128, 255])
    elif kind == 2:
        data = data[:start]
    elif kind == 3:
        data = np.concatenate([data[:start], data[end:]])
    elif kind == 4:
        data = np.concatenate([data[:end], data[start:]])
    elif kind == 5:
        data = np.concatenate([data[:start], noise, data[start:]])
    elif kind == 6:
        data[start:end] = rng.choice([0, 255])
    elif kind == 7:
        data[start : start + 4] = rng.choice([0, 255], len(data[start : start + 4]))
    else:
        data = noise
    return data.tobytes()


def _image(rng: RNG, endings: Sequence[str] = EXTENSIONS) -> tuple[str, bytes]:
    """A file's ending, and a picture in that format."""
    ending = str(rng.choice(endings))
    pixels = rng.integers(0, 256, (6, 5, 3), dtype=np.uint8)
    if ending in (".pgm", ".pbm"):
        pixels = pixels[..., 0]
    return ending, cv2.imencode(ending, pixels)[1].tobytes()


def _write(path: str, content: bytes) -> None:
    with open(path, "wb") as stream:
        stream.write(content)


def try_arc_string(rng: RNG, folder: str) -> None:
    cells = int(rng.integers(1, 8))
    alphabet = [*"0123456789-+. ,[]e\n\t\0", "\uff19", "é", "\udcff", "0x1", "1e9"]
    words = list(ARC) if rng.integers(2) else list(rng.choice(alphabet, 30))
    for _ in range(rng.integers(0, 6)):
        position = rng.integers(0, len(words))
        words[position : position + rng.integers(0, 3)] = rng.choice(alphabet, 1)
    try:
        arc = parse_arc("".join(words), cells)
    except ValueError as error:
        raise UsageError(error) from None
    assert parse_arc(str(arc), cells) == arc


def try_flags(rng: RNG, folder: str) -> None:
    constants = CONSTANTS if rng.integers(2) else TRAIN_CONSTANTS
    names = [*FLAGS, *REFUSED, "help", "no" + str(rng.choice(list(FLAGS))), "", "é"]
    values = ["", "0", "-1", "1e999", "nan", "True", "nO", "9" * 30, "[", "a b"]
    values += ["ternarize", "3", "0.5", ARC, "''", "--seed=1", "paper", "\0", "\udcff"]
    words = []
    for _ in range(rng.integers(0, 4)):
        dashes, equals = rng.choice(["-", "--", "---", ""]), rng.choice(["=", " ", ""])
        word = dashes + rng.choice(names) + equals + rng.choice(values)
        words += word.split(" ", 1)
    parse(["script", *words], constants)


def try_zip(rng: RNG, folder: str) -> None:
    stream = io.BytesIO()
    method = int(rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
    with zipfile.ZipFile(stream, "w", method) as archive:
        for number in range(4):
            ending, content = _image(rng)
            around = rng.choice(["", "around/", "../", "/", "C:/"])
            archive.writestr(f"{around}class{number % 2}/{number}{ending}", content)
    _write(path := os.path.join(folder, "images.zip"), damaged(stream.getvalue(), rng))
    Source(path, "train_data_dir").read(8, int(rng.choice([1, 3])))


def try_image(rng: RNG, folder: str) -> None:
    inner = os.path.join(folder, "images", "class")
    os.makedirs(inner, exist_ok=True)
    ending, content = _image(rng)
    _write(path := os.path.join(inner, "0" + ending), damaged(content, rng))
    try:
        Source(os.path.dirname(inner), "train_data_dir").read(8, 1)
    finally:
        os.remove(path)


def _cifar_file(name: str, rng: RNG) -> bytes:
    if name == META_FILE:
        return cifar_files.python2_meta()
    rows, labels = cifar_files.random_batch(3, int(rng.integers(100)))
    if rng.integers(2):
        return cifar_files.python2_batch(rows, labels)
    return cifar_files.python3_batch(rows, labels, int(rng.integers(0, 6)))


def try_batch(rng: RNG, folder: str) -> None:
    name = FILES[rng.integers(len(FILES))]
    for other in FILES:
        content = _cifar_file(other, rng)
        content = damaged(content, rng) if other == name else content
        _write(os.path.join(folder, other), content)
    CifarSource(folder).read(num_valids=2)


def try_archive(rng: RNG, folder: str) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as tar:
        for name in FILES:
            content = _cifar_file(name, rng)
            member = tarfile.TarInfo(f"{ARCHIVE_FOLDER}/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    _write(path := os.path.join(folder, "a.tar.gz"), damaged(stream.getvalue(), rng))
    cifar_download.unpack(path, folder)


def try_log(rng: RNG, folder: str) -> None:
    text = [SPECIFIED, OLDER, search_log(2, int(rng.integers(50)))]
    content = damaged("".join(rng.permutation(text)).encode(), rng)
    _write(path := os.path.join(folder, "search.txt"), content)
    runs = dict(enumerate(read_log(path), start=1))
    analysis.report(runs, 10, len(runs) > 1)
    if not rng.integers(20):
        picture = os.path.join(folder, "search.png")
        analysis.save_figure(runs[len(runs)], "search.txt", picture)


def try_checkpoint(rng: RNG, folder: str) -> None:
    """A folder with one damaged file: what continuing a run reads there."""
    files = _run_folder()
    name = str(rng.choice(list(files)))
    path = os.path.join(folder, "out")
    os.makedirs(path, exist_ok=True)
    for other, content in files.items():
        content = damaged(content, rng) if other == name else content
        _write(os.path.join(path, other), content)
    folder_of_run = OutputDir(path, False, CONSTANTS).begin()
    try:
        ranking.read_arcs(path, CONSTANTS["child_num_cells"])
        History(path, 1)
        with (
            tf.Graph().as_default(),
            input_errors(),
            Session(path, tiny_graph(), 10.0) as session,
        ):
            session.save()
    finally:
        folder_of_run.release()
        for other in os.listdir(path):
            os.remove(os.path.join(path, other))


def tiny_graph() -> InputPipeline:
    split = Split(np.zeros((2, 1, 1, 1), np.uint8), np.zeros(2, np.int32))
    half = np.full(1, 0.5, np.float32)
    tf.compat.v1.get_variable("w", [7, 5])
    return InputPipeline(
        reader_of(Data(split, split, split, half, half, ("a", "b"))), 1
    )


@cache
def _run_folder() -> dict[str, bytes]:
    """The files of a run of `tiny_graph` that was saved twice, by name."""
    files = {}
    with tempfile.TemporaryDirectory() as folder, tf.Graph().as_default():
        path = os.path.join(folder, "out")
        OutputDir(path, True, CONSTANTS).begin().release()
        with Session(path, tiny_graph(), 10.0) as session:
            session.save()
            session.save()
        ranking.save_arcs(path, 1, [parse_arc(ARC, 5)])
        History(path, 0).add(Evaluation(1, 1, 0.5, 0.5))
        _write(os.path.join(path, IMAGES_FILE), b"{}")
        for name in sorted(set(os.listdir(path)) - {"lock", "versions.json"}):
            with open(os.path.join(path, name), "rb") as stream:
                files[name] = stream.read()
    assert FLAGS_FILE in files
    return files


def _listing(folder: str) -> dict[str, str]:
    """What every file below a folder is, and holds."""
    found = {}
    for path in sorted(glob.glob(f"{folder}/**", recursive=True, include_hidden=True)):
        if os.path.islink(path):
            found[path] = "link to " + os.readlink(path)
        elif os.path.isfile(path):
            with open(path, "rb") as stream:
                found[path] = hashlib.sha256(stream.read()).hexdigest()
        else:
            found[path] = "folder" if os.path.isdir(path) else "pipe"
    return found


def try_hostile_folder(rng: RNG, folder: str) -> None:
    """A run's folder in which pieces are missing or exchanged, or are links, pipes or
    folders, and strangers' files lie: a run in it touches nothing that is not its own.
    """
    files = _run_folder()
    path, outside = os.path.join(folder, "out"), os.path.join(folder, "outside")
    shutil.rmtree(path, ignore_errors=True)
    shutil.rmtree(outside, ignore_errors=True)
    os.makedirs(path)
    os.makedirs(os.path.join(outside, "inner"))
    _write(os.path.join(outside, "mine.txt"), b"mine")
    for name, content in files.items():
        _write(os.path.join(path, name), content)
    owned = [*files, LOG_FILE, "summary.txt", "versions.json", "ranking.json", "events"]
    owned += [
        "evaluations.json",
        "best",
        "lock",
        "checkpoint",
        ".enas-lock",
        "flags.json.new",
        "model.ckpt-0-3.index",
    ]
    strangers = {}
    for _ in range(rng.integers(1, 4)):
        _spoil(rng, path, outside, str(rng.choice(owned)))
    for number in range(rng.integers(0, 3)):
        strangers[f"mine-{number}.txt"] = rng.bytes(9)
        _write(
            os.path.join(path, f"mine-{number}.txt"), strangers[f"mine-{number}.txt"]
        )
    before = _listing(outside)
    reset = bool(rng.integers(2))
    try:
        run = OutputDir(path, reset, CONSTANTS)
        try:
            run.begin()
            log = Log()
            log.keep_in(os.path.join(run.path, LOG_FILE))
            ranking.read_arcs(run.path, CONSTANTS["child_num_cells"])
            with (
                tf.Graph().as_default(),
                input_errors(),
                Session(run.path, tiny_graph(), 10.0) as session,
            ):
                run.keep_flags()
                with closing(Events(os.path.join(run.path, "events"), 0)) as events:
                    events.scalars("child", 1, {"loss": 1.0})
                ranking.save_arcs(run.path, 1, [parse_arc(ARC, 5)])
                History(run.path, 1).add(Evaluation(1, 1, 0.5, 0.5))
                keep_best(run.path, session)
                session.save()
            log.close()
        finally:
            run.release()
    except OSError as error:  # as `one_line_errors` takes it
        raise InputError(error) from None
    finally:
        assert _listing(outside) == before, "a file outside has changed"
        kept = path if not os.path.isdir(path + ".1") else path + ".1"
        for name, content in strangers.items():
            with open(os.path.join(kept, name), "rb") as stream:
                assert stream.read() == content, f"{name} has changed"
        shutil.rmtree(path + ".1", ignore_errors=True)


def _spoil(rng: RNG, path: str, outside: str, name: str) -> None:
    """Exchanges a file of a run's folder, whether it is there or not."""
    place = os.path.join(path, name)
    if os.path.isdir(place) and not os.path.islink(place):
        return
    if os.path.lexists(place):
        os.remove(place)
    mine = os.path.join(outside, "mine.txt")
    kind = rng.integers(7)
    if kind == 0:
        os.symlink(mine, place)
    elif kind == 1:
        os.symlink(os.path.join(outside, "inner"), place)
    elif kind == 2:
        os.mkfifo(place)
    elif kind == 3:
        os.mkdir(place)
    elif kind == 4:
        os.link(mine, place)
    elif kind == 5:
        files = _run_folder()
        _write(place, files[str(rng.choice(list(files)))])


def _claiming(image: bytearray, ending: str, width: int, height: int) -> bytes:
    """An image whose header claims another size, as far as it has room for that."""
    if ending == ".png":
        struct.pack_into(">II", image, 16, width, abs(height))
        struct.pack_into(">I", image, 29, zlib.crc32(image[12:29]))
    elif ending == ".bmp":
        struct.pack_into("<ii", image, 18, width, height)
    elif ending in (".jpg", ".jpeg"):
        place = image.index(b"\xff\xc0") + 5
        struct.pack_into(">HH", image, place, abs(height) % 2**16, width % 2**16)
    elif ending == ".gif":
        struct.pack_into("<HH", image, 6, width % 2**16, abs(height) % 2**16)
    elif ending == ".webp":
        bits = width % 2**14 | abs(height) % 2**14 << 14
        struct.pack_into("<I", image, 21, bits)  # OpenCV writes it without loss
    elif ending in (".tif", ".tiff"):
        for tag, value in ((256, width), (257, abs(height)), (278, abs(height))):
            place = image.index(struct.pack("<H", tag), 8)
            struct.pack_into("<HHII", image, place, tag, 4, 1, value)
    else:
        return image.replace(b"5 6", f"{width} {height}".encode(), 1)
    return image


def try_header(rng: RNG, folder: str) -> None:
    """An image whose header claims another size than it has."""
    inner = os.path.join(folder, "images", "class")
    os.makedirs(inner, exist_ok=True)
    ending, content = _image(rng)
    sizes = rng.integers(0, 2**16, 2) if rng.integers(2) else rng.integers(0, 2**31, 2)
    width, height = (int(size) for size in sizes)
    height = -height if rng.integers(2) else height
    image = bytes(_claiming(bytearray(content), ending, width, height))
    _write(path := os.path.join(inner, "0" + ending), image)
    try:
        with little_memory():
            Source(os.path.dirname(inner), "train_data_dir").read(
                8, int(rng.choice([1, 3]))
            )
    finally:
        os.remove(path)


def try_network(rng: RNG, folder: str) -> None:
    """A packed network: bytes damaged, or strange steps behind a right checksum."""
    network = damaged_networks.small_network(rng)
    content = file.pack(network)
    kind = rng.integers(3)
    if kind == 0:
        content = damaged(content, rng)
    elif kind == 1:
        content = damaged_networks.sealed(damaged(content, rng))
    else:
        content = damaged_networks.strange(network, rng)
    _write(path := os.path.join(folder, file.FILE), content)
    with little_memory():
        network = file.read(path)
        assert len(network.classes) == network.steps[-1].parameters()["units"]
        damaged_networks.use(content)


TRIES: dict[str, Callable[[RNG, str], None]] = {
    "damaged arc strings": try_arc_string,
    "damaged command lines": try_flags,
    "damaged zips of images": try_zip,
    "damaged image files": try_image,
    "damaged CIFAR-10 batches": try_batch,
    "damaged CIFAR-10 archives": try_archive,
    "damaged logs": try_log,
    "damaged folders of a run": try_checkpoint,
    "hostile folders of a run": try_hostile_folder,
    "headers that claim another size": try_header,
    "damaged packed networks": try_network,
}


def outcome(attempt: Callable[[RNG, str], None], seed: int, folder: str) -> str:
    """'read' or 'refused', which are right; else what went wrong."""
    start = time.process_time()
    try:
        attempt(np.random.default_rng(seed), folder)
        result = "read"
    except (InputError, UsageError) as error:
        message = str(error)
        result = "refused" if message and len(message) < LONGEST else "no clear line"
    except Exception as error:  # a traceback, had a program run into it
        result = f"{type(error).__name__}: {error}"
    return result if time.process_time() - start < SLOW else "slow"


def outcomes(name: str, count: int, folder: str) -> tuple[Counter, list[str]]:
    """How many of some tries ended how; what went wrong, with its seed."""
    counts, wrong = Counter(), []
    for seed in range(count):
        result = outcome(TRIES[name], seed, folder)
        counts[result if result in ("read", "refused") else "wrong"] += 1
        if result not in ("read", "refused"):
            wrong.append(f"{name}, seed {seed}: {result}")
            print(wrong[-1], file=sys.stderr)
    return counts, wrong


def main() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    name, count = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        counts, _ = outcomes(name, int(count), folder)
    print(counts["read"], counts["refused"], counts["wrong"])


if __name__ == "__main__":
    main()
