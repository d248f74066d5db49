"""The summary of a child, against one counted by hand."""

import pytest
import tensorflow as tf

from enas.fixed_child import FixedChild
from enas.micro_child import MicroChild
from enas.report.summary import Part, parts_of, table
from enas.space.arc import arc_from_numbers
from enas.space.operations import TABLES
from enas.space.schemes import make_scheme
from enas.utils import TrainConfig, get_train_ops
from tests.children import SCHEME_NAMES, images_and_labels, placeholders, tiny_config

BITS = {"binarize": 1, "ternarize": 2, "quantize": 4, "float": 32}
# One layer + 2 of 4 filters, 8×8 gray images, 3 classes; layer 1 reduces to 8 filters.
# Normal cell: conv 3×3 on node 1 + identity of node 0. Reduction cell: conv 5×5 on node
# 1 + average pool of node 1; node 0 is unread.
NUMBERS = [1, 0, 0, 4, 1, 1, 1, 2]
# By hand, for each part: numbers in kernels, numbers in batch norms and classifier,
# multiply-adds, output, what convolutions read.
COUNTED = {
    "stem": (9 * 12, 2 * 12, 64 * 9 * 12, (8, 8, 12), {"real": 1}),
    # Calibrates 12 → 4 twice; preprocesses 4 → 4; two stacks of depthwise, pointwise.
    "layer 0, normal": (
        2 * 48 + 16 + 2 * (36 + 16),
        2 * 8 + 8 + 2 * 8,
        64 * (2 * 48 + 16 + 2 * (36 + 16)),
        (8, 8, 4),
        {"act": 5, "sums": 2},
    ),
    # Calibrates 12 → 8 and 4 → 8, preprocesses 8 → 8, all at 8×8. The separable conv
    # brings 8×8 to 4×4, and so does node 0's factorized reduction.
    "layer 1, reduction": (
        96 + 32 + 64 + 2 * (25 * 8 + 64) + 64,
        3 * 16 + 2 * 16 + 16,
        64 * (96 + 32 + 64) + 16 * (2 * (25 * 8 + 64) + 64),
        (4, 4, 16),
        {"act": 5, "sums": 2, "real": 1},
    ),
    # Node 0 is [8, 8, 4], reduced to 8 filters at 4×4; node 1 [4, 4, 16] → 8.
    "layer 2, normal": (
        32 + 128 + 64 + 2 * (72 + 64),
        3 * 16 + 2 * 16,
        16 * (32 + 128 + 64 + 2 * (72 + 64)),
        (4, 4, 8),
        {"act": 5, "sums": 2},
    ),
    "classifier": (0, 24, 24, (3,), {}),
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
    parts = {part.name: part for part in parts_of(model, outputs)}
    assert list(parts) == list(COUNTED)
    for name, (latent, others, work, shape, reads) in COUNTED.items():
        part = parts[name]
        bits = 8 if name in ("stem", "layer 0, normal") else BITS[scheme]
        bits = 32 if name == "classifier" else bits
        assert part.shape == shape
        assert part.weights == latent + others
        assert part.bits == (bits,)
        assert part.reads == reads
        assert part.multiply_adds == work, name
        # Beside each scale and offset there are a moving mean and variance, and beside
        # the stem the mean and standard deviation of the one channel of the images.
        stored = others if name == "classifier" else 2 * others
        stored += 2 if name == "stem" else 0
        assert part.packed_bytes == -(-(latent * bits + stored * 32) // 8)
        assert part.float_bytes == 4 * (latent + stored)
    assert sum(part.weights for part in parts.values()) == model.count_params()[0]
    total = _total(list(parts.values()))
    assert f" {sum(part.multiply_adds for part in parts.values()):,} " in total


# The same cells of other tables. By hand, for each layer: numbers in kernels by their
# bits, numbers in batch norms, multiply-adds, what convolutions read.
TABLED = {
    "mixed": (
        [1, 0, 0, 8, 1, 5, 1, 6],  # 3×3 in 1 bit, 5×5 in 4 bits
        {
            "layer 0, normal": (
                {1: 2 * (36 + 16), 8: 2 * 48 + 16},
                *(40, 64 * (2 * 48 + 16 + 2 * (36 + 16)), {"act": 5, "sums": 2}),
            ),
            "layer 1, reduction": (
                {2: 96 + 32 + 64 + 64, 4: 2 * (25 * 8 + 64)},
                *(96, 64 * (96 + 32 + 64) + 16 * (2 * (25 * 8 + 64) + 64)),
                {"act": 5, "sums": 2, "real": 1},
            ),
            "layer 2, normal": (
                {1: 2 * (72 + 64), 2: 32 + 128 + 64},
                *(80, 16 * (32 + 128 + 64 + 2 * (72 + 64)), {"act": 5, "sums": 2}),
            ),
        },
    ),
    "plain": (
        NUMBERS,
        {
            "layer 0, normal": (
                {8: 2 * 48 + 16 + 9 * 16},
                *(32, 64 * (2 * 48 + 16 + 9 * 16), {"act": 4}),
            ),
            "layer 1, reduction": (
                {2: 96 + 32 + 64 + 25 * 64 + 64},
                *(80, 64 * (96 + 32 + 64) + 16 * (25 * 64 + 64)),
                {"act": 4, "real": 1},
            ),
            "layer 2, normal": (
                {2: 32 + 128 + 64 + 9 * 64},
                *(64, 16 * (32 + 128 + 64 + 9 * 64), {"act": 4}),
            ),
        },
    ),
}


@pytest.mark.parametrize("name", TABLED)
def test_other_tables_counted_by_hand(graph, name):
    numbers, counted = TABLED[name]
    operations = TABLES[name]
    config = tiny_config(
        num_layers=1,
        num_cells=1,
        first_scheme=make_scheme("quantize", 8),
        operations=operations,
    )
    arc = arc_from_numbers(numbers, operations)
    model = FixedChild(config, arc, tf.constant(0.0))
    outputs = model.build(*images_and_labels(config), True)
    parts = {part.name: part for part in parts_of(model, outputs)}
    assert list(parts) == list(COUNTED)
    for layer, (latent, others, work, reads) in counted.items():
        part = parts[layer]
        assert part.weights == sum(latent.values()) + others
        assert part.bits == tuple(sorted(latent))
        assert part.multiply_adds == work
        assert part.reads == reads
        bits = sum(bits * count for bits, count in latent.items())
        assert part.packed_bytes == -(-(bits + 2 * others * 32) // 8)
        shown = ",".join(map(str, sorted(latent)))
        (row,) = [x for x in table(list(parts.values())).splitlines() if layer in x]
        assert f" {shown} " in row


def test_the_aux_head_stands_below_and_is_not_counted(graph):
    config = tiny_config(num_layers=1, num_cells=1, use_aux_heads=True)
    model = FixedChild(config, arc_from_numbers(NUMBERS), tf.constant(0.0))
    outputs = model.build(*images_and_labels(config), True)
    parts = parts_of(model, outputs)
    assert parts[-1].name == "aux head, in training"
    params, aux_params = model.count_params()
    assert parts[-1].weights == aux_params
    assert f" {params:,} " in _total(parts)
    # A pool, which the first convolution reads; the second is over the whole area.
    assert parts[-1].reads == {"real": 1, "act": 1}


def _total(parts):
    """The table's last row; what follows explains its columns."""
    (row,) = [x for x in table(parts).splitlines() if x.startswith("total")]
    return row


@pytest.mark.parametrize("size", [8, 16])
def test_a_real_2x2_convolution_is_counted_whole(graph, size):
    """The aux head's, at 8×8: not every 2×2 kernel is a factorized reduction's."""
    config = tiny_config(
        img_size=size, num_layers=1, num_cells=1, pool_layers=(0,), use_aux_heads=True
    )
    model = FixedChild(config, arc_from_numbers(NUMBERS), tf.constant(0.0))
    outputs = model.build(*images_and_labels(config), True)
    channels = outputs.layers[1].channels
    # Average pool 5×5, stride 3, of 4×4 and 8×8: 2×2 (SAME) and 2×2 (VALID).
    expected = 2 * 2 * (channels * 128 + 2 * 2 * 128 * 768) + 768 * 3
    assert parts_of(model, outputs)[-1].multiply_adds == expected


def test_a_search_child_counts_every_candidate(graph):
    config = tiny_config("ternarize")
    model = MicroChild(config, *placeholders(config))
    outputs = model.build(*images_and_labels(config), True)
    parts = parts_of(model, outputs)
    assert sum(part.weights for part in parts) == model.count_params()[0]
    layers = [part for part in parts if part.name.startswith("layer")]
    assert [part.multiply_adds for part in layers] == [None] * 4
    assert all(part.packed_bytes < part.float_bytes / 3 for part in layers)
    assert "per string" in _total(parts)


def test_a_summary_in_a_terminal():
    """Its numbers are as wide as those of a large network."""
    reads = {"act": 130, "sums": 106, "real": 4}
    numbers = (10**6, (32,), reads, 10**9, 10**7, 10**8)
    parts = [Part("aux head, in training", (128, 128, 64), *numbers)]
    wide = table(parts)
    assert max(map(len, wide.splitlines())) > 80 and table(parts, columns=200) == wide
    narrow = table(parts, columns=80)
    assert max(map(len, narrow.splitlines())) <= 80
    row = narrow.splitlines()[1].split()
    assert row[-4:] == ["32", "1,000,000,000", "10,000.0", "kB"]
