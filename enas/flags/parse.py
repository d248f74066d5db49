"""Reads a program's flags and checks them against each other.

`parse` makes settings from a script's constants and the command line. absl reads the
flags. Its validators and enumerations are not used, since one table also checks the
constants that were edited in a script and the flags that were kept in a folder. This
module must not import TensorFlow.
"""

import dataclasses
import math
import os
import textwrap
from itertools import groupby
from typing import Any

from absl import flags as absl_flags

from enas.base.errors import UsageError
from enas.flags.recipes import RECIPES, with_recipe
from enas.flags.table import FLAGS, REFUSED, Settings
from enas.space.layer_plan import aux_layer, parse_pool_layers

LARGEST = 2**31 - 1  # the largest whole number of a flag
_ALIASES = {"child_fixed_arc": "fixed_arc"}
_TYPES: dict[type, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "text in quotes",
}
_DEFINE: dict[type, Any] = {
    bool: absl_flags.DEFINE_boolean,
    int: absl_flags.DEFINE_integer,
    float: absl_flags.DEFINE_float,
    str: absl_flags.DEFINE_string,
}


def define(constants: dict[str, Any]) -> absl_flags.FlagValues:
    """Defines the flags of a program.

    Args:
      constants: maps the name of a flag in FLAGS to its default.

    Raises:
      UsageError: a constant is not a flag, or does not have the flag's type.
    """
    defined = absl_flags.FlagValues()
    for name, default in constants.items():
        if name not in FLAGS:
            raise UsageError(f"the constant {name} is no flag of enas/flags/table.py")
        flag = FLAGS[name]
        if flag.type is float and type(default) is int:
            default = float(default)
        if type(default) is not flag.type:
            raise UsageError(
                f"the constant {name} is {default!r}; it must be {_TYPES[flag.type]}"
            )
        _DEFINE[flag.type](name, default, flag.help, flag_values=defined)
    for alias, name in _ALIASES.items():
        if name in constants:
            absl_flags.DEFINE_alias(alias, name, flag_values=defined)
    return defined


def help_text(constants: dict[str, Any]) -> str:
    """Lists every flag of a program, with its default and its help, in groups."""
    lines = []
    for group, names in groupby(constants, lambda name: FLAGS[name].group):
        lines += ["", group]
        for name in names:
            lines.append(f"  --{name} (default: {constants[name]!r})")
            lines += [f"      {line}" for line in textwrap.wrap(FLAGS[name].help, 72)]
    return "\n".join(lines)


def parse(argv: list[str], constants: dict[str, Any]) -> Settings:
    """Returns the settings that a command line asks for.

    Args:
      argv: the program and its arguments.
      constants: the program's flags with their defaults.

    Raises:
      UsageError: a flag is unknown or refused, or has a wrong type or value; flags do
        not fit together; or a word belongs to no flag.
    """
    settings, words = read(argv, constants)
    if words:
        raise UsageError(
            f"{words[0]!r} is no flag; put strings of several words in quotes"
        )
    return checked(settings)


def read(argv: list[str], constants: dict[str, Any]) -> tuple[Settings, list[str]]:
    """Returns a command line's unchecked settings, and words that belong to no flag.

    A flag that is not given has the value of the recipe or the constants.

    Args:
      argv: the program and its arguments.
      constants: the program's flags with their defaults.

    Raises:
      UsageError: a flag is unknown or refused, has the wrong type, or holds bytes that
        are not text.
    """
    defined = define(constants)
    defined.set_gnu_getopt()  # flags may follow words
    try:
        words = defined(_without_refused(argv))[1:]
    except absl_flags.UnrecognizedFlagError as error:
        if _ALIASES.get(error.flagname, error.flagname) in FLAGS:
            reason = f"flag --{error.flagname} is of another script; see --help"
            raise UsageError(reason) from None
        raise UsageError(str(error)) from None
    except (absl_flags.Error, ValueError) as error:  # of --noflag=value
        raise UsageError(str(error)) from None
    values: dict[str, Any] = {name: defined[name].value for name in constants}
    given = {name: values[name] for name in values if defined[name].present}
    recipe = values.get("recipe")
    if recipe in RECIPES:
        defaults = {name: defined[name].default for name in constants}
        values = with_recipe(defaults, str(recipe)) | given
    values |= _without_fit(given)
    for name, value in values.items():
        if isinstance(value, str) and not _is_text(value):
            raise UsageError(f"{name} is {value!r}; it holds bytes that are no text")
    script = os.path.basename(argv[0]).removesuffix(".py")
    return Settings(script=script, names=tuple(constants), **values), words


def _without_fit(given: dict[str, Any]) -> dict[str, Any]:
    """Returns what a number of filters on the command line makes of `fit_kb`: nothing.

    Args:
      given: the flags of the command line.

    Raises:
      UsageError: both are given.
    """
    if "child_out_filters" not in given:
        return {}
    if given.get("fit_kb"):
        raise UsageError(
            f"fit_kb={given['fit_kb']:g} says how many filters there are, and "
            f"child_out_filters={given['child_out_filters']} does, too; leave one out"
        )
    return {"fit_kb": FLAGS["fit_kb"].default}


def _is_text(value: str) -> bool:
    """Whether a value can be printed; stray bytes of a command line cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _without_refused(argv: list[str]) -> list[str]:
    """Drops flags of the older codes whose value means what is done anyway.

    Raises:
      UsageError: such a flag has another value.
    """
    kept, words = [argv[0]], iter(argv[1:])
    for word in words:
        name, equals, value = word.lstrip("-").partition("=")
        name = name if name in REFUSED else name.removeprefix("no")
        if not word.startswith("-") or name not in REFUSED:
            kept.append(word)
            continue
        allowed, reason = REFUSED[name]
        if allowed and not equals:
            value = next(words, "")
        if value != allowed or allowed is None:
            only = f" other than {allowed}" if allowed else ""
            raise UsageError(f"flag --{name}{only} has no meaning here: {reason}")
    return kept


def checked(settings: Settings) -> Settings:
    """Checks every flag of the settings, by itself and against the others.

    Returns:
      The settings, with the arc string on one line, as the log shows it.

    Raises:
      UsageError: a flag is wrong. The message names it, its value and what is allowed.
    """
    for name in settings.names:
        _check_value(name, getattr(settings, name))
    if settings.child_lr_cosine and settings.child_lr_min > settings.child_lr_max:
        raise UsageError(
            f"child_lr_min {settings.child_lr_min} is above child_lr_max "
            f"{settings.child_lr_max}"
        )
    if settings.child_label_smoothing and settings.child_loss != "cross_entropy":
        raise UsageError(
            f"child_label_smoothing is for child_loss=cross_entropy, not "
            f"{settings.child_loss}"
        )
    is_search = "fixed_arc" not in settings.names
    if is_search and "num_valids" in settings.names and not settings.num_valids:
        raise UsageError("num_valids is 0; a search needs validation images")
    if (
        settings.controller_training
        and settings.controller_bl_of_update
        and settings.controller_num_aggregate < 2
    ):
        raise UsageError(
            "controller_bl_of_update compares an update's strings with each other, and "
            "controller_num_aggregate is 1; pass --controller_bl_of_update=False, too"
        )
    if settings.patience and "num_valids" in settings.names and not settings.num_valids:
        raise UsageError(
            "patience looks at validation images, and num_valids is 0; pass "
            "--num_valids=5000, say"
        )
    if settings.child_scheme == "float" and any(o.own for o in settings.operations):
        raise UsageError(
            f"child_ops={settings.child_ops} has operations of few bits, and "
            f"child_scheme=float makes a network without any; name another of the two"
        )
    if settings.budget_out_filters and not settings.has_budget:
        raise UsageError(
            "budget_out_filters says for what network a budget counts; pass budget_kb "
            "or budget_mult_adds, too"
        )
    _check_layers(settings)
    return settings if is_search else _with_checked_arc(settings)


def _check_value(name: str, value: Any) -> None:
    allowed = FLAGS[name].allowed
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{name} is {value}; it must be a finite number")
    if isinstance(value, int) and value > LARGEST:
        raise UsageError(f"{name} is {value}; it must be at most {LARGEST}")
    if not allowed.holds(value):
        raise UsageError(f"{name} is {value!r}; it must be {allowed.words}")


def _check_layers(settings: Settings) -> None:
    """Checks reductions and aux head against the number of layers and image size."""
    num_layers, size = settings.child_num_layers, settings.img_size
    try:
        pools = parse_pool_layers(settings.child_pool_layers, num_layers)
    except ValueError as error:
        raise UsageError(str(error)) from None
    factor = 2 ** len(pools)
    if size % factor:
        raise UsageError(
            f"images have {size} pixels a side; {len(pools)} reductions (layers "
            f"{', '.join(map(str, pools))}) need a multiple of {factor}"
        )
    if settings.child_use_aux_heads and aux_layer(pools, num_layers) is None:
        raise UsageError(
            f"child_use_aux_heads needs a layer after reduction layer {pools[-1]}; "
            f"move it (child_pool_layers) or pass --child_use_aux_heads=False"
        )
    for name in ("child_cutout_size", "crop_padding", "random_shift"):
        if getattr(settings, name) > size:
            raise UsageError(
                f"{name} is {getattr(settings, name)}; images have {size} pixels a side"
            )


def _with_checked_arc(settings: Settings) -> Settings:
    if not settings.fixed_arc.strip():
        raise UsageError('fixed_arc is missing; pass one: -fixed_arc "0 2 1 4 …"')
    try:
        arc = settings.parse_arc(settings.fixed_arc)
    except ValueError as error:
        raise UsageError(f"fixed_arc: {error}") from None
    return dataclasses.replace(settings, fixed_arc=str(arc))
