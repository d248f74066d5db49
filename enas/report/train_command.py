"""Writes the command that trains a string of a log as the search's flags ask.

This module must not import TensorFlow.
"""

import os
import shlex
from typing import Any

from enas.flags.datasets import DataSet, dataset_of
from enas.flags.recipes import OLDER, RECIPES, with_recipe
from enas.flags.table import FLAGS
from enas.space.arc import Arc


def train_command(arc: Arc, flags: dict[str, str]) -> str:
    """Returns a line to paste into a shell.

    The search's recipe is passed if the train script has another. A flag that is
    `carried` is passed if its value in the log is not the train script's default in
    that recipe. The numbers of layers and filters have other defaults in search and
    training on purpose, so each is passed only if the search's value is not its
    `search_size`. The number of layers is also passed if reductions are named by
    number, since these numbers mean nothing in a network of another depth.

    Args:
      flags: the text of each flag in the log. If there is none, the log is taken for an
        older one, of MNIST.
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
    """Returns a flag's value from its text in a log; None if the text is damaged."""
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
    """Returns the path whose leading dots the log does not show.

    This is the default if the text fits it, and else the path that exists.
    """
    if text == default.lstrip("."):
        return default
    for path in (text, "." + text, ".." + text):
        if os.path.exists(path) or os.path.exists(path + ".zip"):
            return path
    return text
