"""Recipes: sets of flags that go together, by name.

The values of each recipe stand in the table of flags. A program's constants are the
recommended recipe. Another one takes the place of every constant that still has the
recommended value: what a person edited in a script stands, and so does what the command
line gives. TensorFlow is not imported here.
"""

from typing import Any

from enas.flags.table import FAITHFUL, FLAGS, RECOMMENDED

_OF_RECIPES = [flag for flag in FLAGS.values() if flag.faithful is not None]
RECIPES: dict[str, dict[str, Any]] = {
    RECOMMENDED: {flag.name: flag.default for flag in _OF_RECIPES},
    FAITHFUL: {flag.name: flag.faithful for flag in _OF_RECIPES},
}
# Of runs whose version had no recipes yet, or lacked some of their flags.
OLDER = FAITHFUL


def with_recipe(constants: dict[str, Any], recipe: str) -> dict[str, Any]:
    """A program's constants, as a recipe has them unless they were edited."""
    recommended = RECIPES[RECOMMENDED]
    return constants | {
        name: value
        for name, value in RECIPES[recipe].items()
        if name in constants and constants[name] == recommended[name]
    }
