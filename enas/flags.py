"""The scripts' flags: how they are defined, read, and checked against each other.

A script defines its constants with the DEFINE functions below; `parse` makes of them
and the command line one plain namespace, the settings, which everything else is handed.
Only this module and the scripts know flags. TensorFlow is not imported here."""

import math
from functools import partial
from types import SimpleNamespace

from absl import flags as absl_flags

from enas.arc import parse_arc
from enas.errors import UsageError
from enas.layer_plan import aux_layer, parse_pool_layers
from enas.schemes import SCHEMES

_FLAGS = absl_flags.FlagValues()

DEFINE_string = partial(absl_flags.DEFINE_string, flag_values=_FLAGS)
DEFINE_integer = partial(absl_flags.DEFINE_integer, flag_values=_FLAGS)
DEFINE_float = partial(absl_flags.DEFINE_float, flag_values=_FLAGS)
DEFINE_boolean = partial(absl_flags.DEFINE_boolean, flag_values=_FLAGS)
DEFINE_alias = partial(absl_flags.DEFINE_alias, flag_values=_FLAGS)

Settings = SimpleNamespace

# Flags of the older codes that mean nothing here: the one value that is let pass, if
# any, and why the others are not.
_MACRO = "it belongs to the macro search space; this is the micro one"
_REPLICAS = (
    "one session trains on one machine; controller_num_aggregate averages samples"
)
REFUSED = {
    "search_for": ("micro", "only the micro search space is here"),
    "data_format": ("NHWC", "images are NHWC, the layout that is fast on a CPU"),
    "child_num_branches": (None, "the operations are those of enas/operations.py"),
    "child_block_size": (None, _MACRO),
    "child_filter_size": (None, "the operations say their sizes (enas/operations.py)"),
    "child_out_filters_scale": (None, _MACRO),
    "child_skip_pattern": (None, _MACRO),
    "child_num_aggregate": (None, _REPLICAS),
    "child_num_replicas": (None, _REPLICAS),
    "child_sync_replicas": (None, _REPLICAS),
    "controller_sync_replicas": (None, _REPLICAS),
    "controller_num_replicas": (None, _REPLICAS),
    "controller_skip_target": (None, _MACRO),
    "controller_skip_weight": (None, _MACRO),
    "controller_skip_rate": (None, _MACRO),
    "controller_search_whole_channels": (None, _MACRO),
    "controller_forwards_limit": (None, _MACRO),
    "controller_keep_prob": (None, "the controller's LSTM has no dropout"),
    "controller_lr_dec_rate": (None, "the controller's learning rate is constant"),
    "controller_use_critic": (None, "the baseline is a moving average of rewards"),
}

_AT_LEAST = {
    "img_size": 1,
    "n_aug_img": 1,
    "batch_size": 1,
    "num_epochs": 0,
    "train_limit": 0,
    "eval_limit": 0,
    "seed": 0,
    "log_every": 1,
    "eval_every_epochs": 1,
    "child_num_layers": 1,
    "child_num_cells": 1,
    "child_out_filters": 2,
    "child_l2_reg": 0,
    "child_lr_dec_every": 1,
    "child_lr_min": 0,
    "child_lr_T_0": 1,
    "child_lr_T_mul": 1,
    "controller_l2_reg": 0,
    "controller_temperature": 0,
    "controller_entropy_weight": 0,
    "controller_num_aggregate": 1,
    "controller_train_steps": 1,
    "controller_train_every": 1,
}
_ABOVE_ZERO = (
    "child_grad_bound",
    "child_lr",
    "child_lr_dec_rate",
    "child_lr_max",
    "controller_lr",
    "controller_tanh_constant",
    "controller_op_tanh_reduce",
)
LARGEST = 2**31 - 1  # of whole numbers
_FRACTIONS = ("child_keep_prob", "child_drop_path_keep_prob")  # in (0, 1]
# Flags whose value is a name; the empty string is a default that others imply.
CHOICES = {
    "child_scheme": tuple(SCHEMES),
    "child_first_scheme": ("", *SCHEMES),
    "child_loss": ("cross_entropy", "squared_hinge"),
    "child_optim_algo": ("", "adam", "momentum", "sgd"),
    "child_clip_mode": ("none", "norm", "global"),
}


def help_text() -> str:
    """Every flag of the script with its default and its sentence."""
    return _FLAGS.get_help()


def parse(argv: list[str]) -> Settings:
    """The settings that a command line asks for; argv[0] is the script.

    Raises:
      UsageError: a flag is unknown, refused, or of the wrong type; or flags do not fit
        together.
    """
    try:
        rest = _FLAGS(_without_refused(argv))
    except absl_flags.Error as error:
        raise UsageError(str(error)) from None
    if rest[1:]:
        raise UsageError(
            f"{rest[1]!r} is no flag; put strings of several words in quotes"
        )
    names = (name for name in _FLAGS if name != "child_fixed_arc")
    settings = Settings(**{name: _FLAGS[name].value for name in names})
    check(settings)
    return settings


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
    values = vars(settings)
    for name, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"{name} is {value}; it is a finite number")
        if isinstance(value, int) and value > LARGEST:
            raise UsageError(f"{name} is {value}; it is at most {LARGEST}")
        if name in _AT_LEAST and value < _AT_LEAST[name]:
            raise UsageError(f"{name} is {value}; it is at least {_AT_LEAST[name]}")
        if name in _ABOVE_ZERO and value <= 0:
            raise UsageError(f"{name} is {value}; it is above 0")
        if name in _FRACTIONS and not 0 < value <= 1:
            raise UsageError(f"{name} is {value}; it is above 0 and at most 1")
        if name in CHOICES and value not in CHOICES[name]:
            names = ", ".join(filter(None, CHOICES[name]))
            raise UsageError(f"{name} is {value!r}; it is one of {names}")
    _check_child(settings)
    if "controller_bl_dec" in values and not 0 <= settings.controller_bl_dec < 1:
        raise UsageError(
            f"controller_bl_dec is {settings.controller_bl_dec}; it is at least 0 and "
            f"below 1"
        )
    if "fixed_arc" in values:
        if not settings.fixed_arc.strip():
            raise UsageError('fixed_arc is missing; pass one: -fixed_arc "0 2 1 4 …"')
        try:
            arc = parse_arc(settings.fixed_arc, settings.child_num_cells)
        except ValueError as error:
            raise UsageError(f"fixed_arc: {error}") from None
        settings.fixed_arc = str(arc)  # on one line, as the log shows it


def _check_child(settings: Settings) -> None:
    if settings.channel not in (1, 3):
        raise UsageError(f"channel is {settings.channel}; it is 1 (gray) or 3 (colour)")
    if not 2 <= settings.child_n_bits <= 16:
        raise UsageError(
            f"child_n_bits is {settings.child_n_bits}; it is from 2 to 16 "
            f"(1 bit is child_scheme=binarize)"
        )
    if settings.child_out_filters % 2:
        raise UsageError(
            f"child_out_filters is {settings.child_out_filters}; it is even, since a "
            f"factorized reduction makes two halves"
        )
    if settings.child_lr_cosine and settings.child_lr_min > settings.child_lr_max:
        raise UsageError(
            f"child_lr_min {settings.child_lr_min} is above child_lr_max "
            f"{settings.child_lr_max}"
        )
    num_layers = settings.child_num_layers
    try:
        pools = parse_pool_layers(settings.child_pool_layers, num_layers)
    except ValueError as error:
        raise UsageError(str(error)) from None
    factor = 2 ** len(pools)
    if settings.img_size % factor:
        raise UsageError(
            f"img_size is {settings.img_size}; {len(pools)} reductions (layers "
            f"{', '.join(map(str, pools))}) need a multiple of {factor}"
        )
    if settings.child_use_aux_heads and aux_layer(pools, num_layers) is None:
        raise UsageError(
            f"child_use_aux_heads needs a layer after reduction layer {pools[-1]}; "
            f"move it (child_pool_layers) or pass --child_use_aux_heads=False"
        )
