"""Which strings are trained: the first of a ranking or of a file, and uniform ones."""

from __future__ import annotations

import os
from typing import NamedTuple

from enas.base.errors import InputError, UsageError
from enas.base.files import MOST_JSON, open_regular, readable
from enas.base.program import command
from enas.flags.table import Settings
from enas.report import ranking

GIVEN = "given"  # the source of strings in a file
COUNT = 5  # of a ranking's strings that are trained


class Wanted(NamedTuple):
    """A string to train.

    Attributes:
      source: what drew it.
      searched: its accuracy with the search's weights; None if it was not ranked.
    """

    arc: str
    source: str
    searched: float | None


def wanted(
    settings: Settings, count: int | None, arcs_file: str | None, uniform: int
) -> list[Wanted]:
    """Returns the strings to train, each of them once.

    Args:
      settings: those of the search; its folder is `output_dir`.
      count: how many of the ranking, from its first; None for COUNT. Of a file, None
        means all.
      arcs_file: a file of strings to take instead of the ranking's.
      uniform: how many uniform strings to add: the first that the search's seed draws,
        which are those that a ranking draws.

    Raises:
      UsageError: a string in the file is wrong, or none is wanted.
      InputError: there is no ranking, or a file cannot be read.
    """
    ranked = _ranking_of(settings)
    searched = {one.arc: one.accuracy for one in ranked}
    strings: list[Wanted] = []
    if arcs_file is not None:
        arcs = _arcs_of(arcs_file, settings)
        every = once([Wanted(arc, GIVEN, searched.get(arc)) for arc in arcs])
        strings += every[:count]
    elif count != 0:
        if not ranked:
            path = settings.output_dir
            raise InputError(
                f"{path} has no ranking yet; make one: "
                f"{command('-m', 'enas.rank_arcs', path)}"
            )
        every = once([Wanted(one.arc, one.source, one.accuracy) for one in ranked])
        strings += every[: COUNT if count is None else count]
    arcs = [str(arc) for arc in ranking.uniform_arcs(settings, uniform)]
    strings += [Wanted(arc, ranking.UNIFORM, searched.get(arc)) for arc in arcs]
    if not strings:
        raise UsageError("there is no string to train")
    return once(strings)


def once(strings: list[Wanted]) -> list[Wanted]:
    """Returns the strings without those that came before; two sources may agree."""
    first: dict[str, Wanted] = {}
    for one in strings:
        first.setdefault(one.arc, one)
    return list(first.values())


def _ranking_of(settings: Settings) -> list[ranking.Ranked]:
    """Returns the ranking of a search; none if there is none.

    Raises:
      InputError: it is damaged, or has a string of another table.
    """
    path = os.path.join(settings.output_dir, ranking.RANKING_FILE)
    ranked = ranking.read(settings.output_dir)
    with readable(path):
        for one in ranked:
            settings.parse_arc(one.arc)
    return ranked


def _arcs_of(path: str, settings: Settings) -> list[str]:
    """Reads a file of strings, one a line; empty lines and `# …` are passed over.

    Raises:
      UsageError: one is wrong.
      InputError: the file cannot be read.
    """
    try:
        with open_regular(path) as stream:
            lines = stream.read(MOST_JSON).splitlines()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is no text") from None
    arcs = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            arcs.append(str(settings.parse_arc(line)))
        except ValueError as error:
            name = os.path.basename(path)
            raise UsageError(f"line {number} of {name}: {error}") from None
    return arcs
