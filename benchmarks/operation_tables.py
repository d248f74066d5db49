"""Compares a search step with `mixed` operations with one with the classic five.

    enas_env/bin/python -m benchmarks.operation_tables [FLAG]

Searches with --child_ops=classic and with mixed take turns, each in its own process.
Both run the same string, whose separable convolutions have 1, 2 and 4 bits in turn in
the mixed table, so that both compute the same multiply-adds. FLAG is a flag of
search_arc_mnist.py.
"""

import itertools
import sys

import numpy as np

from benchmarks.search_step import SHAPES, STARTS, Child, Shape, in_turn, string_of
from enas.space.operations import CLASSIC, TABLES, WIDTHS

MIXED = TABLES["mixed"]
KINDS = ("classic", "mixed")


def in_mixed(arc: str) -> str:
    """Returns a classic string in numbers of `mixed`, its widths in turn."""
    places = {op.name: number for number, op in enumerate(MIXED)}
    widths = itertools.cycle(range(len(WIDTHS)))
    words = arc.split()
    for position in range(1, len(words), 2):
        operation = CLASSIC[int(words[position])]
        if operation.name in places:
            number = places[operation.name]
        else:
            number = places[f"{operation.name}, 1 bit"] + next(widths)
        words[position] = str(number)
    return " ".join(words)


def main() -> None:
    for shape in SHAPES:
        arc = string_of(shape.cells)
        arcs = {"classic": arc, "mixed": in_mixed(arc)}
        first_steps = _first_steps(shape, arcs)
        children = {kind: _child(shape, kind, arcs[kind]) for kind in KINDS}
        facts = {kind: child.ask("facts") for kind, child in children.items()}
        rows = {
            "first step after, s": first_steps,
            "peak memory above start, GB": {k: f["peak_gb"] for k, f in facts.items()},
            "graph ops": {k: f["ops"] for k, f in facts.items()},
        }
        for what in ("child", "controller"):
            seconds = in_turn(children, what, arcs)
            rows[f"{what} step, ms"] = {k: 1000 * s for k, s in seconds.items()}
        for child in children.values():
            child.close()
        print(", ".join([str(shape), *sys.argv[1:]]))
        print(f"{'':<30s}" + "".join(f"{kind:>18s}" for kind in KINDS))
        for name, values in rows.items():
            print(f"{name:<30s}" + "".join(_cells(values)))
        print(flush=True)


def _child(shape: Shape, kind: str, arc: str) -> Child:
    return Child("own", shape, [f"--child_ops={kind}", *sys.argv[1:]], arc)


def _first_steps(shape: Shape, arcs: dict[str, str]) -> dict[str, float]:
    """Returns the median seconds from a start to the end of its first step."""
    seconds = {kind: [] for kind in KINDS}
    for _ in range(STARTS):
        for kind in KINDS:
            child = _child(shape, kind, arcs[kind])
            seconds[kind].append(child.first_step)
            child.close()
    return {kind: float(np.median(times)) for kind, times in seconds.items()}


def _cells(values: dict[str, float]) -> list[str]:
    """Returns each number, and how many times that of the classic table it is."""
    first = values["classic"]
    cells = [
        f"{value:.4g}" + (f" ({value / first:.2f})" if kind != "classic" else "")
        for kind, value in values.items()
    ]
    return [f"{cell:>18s}" for cell in cells]


if __name__ == "__main__":
    main()
