"""Writes the command that trains a string of a log as the search's flags ask.

This module must not import TensorFlow.
"""

import os
import re
import shlex
from typing import Any, NamedTuple

from enas.flags.datasets import DataSet, dataset_of
from enas.flags.recipes import LATER, OLDER, RECIPES, with_recipe
from enas.flags.table import FLAGS, Settings
from enas.space.arc import Arc

LONGEST_NAME = 40  # letters of the images' name in the name of a log


class Training(NamedTuple):
    """The training of a searched string.

    Attributes:
      defaults: the train script's flags, in the search's recipe.
      passed: the flags that the command gives another value, in its order.
    """

    data: DataSet
    defaults: dict[str, Any]
    passed: dict[str, Any]

    def value(self, name: str) -> Any:
        """Returns the value of a flag; None if the train script has no such flag."""
        return self.passed.get(name, self.defaults.get(name))

    def settings(self) -> Settings:
        """Returns the settings of the training, of no string yet."""
        values = self.defaults | self.passed
        return Settings(self.data.train, tuple(values), **values)


def training_of(num_cells: int, flags: dict[str, str]) -> Training:
    """Returns how a string is trained as the search's flags ask.

    The search's recipe is passed if the train script has another. A flag that is
    `carried` is passed if its value in the log is not the train script's default in
    that recipe. The numbers of layers and filters have other defaults in search and
    training on purpose, so each is passed only if the search's value is not its
    `search_size`. The number of layers is also passed if reductions are named by
    number, since these numbers mean nothing in a network of another depth. The filters
    for which a search has counted what a string costs, `budget_out_filters`, stand
    above all of these.

    Args:
      num_cells: B, the number of blocks in a cell of the string.
      flags: the text of each flag in the log. If there is none, the log is taken for an
        older one, of MNIST.
    """
    data = dataset_of(flags)
    flags = {name: str(value) for name, value in LATER.items()} | flags
    defaults = data.train_constants()
    passed: dict[str, Any] = {}
    recipe = flags.get("recipe", OLDER)
    if recipe not in RECIPES:
        recipe = defaults["recipe"]
    if recipe != defaults["recipe"]:
        passed["recipe"] = recipe
    defaults = with_recipe(defaults, recipe)
    if num_cells != defaults.get("child_num_cells"):
        passed["child_num_cells"] = num_cells
    for name, flag in FLAGS.items():
        if not flag.carried or name not in flags or name not in defaults:
            continue
        value = value_of(name, flags[name], defaults[name], data)
        if value is None or value == defaults[name]:
            continue
        numbered = name == "child_num_layers" and any(
            letter.isdigit() for letter in flags.get("child_pool_layers", "")
        )
        if value != flag.search_size or numbered:
            passed[name] = value
    _pass_budget_filters(flags, passed)
    return Training(data, defaults, passed)


def _pass_budget_filters(flags: dict[str, str], passed: dict[str, Any]) -> None:
    """Passes the filters that a search's budget counted with, if the flags say them."""
    text = flags.get("budget_out_filters", "0")
    allowed = FLAGS["child_out_filters"].allowed
    if text.isdecimal() and len(text) < 10 and allowed.holds(int(text)):
        passed["child_out_filters"] = int(text)


def train_command(arc: Arc, flags: dict[str, str]) -> str:
    """Returns a line to paste into a shell; see training_of."""
    training = training_of(len(arc.normal), flags)
    script = f"{training.data.train}.py"
    words = ["enas_env/bin/python", script, "-fixed_arc", f'"{arc}"']
    words += [
        shlex.quote(f"--{name}={value}") for name, value in training.passed.items()
    ]
    return " ".join([*words, ">>", f"{_data_name(training)}_arc.txt"])


def _data_name(training: Training) -> str:
    """Returns a name of the images that is fit for a file.

    Images in folders are named after the folder that holds the sets.
    """
    if "train_data_dir" not in training.data.paths:
        return training.data.name
    path = os.path.normpath(training.value("train_data_dir"))
    path = path.removesuffix(".zip")
    for name in (os.path.basename(os.path.dirname(path)), os.path.basename(path)):
        if safe := re.sub(r"[^\w.-]+", "_", name).strip("._-")[:LONGEST_NAME]:
            return safe
    return "images"


def value_of(name: str, text: str, default: Any, data: DataSet) -> Any:
    """Returns a flag's value from its text in a log; None if the text is damaged."""
    flag = FLAGS[name]
    value: Any
    try:
        if flag.type is bool:
            value = {"True": True, "False": False}[text]
        elif name in data.paths:
            value = path_of(text, default)
        else:
            value = flag.type(text)
    except (KeyError, ValueError):
        return None
    return value if flag.allowed.holds(value) and str(value).isprintable() else None


def path_of(text: str, default: str) -> str:
    """Returns the path whose leading dots the log does not show.

    This is the default if the text fits it, and else the path that exists.
    """
    if text == default.lstrip("."):
        return default
    for path in (text, "." + text, ".." + text):
        if os.path.exists(path) or os.path.exists(path + ".zip"):
            return path
    return text
