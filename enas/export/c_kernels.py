"""Chooses and completes the kernels that a network in C needs.

`c_files/kernels.c` holds the kernels, each behind a line `//// name: what it needs`.
A name with $ is a pattern: asking for `norm_int16_3` makes `norm_$N_$ROUNDINGS` with
int16 for N. So the C file of a network has only what that network uses, and a kernel is
written once for all number formats.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from enas.network.formats import Format, format_named

_SOURCE = os.path.join(os.path.dirname(__file__), "c_files", "kernels.c")
_FORMAT = r"binary|ternary|fixed\d+"
# The values that the parts of a kernel's name may have.
_PARTS = {
    "N": r"int16|float|double",
    "FORMAT": _FORMAT,
    "FILTER": _FORMAT,
    "ROUNDINGS": "[234]",
    "KEPT": r"int8|int16",
    "WEIGHT": r"int8|float",
    "COMBINE": r"add|mean",
    "POOL": r"max_pool|average_pool",
}
_PART = re.compile(r"\$([A-Z]+(?:_[A-Zt]+)?)")
# Entries of a table: of two trits, whose last code is 10, and of four signs.
TABLE_CODES = {"ternary": 11, "binary": 16}
BAND = 32  # pixels for which a separable convolution unpacks its weights once
_TYPES = {"int8": "int8_t", "int16": "int16_t", "float": "float", "double": "double"}
# Batch norms by their roundings: what they make of x, the arrays that they read, and x.
_SUM, _CENTRED = "(float){0} * unit", "((float){0} * unit - mean[f]) * r[f]"
_ALL, _TWO = ("mean", "r", "scale", "offset"), ("scale", "offset")
_NORM = {
    "2": ("x * scale[f] + offset[f]", _TWO, _SUM),
    "3": ("fused(x, scale[f], offset[f])", _ALL, _CENTRED),
    "4": ("x * scale[f] + offset[f]", _ALL, _CENTRED),
}
# The first channels of a depthwise convolution, as many as fill whole vectors.
_WINDOW_VECTORS = """\
#if defined(NETWORK_VECTORS)
    for (; c + LANES <= channels; c += LANES) {
        lanes sum = {0}, in, w;
        for (int i = 0; i < size; i++)
            for (int j = 0; j < size; j++) {
                memcpy(&in, rows[i] + j * channels + c, sizeof in);
                memcpy(&w, kernel + (i * size + j) * channels + c, sizeof w);
                sum += in * w;
            }
        memcpy(out + c, &sum, sizeof sum);
    }
#endif
"""
# Sums of real numbers at one pixel. A product with a trit is exact, so float will do.
_EXACT_SUMS = """\
        float acc[16] = {0};
#if defined(NETWORK_VECTORS)
        floats all[4] = {{0}, {0}, {0}, {0}}, w;
        for (int t = 0; t < taps; t++)
            for (int v = 0; v < 4; v++) {
                memcpy(&w, weights + 16 * t + 4 * v, sizeof w);
                all[v] += patches[t] * w;
            }
        for (int v = 0; v < 4; v++)
            memcpy(acc + 4 * v, &all[v], sizeof all[v]);
#else
        for (int t = 0; t < taps; t++)
            for (int f = 0; f < 16; f++)
                acc[f] += patches[t] * weights[16 * t + f];
#endif
        memcpy(sums, acc, sizeof acc);
"""
_FUSED_SUMS = """\
        float acc[16] = {0};
        LOOP
        for (int t = 0; t < taps; t++) {
            LOOP
            for (int f = 0; f < 16; f++)
                acc[f] = fused(patches[t], weights[16 * t + f], acc[f]);
        }
        memcpy(sums, acc, sizeof acc);
"""
_COMBINED = {
    "add": ("Sum", "first[n] + second[n]"),
    "mean": ("Mean", "0.5f * (first[n] + second[n])"),
}
# What a pool is, what it starts from, what a pixel makes of it, and what is left to do.
_POOLED = {
    "max_pool": (
        "Largest",
        "-INFINITY",
        "seen[c] > result[c] ? seen[c] : result[c]",
        "",
    ),
    "average_pool": (
        "Mean",
        "0.0f",
        "result[c] + seen[c]",
        """\
        int high = 0;
        for (int i = 0; i < size; i++)
            high += y * stride + i - top >= 0 && y * stride + i - top < in->height;
        for (int x = 0; x < width; x++) {
            int wide = 0;
            for (int j = 0; j < size; j++)
                wide += x * stride + j - left >= 0 && x * stride + j - left < in->width;
            const float count = (float)(high * wide);
            for (int c = 0; c < channels; c++)
                row[x * channels + c] /= count;
        }
""",
    ),
}


class _Kernel(NamedTuple):
    name: str
    needs: str
    text: str


@cache
def _kernels() -> list[_Kernel]:
    with open(_SOURCE, encoding="utf-8") as stream:
        parts = re.split(r"^//// ", stream.read(), flags=re.MULTILINE)[1:]
    kernels = []
    for part in parts:
        head, _, text = part.partition("\n")
        name, _, needs = head.partition(":")
        kernels.append(_Kernel(name.strip(), needs, text.strip()))
    return kernels


def stored_bits(form: Format) -> int:
    """Returns the bits of a packed number in C: its own, or the next power of two."""
    return next(bits for bits in (1, 2, 4, 8) if bits >= form.bits)


class Kernels:
    """The kernels of one network, in the order in which C needs them."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._kept: dict[str, int] = {}

    def need(self, name: str) -> str:
        """Adds a kernel and what it needs; returns its name.

        Raises:
          LookupError: there is no such kernel.
        """
        if name not in self._texts:
            kernel, values = _found(name)
            values |= _completions(values, self._kept)
            for needed in filter(
                None, re.split(r"[,\s]+", _filled(kernel.needs, values))
            ):
                self.need(needed)
            self._texts[name] = _filled(kernel.text, values)
        return name

    def kept(self, kind: str, roundings: int) -> int:
        """Returns the number under which `real_row` reads kept sums of a kind.

        Call it for all kinds before any kernel is needed that reads real numbers.
        """
        return self._kept.setdefault(f"real_{kind}_{roundings}", len(self._kept) + 1)

    def text(self) -> str:
        return "\n\n".join(self._texts.values())


def _found(name: str) -> tuple[_Kernel, dict[str, str]]:
    """Returns the kernel of a name, and what its parts stand for."""
    for kernel in _kernels():
        if kernel.name == name:
            return kernel, {}
    for kernel in _kernels():
        pattern = _PART.sub(
            lambda part: f"(?P<{part[1]}>{_PARTS[part[1]]})", kernel.name
        )
        if match := re.fullmatch(pattern, name):
            return kernel, match.groupdict()
    raise LookupError(f"there is no kernel {name}")


def _filled(text: str, values: dict[str, str]) -> str:
    return _PART.sub(lambda part: values[part[1]], text)


def _completions(values: dict[str, str], kept: dict[str, int]) -> dict[str, str]:
    """Returns what else stands for a $ in a kernel, from the parts of its name."""
    found = {
        "REAL_NEEDS": "".join(f", {name}" for name in kept),
        "REAL_ROWS": "\n".join(_case(name, number) for name, number in kept.items()),
    }
    if "N" in values:
        found["BAND"] = str(BAND)
        found["T"] = _TYPES[values["N"]]
        found["S"] = "int32_t" if values["N"] == "int16" else found["T"]
        found["WINDOW_VECTORS"] = _WINDOW_VECTORS if values["N"] == "int16" else ""
    for part in ("KEPT", "WEIGHT"):
        if part in values:
            found[f"{part}_t"] = _TYPES[values[part]]
    if "ROUNDINGS" in values:
        found |= _of_norm(*_NORM[values["ROUNDINGS"]])
    if "COMBINE" in values:
        found["COMBINED"], found["COMBINATION"] = _COMBINED[values["COMBINE"]]
    if "POOL" in values:
        names = ("POOLED", "POOL_START", "POOL_STEP", "POOL_END")
        found |= dict(zip(names, _POOLED[values["POOL"]], strict=True))
    if "FORMAT" in values:
        found |= _of_format(format_named(values["FORMAT"]))
    if "FILTER" in values:
        form = format_named(values["FILTER"])
        found["FILTER_BITS"] = str(stored_bits(form))
        exact = form.name in ("binary", "ternary")
        found["REAL_SUMS"] = _EXACT_SUMS if exact else _FUSED_SUMS
    return found


def _case(name: str, number: int) -> str:
    kind = name.split("_")[1]
    size = "" if kind == "int8" else "2 * "
    return (
        f"    case {number}:\n"
        f"        {name}(in->data + {size}y * count, in->width,\n"
        f"            in->channels, in->unit, in->norm, out);\n"
        f"        break;"
    )


def _of_norm(result: str, names: Sequence[str], x: str) -> dict[str, str]:
    places = ["", "apart + ", "2 * apart + ", "3 * apart + "]
    pointers = [
        f"    const float *restrict {name} = {place}norm;"
        for name, place in zip(names, places, strict=False)
    ]
    loads = [
        f"        {name}[f] = norm[{place}f];"
        for name, place in zip(names, places, strict=False)
    ]
    return {
        "NORM": result,
        "NORM_POINTERS": "\n".join(pointers),
        "NORM_ARRAYS": ", ".join(f"{name}[16] = {{0}}" for name in names),
        "NORM_LOADS": "\n".join(loads),
        "NORM_SUMS": x.format("sums[f]"),
        "NORM_SUM": x.format("sum"),
    }


def _of_format(form: Format) -> dict[str, str]:
    bits, mask = stored_bits(form), 2 ** stored_bits(form) - 1
    integers = form.integers
    assert integers is not None
    m = 2**integers.shift
    shifted = f"byte >> {bits} * i & {mask}"
    if form.name == "binary":
        value, code, needs = f"({shifted}) ? 1 : -1", "x > 0.0f", ""
    elif form.name == "ternary":
        # ceil(x - 1/2) is at least 1, or at least 0.
        value = f"({shifted}) - 1"
        code, needs = "(x - 0.5f > 0.0f) + (x - 0.5f > -1.0f)", ""
    else:
        value, needs = f"({shifted}) - {m}", ", code_fixed"
        code = f"code_fixed(x, {m}.0f)"
    return {
        "BITS": str(bits),
        "PER_BYTE": str(max(1, 8 // bits)),
        "VALUE": value,
        "CODE": code,
        "CODE_NEEDS": needs,
        "GROUP": str(4 // bits or 1),
        "CODES": str(TABLE_CODES.get(form.name, 0)),
        "CUTS": str(form.levels - 1),
    }
