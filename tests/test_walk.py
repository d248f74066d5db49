"""The walk over a child's graph: its network computes what TensorFlow does."""

import random

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from enas.network import file
from enas.network.network import values_of
from enas.network.steps import EXACT, Threshold
from enas.space.arc import random_arc
from enas.space.operations import CLASSIC, TABLES
from tests.networks import (
    ABOUT,
    CLASSES,
    head_of,
    random_child,
    real_outputs,
)

# Where vectors are shorter, TensorFlow rounds batch norms in yet other ways.
with open("/proc/cpuinfo", encoding="utf-8") as cpus:
    needs_avx2 = pytest.mark.skipif("avx2" not in cpus.read(), reason="needs AVX2")

FORMATS = [("binarize", 1), ("ternarize", 2), *(("quantize", n) for n in (2, 3, 4, 8))]
SWITCHES = ("shortcut", "op_shortcut", "node_mean", "fold_norms")


def check(child):
    """Checks a child's network against its graph, and what else follows from it."""
    network, simple = child.trained.network, child.trained.simplified()
    outputs, last = real_outputs(network, child.images), len(network.steps) - 1
    # TensorFlow rounds larger sums, in an order of its own; a network does not.
    large = [
        number
        for number, value in enumerate(values_of(network.steps))
        if value.integers and value.integers.most >= EXACT
    ]
    first_large = min(large, default=last)
    for numbers, expected in child.made:
        if max(numbers) < first_large:
            found = np.concatenate([outputs[number] for number in numbers], axis=-1)
            what = [network.steps[number] for number in numbers]
            expected = expected.reshape(found.shape)  # a matrix of pixels, perhaps
            np.testing.assert_array_equal(found, expected, err_msg=str(what))
    if not large:
        np.testing.assert_array_equal(outputs[-2], child.head)
        np.testing.assert_allclose(outputs[-1], child.logits, rtol=0, atol=1e-5)
    np.testing.assert_array_equal(head_of(simple, child.images), outputs[-2])
    np.testing.assert_array_equal(simple.logits(child.images), outputs[-1])
    content = file.pack(simple)
    assert len(content) == file.file_bytes(child.shape) == file.file_bytes(simple)
    again = file.unpack(content)
    np.testing.assert_array_equal(again.logits(child.images), outputs[-1])
    for one in (network, simple, child.shape, again):
        assert (one.classes, one.about) == (CLASSES, ABOUT)


CASES = {
    # blocks: (scheme and bits, those of the stem and layer 0, changes)
    1: (("quantize", 8), ("binarize", 1), {"op_shortcut": True, "channels": 3}),
    3: (
        ("ternarize", 2),
        ("quantize", 4),
        {"shortcut": True, "node_mean": True, "head": 8},
    ),
    5: (
        ("binarize", 1),
        ("ternarize", 2),
        {"num_layers": 1, "channels": 3, "size": 12, "shortcut": True},
    ),
    4: (("ternarize", 2), ("quantize", 4), {"operations": TABLES["mixed"]}),
    2: (("binarize", 1), ("quantize", 4), {"operations": TABLES["plain"]}),
    6: (("ternarize", 2), ("quantize", 4), {"fold_norms": True, "out_filters": 6}),
}


@needs_avx2
@pytest.mark.parametrize("blocks", CASES)
def test_every_step_equals_the_graph(blocks):
    (scheme, bits), first, changes = CASES[blocks]
    table = changes.get("operations", CLASSIC)
    arc = random_arc(blocks, random.Random(blocks), table)
    child = random_child(scheme, bits, arc, first=first, compare=True, **changes)
    check(child)
    kinds = {type(step).kind for step in child.trained.network.steps}
    assert any(isinstance(s, Threshold) for s in child.trained.simplified().steps)
    compared = {number for numbers, _ in child.made for number in numbers}
    steps = child.trained.network.steps
    assert {type(steps[n]).kind for n in compared} == kinds - {"image", "concat"}


@needs_avx2
@settings(max_examples=4, phases=(Phase.generate,))
@given(
    st.integers(1, 4),
    st.integers(0, 10**6),
    st.sampled_from(FORMATS),
    st.sampled_from(FORMATS),
    st.sampled_from([1, 3]),
    st.sampled_from([4, 8]),
    st.tuples(*[st.booleans()] * len(SWITCHES)),
    st.sampled_from(list(TABLES.values())),
    st.sampled_from([0, 2, 5, 16]),
)
def test_any_child_equals_its_graph(
    blocks, seed, form, first, channels, filters, switches, operations, head
):
    child = random_child(
        *form,
        random_arc(blocks, random.Random(seed), operations),
        operations=operations,
        head=head,
        channels=channels,
        first=first,
        compare=True,
        seed=seed,
        num_layers=1,
        pool_layers=(seed % 2,),  # of the scheme of the first layer, or of another
        out_filters=filters,
        **dict(zip(SWITCHES, switches, strict=True)),
    )
    check(child)


def test_channels_by_which_vectors_do_not_divide():
    """TensorFlow rounds a batch norm of them by the place of a pixel, too."""
    child = random_child("ternarize", channels=3, out_filters=6, shortcut=True)
    logits = child.trained.simplified().logits(child.images)
    np.testing.assert_array_equal(logits, child.trained.network.logits(child.images))
    outputs = real_outputs(child.trained.network, child.images)
    assert np.mean(outputs[-2] == child.head) > 0.9


@pytest.mark.parametrize("form", [("ternarize", 2), ("quantize", 4)])
def test_folded_norms_of_any_number_of_channels(form):
    """They round as they say, with 2 and 6 filters, too."""
    for filters in (2, 6):
        changes = {"out_filters": filters, "fold_norms": True, "compare": True}
        check(random_child(*form, channels=3, shortcut=True, **changes))


def test_a_float_network_is_as_near_as_sums_are():
    child = random_child("float", out_filters=6, shortcut=True, node_mean=True)
    found = child.trained.simplified().logits(child.images)
    np.testing.assert_allclose(found, child.logits, rtol=1e-4, atol=1e-4)
