"""Recipes: named sets of flag values that belong together.

The table of flags holds the values of each recipe. A program's constants are the
recommended recipe. Another recipe replaces every constant that still has its
recommended value. So it keeps what a person edited in a script, and what the command
line gives. This module must not import TensorFlow.
"""

from typing import Any

from enas.flags.table import FAITHFUL, FLAGS, RECOMMENDED

_OF_RECIPES = [flag for flag in FLAGS.values() if flag.faithful is not None]
RECIPES: dict[str, dict[str, Any]] = {
    RECOMMENDED: {flag.name: flag.default for flag in _OF_RECIPES},
    FAITHFUL: {flag.name: flag.faithful for flag in _OF_RECIPES},
}
# What they have besides where a string is trained alone on CIFAR-10; docs/results.md
# says why.
_ALONE_ON_CIFAR: dict[str, dict[str, Any]] = {
    RECOMMENDED: {"batch_size": 32},
    FAITHFUL: {"batch_size": FLAGS["batch_size"].default},
}
# The recipe of runs whose version had no recipes yet, or lacked some of their flags.
OLDER = FAITHFUL
# What flags mean that came after recipes, in runs whose version lacked them.
_LATER = (
    "child_ops",
    "child_head_bits",
    "child_fold_norms",
    "child_label_smoothing",
    "child_lr_by_step",
    "child_lr_warmup",
    "fit_kb",
    "budget_kb",
    "budget_mult_adds",
    "budget_out_filters",
)
LATER = {name: FLAGS[name].default for name in _LATER}
OLDER_FLAGS = RECIPES[OLDER] | LATER
# Flags of earlier versions that there are no more; what they said is in the weights.
GONE = ("child_share_widths",)


def with_recipe(constants: dict[str, Any], recipe: str) -> dict[str, Any]:
    """Applies a recipe to a program's constants, except those that were edited."""
    recommended = _values(RECOMMENDED, constants)
    return constants | {
        name: value
        for name, value in _values(recipe, constants).items()
        if name in constants and constants[name] == recommended[name]
    }


def _values(recipe: str, constants: dict[str, Any]) -> dict[str, Any]:
    """Returns the values of a recipe for the program that has these constants."""
    alone_on_cifar = {"fixed_arc", "data_path"} <= constants.keys()
    return RECIPES[recipe] | (_ALONE_ON_CIFAR[recipe] if alone_on_cifar else {})
