"""Trains the network of one arc string on MNIST, or on images of your own.

    python train_arc_mnist.py -fixed_arc "0 2 1 4 …" >> mnist_arc.txt

Edit the constants below, or pass them as flags.
"""

from enas.flags import (
    DEFINE_alias,
    DEFINE_boolean,
    DEFINE_float,
    DEFINE_integer,
    DEFINE_string,
)
from enas.main import main

# The architecture
DEFINE_string(
    "fixed_arc", "", "The arc string: 8 numbers for each of child_num_cells blocks."
)
DEFINE_alias("child_fixed_arc", "fixed_arc")

# Files
DEFINE_string("output_dir", "./outputs_arc", "Folder for checkpoints, flags and log.")
DEFINE_boolean(
    "reset_output_dir",
    True,
    "Start afresh, moving an earlier run aside; False continues it.",
)
DEFINE_string(
    "train_data_dir",
    "./data/mnist/train",
    "Training images: folder of class folders, or zip.",
)
DEFINE_string(
    "val_data_dir", "./data/mnist/valid", "Validation images, laid out alike."
)
DEFINE_string("test_data_dir", "./data/mnist/test", "Test images, laid out alike.")

# Images
DEFINE_integer("channel", 1, "1 reads images as gray, 3 as colour.")
DEFINE_integer("img_size", 32, "Images are resized to this height and width.")
DEFINE_integer(
    "n_aug_img", 3, "Images made of each training image: itself and altered copies."
)
DEFINE_integer(
    "train_limit", 0, "Use only so many training images, evenly by class; 0 for all."
)
DEFINE_integer(
    "eval_limit", 0, "Use only so many validation and test images; 0 for all."
)

# Run
DEFINE_integer("batch_size", 128, "Images in a batch.")
DEFINE_integer(
    "num_epochs", 300, "Epochs of child training; 0 prints the model and stops."
)
DEFINE_integer("seed", 0, "Seed of all random numbers; 0 takes another one each time.")
DEFINE_integer("log_every", 50, "Log each so-many-th step.")
DEFINE_integer("eval_every_epochs", 1, "Evaluate after each so-many-th epoch.")

# Child: number formats
DEFINE_string("child_scheme", "ternarize", "binarize, ternarize, quantize or float.")
DEFINE_string(
    "child_first_scheme",
    "",
    "Scheme of stem and layer 0; empty: 4-bit, or float for a float child.",
)
DEFINE_integer(
    "child_n_bits", 4, "Bits of weights and activations where the scheme is quantize."
)

# Child: shape
DEFINE_integer("child_num_layers", 6, "Layers; two more are added.")
DEFINE_integer("child_num_cells", 5, "Blocks in a cell.")
DEFINE_integer(
    "child_out_filters",
    16,
    "Filters of the first layer, even; each reduction doubles them.",
)
DEFINE_string(
    "child_pool_layers",
    "",
    "Reduction layers: empty for three, 'paper' for two, or numbers.",
)
DEFINE_boolean(
    "child_use_aux_heads", True, "Train with an auxiliary classifier half-way up."
)

# Child: loss and regularization
DEFINE_string("child_loss", "cross_entropy", "cross_entropy or squared_hinge.")
DEFINE_float(
    "child_keep_prob",
    1.0,
    "Part of the features that dropout keeps before the classifier.",
)
DEFINE_float(
    "child_drop_path_keep_prob",
    1.0,
    "Part of the last layer's branches that drop path keeps at the end.",
)
DEFINE_float("child_l2_reg", 0.0, "Weight of the sum of squared weights in the loss.")
DEFINE_string(
    "child_clip_mode",
    "none",
    "Clip gradients: none, norm (each tensor's) or global (of all).",
)
DEFINE_float("child_grad_bound", 5.0, "Norm that gradients are clipped to.")

# Child: learning rate
DEFINE_string(
    "child_optim_algo", "", "adam, momentum or sgd; empty: adam, or momentum for float."
)
DEFINE_boolean(
    "child_lr_cosine", True, "Cosine schedule with restarts; False decays stepwise."
)
DEFINE_float("child_lr_max", 0.05, "Cosine: the rate after each restart.")
DEFINE_float("child_lr_min", 0.00001, "Cosine: the rate before each restart.")
DEFINE_integer("child_lr_T_0", 10, "Cosine: epochs to the first restart.")
DEFINE_integer(
    "child_lr_T_mul", 2, "Cosine: each period is so many times the one before."
)
DEFINE_float("child_lr", 0.1, "Stepwise: the first rate.")
DEFINE_integer("child_lr_dec_every", 100, "Stepwise: epochs between decays.")
DEFINE_float(
    "child_lr_dec_rate", 0.1, "Stepwise: each decay multiplies the rate by this."
)

if __name__ == "__main__":
    main("train")
