"""Tiny children for tests, and NumPy twins of what they compute."""

import numpy as np
import tensorflow as tf

from enas.arc import arc_from_numbers, numbers_of
from enas.common_ops import unpack_row
from enas.micro_child import MicroChild, row_offsets
from enas.models import ChildConfig
from enas.operations import OPERATIONS
from enas.schemes import make_scheme

SCHEME_NAMES = ("binarize", "ternarize", "quantize", "float")


def tiny_config(scheme: str = "ternarize", **changes) -> ChildConfig:
    """2 layers + 2, 2 blocks, 4 filters on 8×8 gray images of 3 classes."""
    settings = {
        "img_size": 8,
        "channels": 1,
        "num_classes": 3,
        "num_layers": 2,
        "num_cells": 2,
        "out_filters": 4,
        "pool_layers": (1,),
        "scheme": make_scheme(scheme),
        "first_scheme": make_scheme(scheme),
        "use_aux_heads": False,
    }
    return ChildConfig(**(settings | changes))


def placeholders(config: ChildConfig) -> tuple[tf.Tensor, tf.Tensor]:
    """The two cells of a search child, to be fed."""
    return tuple(
        tf.compat.v1.placeholder(tf.int32, [4 * config.num_cells]) for _ in range(2)
    )


def images_and_labels(config: ChildConfig, count: int = 4, seed: int = 0):
    rng = np.random.default_rng(seed)
    shape = (count, config.img_size, config.img_size, config.channels)
    images = rng.normal(size=shape).astype(np.float32)
    labels = rng.integers(config.num_classes, size=count).astype(np.int32)
    return tf.constant(images), tf.constant(labels)


def feed_of(cells, numbers) -> dict:
    """The feed_dict of placeholders `cells` that runs an arc."""
    flat = numbers_of(arc_from_numbers(numbers))
    half = len(flat) // 2
    return {cells[0]: flat[:half], cells[1]: flat[half:]}


def bank_of(model: MicroChild, layer: int, op: int) -> tf.Variable:
    name = f"child/layer_{layer}/op_{op}:0"
    return next(v for v in model.variables() if v.name == name)


def edge_weights(
    model: MicroChild, layer: int, edge: int, index: int, op: int, filters
):
    """The weights that a search child's edge uses for an operation on a node."""
    specs = OPERATIONS[op].weights(filters, 1)
    if not specs:
        return ()
    row = row_offsets(model.config.num_cells)[edge] + index
    return unpack_row(bank_of(model, layer, op)[row], specs)
