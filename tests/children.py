"""Tiny children for tests, and NumPy twins of what they compute."""

import numpy as np
import tensorflow as tf

from enas.micro_child import MicroChild, row_offsets, unpack_rows
from enas.models import Build, ChildConfig, Model
from enas.space.arc import arc_from_numbers, numbers_of
from enas.space.banks import bank_plans, bank_rows
from enas.space.operations import CLASSIC
from enas.space.schemes import SCHEMES, make_scheme

SCHEME_NAMES = tuple(SCHEMES)


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


def new_build() -> Build:
    """One under way, not for training, for what is built of a child alone."""
    return Build(False, [], [])


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


def values_of(model: Model, session: tf.compat.v1.Session) -> dict:
    """The weights of a child by their names without `child/`."""
    names = [v.op.name.removeprefix("child/") for v in model.variables()]
    return dict(zip(names, session.run(model.variables()), strict=True))


def load(session: tf.compat.v1.Session, values: list) -> None:
    """Gives variables values, as (variable, value), in one run.

    TensorFlow's own `load` makes a run of each, which is slow in a large graph."""
    starts = [variable.initializer for variable, _ in values]
    feed = {
        start.inputs[1]: value for start, (_, value) in zip(starts, values, strict=True)
    }
    assert len(feed) == len(values)
    session.run(starts, feed)


def convolved(x, kernel):
    """x [N, H, W, C], kernel [K, K, C, F]; stride 1, SAME."""
    size, height, width = len(kernel), *x.shape[1:3]
    before, after = (size - 1) // 2, size // 2
    x = np.pad(x, ((0, 0), (before, after), (before, after), (0, 0)))
    return sum(
        x[:, i : i + height, j : j + width] @ kernel[i, j]
        for i in range(size)
        for j in range(size)
    )


def normalized(x, mean=None, variance=None):
    """Batch norm without scale and offset, by the batch's statistics or given ones."""
    if mean is None:
        mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    return (x - mean) / np.sqrt(variance + 1e-5)


def halved(x, even, odd):
    """Factorized reduction without batch norm; x [N, H, W, C] of an even size."""
    parts = [x[:, ::2, ::2] @ even[0, 0], x[:, 1::2, 1::2] @ odd[0, 0]]
    return np.concatenate(parts, axis=-1)


def feed_of(cells, numbers, operations=CLASSIC) -> dict:
    """The feed_dict of placeholders `cells` that runs an arc."""
    flat = numbers_of(arc_from_numbers(numbers, operations))
    half = len(flat) // 2
    return {cells[0]: flat[:half], cells[1]: flat[half:]}


def bank_of(model: MicroChild, layer: int, op: int | str) -> tf.Variable:
    """The bank of an operation's number, or of that name."""
    name = f"child/layer_{layer}/{op if isinstance(op, str) else f'op_{op}'}:0"
    return next(v for v in model.variables() if v.name == name)


def edge_weights(
    model: MicroChild, layer: int, edge: int, index: int, op: int, filters
):
    """The weights that a search child's edge uses for an operation on a node."""
    config = model.config
    specs = config.operations[op].weights(filters, 1)
    plans = bank_plans(config.operations, filters)
    row, rows = row_offsets(config.num_cells)[edge] + index, []
    for plan in plans:
        bank = bank_of(model, layer, plan.name)
        place = plan.ops.index(op) if plan.copies > 1 and op in plan.ops else 0
        rows.append(bank[row + place * bank_rows(config.num_cells)])
    return unpack_rows(op, specs, plans, rows)
