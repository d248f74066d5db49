"""Trains the network of one arc string on CIFAR-10.

    python train_arc_cifar.py -fixed_arc "0 2 1 4 …" >> cifar_arc.txt

data/cifar10_dataset.txt says how to get the images.
Edit the constants below, or pass them as flags; `--help` says what each one means.
"""

from enas.loop.main import main

CONSTANTS = {
    # The architecture
    "fixed_arc": "",
    # The constants below are the recommended recipe. --recipe=faithful trains as the
    # older codes did (enas/flags/table.py).
    "recipe": "recommended",
    # Files
    "output_dir": "./outputs_arc_cifar",
    "reset_output_dir": True,
    "save_every_minutes": 10.0,
    "init_from": "",
    "data_path": "./data/cifar10",
    # Images
    "num_valids": 0,
    "crop_padding": 4,
    "random_flip": True,
    "random_rotation": 0.0,
    "random_zoom": 0.0,
    "random_shift": 0.0,
    "child_cutout_size": 0,
    "train_limit": 0,
    "eval_limit": 0,
    # Run
    "batch_size": 32,
    "num_epochs": 310,
    "seed": 0,
    "max_minutes": 0.0,
    "patience": 0,
    "log_every": 50,
    "eval_every_epochs": 1,
    # Child: number formats
    "child_scheme": "ternarize",
    "child_first_scheme": "",
    "child_n_bits": 4,
    "child_head_bits": 0,
    # Child: shape
    "child_num_layers": 15,
    "child_num_cells": 5,
    "child_ops": "classic",
    "child_out_filters": 16,
    "fit_kb": 0.0,
    "child_pool_layers": "",
    "child_use_aux_heads": True,
    "child_shortcut": False,
    "child_op_shortcut": True,
    "child_op_scale": 0.1,
    "child_node_mean": True,
    "child_fold_norms": False,
    # Child: loss and regularization
    "child_loss": "cross_entropy",
    "child_label_smoothing": 0.0,
    "child_keep_prob": 1.0,
    "child_drop_path_keep_prob": 1.0,
    "child_l2_reg": 0.0,
    "child_clip_mode": "none",
    "child_grad_bound": 5.0,
    # Child: learning rate
    "child_optim_algo": "",
    "child_adam_beta1": 0.9,
    "child_adam_epsilon": 1e-8,
    "child_lr_cosine": True,
    "child_lr_max": 0.01,
    "child_lr_min": 0.0001,
    "child_lr_T_0": 10,
    "child_lr_T_mul": 2,
    "child_lr_by_step": False,
    "child_lr_warmup": 0,
    "child_lr": 0.1,
    "child_lr_dec_every": 100,
    "child_lr_dec_rate": 0.1,
}

if __name__ == "__main__":
    main("train", CONSTANTS)
