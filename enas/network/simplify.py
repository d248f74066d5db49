"""Rewrites a network into one that computes the same with less."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from enas.network.formats import Format
from enas.network.network import Network, readers_of, values_of
from enas.network.steps import (
    FOLDED,
    Activate,
    Norm,
    Step,
    Threshold,
    Value,
    normalized,
)


def simplified(network: Network) -> Network:
    """Returns a network that computes the same.

    Steps that nothing reads are gone; each activation follows what it reads, so that
    the real numbers can be forgotten; and a batch norm that only one activation reads
    becomes a threshold where that takes less room.
    """
    network = _chosen(network, _read_steps(network.steps))
    network = _chosen(network, _with_early_activations(network.steps))
    return _with_thresholds(network)


def _chosen(network: Network, numbers: Sequence[int]) -> Network:
    """Returns a network of some steps, each behind those that it reads."""
    place = {number: position for position, number in enumerate(numbers)}
    steps = tuple(_moved(network.steps[number], place) for number in numbers)
    return network._replace(
        steps=steps,
        tensors=tuple(network.tensors[n] for n in numbers if network.tensors),
        parts=tuple(network.parts[n] for n in numbers if network.parts),
    )


def _moved(step: Step, place: dict[int, int]) -> Step:
    inputs = tuple(place[number] for number in step.inputs)
    return type(step)(inputs, *step.parameters().values())


def _read_steps(steps: Sequence[Step]) -> list[int]:
    read = {len(steps) - 1, 0}
    for number in range(len(steps) - 1, 0, -1):
        if number in read:
            read |= set(steps[number].inputs)
    return sorted(read)


def _with_early_activations(steps: Sequence[Step]) -> list[int]:
    following: dict[int, list[int]] = {}
    for number, step in enumerate(steps):
        if isinstance(step, Activate):
            following.setdefault(step.inputs[0], []).append(number)
    order: list[int] = []
    for number, step in enumerate(steps):
        if not isinstance(step, Activate):
            order += [number, *following.get(number, [])]
    return order


def _with_thresholds(network: Network) -> Network:
    steps, values = network.steps, values_of(network.steps)
    readers = readers_of(steps)
    fused = {}  # maps a norm to the activation that alone reads it
    for number, step in enumerate(steps):
        if isinstance(step, Activate) and len(readers[step.inputs[0]]) == 1:
            norm = step.inputs[0]
            source = steps[norm].inputs[0] if steps[norm].inputs else 0
            if isinstance(steps[norm], Norm) and pays(
                values[source], step.format, steps[norm].parameters()["roundings"]
            ):
                fused[norm] = number
    place: dict[int, int] = {}
    new: list[Step] = []
    tensors: list[tuple] = []
    parts: list[str] = []
    for number, step in enumerate(steps):
        if number in fused.values():
            place[number] = place[step.inputs[0]]
            continue
        place[number] = len(new)
        moved = _moved(step, place | {0: 0})
        stored = network.tensors[number] if network.tensors else ()
        if number in fused:
            form = steps[fused[number]].parameters()["format"]
            moved = Threshold(moved.inputs, form)
            if stored:
                roundings = step.parameters()["roundings"]
                stored = cuts_of(values[step.inputs[0]], form, roundings, *stored)
        new.append(moved)
        tensors.append(stored)
        parts.append(network.parts[number] if network.parts else "")
    return network._replace(
        steps=tuple(new),
        tensors=tuple(tensors) if network.tensors else (),
        parts=tuple(parts) if network.parts else (),
    )


def pays(x: Value, form: Format, roundings: int) -> bool:
    """Whether thresholds exist, and take less room than a batch norm's numbers."""
    if x.integers is None or form.integers is None:
        return False
    threshold, norm = (
        sum(tensor.bits for tensor in step.stores(x))
        for step in (Threshold((0,), form), Norm((0,), roundings))
    )
    return threshold < norm


def cuts_of(
    x: Value,
    form: Format,
    roundings: int,
    *norm: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the tensors of the threshold that equals a batch norm and an activation.

    Every rounded operation of a batch norm is monotone, so a channel's level never
    falls as x rises, or never rises if the scale is negative. The cuts are searched by
    evaluating the batch norm itself.

    Args:
      x: what the batch norm reads; its numbers are integers.
      form: the format of the activation.
      roundings: those of the batch norm.
      norm: its tensors, float32 [C] each.

    Returns:
      falls, int32 [C], 1 or -1; cuts, int32 [C, levels - 1].
    """
    integers = x.integers
    assert integers is not None and form.integers is not None
    factors = norm[:1] if roundings == FOLDED else norm[1:3]
    is_negative = np.logical_xor.reduce([factor < 0 for factor in factors])
    falls = np.where(is_negative, 1, -1).astype(np.int32)
    shape = (len(falls), form.levels - 1)
    low: np.ndarray = np.full(shape, -integers.most)
    high: np.ndarray = np.full(shape, integers.most + 1)
    activate = Activate((0,), form)
    step = 2 if form.name == "binary" else 1
    wanted = form.integers.lowest + step * np.arange(1, form.levels)
    while np.any(low < high):
        middle = (low + high) // 2
        inputs = (-falls[:, None] * middle).T * 2.0**-integers.shift  # [cuts, C]
        real = normalized(inputs.astype(np.float32), roundings, *norm)
        reached = wanted <= activate.run([real], [Value(())]).T
        high = np.where(reached, middle, high)
        low = np.where(reached, low, np.minimum(middle + 1, high))
    return falls, high.astype(np.int32)
