"""Compares a search step with `mixed` operations with one with the classic five.

    enas_env/bin/python -m benchmarks.operation_tables [FLAG]

Searches with --child_ops=classic, with mixed, and with mixed whose widths share their
latent kernels take turns, each in its own process. All run the same string, whose
separable convolutions have 1, 2 and 4 bits in turn in the mixed tables, so that all
compute the same multiply-adds. FLAG is a flag of search_arc_mnist.py.
"""

import itertools
import sys

from benchmarks.search_step import SHAPES, Child, in_turn, string_of
from enas.space.operations import CLASSIC, TABLES, WIDTHS

MIXED = TABLES["mixed"]
KINDS = {
    "classic": ["--child_ops=classic"],
    "mixed": ["--child_ops=mixed"],
    "mixed, shared": ["--child_ops=mixed", "--child_share_widths=True"],
}


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
        children = {
            kind: Child("own", shape, [*flags, *sys.argv[1:]])
            for kind, flags in KINDS.items()
        }
        arc = string_of(shape.cells)
        arcs = {kind: in_mixed(arc) if kind != "classic" else arc for kind in KINDS}
        facts = {kind: child.ask("facts") for kind, child in children.items()}
        rows = {
            "first step after, s": {k: c.first_step for k, c in children.items()},
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
