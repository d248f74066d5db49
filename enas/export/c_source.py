"""Collects the C source of a network: constants, memory, and a call for each stage."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from enas.export.c_kernels import Kernels
from enas.export.c_plan import plan_of
from enas.export.c_text import lines_of, number, string
from enas.network.network import Network
from enas.network.steps import Dense, Mean

FILES = os.path.join(os.path.dirname(__file__), "c_files")
MOST_BITS = 8  # of a number that C has kernels for
TYPES = {  # of numbers, and of their sums
    "int16": ("int16_t", "int32_t"),
    "float": ("float", "float"),
    "double": ("double", "double"),
}
BYTES = {"uint8_t": 1, "int8_t": 1, "int16_t": 2, "int32_t": 4, "float": 4, "double": 8}


class Source:
    """The C source of a network, while its stages are added.

    Attributes:
      network, plan: what is written.
      kernels: those that are needed so far.
      constants: bytes of constants.

    Raises:
      ValueError: it has a number format that C has no kernels for.
    """

    def __init__(self, network: Network):
        _check_formats(network)
        self.network = network
        self.plan = plan_of(network)
        self.kernels = Kernels()
        self.constants = 0
        self._constants: list[str] = []
        self._calls: list[str] = []
        self._scratch: dict[str, int] = {}  # numbers in each scratch array
        # The number under which kept sums are read, by the step of their batch norm.
        self._kept = {
            n: self.kernels.kept(one.kept, network.steps[n].parameters()["roundings"])
            for n, (one, *_) in self.plan.maps.items()
            if one.kept
        }

    def ram(self) -> int:
        """Returns the bytes of static memory."""
        return self.plan.bytes + sum(
            count * BYTES[_type_of(name)] for name, count in self._scratch.items()
        )

    def comment(self, text: str) -> None:
        """Adds a comment before the next call."""
        self._calls.append(f"    /* {text} */")

    def call(self, kernel: str, *arguments: Any) -> None:
        """Adds a call of a kernel."""
        self.kernels.need(kernel)
        self._calls.append(f"    {kernel}({', '.join(map(str, arguments))});")

    def room(self, name: str, count: int) -> None:
        """Makes sure that a scratch array has so many numbers.

        Args:
          name: reals, numbers_KIND or sums_KIND, with a key of TYPES.
        """
        self._scratch[name] = max(self._scratch.get(name, 1), count)

    def constant(self, ctype: str, name: str, values: np.ndarray) -> str:
        """Adds an array of constants; returns its name."""
        lines = lines_of([number(value, ctype) for value in values.ravel()])
        head = f"static const {ctype} {name}[{values.size}]"
        self._constants.append(f"{head} = {{\n{lines}\n}};")
        self.constants += BYTES[ctype] * values.size
        return name

    def structure(self, ctype: str, name: str, fields: dict[str, Any]) -> str:
        """Adds a constant structure; returns its name."""
        content = "\n".join(f"    .{key} = {value}," for key, value in fields.items())
        head = f"static const struct {ctype} {name}"
        self._constants.append(f"{head} = {{\n{content}\n}};")
        return name

    def real(self, step: int) -> str:
        """Returns the C of a map of real numbers that a step makes."""
        height, width, channels = self.plan.values[step].shape
        (found, *_), kept, unit, norm = self.plan.maps[step], 0, 1.0, "0"
        if found.kept:
            kept, norm = self._kept[step], f"norm_{step}"
            unit = self.unit(self.network.steps[step].inputs[0])
        return (
            f"&(const struct real){{memory + {found.offset}, {height}, {width}, "
            f"{channels}, {kept}, {number(unit, 'float')}, {norm}}}"
        )

    def unit(self, step: int) -> float:
        """Returns what the integer 1 stands for in a step's output."""
        integers = self.plan.values[step].integers
        return 2.0**-integers.shift if integers else 1.0

    def out(self, step: int) -> str:
        """Returns the C of where a step's output begins."""
        return f"memory + {self.plan.maps[step][0].offset}"

    def blend(self, step: int, reader: int) -> list[str]:
        """Returns the C of the other map that a sum or mean reads, and its factor."""
        first, second = self.network.steps[reader].inputs
        is_mean = isinstance(self.network.steps[reader], Mean)
        other = self.real(second if first == step else first)
        return [other, number(0.5 if is_mean else 1.0, "float")]

    def text(self) -> str:
        """Returns network.c."""
        scratch = [
            f"static {_type_of(name)} {name}[{count}];"
            for name, count in self._scratch.items()
        ]
        pieces = max(len(maps) for maps in self.plan.maps.values())
        with open(os.path.join(FILES, "start.c"), encoding="utf-8") as stream:
            start = stream.read()
        return "\n".join(
            [
                start,
                f"enum {{ NETWORK_PIECES = {pieces} }}; /* of an input, at most */",
                "/* All maps, in places that others take later. */",
                f"static uint8_t memory[{self.plan.bytes}];",
                "/* What the stages compute with: nothing in it outlives a stage. */",
                *scratch,
                "",
                self.kernels.text(),
                "",
                "const char *const network_classes[NETWORK_CLASSES] = {",
                *(f"    {string(name)}," for name in self.network.classes),
                "};",
                "",
                *self._constants,
                "",
                "void predict(const uint8_t *image, float *logits)",
                "{",
                *self._calls,
                "}",
                "",
            ]
        )


def _type_of(scratch: str) -> str:
    """Returns the C type of a scratch array: reals, numbers_int16, sums_int16 …"""
    purpose, _, kind = scratch.partition("_")
    return "float" if purpose == "reals" else TYPES[kind][purpose == "sums"]


def _check_formats(network: Network) -> None:
    for step in network.steps:
        form = step.parameters().get("format")
        if form is None or (isinstance(step, Dense) and form.integers is None):
            continue
        if form.integers is None or form.bits > MOST_BITS:
            raise ValueError(f"C has no kernels for {form} numbers; at most 8 bits")
