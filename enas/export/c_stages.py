"""Adds each stage of a network to its C source: all but the convolutions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from enas.export.c_source import Source
from enas.export.c_sums import BLOCK, add_sums
from enas.export.c_text import number as c_number
from enas.export.c_text import words
from enas.network.steps import (
    Activate,
    Add,
    AveragePool,
    Convolve,
    Dense,
    Depthwise,
    GlobalAverage,
    MaxPool,
    Mean,
    Normalize,
    Reduce,
)


def add_stage(source: Source, numbers: Sequence[int]) -> None:
    """Adds a stage, with a comment that says what it is.

    Args:
      numbers: those of its steps.

    Raises:
      ValueError: there are no kernels for it.
    """
    steps, parts = source.network.steps, source.network.parts
    where = f"{parts[numbers[0]]}: " if parts else ""
    source.comment(where + ", ".join(words(steps[number]) for number in numbers))
    _STAGES[type(steps[numbers[0]])](source, numbers)


def _normalize(source: Source, numbers: Sequence[int]) -> None:
    height, width, channels = source.plan.values[0].shape
    names = [
        source.constant("float", name, values)
        for name, values in zip(
            ("image_mean", "image_std"),
            source.network.tensors[numbers[0]],
            strict=True,
        )
    ]
    out = source.out(numbers[0])
    source.call("normalize", "image", height * width, channels, *names, out)


def _activate(source: Source, numbers: Sequence[int]) -> None:
    (number,) = numbers
    (read,) = source.network.steps[number].inputs
    _, width, channels = source.plan.values[read].shape
    (found,) = source.plan.maps[number]
    source.room("reals", width * channels + BLOCK)
    source.call(
        f"activate_{found.format}",
        source.real(read),
        source.out(number),
        found.stride,
    )


def _pool(source: Source, numbers: Sequence[int]) -> None:
    """Emits a pool, and the sum or mean that reads it."""
    number, *combined = numbers
    step = source.network.steps[number]
    size, stride = step.parameters().values()
    _, width, channels = source.plan.values[step.inputs[0]].shape
    source.room("reals", (2 * -(-width // stride) + size * width) * channels)
    arguments: list[Any] = [source.real(step.inputs[0]), size, stride, 0, "1.0f"]
    for reader in combined:
        arguments[-2:] = source.blend(number, reader)
    source.call(step.kind, *arguments, source.out(numbers[-1]))


def _combine(source: Source, numbers: Sequence[int]) -> None:
    (number,) = numbers
    step = source.network.steps[number]
    _, width, channels = source.plan.values[number].shape
    source.room("reals", 2 * width * channels)
    source.call(step.kind, *map(source.real, step.inputs), source.out(number))


def _average(source: Source, numbers: Sequence[int]) -> None:
    (number,) = numbers
    (read,) = source.network.steps[number].inputs
    height, width, channels = source.plan.values[read].shape
    maps, (out,) = source.plan.maps[read], source.plan.maps[number]
    channels //= len(maps)
    source.room("reals", 2 * channels)
    for place, found in enumerate(maps):
        source.call(
            f"average_{found.format}",
            f"memory + {found.offset}",
            height * width,
            found.stride,
            channels,
            c_number(source.unit(read), "float"),
            f"memory + {out.offset + 4 * channels * place}",
        )


def _dense(source: Source, numbers: Sequence[int]) -> None:
    (number,) = numbers
    step = source.network.steps[number]
    (weights,) = source.network.tensors[number]
    assert isinstance(step, Dense)
    block = step.parts(len(weights))[0].stop
    source.room("reals", step.units)
    kind, ctype = ("int8", "int8_t") if step.format.integers else ("float", "float")
    name = source.constant(ctype, "classifier", weights)
    sizes, unit = (len(weights), step.units, block), c_number(step.unit, "float")
    read = source.out(step.inputs[0])
    source.call(f"dense_{kind}", read, *sizes, name, unit, "logits")


_STAGES: dict[type, Callable[[Source, Sequence[int]], None]] = {
    Normalize: _normalize,
    Activate: _activate,
    AveragePool: _pool,
    MaxPool: _pool,
    Add: _combine,
    Mean: _combine,
    Convolve: add_sums,
    Depthwise: add_sums,
    Reduce: add_sums,
    GlobalAverage: _average,
    Dense: _dense,
}
