"""Plans a network in C: which steps are computed together, and where in memory.

Real numbers are kept as float maps [H, W, C]. Activations are kept packed, a pixel in
⌈C · bits / 8⌉ bytes. A concatenation is no map, but the maps of its pieces.

Much is never kept. A convolution is computed row by row together with the batch norm or
the threshold that reads it, and with the depthwise convolution that feeds it. Where
only activations read a batch norm, nothing but those is kept. Where other steps do,
too, its sums are kept, which are shorter, and each reader computes the batch norm
again. A pool and a separable convolution are computed with the sum or mean that alone
reads them.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import NamedTuple

from enas.export.c_kernels import stored_bits
from enas.network.formats import Format
from enas.network.network import Network, last_readers, readers_of, values_of
from enas.network.steps import (
    Activate,
    Add,
    AveragePool,
    Concatenate,
    Convolve,
    Depthwise,
    Image,
    MaxPool,
    Norm,
    Reduce,
    Step,
    Threshold,
    Value,
)

ALIGNMENT = 64  # bytes, of a map in memory
FLOAT_BYTES = 4
ORDERS = 20  # in which maps are placed
_SUMS = (Convolve, Depthwise, Reduce)


class Map(NamedTuple):
    """An image in memory.

    Attributes:
      offset: its first byte in the memory of all maps.
      stride: bytes from one pixel to the next.
      format: that of its packed activations; None for float numbers.
      kept: the C type of the sums whose batch norm the float numbers are; empty if the
        numbers themselves are kept.
    """

    offset: int
    stride: int
    format: Format | None
    kept: str = ""


class Plan(NamedTuple):
    """How a network is computed.

    Attributes:
      stages: the numbers of steps that are computed together, each reading the one
        before it, except that up to two activations may read the same batch norm. Only
        what the last one makes is kept, or both of them.
      maps: where the output of a step is, by its number: several maps, one after
        another in its channels, where it is a concatenation.
      values: what each step makes.
      bytes: of all maps.
    """

    stages: list[tuple[int, ...]]
    maps: dict[int, list[Map]]
    values: list[Value]
    bytes: int


def float_bytes(network: Network) -> int:
    """Returns the memory that would hold all maps if each step kept one of floats.

    A map's place is used again once no later step reads it.
    """
    steps, values = network.steps, values_of(network.steps)
    last = last_readers(steps)
    lives = [
        _Life(n, last[n], FLOAT_BYTES * math.prod(values[n].shape), (n,))
        for n in range(1, len(steps) - 1)
    ]
    return _place(lives)[1]


def plan_of(network: Network) -> Plan:
    """Plans a network.

    Raises:
      ValueError: it makes sums that are not used at once.
    """
    steps, values = network.steps, values_of(network.steps)
    stages = _stages(steps)
    made = [number for stage in stages for number in outputs_of(steps, stage)]
    readers = readers_of(steps)
    shapes = {n: _shape(steps, values, n, len(set(readers[n]))) for n in made}
    offsets, total = _place(_lives(steps, stages, shapes, values))
    maps = {n: [shape._replace(offset=offsets[n])] for n, shape in shapes.items()}
    for number, step in enumerate(steps):
        if isinstance(step, Concatenate):
            maps[number] = [one for i in step.inputs for one in maps[i]]
    return Plan(stages, maps, values, total)


def _stages(steps: Sequence[Step]) -> list[tuple[int, ...]]:
    readers = readers_of(steps)
    stages, taken = [], set()
    for number, step in enumerate(steps):
        if isinstance(step, (Image, Concatenate)) or number in taken:
            continue
        chain = [number]
        while isinstance(steps[chain[-1]], _SUMS):
            following = readers[chain[-1]]
            if len(following) != 1 or not isinstance(
                steps[following[0]], (Convolve, Norm, Threshold)
            ):
                raise ValueError(f"the sums of step {chain[-1]} are not used at once")
            chain += following
        activations = readers[chain[-1]] if len(chain) > 1 else []
        if (
            isinstance(steps[chain[-1]], Norm)
            and len(activations) <= 2
            and all(isinstance(steps[n], Activate) for n in activations)
        ):
            chain += activations
        blends = _blends(step, steps[chain[-1]])
        while blends and len(readers[chain[-1]]) == 1:
            (reader,) = readers[chain[-1]]
            if not isinstance(steps[reader], Add) or reader in taken:
                break
            chain.append(reader)
            blends -= 1
        taken |= set(chain)
        stages.append(tuple(chain))
    return sorted(stages, key=lambda stage: stage[-1])


def _blends(first: Step, last: Step) -> int:
    """Returns how many sums or means are computed together with what feeds them."""
    if isinstance(first, (AveragePool, MaxPool)):
        return 1
    return 2 if isinstance(first, Depthwise) and isinstance(last, Norm) else 0


def outputs_of(steps: Sequence[Step], stage: Sequence[int]) -> list[int]:
    """Returns the steps of a stage whose outputs are kept: its last activations."""
    activations = [n for n in stage if isinstance(steps[n], Activate)]
    return activations or [stage[-1]]


def _shape(steps, values: Sequence[Value], number: int, readers: int) -> Map:
    """Returns the map of a step that so many read, not placed yet."""
    form, channels = getattr(steps[number], "format", None), values[number].channels
    kept = _kept_sums(steps, values, number) if readers > 1 else ""
    if kept:
        return Map(0, (1 if kept == "int8" else 2) * channels, None, kept)
    if form is None or form.integers is None:
        return Map(0, FLOAT_BYTES * channels, None)
    return Map(0, -(-channels * stored_bits(form) // 8), form)


def _kept_sums(steps, values: Sequence[Value], number: int) -> str:
    """Returns the C type of the sums that are kept in place of a step's output."""
    sums = values[steps[number].inputs[0]].integers if steps[number].inputs else None
    if not isinstance(steps[number], Norm) or sums is None:
        return ""
    for kind, most in (("int8", 127), ("int16", 32767)):
        if sums.most <= most:
            return kind
    return ""


class _Life(NamedTuple):
    """When a map is in use.

    Attributes:
      start, end: the first stage that writes it, and the last one that reads it.
      steps: the steps whose outputs have this place, one after another.
    """

    start: int
    end: int
    size: int
    steps: tuple[int, ...]


def _lives(steps, stages, shapes: dict[int, Map], values) -> list[_Life]:
    stage_of = {n: place for place, stage in enumerate(stages) for n in stage}
    last = last_readers(steps)
    for number, step in enumerate(steps):  # who reads a concatenation reads its pieces
        if isinstance(step, Concatenate):
            for i in step.inputs:
                last[i] = max(last[i], last[number])
    lives: dict[int, _Life] = {}
    for number, shape in shapes.items():
        start = stage_of[number]
        end = max(start, stage_of.get(last[number], start))
        size = shape.stride * math.prod(values[number].shape[:-1])
        lives[number] = _Life(start, end, size, (number,))
    for number, step in enumerate(steps):  # a sum takes the place of what it adds
        if isinstance(step, Add) and number in lives:
            for i in step.inputs:  # a pool among them may have no map of its own
                earlier = next((n for n, one in lives.items() if i in one.steps), None)
                if earlier is None:
                    continue
                first, then = lives[earlier], lives[number]
                if first.end == stage_of[number] and first.size == then.size:
                    steps_of = first.steps + then.steps
                    lives[number] = _Life(first.start, then.end, then.size, steps_of)
                    del lives[earlier]
                    break
    return list(lives.values())


def _place(lives: list[_Life]) -> tuple[dict[int, int], int]:
    """Places maps so that those that are in use at the same time do not overlap.

    The best of some orders, drawn with a fixed seed, is taken: none is always the best.
    """
    rng = random.Random(0)
    orders = [sorted(lives, key=lambda life: (-life.size, life.start))]
    for _ in range(ORDERS):
        orders.append(
            sorted(lives, key=lambda life: -life.size * rng.uniform(0.5, 1.0))
        )
    return min(map(_placed, orders), key=lambda placement: placement[1])


def _placed(lives: Sequence[_Life]) -> tuple[dict[int, int], int]:
    """Places each map in turn as low as those before it allow."""
    placed: list[tuple[int, _Life]] = []
    offsets: dict[int, int] = {}
    for life in lives:
        size, offset = _aligned(life.size), 0
        for start, other in sorted(placed, key=lambda one: one[0]):
            overlaps = other.start <= life.end and life.start <= other.end
            if overlaps and offset < start + _aligned(other.size):
                if offset + size <= start:
                    break
                offset = start + _aligned(other.size)
        placed.append((offset, life))
        offsets |= dict.fromkeys(life.steps, offset)
    return offsets, max(start + _aligned(life.size) for start, life in placed)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
