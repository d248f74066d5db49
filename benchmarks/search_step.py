"""Compares a search step's cost with that of computing all ops and of not branching.

    enas_env/bin/python -m benchmarks.search_step [--json=FILE] [FLAG]

Three children take turns, each in its own process: (a) this project's; (b) one that
computes every operation and picks one, as older codes do; (c) one whose string is known
when it is built, so that it has no branches. All run the same string, and (a) also runs
others. The images are random, since no step's cost depends on what they show. FLAG is
--profile (the ops that take the time), --sweep (many sizes), --memory (over a thousand
steps), --start (what a search does up to its first step, on the images that its flags
name), or a flag of search_arc_mnist.py.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

import numpy as np

ARC = "0 2 1 4 1 3 0 1 1 0 1 0 1 2 0 4 0 0 0 1 1 3 1 4 0 1 1 1 1 2 1 4 3 2 0 2 1 1 0 3"
KINDS = {"own": "(a) this child", "all": "(b) all ops", "straight": "(c) no branch"}
STEP_KINDS = ("child", "controller")
TURNS = 5
STEPS = 4  # steps of each child in a turn
FRESH = 20  # how many strings of a fresh controller are run
STARTS = 3  # of each size
LONG = 10  # hundreds of steps over which memory is watched


class Shape(NamedTuple):
    """A search's size."""

    layers: int
    cells: int
    batch: int = 128

    def flags(self) -> list[str]:
        return [
            f"--child_num_layers={self.layers}",
            f"--child_num_cells={self.cells}",
            f"--batch_size={self.batch}",
        ]

    def __str__(self):
        return f"{self.layers} layers, {self.cells} cells, batch {self.batch}"


SHAPES = (Shape(6, 5), Shape(2, 3))
SWEEP = (
    *(Shape(layers, 5) for layers in (2, 4, 6, 8)),
    *(Shape(6, cells) for cells in (3, 7)),
    *(Shape(6, 5, batch) for batch in (32, 64, 256)),
)


def string_of(cells: int) -> str:
    """Brings each cell of ARC to `cells` blocks: cuts it, or repeats its last block."""
    numbers = ARC.split()
    normal, reduction = numbers[:20], numbers[20:]
    normal += normal[-4:] * (cells - 5)
    reduction += reduction[-4:] * (cells - 5)
    return " ".join(normal[: 4 * cells] + reduction[: 4 * cells])


def uniform_string(op: int, cells: int) -> str:
    """Returns a string of `op` alone, whose blocks read the two nodes before them."""
    blocks = [f"{block} {op} {block + 1} {op}" for block in range(cells)]
    return " ".join(blocks * 2)


class Child:
    """A worker process.

    Args:
      arc: the string of its first step; `string_of` is the default.
    """

    def __init__(self, kind: str, shape: Shape, extra: list[str], arc: str = ""):
        arguments = [arc or string_of(shape.cells), *shape.flags(), *extra]
        module = [sys.executable, "-m", "benchmarks.step_worker", str(time.time())]
        self._process = subprocess.Popen(
            [*module, kind, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.first_step = self._answer()

    def ask(self, *request):
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self):
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"a worker ended with status {self._process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def in_turn(
    children: dict[str, Child], what: str, arc: str | dict[str, str] | None
) -> dict[str, float]:
    """Returns each child's median seconds for a 'child' or 'controller' step.

    Args:
      arc: the string that all run, or that of each; None for sampled ones.
    """
    arcs = arc if isinstance(arc, dict) else dict.fromkeys(children, arc)
    seconds = {kind: [] for kind in children}
    for _ in range(TURNS):
        for kind, child in children.items():
            seconds[kind] += child.ask("steps", what, arcs[kind], STEPS + 1)[1:]
    return {kind: float(np.median(times)) for kind, times in seconds.items()}


def measure(shape: Shape, extra: list[str]) -> dict:
    """Measures everything for one size of search."""
    arc = string_of(shape.cells)
    children = {kind: Child(kind, shape, extra) for kind in KINDS}
    own = children["own"]
    result = {
        "shape": ", ".join([str(shape), *extra]),
        "first_step": {kind: child.first_step for kind, child in children.items()},
        "child": in_turn(children, "child", arc),
        "controller": in_turn(children, "controller", arc),
        "facts": {kind: child.ask("facts") for kind, child in children.items()},
        "multiply_adds": children["straight"].ask("multiply_adds"),
        "conv_rate": children["straight"].ask("conv", 10),
    }
    children.pop("all").close()
    children.pop("straight").close()
    others = {
        "all separable conv 5×5": uniform_string(1, shape.cells),
        "all identity": uniform_string(4, shape.cells),
    }
    result["strings"] = {
        name: {what: in_turn({"own": own}, what, string)["own"] for what in STEP_KINDS}
        for name, string in others.items()
    }
    result["strings"][f"{FRESH} of a fresh controller"] = {
        what: float(np.median(own.ask("steps", what, None, FRESH)))
        for what in STEP_KINDS
    }
    own.close()
    return result


def table(result: dict) -> str:
    lines = [f"{result['shape']}"]
    names = "".join(f"{name:>16s}" for name in KINDS.values())
    lines.append(f"{'':<34s}{names}{'b/a':>8s}{'a/c':>8s}")
    for what in STEP_KINDS:
        lines.append(_row(f"{what} step, ms", result[what], 1000, ".0f"))
    lines.append(_row("first step after, s", result["first_step"], 1, ".1f"))
    for field, name, style in (
        ("ops", "graph ops", ".0f"),
        ("function_ops", "ops in functions", ".0f"),
        ("peak_gb", "peak memory above start, GB", ".2f"),
    ):
        values = {kind: facts[field] for kind, facts in result["facts"].items()}
        lines.append(_row(name, values, 1, style))
    work, conv_rate = result["multiply_adds"] / 1e9, result["conv_rate"] / 1e9
    rate = work / result["child"]["own"]
    lines.append(
        f"multiply-adds: {work:.1f}e9 a step, {rate:.1f}e9 a second; a plain "
        f"convolution's {conv_rate:.1f}e9: {rate / conv_rate:.2f} of it"
    )
    for name, seconds in result["strings"].items():
        lines.append(
            f"(a) {name}: child {1000 * seconds['child']:.0f} ms, "
            f"controller {1000 * seconds['controller']:.0f} ms"
        )
    return "\n".join(lines)


def _row(name: str, values: dict, factor: float, style: str) -> str:
    numbers = "".join(f"{factor * values[kind]:>16{style}}" for kind in KINDS)
    ratios = (
        values["all"] / max(values["own"], 1e-9),
        values["own"] / max(values["straight"], 1e-9),
    )
    return f"{name:<34s}{numbers}" + "".join(f"{ratio:>8.2f}" for ratio in ratios)


def sweep(extra: list[str]) -> list[dict]:
    """Measures a child step's nanoseconds for each multiply-add of the string."""
    results = []
    for shape in SWEEP:
        children = {kind: Child(kind, shape, extra) for kind in ("own", "straight")}
        work = children["straight"].ask("multiply_adds")
        children.pop("straight").close()
        seconds = in_turn(children, "child", string_of(shape.cells))["own"]
        children["own"].close()
        results.append({"shape": str(shape), "seconds": seconds, "multiply_adds": work})
        print(
            f"{shape!s:<30s}{1000 * seconds:>8.0f} ms{work / 1e9:>8.1f}e9 multiply-adds"
            f"{1e9 * seconds / work:>8.4f} ns each",
            flush=True,
        )
    costs = [result["seconds"] / result["multiply_adds"] for result in results]
    print(f"dearest / cheapest: {max(costs) / min(costs):.2f}")
    return results


def memory(extra: list[str]) -> list[dict]:
    """Measures memory at the small size over many child steps, each of a new string."""
    child, results = Child("own", SHAPES[-1], extra), []
    for hundred in range(1, LONG + 1):
        child.ask("steps", "child", None, 100)
        facts = child.ask("facts")
        results.append({"steps": 100 * hundred} | facts)
        now, peak = facts["now_gb"], facts["peak_gb"]
        print(
            f"{100 * hundred:>5d} steps: {now:.2f} GB, at most {peak:.2f}", flush=True
        )
    child.close()
    return results


def start(shape: Shape, extra: list[str]) -> dict[str, float]:
    """Returns the median seconds of each stage of a search's start."""
    seconds: dict[str, list[float]] = {}
    for _ in range(STARTS):
        with tempfile.TemporaryDirectory() as folder:
            answer = os.path.join(folder, "stages.json")
            module = [sys.executable, "-m", "benchmarks.start_worker", str(time.time())]
            command = [*module, answer, *shape.flags(), *extra]
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            with open(answer, encoding="utf-8") as stream:
                for stage, time_taken in json.load(stream).items():
                    seconds.setdefault(stage, []).append(time_taken)
    return {stage: float(np.median(times)) for stage, times in seconds.items()}


def start_table(shape: Shape, stages: dict[str, float]) -> str:
    total = sum(stages.values())
    lines = [f"{shape}: {total:.1f} s from process start to the end of the first step"]
    lines += [
        f"  {stage:<40s}{seconds:>6.1f} s{seconds / total:>7.0%}"
        for stage, seconds in stages.items()
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", help="also write what was measured to this file")
    parser.add_argument("--profile", action="store_true", help="the ops that take time")
    parser.add_argument("--sweep", action="store_true", help="many sizes of search")
    parser.add_argument("--memory", action="store_true", help="over a thousand steps")
    parser.add_argument("--start", action="store_true", help="up to the first step")
    arguments, extra = parser.parse_known_args()
    if arguments.profile:
        for kind in ("own", "straight"):
            child = Child(kind, SHAPES[0], extra)
            for what in STEP_KINDS:
                print(", ".join([KINDS[kind], f"{what} step", str(SHAPES[0]), *extra]))
                print(child.ask("profile", what, string_of(SHAPES[0].cells)))
            child.close()
        return
    if arguments.start:
        results = []
        for shape in SHAPES:
            results.append({"shape": str(shape), "stages": start(shape, extra)})
            print(start_table(shape, results[-1]["stages"]), flush=True)
    elif arguments.sweep:
        results = sweep(extra)
    elif arguments.memory:
        results = memory(extra)
    else:
        results = []
        for shape in SHAPES:
            results.append(measure(shape, extra))
            print(table(results[-1]), end="\n\n", flush=True)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as stream:
            json.dump(results, stream, indent=2)


if __name__ == "__main__":
    main()
