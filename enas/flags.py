"""The scripts' flags: how they are read, and checked against each other.

`parse` makes of a script's constants and the command line one plain namespace, the
settings, which everything else is handed. TensorFlow is not imported here."""

import math
from types import SimpleNamespace

from absl import flags as absl_flags

from enas.arc import parse_arc
from enas.errors import UsageError
from enas.flag_table import FLAGS, REFUSED
from enas.layer_plan import aux_layer, parse_pool_layers
from enas.recipes import RECIPES

Settings = SimpleNamespace

CIFAR_SIZE = 32  # height and width where no img_size resizes the images
LARGEST = 2**31 - 1  # of whole numbers
_ALIASES = {"child_fixed_arc": "fixed_arc"}
_TYPES = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "text in quotes",
}
_DEFINE = {
    bool: absl_flags.DEFINE_boolean,
    int: absl_flags.DEFINE_integer,
    float: absl_flags.DEFINE_float,
    str: absl_flags.DEFINE_string,
}


def define(constants: dict) -> absl_flags.FlagValues:
    """The flags of a script.

    Args:
      constants: name of a flag in FLAGS to its default.

    Raises:
      UsageError: a constant is no flag, or not of the flag's type.
    """
    defined = absl_flags.FlagValues()
    for name, default in constants.items():
        if name not in FLAGS:
            raise UsageError(f"the constant {name} is no flag of enas/flag_table.py")
        flag = FLAGS[name]
        if flag.type is float and type(default) is int:
            default = float(default)
        if type(default) is not flag.type:
            raise UsageError(
                f"the constant {name} is {default!r}; it is {_TYPES[flag.type]}"
            )
        _DEFINE[flag.type](name, default, flag.help, flag_values=defined)
    for alias, name in _ALIASES.items():
        if name in constants:
            absl_flags.DEFINE_alias(alias, name, flag_values=defined)
    return defined


def help_text(constants: dict) -> str:
    """Every flag of a script with its default and its sentence."""
    return "\n".join(
        f"  --{name}: {FLAGS[name].help} (default: {default!r})"
        for name, default in constants.items()
    )


def parse(argv: list[str], constants: dict) -> Settings:
    """The settings that a command line asks for.

    Args:
      argv: the script and its arguments.
      constants: the script's flags with their defaults.

    Raises:
      UsageError: a flag is unknown, refused, or of the wrong type; or flags do not fit
        together.
    """
    settings, words = read(argv, constants)
    if words:
        raise UsageError(
            f"{words[0]!r} is no flag; put strings of several words in quotes"
        )
    check(settings)
    return settings


def read(argv: list[str], constants: dict) -> tuple[Settings, list[str]]:
    """The settings that a command line asks for, unchecked, and its words that belong
    to no flag. What is not given is as the recipe has it, and else as the constants.

    Raises:
      UsageError: a flag is unknown, refused, or of the wrong type.
    """
    defined = define(constants)
    defined.set_gnu_getopt()  # flags may follow words
    try:
        words = defined(_without_refused(argv))[1:]
    except absl_flags.Error as error:
        raise UsageError(str(error)) from None
    settings = Settings(**{name: defined[name].value for name in constants})
    for name, value in RECIPES.get(getattr(settings, "recipe", ""), {}).items():
        if name in constants and not defined[name].present:
            setattr(settings, name, value)
    for name, value in vars(settings).items():
        if isinstance(value, str) and not _is_text(value):
            raise UsageError(f"{name} is {value!r}; it holds bytes that are no text")
    return settings, words


def _is_text(value: str) -> bool:
    """Whether it can be printed; a command line's stray bytes cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _without_refused(argv: list[str]) -> list[str]:
    """argv without the older codes' flags whose value means what is done anyway."""
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


def check(settings: Settings) -> None:
    """Checks every flag, and how they fit together.

    Raises:
      UsageError: naming the flag, its value and what is allowed.
    """
    for name, value in vars(settings).items():
        allowed = FLAGS[name].allowed
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"{name} is {value}; it is a finite number")
        if isinstance(value, int) and value > LARGEST:
            raise UsageError(f"{name} is {value}; it is at most {LARGEST}")
        if not allowed.holds(value):
            raise UsageError(f"{name} is {value!r}; it is {allowed.words}")
    cosine = getattr(settings, "child_lr_cosine", False)
    if cosine and settings.child_lr_min > settings.child_lr_max:
        raise UsageError(
            f"child_lr_min {settings.child_lr_min} is above child_lr_max "
            f"{settings.child_lr_max}"
        )
    if getattr(settings, "num_valids", None) == 0 and not hasattr(
        settings, "fixed_arc"
    ):
        raise UsageError("num_valids is 0; a search needs validation images")
    if (
        getattr(settings, "controller_bl_of_update", False)
        and settings.controller_training
        and settings.controller_num_aggregate < 2
    ):
        raise UsageError(
            "controller_bl_of_update compares an update's strings with each other, and "
            "controller_num_aggregate is 1; pass --controller_bl_of_update=False, too"
        )
    _check_layers(settings)
    if "fixed_arc" in vars(settings):
        _check_arc(settings)


def _check_layers(settings: Settings) -> None:
    """Reductions and aux head against the number of layers and the images' size."""
    num_layers = settings.child_num_layers
    try:
        pools = parse_pool_layers(settings.child_pool_layers, num_layers)
    except ValueError as error:
        raise UsageError(str(error)) from None
    size = getattr(settings, "img_size", CIFAR_SIZE)
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
        if getattr(settings, name, 0) > size:
            raise UsageError(
                f"{name} is {getattr(settings, name)}; images have {size} pixels a side"
            )


def _check_arc(settings: Settings) -> None:
    """The string is one of child_num_cells blocks, and is put on one line, as the log
    shows it."""
    if not settings.fixed_arc.strip():
        raise UsageError('fixed_arc is missing; pass one: -fixed_arc "0 2 1 4 …"')
    try:
        arc = parse_arc(settings.fixed_arc, settings.child_num_cells)
    except ValueError as error:
        raise UsageError(f"fixed_arc: {error}") from None
    settings.fixed_arc = str(arc)
