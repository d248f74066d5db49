"""Places the vertices of a layered graph, with few crossings and short links.

Columns of vertices are side by side, and a link joins vertices of neighbouring columns.
The barycentre method orders each column and gives every vertex its y. It moves each
vertex to the mean of those that it is linked to, in sweeps from left to right and back.
It does so from several starts, and the best result is kept.
"""

import random
from collections.abc import Hashable
from itertools import combinations, pairwise
from typing import TypeVar

STARTS = 40
SWEEPS = 6
GAP = 0.16  # inches between two vertices of a column
CROSSING = 0.8  # inches of link that one crossing is worth

Key = TypeVar("Key", bound=Hashable)


def place(
    columns: list[list[Key]], heights: dict[Key, float], links: list[tuple[Key, Key]]
) -> dict[Key, float]:
    """Returns the y of every vertex's middle in inches; the topmost vertex begins at 0.

    Args:
      columns: the vertices, left to right; each is a tuple with its column second.
      heights: the heights of the vertices, inches.
      links: (vertex, vertex of the next column); a link listed twice pulls twice.
    """
    rng = random.Random(0)
    best: dict[Key, float] = {}
    best_cost = float("inf")
    for _ in range(STARTS):
        y: dict[Key, float] = {}
        for column in columns:
            _settle(y, {key: rng.random() for key in column}, heights)
        for _ in range(SWEEPS):
            _sweep(columns, heights, y, [(b, a) for a, b in links])
            _sweep(columns[::-1], heights, y, links)
            _sweep(columns, heights, y, links + [(b, a) for a, b in links])
            cost = _cost(y, links)
            if cost < best_cost - 1e-9:
                best, best_cost = dict(y), cost
    top = min(best[key] - heights[key] / 2 for key in best)
    return {key: middle - top for key, middle in best.items()}


def _sweep(columns, heights, y, links) -> None:
    """Moves every vertex to the mean of those that `links` lead to from it."""
    for column in columns:
        wanted = {}
        for key in column:
            others = [y[b] for a, b in links if a == key]
            wanted[key] = sum(others) / len(others) if others else y[key]
        _settle(y, wanted, heights)


def _settle(y: dict, wanted: dict, heights: dict) -> None:
    """Puts a column's vertices as near to the y they want as they can be.

    They stay in the order of these y and do not touch (least squares: isotonic
    regression).
    """
    order = sorted(wanted, key=wanted.__getitem__)
    offsets = [0.0]
    for upper, lower in pairwise(order):
        offsets.append(offsets[-1] + (heights[upper] + heights[lower]) / 2 + GAP)
    groups = []  # vertices that touch: [sum, count] of the y they want, less offset
    for key, offset in zip(order, offsets, strict=True):
        groups.append([wanted[key] - offset, 1])
        while len(groups) > 1 and _mean(groups[-2]) > _mean(groups[-1]):
            total, count = groups.pop()
            groups[-1][0] += total
            groups[-1][1] += count
    means = [_mean(group) for group in groups for _ in range(group[1])]
    for key, mean, offset in zip(order, means, offsets, strict=True):
        y[key] = mean + offset


def _mean(group: list) -> float:
    return group[0] / group[1]


def _cost(y: dict, links: list[tuple]) -> float:
    """Returns the cost in inches: what links climb, plus the price of crossings."""
    cost = sum(abs(y[a] - y[b]) for a, b in links)
    by_column: dict = {}
    for a, b in set(links):
        by_column.setdefault(b[1], []).append((y[a], y[b]))
    for column in by_column.values():
        for (a, b), (c, d) in combinations(column, 2):
            cost += CROSSING * ((a - c) * (b - d) < 0)
    return cost
