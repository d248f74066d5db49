"""The command that trains a string of a search's log, as that search's flags ask.

TensorFlow is not imported here.
"""

import importlib
import os
import shlex

from enas.arc import Arc
from enas.flag_table import FLAGS
from enas.recipes import OLDER, RECIPES

# A search's flags that the training of its string takes over: images and network. How
# long and how fast it is trained is another matter for one string alone.
CARRIED = (
    "train_data_dir",
    "val_data_dir",
    "test_data_dir",
    "data_path",
    "channel",
    "img_size",
    "crop_padding",
    "random_flip",
    "random_rotation",
    "random_zoom",
    "random_shift",
    "child_cutout_size",
    "child_scheme",
    "child_first_scheme",
    "child_n_bits",
    "child_num_layers",
    "child_out_filters",
    "child_pool_layers",
    "child_use_aux_heads",
    "child_shortcut",
    "child_op_shortcut",
    "child_op_scale",
    "child_node_mean",
    "child_loss",
)
PATHS = ("train_data_dir", "val_data_dir", "test_data_dir", "data_path")
# What a search has as these scripts came: a training is larger or smaller on purpose.
SIZES = {"child_num_layers": 6, "child_out_filters": 20}


def train_command(arc: Arc, flags: dict[str, str]) -> str:
    """A line to paste into a shell.

    A flag is passed where its value in the log is not the train script's default by the
    search's recipe, which is passed where it is not the script's. The
    defaults of layers and filters differ between search and training on purpose, so
    these are passed only where the search had others than SIZES, or where reductions
    are named by number, which mean nothing in a network of another depth.

    Args:
      flags: as the log shows them; none are an older log's, of MNIST.
    """
    of_images = {"train_data_dir", "channel", "img_size"} & flags.keys()
    data = "cifar" if "data_path" in flags and not of_images else "mnist"
    # The script's constants are there to be edited, so they are read from it.
    train = importlib.import_module(f"train_arc_{data}").CONSTANTS
    words = ["enas_env/bin/python", f"train_arc_{data}.py", "-fixed_arc", f'"{arc}"']
    recipe = flags.get("recipe", OLDER)
    if recipe not in RECIPES:
        recipe = train["recipe"]
    if recipe != train["recipe"]:
        words.append(f"--recipe={recipe}")
    train = train | RECIPES[recipe]
    if len(arc.normal) != train.get("child_num_cells"):
        words.append(f"--child_num_cells={len(arc.normal)}")
    for name in CARRIED:
        if name not in flags or name not in train:
            continue
        value = _value(name, flags[name], train[name])
        if value is None or value == train[name]:
            continue
        numbered = name == "child_num_layers" and any(
            letter.isdigit() for letter in flags.get("child_pool_layers", "")
        )
        if value != SIZES.get(name) or numbered:
            words.append(shlex.quote(f"--{name}={value}"))
    return " ".join([*words, ">>", f"{data}_arc.txt"])


def _value(name: str, text: str, default):
    """A flag's value of its text in a log; None if that is damaged."""
    flag = FLAGS[name]
    try:
        if flag.type is bool:
            value = {"True": True, "False": False}[text]
        elif name in PATHS:
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
