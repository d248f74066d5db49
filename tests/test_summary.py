"""The summary of a child, against one counted by hand."""

import pytest
import tensorflow as tf

from enas.arc import arc_from_numbers
from enas.fixed_child import FixedChild
from enas.micro_child import MicroChild
from enas.schemes import make_scheme
from enas.summary import parts_of, table
from enas.utils import TrainConfig, get_train_ops
from tests.children import SCHEME_NAMES, images_and_labels, placeholders, tiny_config

BITS = {"binarize": 1, "ternarize": 2, "quantize": 4, "float": 32}
# One layer + 2 of 4 filters, 8×8 gray images, 3 classes; layer 1 reduces to 8 filters.
# Normal cell: conv 3×3 on node 1 + identity of node 0. Reduction cell: conv 5×5 on node
# 1 + average pool of node 1; node 0 is unread.
NUMBERS = [1, 0, 0, 4, 1, 1, 1, 2]
# By hand, for each part: numbers in kernels, numbers in batch norms and classifier,
# multiply-adds, output.
COUNTED = {
    "stem": (9 * 12, 2 * 12, 64 * 9 * 12, (8, 8, 12)),
    # Calibrates 12 → 4 twice; preprocesses 4 → 4; two stacks of depthwise, pointwise.
    "layer 0, normal": (
        2 * 48 + 16 + 2 * (36 + 16),
        2 * 8 + 8 + 2 * 8,
        64 * (2 * 48 + 16 + 2 * (36 + 16)),
        (8, 8, 4),
    ),
    # Calibrates 12 → 8 and 4 → 8, preprocesses 8 → 8, all at 8×8. The separable conv
    # brings 8×8 to 4×4, and so does node 0's factorized reduction.
    "layer 1, reduction": (
        96 + 32 + 64 + 2 * (25 * 8 + 64) + 64,
        3 * 16 + 2 * 16 + 16,
        64 * (96 + 32 + 64) + 16 * (2 * (25 * 8 + 64) + 64),
        (4, 4, 16),
    ),
    # Node 0 is [8, 8, 4], reduced to 8 filters at 4×4; node 1 [4, 4, 16] → 8.
    "layer 2, normal": (
        32 + 128 + 64 + 2 * (72 + 64),
        3 * 16 + 2 * 16,
        16 * (32 + 128 + 64 + 2 * (72 + 64)),
        (4, 4, 8),
    ),
    "classifier": (0, 24, 24, (3,)),
}


@pytest.mark.parametrize("scheme", SCHEME_NAMES)
def test_a_fixed_child_counted_by_hand(graph, scheme):
    config = tiny_config(
        scheme,
        num_layers=1,
        num_cells=1,
        first_scheme=make_scheme("quantize", 8),
    )
    model = FixedChild(config, arc_from_numbers(NUMBERS), tf.constant(0.0))
    images, labels = images_and_labels(config)
    outputs = model.build(images, labels, True)
    step = tf.compat.v1.train.get_or_create_global_step()
    get_train_ops(outputs.total_loss, model.variables(), TrainConfig(), step, 1, 1)
    model.build(images, labels, False)
    parts = {part.name: part for part in parts_of(model)}
    assert list(parts) == list(COUNTED)
    for name, (latent, others, work, shape) in COUNTED.items():
        part = parts[name]
        bits = 8 if name in ("stem", "layer 0, normal") else BITS[scheme]
        bits = 32 if name == "classifier" else bits
        assert part.shape == shape
        assert part.weights == latent + others
        assert part.weight_bits == bits
        assert part.activation_bits == (32 if name == "stem" else bits)
        assert part.multiply_adds == work, name
        assert part.packed_bytes == -(-(latent * bits + others * 32) // 8)
        assert part.float_bytes == 4 * (latent + others)
    assert sum(part.weights for part in parts.values()) == model.count_params()[0]
    total = table(list(parts.values())).splitlines()[-1]
    assert f" {sum(part.multiply_adds for part in parts.values()):,} " in total


def test_the_aux_head_stands_below_and_is_not_counted(graph):
    config = tiny_config(num_layers=1, num_cells=1, use_aux_heads=True)
    model = FixedChild(config, arc_from_numbers(NUMBERS), tf.constant(0.0))
    model.build(*images_and_labels(config), True)
    parts = parts_of(model)
    assert parts[-1].name == "aux head, in training"
    params, aux_params = model.count_params()
    assert parts[-1].weights == aux_params
    assert f" {params:,} " in table(parts).splitlines()[-1]


def test_a_search_child_counts_every_candidate(graph):
    config = tiny_config("ternarize")
    model = MicroChild(config, *placeholders(config))
    model.build(*images_and_labels(config), False)
    parts = parts_of(model)
    assert sum(part.weights for part in parts) == model.count_params()[0]
    layers = [part for part in parts if part.name.startswith("layer")]
    assert [part.multiply_adds for part in layers] == [None] * 4
    assert all(part.packed_bytes < part.float_bytes / 3 for part in layers)
    assert "per string" in table(parts).splitlines()[-1]
