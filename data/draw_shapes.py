#!/usr/bin/env python3
"""Draws colour images of circles, squares and triangles, to try the project with.

    enas_env/bin/python data/draw_shapes.py my_images

OUTPUT gets three sets, train, valid and test, of 80, 10 and 10 % of the images, each
with a folder for each class. A bright shape of any colour, size, place and rotation
lies on a noisy dark ground. The same seed draws the same images.
"""

import argparse
import math
import pathlib
import sys

import cv2
import numpy as np

SIDES = {"circle": 60, "square": 4, "triangle": 3}
SETS = {"train": 0.8, "valid": 0.1, "test": 0.1}
FINER = 4  # times as many pixels are drawn, each way, for soft edges
NOISE = 12.0  # standard deviation of a pixel, of 255
GROUND, SHAPE = (0.0, 90.0), (130.0, 255.0)  # of each channel of their colours


def drawn(sides: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draws one shape: uint8 [size, size, 3]."""
    ground, colour = rng.uniform(*GROUND, 3), rng.uniform(*SHAPE, 3)
    large = size * FINER
    radius = rng.uniform(0.3, 0.45) * large
    centre = rng.uniform(radius, large - radius, 2)
    turns = rng.uniform() + np.arange(sides) / sides
    corners = [np.cos(2 * math.pi * turns), np.sin(2 * math.pi * turns)]
    points = np.round(centre + radius * np.transpose(corners)).astype(np.int32)
    image = np.full((large, large, 3), ground)
    cv2.fillPoly(image, [points], colour.tolist())
    image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    image += rng.normal(0.0, NOISE, image.shape)
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


def draw(output: pathlib.Path, images: int, size: int, seed: int) -> None:
    """Draws all sets; the classes take turns, so each has a third of every set.

    Raises:
      OSError: the folder is there already, or cannot be written to.
    """
    output.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for name, share in SETS.items():
        for kind in SIDES:
            (output / name / kind).mkdir(parents=True)
        for number in range(round(share * images)):
            kind = list(SIDES)[number % len(SIDES)]
            path = output / name / kind / f"{number // len(SIDES) + 1:04d}.png"
            png = cv2.imencode(".png", drawn(SIDES[kind], size, rng))[1]
            path.write_bytes(png.tobytes())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("output", type=pathlib.Path, help="a folder that is made")
    parser.add_argument(
        "--images", type=int, default=1000, help="of all sets (%(default)s)"
    )
    parser.add_argument("--size", type=int, default=32, help="in pixels (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    args = parser.parse_args()
    if args.images < 30 or args.size < 8:
        parser.error("it takes 30 images of 8 pixels, at least")
    try:
        draw(args.output, args.images, args.size, abs(args.seed))
    except FileExistsError:
        sys.exit(f"draw_shapes.py: {args.output} is there already; name another folder")
    except OSError as error:
        sys.exit(f"draw_shapes.py: cannot write {args.output}: {error.strerror}")
    print(f"{args.output}: {args.images} images of {', '.join(SIDES)}")


if __name__ == "__main__":
    main()
