"""CIFAR-10 batches of a few images, for tests, as Pythons 2 and 3 write them."""

import pickle
import struct

import numpy as np

from enas.images.cifar_files import CLASSES, META_FILE, TEST_FILE, TRAIN_FILES

NAMES = [f"class {label}" for label in range(CLASSES)]


def random_batch(count: int, seed: int) -> tuple[np.ndarray, list[int]]:
    """(uint8 [count, 3072], labels)."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 256, (count, 3072)).astype(np.uint8)
    return rows, [int(label) for label in rng.integers(CLASSES, size=count)]


def _batch_of_12(seed: int) -> tuple[np.ndarray, list[int]]:
    return random_batch(12, seed)


def python3_batch(rows: np.ndarray, labels: list[int], protocol: int = 2) -> bytes:
    batch = {"data": rows, "labels": labels, "filenames": ["x.png"] * len(labels)}
    return pickle.dumps(batch, protocol)


def python2_batch(rows: np.ndarray, labels: list[int]) -> bytes:
    """As Python 2 writes it: text is byte strings, NumPy has its old names."""
    dtype = b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ" + b"\xff" * 4
    dtype += b"J" + b"\xff" * 4 + b"K\x00tb"
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    )
    shape = struct.pack("<cIcI", b"J", len(rows), b"J", rows.shape[1]) + b"\x86"
    content = struct.pack("<cI", b"T", rows.nbytes) + rows.tobytes()
    array += b"(K\x01" + shape + dtype + b"\x89" + content + b"tb"
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    text = b"U\x0bbatch_labelU\x15training batch 1 of 5"
    return (
        b"\x80\x02}(" + text + b"U\x04data" + array + b"U\x06labels" + numbers + b"u."
    )


def python2_meta() -> bytes:
    names = b"".join(b"U" + bytes([len(name)]) + name.encode() for name in NAMES)
    return b"\x80\x02}U\x0blabel_names](" + names + b"es."


def write_folder(folder, batch=_batch_of_12, dump=python2_batch) -> list:
    """Writes the seven files.

    Args:
      batch: of the number of a batch from 0 to 5, gives its (rows, labels).
      dump: of rows and labels, gives a file's bytes.

    Returns:
      The (rows, labels) of the six batches.
    """
    folder.mkdir(parents=True, exist_ok=True)
    batches = [batch(number) for number in range(6)]
    names = (*TRAIN_FILES, TEST_FILE)
    for name, (rows, labels) in zip(names, batches, strict=True):
        (folder / name).write_bytes(dump(rows, labels))
    (folder / META_FILE).write_bytes(python2_meta())
    return batches
