"""Every flag there is, one row each: what it means, its values, and where it matters.

The rows are the fields of `Settings`, the typed and frozen object that a program's
flags become. A program has a constant for each of its flags: the flag's default. To add
a flag, write its row here, and its constant in the scripts that have it. This module
must not import TensorFlow.
"""

import dataclasses
import os
import re
from collections.abc import Callable
from typing import Any, NamedTuple, get_type_hints

from enas.network.file import MOST_BYTES
from enas.space.arc import Arc, parse_arc
from enas.space.operations import CLASSIC, TABLES, Operations
from enas.space.schemes import SCHEMES

RECOMMENDED, FAITHFUL = "recommended", "faithful"  # the recipes
KB = 1000  # bytes, where a flag or a table says kB


class Allowed(NamedTuple):
    """The values that a flag may have.

    Attributes:
      words: a description of the values, to follow 'it is'.
      holds: whether a value is allowed.
    """

    words: str
    holds: Callable[[Any], bool]


def at_least(bound: int) -> Allowed:
    return Allowed(f"at least {bound}", lambda value: value >= bound)


def from_to(first: int, last: int) -> Allowed:
    return Allowed(f"from {first} to {last}", lambda value: first <= value <= last)


def one_of(*names: str) -> Allowed:
    """One of some names; an empty name stands for a default that other flags imply."""
    return Allowed(f"one of {', '.join(filter(None, names))}", names.__contains__)


ANY = Allowed("anything", lambda value: True)
ABOVE_0 = Allowed("above 0", lambda value: value > 0)
PART = Allowed("above 0 and at most 1", lambda value: 0 < value <= 1)
DECAY = Allowed("at least 0 and below 1", lambda value: 0 <= value < 1)
EVEN = Allowed(
    "even and above 0, since a factorized reduction makes two halves",
    lambda value: value > 0 and value % 2 == 0,
)
# TensorFlow takes some letters for patterns of names, and gs://… for a place that it
# reaches over the network.
FOLDER = Allowed(
    "the name of a folder on disk, without * ? [ and (except on Windows) \\, and not "
    "like gs://…",
    lambda value: (
        bool(value)
        and not set(value) & set("*?[\0" + "\\" * (os.sep == "/"))
        and not re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", value)
    ),
)


class Flag(NamedTuple):
    """A row of the table.

    Attributes:
      group: the heading under which --help shows the flag.
      help: the sentence that --help shows.
      fixed: whether a run can be continued only with the value that it began with.
      carried: whether the training of a searched string takes over the search's value.
      search_size: the search scripts' default, for a size that may be another one in
        the train scripts on purpose. It is carried only if the search had another.
      faithful: the value in the faithful recipe; None if recipes do not set the flag.
    """

    name: str
    type: type
    default: Any
    group: str
    help: str
    allowed: Allowed
    fixed: bool
    carried: bool
    search_size: int | None
    faithful: Any


def _flag(
    group: str,
    default: Any,
    help: str,
    allowed: Allowed = ANY,
    *,
    fixed: bool = False,
    carried: bool = False,
    search_size: int | None = None,
    faithful: Any = None,
) -> Any:
    """Makes a row of the table; see Flag.

    Args:
      default: the value in the recommended recipe, and in programs without the flag.
    """
    row = (group, help, allowed, fixed, carried, search_size, faithful)
    return dataclasses.field(default=default, metadata={"row": row})


ARC = "The architecture"
RECIPE = "Recipe"
FILES = "Files"
PICTURES = "Pictures"
IMAGES = "Images"
RUN = "Run"
FORMATS = "Child: number formats"
SHAPE = "Child: shape"
LOSS = "Child: loss and regularization"
RATE = "Child: learning rate"
CONTROLLER = "Controller"
BUDGET = "Budget"


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a program was asked to do: the value of every flag.

    Attributes:
      script: the program, without '.py'.
      names: the flags that the program has, in the program's order.
    """

    script: str = ""
    names: tuple[str, ...] = ()

    # The architecture
    fixed_arc: str = _flag(
        ARC,
        "",
        "The arc string: 8 numbers for each of child_num_cells blocks. "
        "--child_fixed_arc is the same flag.",
        fixed=True,
    )
    recipe: str = _flag(
        RECIPE,
        RECOMMENDED,
        "recommended: the defaults shown here. faithful: train as the older codes did. "
        "Flags that you give, and constants that you edit, stand above the recipe.",
        one_of(RECOMMENDED, FAITHFUL),
    )
    # Files
    output_dir: str = _flag(
        FILES, "./outputs", "Folder for checkpoints, flags and log.", FOLDER
    )
    reset_output_dir: bool = _flag(
        FILES, True, "Start afresh and move an earlier run aside. False continues it."
    )
    save_every_minutes: float = _flag(
        FILES, 10.0, "Write a checkpoint at least this often.", ABOVE_0
    )
    init_from: str = _flag(
        FILES,
        "",
        "Start from the weights of the run in this folder, where names and shapes "
        "agree. Empty: start from random weights.",
        Allowed(FOLDER.words, lambda value: not value or FOLDER.holds(value)),
    )
    train_data_dir: str = _flag(
        FILES,
        "",
        "Training images: a folder with one folder for each class, or a zip of it.",
        carried=True,
    )
    val_data_dir: str = _flag(
        FILES, "", "Validation images, laid out the same way.", carried=True
    )
    test_data_dir: str = _flag(
        FILES, "", "Test images, laid out the same way.", carried=True
    )
    data_path: str = _flag(
        FILES,
        "",
        "Folder with CIFAR-10's data_batch_1 to 5, test_batch and batches.meta.",
        carried=True,
    )
    # Pictures
    output: str = _flag(
        PICTURES,
        "cell",
        "Name of the files to write, without .png and .svg.",
        Allowed("the name of a file", bool),
    )
    network: bool = _flag(
        PICTURES, False, "Draw the whole network, too, into files named …_network."
    )
    # Images
    channel: int = _flag(
        IMAGES,
        1,
        "1 reads images as gray, 3 reads them as colour.",
        Allowed("1 (gray) or 3 (colour)", (1, 3).__contains__),
        fixed=True,
        carried=True,
    )
    img_size: int = _flag(
        IMAGES,
        32,
        "Resize images to this height and width.",
        at_least(1),
        fixed=True,
        carried=True,
    )
    num_valids: int = _flag(
        IMAGES,
        0,
        "Use this many of the last training images for validation. "
        "0 trains on all of them.",
        at_least(0),
    )
    n_aug_img: int = _flag(
        IMAGES,
        1,
        "Train on this many images for each training image: itself and altered copies.",
        at_least(1),
    )
    crop_padding: int = _flag(
        IMAGES,
        0,
        "Pad each training image by this many pixels, then crop it at random.",
        at_least(0),
        carried=True,
    )
    random_flip: bool = _flag(
        IMAGES,
        False,
        "Mirror each training image left to right with probability one half.",
        carried=True,
    )
    random_rotation: float = _flag(
        IMAGES,
        0.0,
        "Rotate each training image at random by at most this many degrees.",
        Allowed("from 0 to 180", lambda value: 0 <= value <= 180),
        carried=True,
    )
    random_zoom: float = _flag(
        IMAGES,
        0.0,
        "Zoom each training image in or out at random by at most this part.",
        DECAY,
        carried=True,
    )
    random_shift: float = _flag(
        IMAGES,
        0.0,
        "Shift each training image at random by at most this many pixels a side.",
        at_least(0),
        carried=True,
    )
    child_cutout_size: int = _flag(
        IMAGES,
        0,
        "Cut a square of this side out of each training image (CutOut). 0 for none.",
        at_least(0),
        carried=True,
    )
    train_limit: int = _flag(
        IMAGES,
        0,
        "Use only this many training images, evenly from all classes. 0 for all.",
        at_least(0),
        carried=True,
    )
    eval_limit: int = _flag(
        IMAGES,
        0,
        "Use only this many validation and test images. 0 for all.",
        at_least(0),
    )
    # Run
    batch_size: int = _flag(RUN, 128, "Images in a batch.", at_least(1), fixed=True)
    num_epochs: int = _flag(
        RUN,
        1,
        "Epochs of child training. 0 prints the network and stops.",
        at_least(0),
    )
    seed: int = _flag(
        RUN,
        0,
        "Seed of all random numbers. 0 draws one, or takes that of the run that is "
        "continued.",
        at_least(0),
        fixed=True,
    )
    max_minutes: float = _flag(
        RUN,
        0.0,
        "Save and end the run after this many minutes. 0 for no end.",
        at_least(0),
    )
    patience: int = _flag(
        RUN,
        0,
        "End the training when this many evaluations in a row have not raised the "
        "accuracy on validation images, and keep the best weights in the folder's "
        "best. 0 for no such end.",
        at_least(0),
    )
    log_every: int = _flag(RUN, 25, "Log every N steps.", at_least(1))
    eval_every_epochs: int = _flag(RUN, 1, "Evaluate every N epochs.", at_least(1))
    # Child: number formats
    child_scheme: str = _flag(
        FORMATS,
        "ternarize",
        "Number format of the network: binarize, ternarize, quantize or float.",
        one_of(*SCHEMES),
        fixed=True,
        carried=True,
    )
    child_first_scheme: str = _flag(
        FORMATS,
        "",
        "Number format of the stem and layer 0. Empty: 4-bit quantize, or float for a "
        "float network.",
        one_of("", *SCHEMES),
        fixed=True,
        carried=True,
    )
    child_n_bits: int = _flag(
        FORMATS,
        4,
        "Bits of weights and activations where the format is quantize.",
        Allowed(
            "from 2 to 16 (1 bit is child_scheme=binarize)", range(2, 17).__contains__
        ),
        fixed=True,
        carried=True,
    )
    child_head_bits: int = _flag(
        FORMATS,
        0,
        "Bits of a weight of the classifier, which is then quantized. 0 keeps float32.",
        Allowed("0, or from 2 to 16", (0, *range(2, 17)).__contains__),
        fixed=True,
        carried=True,
    )
    # Child: shape
    child_num_layers: int = _flag(
        SHAPE,
        6,
        "Number of layers. The network has two more.",
        from_to(1, 500),
        fixed=True,
        carried=True,
        search_size=6,
    )
    child_num_cells: int = _flag(
        SHAPE, 5, "Blocks in a cell.", from_to(1, 100), fixed=True
    )
    child_ops: str = _flag(
        SHAPE,
        CLASSIC.name,
        "Table of operations that a string is of: classic (separable convolutions), "
        "mixed (these in 1, 2 and 4 bits) or plain (plain convolutions).",
        one_of(*TABLES),
        fixed=True,
        carried=True,
    )
    child_out_filters: int = _flag(
        SHAPE,
        16,
        "Filters of the first layer, an even number. Each reduction doubles them.",
        EVEN,
        fixed=True,
        carried=True,
        search_size=20,
    )
    fit_kb: float = _flag(
        SHAPE,
        0.0,
        "Take the most filters with which the packed network has at most this many kB, "
        "of 1000 bytes each. 0 takes child_out_filters.",
        from_to(0, MOST_BYTES // KB),
    )
    child_pool_layers: str = _flag(
        SHAPE,
        "",
        "Numbers of the reduction layers; paper for the paper's two; empty for p, 2p+1 "
        "and child_num_layers, where p = child_num_layers // 4.",
        fixed=True,
        carried=True,
    )
    child_use_aux_heads: bool = _flag(
        SHAPE,
        True,
        "Train an auxiliary classifier beside the network.",
        fixed=True,
        carried=True,
    )
    child_shortcut: bool = _flag(
        SHAPE,
        False,
        "Add a layer's second input to its output.",
        fixed=True,
        carried=True,
        faithful=False,
    )
    child_op_shortcut: bool = _flag(
        SHAPE,
        True,
        "Add the input of an operation that is a convolution to its output, where its "
        "stride is 1.",
        fixed=True,
        carried=True,
        faithful=False,
    )
    child_op_scale: float = _flag(
        SHAPE,
        0.1,
        "Start the scale of such an operation's last batch norm here, where that "
        "shortcut stands beside it. Elsewhere it starts at 1.",
        at_least(0),
        carried=True,
        faithful=1.0,
    )
    child_node_mean: bool = _flag(
        SHAPE,
        True,
        "Make a node the mean of its block's two operations. False makes it their sum.",
        fixed=True,
        carried=True,
        faithful=False,
    )
    child_share_output_kernel: bool = _flag(
        SHAPE,
        True,
        "Share one kernel among all nodes in a layer's output convolution.",
        fixed=True,
        faithful=False,
    )
    child_fold_norms: bool = _flag(
        SHAPE,
        False,
        "Outside of training, compute each batch norm as one product and one sum, "
        "whose two numbers take half the room of its four. A search counts so for its "
        "budget.",
        carried=True,
    )
    # Child: loss and regularization
    child_loss: str = _flag(
        LOSS,
        "cross_entropy",
        "Loss of the child: cross_entropy or squared_hinge.",
        one_of("cross_entropy", "squared_hinge"),
        carried=True,
    )
    child_label_smoothing: float = _flag(
        LOSS,
        0.0,
        "Spread this part of each label evenly over all classes (child_loss="
        "cross_entropy).",
        DECAY,
    )
    child_keep_prob: float = _flag(
        LOSS,
        1.0,
        "Keep this part of the features before the classifier (dropout).",
        PART,
    )
    child_drop_path_keep_prob: float = _flag(
        LOSS,
        1.0,
        "Keep this part of the last layer's branches at the end of training "
        "(drop path).",
        PART,
    )
    child_l2_reg: float = _flag(
        LOSS, 0.0, "Weight of the squared weights' sum in the loss.", at_least(0)
    )
    child_clip_mode: str = _flag(
        LOSS,
        "none",
        "Clip gradients: none, norm (of each tensor) or global (of all together).",
        one_of("none", "norm", "global"),
    )
    child_grad_bound: float = _flag(LOSS, 5.0, "Clip gradients to this norm.", ABOVE_0)
    # Child: learning rate
    child_optim_algo: str = _flag(
        RATE,
        "",
        "Optimizer: adam, momentum or sgd. Empty: adam, or momentum for a float "
        "network.",
        one_of("", "adam", "momentum", "sgd"),
        fixed=True,
    )
    child_adam_beta1: float = _flag(
        RATE,
        0.9,
        "Adam's decay of the average gradient. 0 takes no average.",
        DECAY,
        faithful=0.0,
    )
    child_adam_epsilon: float = _flag(
        RATE,
        1e-8,
        "Adam adds this to a gradient's size before it divides by it.",
        ABOVE_0,
        faithful=1e-3,
    )
    child_lr_cosine: bool = _flag(
        RATE, True, "Use a cosine schedule with restarts. False decays stepwise."
    )
    child_lr_max: float = _flag(
        RATE,
        0.01,
        "Cosine schedule: learning rate after each restart.",
        ABOVE_0,
        faithful=0.05,
    )
    child_lr_min: float = _flag(
        RATE, 0.0005, "Cosine schedule: learning rate before each restart.", at_least(0)
    )
    child_lr_T_0: int = _flag(
        RATE, 10, "Cosine schedule: epochs before the first restart.", at_least(1)
    )
    child_lr_T_mul: int = _flag(
        RATE,
        2,
        "Cosine schedule: each period is this many times as long as the one before.",
        at_least(1),
    )
    child_lr_by_step: bool = _flag(
        RATE, False, "Cosine schedule: fall at each step. False: after each epoch."
    )
    child_lr_warmup: int = _flag(
        RATE, 0, "Raise the learning rate evenly in this many first steps.", at_least(0)
    )
    child_lr: float = _flag(RATE, 0.1, "Stepwise decay: first learning rate.", ABOVE_0)
    child_lr_dec_every: int = _flag(
        RATE, 100, "Stepwise decay: epochs between two decays.", at_least(1)
    )
    child_lr_dec_rate: float = _flag(
        RATE, 0.1, "Stepwise decay: multiply the learning rate by this.", ABOVE_0
    )
    # Controller
    controller_training: bool = _flag(
        CONTROLLER,
        False,
        "Train the controller. False draws every string at random.",
        fixed=True,
    )
    controller_train_every: int = _flag(
        CONTROLLER, 1, "Train the controller every N epochs.", at_least(1)
    )
    controller_train_steps: int = _flag(
        CONTROLLER, 30, "Controller updates in a round.", at_least(1)
    )
    controller_num_aggregate: int = _flag(
        CONTROLLER, 10, "Sampled strings in a controller update.", at_least(1)
    )
    controller_lr: float = _flag(
        CONTROLLER, 0.002, "Learning rate of the controller.", ABOVE_0, faithful=0.0035
    )
    controller_adam_epsilon: float = _flag(
        CONTROLLER,
        1e-8,
        "The controller's Adam adds this to a gradient's size before it divides by it.",
        ABOVE_0,
        faithful=1e-3,
    )
    controller_l2_reg: float = _flag(
        CONTROLLER,
        0.0,
        "Weight of the squared weights' sum in the controller's loss.",
        at_least(0),
    )
    controller_bl_dec: float = _flag(
        CONTROLLER, 0.99, "Decay of the average reward, the log's baseline.", DECAY
    )
    controller_bl_of_update: bool = _flag(
        CONTROLLER,
        True,
        "Judge the strings of an update on the same images, and compare each with the "
        "mean of the others. False compares it with the average reward.",
        fixed=True,
        faithful=False,
    )
    controller_entropy_weight: float = _flag(
        CONTROLLER, 0.0001, "Reward for each nat of a string's entropy.", at_least(0)
    )
    controller_tanh_constant: float = _flag(
        CONTROLLER, 1.10, "Bound of the logits of an index.", ABOVE_0
    )
    controller_op_tanh_reduce: float = _flag(
        CONTROLLER, 2.5, "Divide that bound by this for an operation.", ABOVE_0
    )
    controller_temperature: float = _flag(
        CONTROLLER,
        0.0,
        "Divide logits by this before they are bounded. 0 leaves them.",
        at_least(0),
    )

    # Budget
    budget_kb: float = _flag(
        BUDGET,
        0.0,
        "Reward strings whose packed network, as the train script makes it, has at "
        "most this many kB (1000 bytes). 0 for no bound.",
        at_least(0),
        fixed=True,
    )
    budget_mult_adds: int = _flag(
        BUDGET,
        0,
        "Reward strings whose network takes at most this many multiply-adds for an "
        "image. 0 for no bound.",
        at_least(0),
        fixed=True,
    )
    budget_out_filters: int = _flag(
        BUDGET,
        0,
        "Filters of the network whose cost is counted, an even number. 0 for those "
        "that the command to train a string has.",
        Allowed("even, or 0", lambda value: value >= 0 and value % 2 == 0),
        fixed=True,
    )

    @property
    def operations(self) -> Operations:
        """The table of operations that `child_ops` names."""
        return TABLES[self.child_ops]

    @property
    def has_budget(self) -> bool:
        """Whether bytes or multiply-adds of a string's network have a bound."""
        return bool(self.budget_kb or self.budget_mult_adds)

    def parse_arc(self, text: str) -> Arc:
        """Reads an arc string of these settings' table and number of blocks.

        Raises:
          ValueError: see `enas.space.arc.parse_arc`.
        """
        return parse_arc(text, self.child_num_cells, self.operations)

    def flags(self) -> dict[str, Any]:
        """The values of the flags that the program has, in the program's order."""
        return {name: getattr(self, name) for name in self.names}


_TYPES = get_type_hints(Settings)
FLAGS: dict[str, Flag] = {
    field.name: Flag(
        field.name, _TYPES[field.name], field.default, *field.metadata["row"]
    )
    for field in dataclasses.fields(Settings)
    if "row" in field.metadata
}

# Flags of the older codes that mean nothing here: the one value that is accepted, if
# any, and why the others are refused.
_MACRO = "it belongs to the macro search space; this is the micro one"
_REPLICAS = "TF_CONFIG says which workers share a search (docs/workers.md)"
REFUSED = {
    # absl's own, which would read any file, or let unknown flags pass.
    "flagfile": (None, "flags stand on the command line or in the script"),
    "undefok": (None, "every flag is known, or refused"),
    "search_for": ("micro", "only the micro search space is here"),
    "data_format": ("NHWC", "images are NHWC, the layout that is fast on a CPU"),
    "child_num_branches": (
        None,
        "child_ops names a table of operations",
    ),
    "child_block_size": (None, _MACRO),
    "child_filter_size": (
        None,
        "the operations say their sizes (enas/space/operations.py)",
    ),
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
    "controller_use_critic": (None, "the baseline is a mean of rewards"),
}
