"""The command that trains a string of a search's log, as that search's flags ask.

TensorFlow is not imported here.
"""

import os
import shlex
from typing import Any

from enas.flags.datasets import DataSet, dataset_of
from enas.flags.recipes import OLDER, RECIPES, with_recipe
from enas.flags.table import FLAGS
from enas.space.arc import Arc


def train_command(arc: Arc, flags: dict[str, str]) -> str:
    """A line to paste into a shell.

    A flag that is `carried` is passed where its value in the log is not the train
    script's default by the search's recipe, which is passed where it is not the
    script's. The defaults of layers and filters differ between search and training on
    purpose, so these are passed only where the search had others than its
    `search_size`, or where reductions are named by number, which mean nothing in a
    network of another depth.

    Args:
      flags: as the log shows them; none are an older log's, of MNIST.
    """
    data = dataset_of(flags)
    defaults = data.train_constants()
    words = ["enas_env/bin/python", f"{data.train}.py", "-fixed_arc", f'"{arc}"']
    recipe = flags.get("recipe", OLDER)
    if recipe not in RECIPES:
        recipe = defaults["recipe"]
    if recipe != defaults["recipe"]:
        words.append(f"--recipe={recipe}")
    defaults = with_recipe(defaults, recipe)
    if len(arc.normal) != defaults.get("child_num_cells"):
        words.append(f"--child_num_cells={len(arc.normal)}")
    for name, flag in FLAGS.items():
        if not flag.carried or name not in flags or name not in defaults:
            continue
        value = _value(name, flags[name], defaults[name], data)
        if value is None or value == defaults[name]:
            continue
        numbered = name == "child_num_layers" and any(
            letter.isdigit() for letter in flags.get("child_pool_layers", "")
        )
        if value != flag.search_size or numbered:
            words.append(shlex.quote(f"--{name}={value}"))
    return " ".join([*words, ">>", f"{data.name}_arc.txt"])


def _value(name: str, text: str, default: Any, data: DataSet) -> Any:
    """A flag's value of its text in a log; None if that is damaged."""
    flag = FLAGS[name]
    value: Any
    try:
        if flag.type is bool:
            value = {"True": True, "False": False}[text]
        elif name in data.paths:
            value = _path(text, default)
        else:
            value = flag.type(text)
    except (KeyError, ValueError):
        return None
    return value if flag.allowed.holds(value) and str(value).isprintable() else None


def _path(text: str, default: str) -> str:
    """The path whose leading dots the log does not show: the default if it can be, or
    the one that exists."""
    if text == default.lstrip("."):
        return default
    for path in (text, "." + text, ".." + text):
        if os.path.exists(path) or os.path.exists(path + ".zip"):
            return path
    return text
