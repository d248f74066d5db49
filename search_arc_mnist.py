"""Searches for low-bit cells on MNIST, or on images of your own.

    python search_arc_mnist.py >> mnist_search.txt

Afterwards, train the best string of the log with train_arc_mnist.py.

Edit the constants below, or pass them as flags; `--help` says what each one means.
"""

from enas.loop.main import main

CONSTANTS = {
    # The constants below are the recommended recipe. --recipe=faithful trains as the
    # older codes did (enas/flags/table.py).
    "recipe": "recommended",
    # Files
    "output_dir": "./outputs",
    "reset_output_dir": True,
    "save_every_minutes": 10.0,
    "init_from": "",
    "train_data_dir": "./data/mnist/train",
    "val_data_dir": "./data/mnist/valid",
    "test_data_dir": "./data/mnist/test",
    # Images
    "channel": 1,
    "img_size": 32,
    "n_aug_img": 1,
    "crop_padding": 0,
    "random_flip": False,
    "random_rotation": 0.0,
    "random_zoom": 0.0,
    "random_shift": 0.0,
    "child_cutout_size": 0,
    "train_limit": 0,
    "eval_limit": 0,
    # Run
    "batch_size": 128,
    "num_epochs": 300,
    "seed": 0,
    "max_minutes": 0.0,
    "log_every": 25,
    "eval_every_epochs": 1,
    # Child: number formats
    "child_scheme": "ternarize",
    "child_first_scheme": "",
    "child_n_bits": 4,
    "child_head_bits": 0,
    # Child: shape
    "child_num_layers": 6,
    "child_num_cells": 5,
    "child_ops": "classic",
    "child_out_filters": 20,
    "child_pool_layers": "",
    "child_use_aux_heads": True,
    "child_shortcut": False,
    "child_op_shortcut": True,
    "child_op_scale": 0.1,
    "child_node_mean": True,
    "child_share_output_kernel": True,
    "child_fold_norms": False,
    # Child: loss and regularization
    "child_loss": "cross_entropy",
    "child_label_smoothing": 0.0,
    "child_keep_prob": 1.0,
    "child_l2_reg": 0.0,
    "child_clip_mode": "none",
    "child_grad_bound": 5.0,
    # Child: learning rate
    "child_optim_algo": "",
    "child_adam_beta1": 0.9,
    "child_adam_epsilon": 1e-8,
    "child_lr_cosine": True,
    "child_lr_max": 0.01,
    "child_lr_min": 0.0005,
    "child_lr_T_0": 10,
    "child_lr_T_mul": 2,
    "child_lr_by_step": False,
    "child_lr_warmup": 0,
    "child_lr": 0.1,
    "child_lr_dec_every": 100,
    "child_lr_dec_rate": 0.1,
    # Controller
    "controller_training": True,
    "controller_train_every": 1,
    "controller_train_steps": 30,
    "controller_num_aggregate": 10,
    "controller_lr": 0.002,
    "controller_adam_epsilon": 1e-8,
    "controller_l2_reg": 0.0,
    "controller_bl_dec": 0.99,
    "controller_bl_of_update": True,
    "controller_entropy_weight": 0.0001,
    "controller_tanh_constant": 1.10,
    "controller_op_tanh_reduce": 2.5,
    "controller_temperature": 0.0,
    # Budget
    "budget_kb": 0.0,
    "budget_mult_adds": 0,
    "budget_out_filters": 0,
}

if __name__ == "__main__":
    main("search", CONSTANTS)
