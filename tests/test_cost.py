"""The cost of a string, against the network that is built of it."""

import random
import time

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import search_arc_mnist
import train_arc_mnist
from enas.common_ops import BUILDERS
from enas.export.walk import Source, network_of
from enas.fixed_child import FixedChild
from enas.flags.network_shape import network_shape
from enas.flags.parse import parse
from enas.network import file
from enas.network.network import stored_by
from enas.network.steps import Convolve, Dense, Depthwise, Reduce
from enas.report.summary import AUX_HEAD, parts_of
from enas.space import cost
from enas.space.arc import arc_from_numbers, parse_arc, random_arc
from enas.space.cost import NetworkShape, about_network, cost_of
from enas.space.layer_plan import default_pool_layers
from enas.space.operations import TABLES
from enas.space.schemes import SchemeSpec, head_spec
from tests.children import tiny_config

SPECS = [
    *(SchemeSpec(name) for name in ("binarize", "ternarize", "float")),
    *(SchemeSpec("quantize", bits) for bits in (2, 4, 8)),
]
CLASSES = ("a", 'q"', "ü")
ARC = "0 2 1 4 1 3 0 1 1 0 1 0 1 2 0 4 0 0 0 1 1 3 1 4 0 1 1 1 1 2 1 4 3 2 0 2 1 1 0 3"


def built(arc, shape):
    """The network of a string and its parts, from the graph."""
    config = tiny_config(
        img_size=shape.img_size,
        channels=shape.channels,
        num_classes=len(shape.classes),
        num_layers=shape.num_layers,
        num_cells=len(arc.normal),
        out_filters=shape.out_filters,
        pool_layers=shape.pool_layers,
        first_scheme=shape.first_scheme.make(),
        head_scheme=shape.head_scheme.make(),
        operations=shape.operations,
        shortcut=shape.shortcut,
        op_shortcut=shape.op_shortcut,
        node_mean=shape.node_mean,
        fold_norms=shape.fold_norms,
    )._replace(scheme=shape.scheme.make())
    with tf.Graph().as_default():
        side, channels = shape.img_size, shape.channels
        images = tf.compat.v1.placeholder(tf.float32, [None, side, side, channels])
        labels = tf.zeros([1], tf.int32)
        model = FixedChild(config, arc, tf.constant(0.0))
        outputs = model.build(images, labels, training=True)
        evaluated = model.build(images, labels, training=False)
        ones = np.ones(channels, np.float32)
        about = about_network(str(arc), shape.scheme.name, shape.operations)
        source = Source(images, ones, ones, shape.classes)
        network = network_of(evaluated, source, about)
        return network, parts_of(model, outputs, network)


def check(arc, shape):
    network, parts = built(arc, shape)
    found = cost_of(arc, shape)
    assert found.file_bytes == file.file_bytes(network)
    parts = [part for part in parts if part.name != AUX_HEAD]
    assert found.multiply_adds == sum(part.multiply_adds for part in parts)
    kernels = [
        stored
        for step, stored in zip(network.steps, stored_by(network.steps), strict=True)
        if isinstance(step, Convolve | Depthwise | Reduce | Dense)
    ]
    bits = sum(tensor.bits for stored in kernels for tensor in stored)
    assert found.weight_bytes == -(-bits // 8) == file.weight_bytes(network)


@settings(max_examples=8, deadline=None, phases=(Phase.generate,))
@given(
    st.integers(0, 10**6),
    st.sampled_from(list(TABLES.values())),
    st.sampled_from(SPECS),
    st.sampled_from(SPECS),
    st.tuples(*[st.booleans()] * 3),
    st.data(),
)
def test_any_string_costs_what_its_network_takes(
    seed, operations, scheme, first, switches, data
):
    rng = random.Random(seed)
    num_layers = data.draw(st.integers(1, 3))
    pools = data.draw(
        st.lists(st.integers(0, num_layers + 1), min_size=1, max_size=3, unique=True)
    )
    shape = NetworkShape(
        data.draw(st.sampled_from([8, 16])),
        data.draw(st.sampled_from([1, 3])),
        CLASSES,
        num_layers,
        data.draw(st.sampled_from([2, 4, 6])),
        tuple(sorted(pools)),
        scheme,
        first,
        operations,
        *switches,
        head_spec(data.draw(st.sampled_from([0, 2, 8]))),
        data.draw(st.booleans()),
    )
    check(random_arc(data.draw(st.integers(1, 4)), rng, operations), shape)


# Nodes that no other block reads, twice the same node, and inputs that are unread: a
# layer's output then has pieces that are the same, and reaches a reduction as it is.
ODD = (
    [0, 4, 0, 4, 0, 4, 0, 4, 1, 2, 1, 2, 1, 2, 1, 2],
    [1, 0, 1, 0, 2, 0, 2, 0, 0, 0, 0, 4, 1, 3, 1, 1],
    [1, 4, 1, 4, 2, 4, 2, 4, 0, 4, 0, 4, 2, 2, 0, 3],
)


@pytest.mark.parametrize("numbers", ODD)
@pytest.mark.parametrize("table", TABLES)
def test_odd_strings(numbers, table):
    shape = NetworkShape(
        *(8, 1, CLASSES, 2, 4, (1, 2), SPECS[1], SchemeSpec("quantize")),
        *(TABLES[table], True, True, True),
    )
    check(arc_from_numbers(numbers), shape)


def default_shape(table="classic"):
    """The train script's network of MNIST."""
    return NetworkShape(
        *(32, 1, tuple("0123456789"), 6, 16, default_pool_layers(6)),
        *(SchemeSpec("ternarize"), SchemeSpec("quantize"), TABLES[table]),
        *(False, True, True),
    )


def test_the_string_of_the_docs():
    """docs/number_formats.md shows its summary."""
    found = cost_of(parse_arc(ARC, 5), default_shape())
    assert found.multiply_adds == 55_015_680
    assert round(found.file_bytes / 1000, 1) == 309.1


def test_more_bits_cost_more():
    shape = default_shape("mixed")
    numbers = [parse_arc(ARC, 5, TABLES["mixed"])]
    plain = [int(word) for word in ARC.split()]
    costs = []
    for width in range(3):
        mixed = [
            {0: width, 1: 3 + width, 2: 6, 3: 7, 4: 8}[n] if i % 2 else n
            for i, n in enumerate(plain)
        ]
        numbers = arc_from_numbers(mixed, shape.operations)
        costs.append(cost_of(numbers, shape))
    assert costs[0].weight_bytes < costs[1].weight_bytes < costs[2].weight_bytes
    assert costs[0].file_bytes < costs[1].file_bytes < costs[2].file_bytes
    assert len({one.multiply_adds for one in costs}) == 1
    classic = cost_of(parse_arc(ARC, 5), default_shape())
    assert costs[1].multiply_adds == classic.multiply_adds
    # Layer 0 of the classic network has four bits, that of the mixed one its own two.
    assert costs[1].weight_bytes < classic.weight_bytes


@pytest.mark.parametrize("table", TABLES)
def test_it_is_quick(table):
    rng, shape = random.Random(1), default_shape(table)
    arcs = [random_arc(5, rng, shape.operations) for _ in range(20)]
    seconds = []
    for _ in range(5):
        start = time.process_time()
        for arc in arcs:
            cost_of(arc, shape)
        seconds.append((time.process_time() - start) / len(arcs))
    assert min(seconds) < 0.005  # some 0.0007 where nothing else runs


def test_every_builder_has_its_steps():
    assert cost._OPERATIONS.keys() == BUILDERS.keys()


def test_the_shape_of_settings():
    """A search's constants give the network of its own size."""
    text = f"--fixed_arc={ARC}"
    settings = parse(["train_arc_mnist.py", text], train_arc_mnist.CONSTANTS)
    assert network_shape(settings, 1, "0123456789") == default_shape()
    settings = parse(
        ["search_arc_mnist.py", "--child_ops=plain", "--child_scheme=float"],
        search_arc_mnist.CONSTANTS,
    )
    shape = network_shape(settings, 3, ["a", "b"])
    assert (shape.out_filters, shape.operations) == (20, TABLES["plain"])
    assert shape.scheme.name == shape.first_scheme.name == "float"
