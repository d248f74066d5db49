"""Networks of two filters and one layer are searched and trained as larger ones are."""

import os

import pytest

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
    "child_num_cells": 2,
    "seed": 1,
}
CASES = [
    # table, scheme, filters, layers, bits of the classifier's weights, folded norms
    ("classic", "quantize", 2, 1, 0, True),
    ("mixed", "ternarize", 2, 2, 8, True),
    ("plain", "binarize", 6, 4, 2, False),
]


@pytest.mark.parametrize("table, scheme, filters, layers, head, fold", CASES)
def test_a_search_and_the_training_of_its_best(
    table, scheme, filters, layers, head, fold, tmp_path
):
    """With reductions, the aux head and all else that the scripts have by default."""
    sizes = {"child_out_filters": filters, "child_num_layers": layers}
    formats = {"child_scheme": scheme, "child_head_bits": head}
    flags = FLAGS | sizes | formats | {"child_ops": table}
    out = str(tmp_path / "out")
    found = enas.search(num_epochs=1, controller_train_steps=1, output_dir=out, **flags)
    assert len(found.ranking) == 20
    arc = found.ranking[0].arc
    flags |= {"num_epochs": 1, "n_aug_img": 1, "child_fold_norms": fold}
    done = enas.train(arc, output_dir=out, **flags)
    assert 0 <= done.evaluations[-1].test <= 1
    settings = kept_run.settings_of(out, "train")
    network = file.read(f"{out}/{file.FILE}")
    shape = network_shape(settings, 1, network.classes)
    size = cost_of(settings.parse_arc(arc), shape).file_bytes
    assert os.path.getsize(f"{out}/{file.FILE}") == size
    assert network.steps[-1].format.bits == (head or 32)
