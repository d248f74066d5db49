#!/usr/bin/env python3
"""Makes train.zip, valid.zip and test.zip from the four original MNIST files.

    python data/mnist/make_zips.py FOLDER

FOLDER holds {train,t10k}-{images-idx3,labels-idx1}-ubyte.gz. Each zip holds PNG images
as `class/number.png`, number being the position in the original file; validation is the
last 5,000 training images. The zips come out the same, byte for byte, every time."""

import gzip
import pathlib
import struct
import sys
import zipfile

import cv2
import numpy as np

VALID = 5000


def read_idx(path: pathlib.Path) -> np.ndarray:
    """An idx file of unsigned bytes (the format is told on MNIST's home page)."""
    content = gzip.decompress(path.read_bytes())
    dimensions = content[3]
    shape = struct.unpack_from(f">{dimensions}I", content, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def write_zip(path: pathlib.Path, images: np.ndarray, labels: np.ndarray, first: int):
    numbered = sorted(
        (int(label), number) for number, label in enumerate(labels, start=first)
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for label, number in numbered:
            _, png = cv2.imencode(
                ".png", images[number - first], [cv2.IMWRITE_PNG_COMPRESSION, 9]
            )
            info = zipfile.ZipInfo(f"{label}/{number:05d}.png")
            archive.writestr(info, png.tobytes())
    print(f"wrote {path}: {len(numbered)} images")


def main(source: pathlib.Path) -> None:
    target = pathlib.Path(__file__).resolve().parent
    images = read_idx(source / "train-images-idx3-ubyte.gz")
    labels = read_idx(source / "train-labels-idx1-ubyte.gz")
    split = len(images) - VALID
    write_zip(target / "train.zip", images[:split], labels[:split], 0)
    write_zip(target / "valid.zip", images[split:], labels[split:], split)
    images = read_idx(source / "t10k-images-idx3-ubyte.gz")
    labels = read_idx(source / "t10k-labels-idx1-ubyte.gz")
    write_zip(target / "test.zip", images, labels, 0)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]))
