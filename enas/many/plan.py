"""How strings are trained: the train script, and its flags, checked beforehand."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any, NamedTuple

from enas.base.errors import InputError, UsageError
from enas.flags.datasets import open_data
from enas.flags.parse import parse
from enas.flags.table import Settings
from enas.loop.kept_run import flag_names
from enas.report.train_command import training_of

# What this program says itself of each training.
OWN = ("fixed_arc", "child_fixed_arc", "output_dir", "reset_output_dir", "resume")


class Plan(NamedTuple):
    """What the trainings have in common.

    Attributes:
      script: the path of the train script.
      words: the flags that it is given, besides OWN.
      flags: the value of every flag, besides OWN.
      settings: those of the first string's training.
    """

    script: str
    words: tuple[str, ...]
    flags: dict[str, Any]
    settings: Settings


def plan(search: Settings, arc: str, given: Sequence[str]) -> Plan:
    """Plans trainings: as the search's flags ask, and as `given` says.

    Args:
      search: the settings of the search.
      arc: one of the strings.
      given: flags of the train script; they stand above what follows from the search.

    Raises:
      UsageError: one of them is wrong.
      InputError: the images, or the train script, are missing.
    """
    for name in OWN:
        if name in flag_names(given):
            raise UsageError(f"train_arcs says itself what {name} is; leave it out")
    flags = {name: str(value) for name, value in search.flags().items()}
    training = training_of(search.child_num_cells, flags)
    passed = training.passed
    if "fit_kb" in flag_names(given):  # which has a number of filters for each string
        passed.pop("child_out_filters", None)
    words = [f"--{name}={value}" for name, value in passed.items()]
    words += given
    name = training.data.train
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise InputError(f"there is no {name}.py; start this where the scripts are")
    constants = training.data.train_constants()
    settings = parse([f"{name}.py", f"--fixed_arc={arc}", *words], constants)
    if not settings.num_epochs:
        raise UsageError("num_epochs is 0, so nothing would be trained")
    open_data(settings)  # it only looks for them
    kept = {n: value for n, value in settings.flags().items() if n not in OWN}
    return Plan(found.origin, tuple(words), kept, settings)
