"""The search child against the benchmark's two others: same logits, same gradients."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import reference_children
from benchmarks.reference_children import AllBranchesChild, StraightChild
from enas.micro_child import MicroChild
from enas.space.arc import arc_from_numbers
from enas.space.schemes import make_scheme
from tests.children import (
    SCHEME_NAMES,
    feed_of,
    images_and_labels,
    placeholders,
    tiny_config,
)

ARCS = (
    [0, 0, 1, 1, 2, 2, 0, 3, 0, 4, 1, 0, 2, 1, 2, 2],
    [1, 3, 1, 3, 0, 2, 2, 4, 1, 1, 0, 3, 0, 0, 1, 0],
    [0, 4, 0, 4, 1, 4, 0, 4, 0, 1, 1, 1, 2, 1, 0, 1],
)


# What the recommended recipe adds.
RECOMMENDED = {
    "op_shortcut": True,
    "op_scale": 0.5,
    "node_mean": True,
    "share_output_kernel": True,
}
# Layers 0 and 1 have the same shape, and other numbers of bits.
MIXED_BITS = {
    "first_scheme": make_scheme("quantize", 2),
    "num_layers": 1,
    "pool_layers": (2,),
}


def test_copies_of_the_child_that_computes_all(graph):
    """One that trains and three that do not, with the same weights."""
    config = tiny_config(num_layers=0, pool_layers=())
    child = AllBranchesChild(config, *placeholders(config))
    weights = set()
    for training, copies in ((False, 3), (True, 4)):
        child.build(*images_and_labels(config), training)
        stems = [op for op in graph.get_operations() if "stem_conv" in op.name]
        assert sum(op.type == "Conv2D" for op in stems) == copies
        weights |= {v.name for v in child.variables()}
        assert len(weights) == len(child.variables())


@pytest.mark.parametrize(
    "scheme, recipe",
    [
        *((name, {}) for name in SCHEME_NAMES),
        ("ternarize", RECOMMENDED | {"shortcut": True}),
        ("quantize", MIXED_BITS),
    ],
)
def test_logits_and_gradients_agree(
    scheme, recipe, graph, session, initialize, monkeypatch
):
    monkeypatch.setattr(reference_children, "COPIES", 1)
    # A normal cell and a reduction, if the recipe does not name more.
    config = tiny_config(scheme, **{"num_layers": 0, **recipe})
    batch = images_and_labels(config)
    cells = placeholders(config)
    own, all_branches = MicroChild(config, *cells), AllBranchesChild(config, *cells)
    straight = [StraightChild(arc_from_numbers(arc), config) for arc in ARCS]
    outputs = [child.build(*batch, True) for child in (own, all_branches, *straight)]
    variables = own.variables()
    results = [
        (output.logits, output.loss, tf.gradients(output.loss, variables))
        for output in outputs
    ]
    for child, (*_, gradients) in zip(straight, results[2:], strict=True):
        # A string known beforehand leaves out the banks of which it reads no row.
        left_out = set(variables) - set(child.variables())
        for variable, gradient in zip(variables, gradients, strict=True):
            assert (gradient is None) == (variable in left_out)
    results = [
        (logits, loss, [dense(g, v) for g, v in zip(gradients, variables, strict=True)])
        for logits, loss, gradients in results
    ]
    initialize()
    for arc, of_arc in zip(ARCS, session.run(results[2:]), strict=True):
        check_equal(*session.run(results[:2], feed_of(cells, arc)), of_arc)


def check_equal(own, *others):
    assert any(np.abs(gradient).max() > 0 for gradient in own[2])
    for logits, loss, gradients in others:
        np.testing.assert_allclose(logits, own[0], rtol=1e-4, atol=1e-5)
        assert loss == pytest.approx(own[1], rel=1e-5)
        for actual, expected in zip(gradients, own[2], strict=True):
            scale = max(1.0, np.abs(expected).max())
            np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-4 * scale)


def dense(gradient, variable):
    return (
        tf.zeros_like(variable) if gradient is None else tf.convert_to_tensor(gradient)
    )
