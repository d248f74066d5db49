"""Networks of two filters and one layer are searched and trained as larger ones are."""

import os

import enas
from enas.flags.network_shape import network_shape
from enas.loop import kept_run
from enas.network import file
from enas.space.cost import cost_of

FLAGS = {
    "img_size": 16,
    "train_limit": 100,
    "eval_limit": 110,
    "batch_size": 20,
    "log_every": 5,
    "seed": 1,
}


def trained_alone(arc, out, head, **flags):
    """Trains a string for an epoch; returns its network, which is as large as its cost
    says, and has a classifier of so many bits, or a real one if `head` is 0."""
    flags = {"child_head_bits": head, "num_epochs": 1, "n_aug_img": 1} | flags
    done = enas.train(arc, output_dir=out, **flags)
    assert 0 <= done.evaluations[-1].test <= 1
    settings = kept_run.settings_of(out, "train")
    network = file.read(f"{out}/{file.FILE}")
    shape = network_shape(settings, 1, network.classes)
    size = cost_of(settings.parse_arc(str(arc)), shape).file_bytes
    assert os.path.getsize(f"{out}/{file.FILE}") == size
    assert network.steps[-1].format.bits == (head or 32)
    return network


def test_a_search_and_the_training_of_its_best(tmp_path):
    """With reductions, the aux head and all else that the scripts have by default. The
    other tables of operations are in test_tables.py."""
    sizes = {"child_out_filters": 2, "child_num_layers": 1, "child_num_cells": 2}
    flags = FLAGS | sizes | {"child_scheme": "quantize"}
    out = str(tmp_path / "out")
    found = enas.search(num_epochs=1, controller_train_steps=1, output_dir=out, **flags)
    assert len(found.ranking) == 20
    trained_alone(found.ranking[0].arc, out, 0, child_fold_norms=True, **flags)
