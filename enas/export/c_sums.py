"""Adds the convolutions of a network to its C source, with what reads their sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from enas.export.c_kernels import BAND, TABLE_CODES, stored_bits
from enas.export.c_plan import Map
from enas.export.c_source import TYPES, Source
from enas.export.c_text import number as c_number
from enas.export.c_text import packed
from enas.network.formats import Integers
from enas.network.steps import (
    COLUMNS,
    Activate,
    Add,
    Convolve,
    Depthwise,
    Reduce,
    Step,
    Threshold,
    Value,
)

BLOCK = 16  # filters that are computed together
MOST_WINDOW = 16  # pixels of a side
# Convolutions by tables pay for images of many pixels, whose tables stay in the cache.
TABLE_PIXELS = 256
TABLE_BYTES = 2**15


class _Sums(NamedTuple):
    """A stage that sums.

    Attributes:
      numbers: those of `steps`.
      steps: a depthwise convolution or none, the convolution, and the batch norm or
        threshold that reads it.
      blended: the sums and means that follow, by their numbers.
      activations: the activations that follow instead.
      value: what the first step reads.
      found: where that is; its first piece if it is a concatenation.
      pieces: how many pieces it has.
      kind: a key of TYPES, in which the sums are exact.
    """

    numbers: tuple[int, ...]
    steps: tuple[Step, ...]
    blended: tuple[int, ...]
    activations: tuple[int, ...]
    value: Value
    found: Map
    pieces: int
    kind: str

    @property
    def end(self) -> int:
        """The number of the batch norm or threshold."""
        return self.numbers[-1]

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters of the convolution."""
        return self.steps[-2].parameters()


def add_sums(source: Source, numbers: Sequence[int]) -> None:
    """Adds a convolution, what feeds it, and what makes its results.

    Args:
      numbers: those of the stage's steps.

    Raises:
      ValueError: there are no kernels for it.
    """
    sums = _sums_of(source, numbers)
    matrices = _matrices(source, sums)
    form, end = sums.parameters["format"], sums.end
    fields = {"size": sums.parameters.get("size", 1), "stride": 1}
    fields |= _input(source, sums) | _window(source, sums)
    blocks = [
        packed(row, form)
        for matrix in matrices
        for first in range(0, matrix.shape[1], BLOCK)
        for row in matrix[:, first : first + BLOCK]
    ]
    fields["weights"] = source.constant(
        "uint8_t", f"weights_{end}", np.concatenate(blocks)
    )
    fields["filters"] = source.plan.values[end].channels
    finish = source.kernels.need(_results(source, sums, fields))
    stage = source.structure("sums", f"stage_{end}", fields)
    kernel, *arguments = _kernel(source, sums, len(matrices[0]))
    source.call(kernel, *arguments, f"&{stage}", finish)


def _sums_of(source: Source, numbers: Sequence[int]) -> _Sums:
    all_steps, plan = source.network.steps, source.plan
    blended = tuple(n for n in numbers if isinstance(all_steps[n], Add))
    activations = tuple(n for n in numbers if isinstance(all_steps[n], Activate))
    numbers = tuple(numbers[: len(numbers) - len(blended) - len(activations)])
    steps = tuple(all_steps[number] for number in numbers)
    forms = {step.parameters()["format"] for step in steps[:-1]}
    if len(forms) > 1:
        raise ValueError("C has no kernels for two number formats in one convolution")
    read = steps[0].inputs[0]
    factors = [plan.values[n].integers for n in (read, *numbers[:-2])]
    factors += [form.integers for form in forms]
    kind = _kind(
        factors, plan.values[numbers[-2]].integers, isinstance(steps[-1], Threshold)
    )
    maps = plan.maps[read]
    if len({one.stride for one in maps}) > 1:
        raise ValueError("C has no kernels for pieces of different sizes")
    value = plan.values[read]
    return _Sums(numbers, steps, blended, activations, value, maps[0], len(maps), kind)


def _kind(
    factors: Sequence[Integers | None], sums: Integers | None, has_cuts: bool
) -> str:
    """Returns the kind of numbers with which sums of products are exact.

    It is float for real numbers. It is int16 if factors have 16 bits and sums 32, or 16
    as well if they are compared with cuts.
    """
    if sums is None:
        return "float"
    most = max(one.most for one in factors if one)
    fits = most < 2**15 and sums.most < 2 ** (15 if has_cuts else 31) - 1
    return "int16" if fits else "double"


def _matrices(source: Source, sums: _Sums) -> list[np.ndarray]:
    """Returns the weights of a convolution, [taps, filters], or of both its halves."""
    step, tensors = sums.steps[-2], source.network.tensors[sums.numbers[-2]]
    if isinstance(step, Convolve):
        (kernel,) = tensors
        places = kernel.reshape(-1, *kernel.shape[2:])
        if sums.kind == "float":  # the order matters
            places = places[step.places()]
        return [places.reshape(-1, kernel.shape[-1])]
    return list(tensors)


def _input(source: Source, sums: _Sums) -> dict[str, Any]:
    """Returns the fields that say where a packed input is."""
    if sums.found.format is None:
        return {}
    maps = source.plan.maps[sums.steps[0].inputs[0]]
    height, width, channels = sums.value.shape
    return {
        "in": f"{{{', '.join(f'memory + {one.offset}' for one in maps)}}}",
        "height": height,
        "width": width,
        "in_step": sums.found.stride,
        "pieces": sums.pieces,
        "channels": channels // sums.pieces,
    }


def _window(source: Source, sums: _Sums) -> dict[str, Any]:
    """Returns the fields of a depthwise convolution, if there is one."""
    step = sums.steps[0]
    if not isinstance(step, Depthwise):
        return {}
    if step.size > MOST_WINDOW:
        raise ValueError(f"C has no kernels for windows of {step.size} pixels")
    (kernel,) = source.network.tensors[sums.numbers[0]]
    content = packed(kernel.ravel(), step.format)
    name = source.constant("uint8_t", f"window_{sums.end}", content)
    return {"window": name, "size": step.size, "stride": step.stride}


def _results(source: Source, sums: _Sums, fields: dict[str, Any]) -> str:
    """Adds the fields of a stage's results; returns the kernel that makes them."""
    step, end, kind = sums.steps[-1], sums.end, sums.kind
    fields["unit"] = c_number(source.unit(step.inputs[0]), "float")
    outputs = sums.activations or sums.blended[-1:] or (end,)
    for place, number in zip(("out", "second"), outputs, strict=False):
        (found,) = source.plan.maps[number]
        fields |= {place: source.out(number), f"{place}_step": found.stride}
    if isinstance(step, Threshold):
        falls, cuts = source.network.tensors[end]
        ctype, _ = TYPES[kind]
        fields["signs"] = source.constant("int8_t", f"signs_{end}", -falls)
        fields["cuts"] = source.constant(ctype, f"cuts_{end}", cuts.T)
        return f"threshold_{kind}_{step.format}"
    norm = np.stack(source.network.tensors[end])
    fields["norm"] = source.constant("float", f"norm_{end}", norm)
    roundings = step.parameters()["roundings"]
    if sums.activations:
        forms = [source.network.steps[n].parameters()["format"] for n in outputs]
        return f"activated_{kind}_{roundings}_{'_and_'.join(map(str, forms))}"
    if sums.blended:
        fields |= _blends(source, sums)
    elif found.kept:
        return f"keep_{kind}_{found.kept}"
    return f"norm_{kind}_{roundings}"


def _blends(source: Source, sums: _Sums) -> dict[str, Any]:
    """Returns the fields of other maps with which the results are blended."""
    pairs = zip((sums.end, *sums.blended), sums.blended, strict=False)
    others, factors = zip(*(source.blend(*pair) for pair in pairs), strict=True)
    height, width, channels = source.plan.values[sums.end].shape
    source.room("reals", (_band(height, width) + 1) * width * channels)
    return {
        "others": f"{{{', '.join(others)}}}",
        "factors": f"{{{', '.join(factors)}}}",
    }


def _kernel(source: Source, sums: _Sums, taps: int) -> list:
    """Returns the kernel of a convolution and its own arguments; makes room for it.

    Args:
      taps: how many numbers each sum has.
    """
    kind, (height, width, channels) = sums.kind, sums.value.shape
    weights, form = BLOCK * (taps + 1), sums.parameters["format"]
    formats = f"{sums.found.format}_{form}"
    if sums.found.format is None:
        return _real_kernel(source, sums, taps)
    if isinstance(sums.steps[0], Depthwise):
        size, stride, _ = sums.steps[0].parameters().values()
        moved = -(-width // stride)
        band = _band(-(-height // stride), moved)
        rows = (size + 1) * (width + size - 1) + size**2 + band * moved
        source.room(f"numbers_{kind}", weights + rows * channels + 1)
        source.room(f"sums_{kind}", BLOCK * band * moved)
        return [f"separable_{kind}_{formats}"]
    source.room(f"sums_{kind}", BLOCK * width)
    if isinstance(sums.steps[-2], Reduce):
        source.room(f"numbers_{kind}", weights + -(-width // 2) * channels + 1)
        return [f"reduce_{kind}_{formats}"]
    if tables := _table_bytes(sums):
        source.room("numbers_int16", BLOCK * taps + -(-tables // 2))
        return [f"look_up_{formats}"]
    size = sums.parameters["size"]
    patches = width * taps + 1 if size > 1 else 0
    source.room(f"numbers_{kind}", weights + patches + size * width * channels + 1)
    return [f"convolve_{kind}_{formats}"]


def _real_kernel(source: Source, sums: _Sums, taps: int) -> list:
    """Does what _kernel does, for a convolution of real numbers."""
    _, width, channels = sums.value.shape
    form = sums.parameters["format"]
    real = source.real(sums.steps[0].inputs[0])
    unit = c_number(2.0**-form.integers.shift, "float")
    if isinstance(sums.steps[-2], Reduce):
        half = -(-width // 2)
        row = (width + half) * channels
        source.room("reals", BLOCK * (channels + half) + row)
        return [f"reduce_real_{form}", real, unit]
    rows = sums.parameters["size"] * width * channels
    source.room("reals", BLOCK * (taps + width) + width * taps + rows)
    by_columns = int(sums.parameters["order"] == COLUMNS)
    return [f"convolve_real_{form}", real, by_columns, unit]


def _table_bytes(sums: _Sums) -> int:
    """Returns the bytes of a convolution's tables; 0 if tables do not pay."""
    height, width, channels = sums.value.shape
    form, weight = sums.found.format, sums.parameters["format"].integers
    if (
        form is None
        or form.name not in TABLE_CODES
        or sums.kind != "int16"
        or weight.most > 1
        or sums.parameters["size"] > 1
    ):
        return 0
    group = 4 // stored_bits(form)
    groups = sums.pieces * -(-channels // sums.pieces // group)
    size = BLOCK * TABLE_CODES[form.name] * groups
    return size if height * width >= TABLE_PIXELS and size <= TABLE_BYTES else 0


def _band(height: int, width: int) -> int:
    """Returns how many rows a separable convolution computes at once."""
    return min(height, -(-BAND // width))
