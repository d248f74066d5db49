"""Every flag there is: what it means and which values it may have.

A script gives each flag that it has a default, its constant. To add a flag, write its
entry here and its constant in the scripts that read it.
"""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

from enas.recipes import RECIPES
from enas.schemes import SCHEMES


class Allowed(NamedTuple):
    """The values a flag may have, in words that follow 'it is', and as a test."""

    words: str
    holds: Callable[[Any], bool]


def at_least(bound: int) -> Allowed:
    return Allowed(f"at least {bound}", lambda value: value >= bound)


def one_of(*names: str) -> Allowed:
    """One of some names; the empty string is a default that other flags imply."""
    return Allowed(f"one of {', '.join(filter(None, names))}", names.__contains__)


ANY = Allowed("anything", lambda value: True)
ABOVE_0 = Allowed("above 0", lambda value: value > 0)
PART = Allowed("above 0 and at most 1", lambda value: 0 < value <= 1)
DECAY = Allowed("at least 0 and below 1", lambda value: 0 <= value < 1)


class Flag(NamedTuple):
    """type: bool, int, float or str. help: the sentence that --help shows."""

    type: type
    help: str
    allowed: Allowed = ANY


FLAGS = {
    # The architecture
    "fixed_arc": Flag(
        str,
        "The arc string: 8 numbers for each of child_num_cells blocks; "
        "child_fixed_arc is the same flag.",
    ),
    "recipe": Flag(
        str,
        "recommended, the defaults shown here, or faithful, as older codes trained; "
        "other flags given stand above it.",
        one_of(*RECIPES),
    ),
    # Files
    "output_dir": Flag(
        str,
        "Folder for checkpoints, flags and log.",
        # TensorFlow would take these for patterns of names.
        Allowed(
            "the name of a folder without * ? [ or (except on Windows) \\",
            lambda value: (
                value and not set(value) & set("*?[" + "\\" * (os.sep == "/"))
            ),
        ),
    ),
    "reset_output_dir": Flag(
        bool, "Start afresh, moving an earlier run aside; False continues it."
    ),
    "train_data_dir": Flag(str, "Training images: folder of class folders, or zip."),
    "val_data_dir": Flag(str, "Validation images, laid out alike."),
    "test_data_dir": Flag(str, "Test images, laid out alike."),
    "data_path": Flag(
        str, "Folder with CIFAR-10's data_batch_1 to 5, test_batch and batches.meta."
    ),
    "save_every_minutes": Flag(
        float, "A checkpoint is written at least so often.", ABOVE_0
    ),
    # Pictures
    "output": Flag(
        str,
        "Name of the files that are written, up to .png and .svg.",
        Allowed("the name of a file", bool),
    ),
    "network": Flag(bool, "Draw the network, too, into files named …_network."),
    # Images
    "channel": Flag(
        int,
        "1 reads images as gray, 3 as colour.",
        Allowed("1 (gray) or 3 (colour)", (1, 3).__contains__),
    ),
    "img_size": Flag(int, "Images are resized to this height and width.", at_least(1)),
    "num_valids": Flag(
        int,
        "Validation images, the last of the training set; 0 trains on all.",
        at_least(0),
    ),
    "n_aug_img": Flag(
        int,
        "Images made of each training image: itself and altered copies.",
        at_least(1),
    ),
    "crop_padding": Flag(
        int,
        "Training images are padded by so many pixels and cropped at random.",
        at_least(0),
    ),
    "random_flip": Flag(
        bool, "Mirror a training image left to right, with probability one half."
    ),
    "random_rotation": Flag(
        float,
        "Training images are turned by up to so many degrees, at random.",
        Allowed("from 0 to 180", lambda value: 0 <= value <= 180),
    ),
    "random_zoom": Flag(
        float,
        "Training images are made larger or smaller by up to this part, at random.",
        DECAY,
    ),
    "random_shift": Flag(
        float,
        "Training images are moved by up to so many pixels along each side, at random.",
        at_least(0),
    ),
    "child_cutout_size": Flag(
        int,
        "Side of a square cut out of each training image at random; 0 for none.",
        at_least(0),
    ),
    "train_limit": Flag(
        int,
        "Use only so many training images, evenly by class; 0 for all.",
        at_least(0),
    ),
    "eval_limit": Flag(
        int, "Use only so many validation and test images; 0 for all.", at_least(0)
    ),
    # Run
    "batch_size": Flag(int, "Images in a batch.", at_least(1)),
    "num_epochs": Flag(
        int, "Epochs of child training; 0 prints the model and stops.", at_least(0)
    ),
    "seed": Flag(
        int,
        "Seed of all random numbers; 0 draws one, or goes on with a run's own.",
        at_least(0),
    ),
    "log_every": Flag(int, "Log each so-many-th step.", at_least(1)),
    "eval_every_epochs": Flag(
        int, "Evaluate after each so-many-th epoch.", at_least(1)
    ),
    # Child: number formats
    "child_scheme": Flag(
        str, "binarize, ternarize, quantize or float.", one_of(*SCHEMES)
    ),
    "child_first_scheme": Flag(
        str,
        "Scheme of stem and layer 0; empty: 4-bit, or float for a float child.",
        one_of("", *SCHEMES),
    ),
    "child_n_bits": Flag(
        int,
        "Bits of weights and activations where the scheme is quantize.",
        Allowed(
            "from 2 to 16 (1 bit is child_scheme=binarize)", range(2, 17).__contains__
        ),
    ),
    # Child: shape
    "child_num_layers": Flag(int, "Layers; two more are added.", at_least(1)),
    "child_num_cells": Flag(int, "Blocks in a cell.", at_least(1)),
    "child_out_filters": Flag(
        int,
        "Filters of the first layer, even; each reduction doubles them.",
        Allowed(
            "even and above 0, since a factorized reduction makes two halves",
            lambda value: value > 0 and value % 2 == 0,
        ),
    ),
    "child_pool_layers": Flag(
        str, "Reduction layers: empty for three, 'paper' for two, or numbers."
    ),
    "child_use_aux_heads": Flag(
        bool, "Train with an auxiliary classifier half-way up."
    ),
    "child_shortcut": Flag(
        bool, "Add a layer's second input, calibrated, to its output."
    ),
    "child_op_shortcut": Flag(
        bool, "Add a separable convolution's input to its output."
    ),
    "child_op_scale": Flag(
        float,
        "Where the scale of its last batch norm starts beside that; where nothing is "
        "added, at 1.",
        at_least(0),
    ),
    "child_node_mean": Flag(
        bool, "A node is the mean of its block's operations, and not their sum."
    ),
    "child_share_output_kernel": Flag(
        bool, "One kernel for all nodes in a layer's output convolution."
    ),
    # Child: loss and regularization
    "child_loss": Flag(
        str, "cross_entropy or squared_hinge.", one_of("cross_entropy", "squared_hinge")
    ),
    "child_keep_prob": Flag(
        float, "Part of the features that dropout keeps before the classifier.", PART
    ),
    "child_drop_path_keep_prob": Flag(
        float,
        "Part of the last layer's branches that drop path keeps at the end; "
        "no effect in a search.",
        PART,
    ),
    "child_l2_reg": Flag(
        float, "Weight of the sum of squared weights in the loss.", at_least(0)
    ),
    "child_clip_mode": Flag(
        str,
        "Clip gradients: none, norm (each tensor's) or global (of all).",
        one_of("none", "norm", "global"),
    ),
    "child_grad_bound": Flag(float, "Norm that gradients are clipped to.", ABOVE_0),
    # Child: learning rate
    "child_optim_algo": Flag(
        str,
        "adam, momentum or sgd; empty: adam, or momentum for float.",
        one_of("", "adam", "momentum", "sgd"),
    ),
    "child_adam_beta1": Flag(
        float, "Adam's decay of the average gradient; 0 for none.", DECAY
    ),
    "child_adam_epsilon": Flag(
        float, "What Adam adds to a gradient's size before it divides by it.", ABOVE_0
    ),
    "child_lr_cosine": Flag(
        bool, "Cosine schedule with restarts; False decays stepwise."
    ),
    "child_lr_max": Flag(float, "Cosine: the rate after each restart.", ABOVE_0),
    "child_lr_min": Flag(float, "Cosine: the rate before each restart.", at_least(0)),
    "child_lr_T_0": Flag(int, "Cosine: epochs to the first restart.", at_least(1)),
    "child_lr_T_mul": Flag(
        int, "Cosine: each period is so many times the one before.", at_least(1)
    ),
    "child_lr": Flag(float, "Stepwise: the first rate.", ABOVE_0),
    "child_lr_dec_every": Flag(int, "Stepwise: epochs between decays.", at_least(1)),
    "child_lr_dec_rate": Flag(
        float, "Stepwise: each decay multiplies the rate by this.", ABOVE_0
    ),
    # Controller
    "controller_training": Flag(
        bool, "Train the controller; False draws strings at random."
    ),
    "controller_train_every": Flag(
        int, "Train it after each so-many-th epoch.", at_least(1)
    ),
    "controller_train_steps": Flag(int, "Updates in a round.", at_least(1)),
    "controller_num_aggregate": Flag(
        int, "Sampled strings averaged in an update.", at_least(1)
    ),
    "controller_lr": Flag(float, "Its learning rate.", ABOVE_0),
    "controller_adam_epsilon": Flag(
        float, "What its Adam adds to a gradient's size before it divides.", ABOVE_0
    ),
    "controller_l2_reg": Flag(
        float, "Weight of its sum of squared weights in its loss.", at_least(0)
    ),
    "controller_bl_dec": Flag(
        float, "Decay of the average reward, its baseline in the log.", DECAY
    ),
    "controller_bl_of_update": Flag(
        bool,
        "Judge an update's strings on the same images, and compare each with the mean "
        "of the others; False compares it with the average reward.",
    ),
    "controller_entropy_weight": Flag(
        float, "Reward for each nat of entropy of a string.", at_least(0)
    ),
    "controller_tanh_constant": Flag(float, "Bound of an index's logits.", ABOVE_0),
    "controller_op_tanh_reduce": Flag(
        float, "Divides that bound for an operation's logits.", ABOVE_0
    ),
    "controller_temperature": Flag(
        float, "Divides logits before they are bounded; 0 for none.", at_least(0)
    ),
}

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
    "controller_use_critic": (None, "the baseline is a mean of rewards"),
}
