"""Measures how long steps take, and which ops take the time of a step."""

import time
from collections import defaultdict

import tensorflow as tf

# Ops that wait for others to run; those others are listed by themselves.
_CALLERS = ("Case", "StatelessCase", "PartitionedCall", "StatefulPartitionedCall")


def timed(run, count: int) -> list[float]:
    """Runs `run` `count` times, and returns the seconds of each."""
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return seconds


def profile(run, steps: int = 3, rows: int = 20) -> str:
    """Traces some steps.

    Args:
      run: runs one step, given a RunOptions and a RunMetadata.
      rows: how many types of op to show at most.

    Returns:
      A row for each type of op, the costliest first: milliseconds per step, their part
      of the time that all ops took together, and ops per step. Ops run in parallel, so
      the sum is larger than a step's time.
    """
    options = tf.compat.v1.RunOptions(
        trace_level=tf.compat.v1.RunOptions.FULL_TRACE, output_partition_graphs=False
    )
    seconds, counts = defaultdict(float), defaultdict(int)
    for _ in range(steps):
        metadata = tf.compat.v1.RunMetadata()
        run(options, metadata)
        for device in metadata.step_stats.dev_stats:
            for node in device.node_stats:
                kind = _type_of(node)
                if kind not in _CALLERS:
                    seconds[kind] += node.op_end_rel_micros / 1e6 / steps
                    counts[kind] += 1
    total = sum(seconds.values())
    lines = [f"{'op':<38s}{'ms a step':>12s}{'part':>8s}{'ops a step':>12s}"]
    for kind in sorted(seconds, key=seconds.get, reverse=True)[:rows]:
        lines.append(
            f"{kind:<38s}{1000 * seconds[kind]:>12.1f}{seconds[kind] / total:>8.1%}"
            f"{counts[kind] / steps:>12.0f}"
        )
    return "\n".join(lines)


def _type_of(node) -> str:
    """Reads the type from 'name = Type(inputs)', TensorFlow's label of what ran."""
    _, equals, call = node.timeline_label.partition(" = ")
    return call.partition("(")[0] if equals else node.node_name
