"""Tiny trained networks for tests: random children and what their graphs compute."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from enas.common_ops import is_within
from enas.export.walk import Source, Trained, _Walk, network_of, trained_network_of
from enas.fixed_child import FixedChild
from enas.network import formats
from enas.network.network import Network, values_of
from enas.network.steps import real
from enas.session.session import session_config
from enas.space.arc import Arc, arc_from_numbers
from enas.space.schemes import ACTIVATION, head_spec, make_scheme
from tests.children import load, tiny_config

# Each operation, on the images of either of the two layers before.
NUMBERS = (0, 0, 1, 1, 2, 2, 1, 3, 1, 4, 0, 2, 0, 1, 1, 3)
# The same of the table with nine operations.
MIXED_NUMBERS = (
    *(0, 0, 1, 1, 0, 2, 1, 3, 0, 4, 2, 5),
    *(0, 6, 1, 7, 1, 8, 0, 1, 0, 5, 1, 3),
)
CLASSES = ("a", "b", "ü\udcff")
ABOUT = {"arc": "0 1 2", "scheme": "one of ours"}


class Child(NamedTuple):
    """A random child.

    Attributes:
      trained: its network, as the export takes it.
      shape: the network that its graph alone predicts.
      images: uint8 [N, H, W, C].
      head, logits: what its graph makes of them; head is the classifier's input.
      norms: scale and moving variance of each batch norm in its graph, [C] each.
      made: the graph's output of all steps of `trained.network` that have one, as
        (the numbers of the steps whose channels it has, the output); only if asked for.
    """

    trained: Trained
    shape: Network
    images: np.ndarray
    head: np.ndarray
    logits: np.ndarray
    norms: list[tuple[np.ndarray, np.ndarray]]
    made: list[tuple[tuple[int, ...], np.ndarray]]


def random_child(
    scheme="ternarize",
    bits=4,
    arc: Arc | None = None,
    channels=1,
    size=8,
    first=None,
    head=0,
    classes=CLASSES,
    count=4,
    compare=False,
    seed=1,
    **changes,
) -> Child:
    """Builds a child with random weights and batch norms, and runs it.

    Args:
      first: (scheme, bits) of the stem and layer 0; those of the others if None.
      head: the bits of the classifier's weights; 0 for real ones.
      count: how many images it sees.
      compare: whether `made` is wanted.
      changes: see ChildConfig.
    """
    arc = arc or arc_from_numbers(NUMBERS)
    config = tiny_config(
        img_size=size,
        channels=channels,
        num_classes=len(classes),
        num_cells=len(arc.normal),
        first_scheme=make_scheme(*(first or (scheme, bits))),
        head_scheme=head_spec(head).make(),
        **changes,
    )._replace(scheme=make_scheme(scheme, bits))
    rng = np.random.default_rng(seed)
    mean = np.linspace(0.1, 0.4, channels).astype(np.float32)
    std = np.linspace(0.3, 0.5, channels).astype(np.float32)
    with (
        tf.Graph().as_default(),
        tf.compat.v1.Session(config=session_config()) as session,
    ):
        tf.compat.v1.set_random_seed(seed)
        raw = tf.compat.v1.placeholder(tf.uint8, [None, size, size, channels])
        images = (tf.cast(raw, tf.float32) / 255.0 - mean) / std
        model = FixedChild(config, arc, tf.constant(0.0))
        outputs = model.build(images, tf.zeros([1], tf.int32), training=False)
        session.run(tf.compat.v1.global_variables_initializer())
        drawn = [(v, _randomized(v, rng)) for v in tf.compat.v1.global_variables()]
        load(session, [(v, value) for v, value in drawn if value is not None])
        source = Source(images, mean, std, classes)
        trained = trained_network_of(
            outputs, source, session, session_config(), dict(ABOUT)
        )
        shape = network_of(outputs, source, dict(ABOUT))
        seen = rng.integers(0, 256, (count, size, size, channels), dtype=np.uint8)
        fetched = (outputs.logits.op.inputs[0], outputs.logits)
        head, logits = session.run(fetched, {raw: seen})
        norms = session.run(_norms_of(outputs.logits.graph))
        made = []
        if compare:
            tensors, numbers = zip(*_made_by(_Walk(outputs, source)), strict=True)
            made = list(zip(numbers, session.run(tensors, {raw: seen}), strict=True))
    return Child(trained, shape, seen, head, logits, norms, made)


def _norms_of(graph: tf.Graph) -> list[tuple[tf.Tensor, tf.Tensor]]:
    """Returns scale and moving variance of each batch norm of a graph."""
    ops = [op for op in graph.get_operations() if op.type == "FusedBatchNormV3"]
    return [(op.inputs[1], op.inputs[4]) for op in ops]


def _randomized(variable: tf.Variable, rng: np.random.Generator) -> np.ndarray | None:
    """Returns a value as training might leave it; None for a kernel."""
    name, shape = variable.op.name, variable.shape.as_list()
    if name.endswith("moving_mean"):
        value = rng.normal(0.0, 2.0, shape)
    elif name.endswith("moving_variance"):
        value = rng.uniform(0.5, 30.0, shape)
    elif "/scale" in name:
        value = rng.normal(0.8, 0.5, shape)
    elif "/offset" in name:
        value = rng.normal(0.0, 0.4, shape)
    else:
        return None
    return value.astype(np.float32)


def _made_by(walk: _Walk):
    """Yields each tensor of the graph that steps make, and the numbers of the steps."""
    graph = tf.compat.v1.get_default_graph()
    for name, numbers in walk._steps.items():
        tensor = graph.get_tensor_by_name(name)
        inner = is_within(tensor.op, ACTIVATION) and all(
            is_within(op, ACTIVATION) for op in tensor.consumers()
        )
        if not inner:  # not within an activation, whose parts are no steps
            yield tensor, numbers


def real_outputs(network: Network, images: np.ndarray) -> list[np.ndarray]:
    """Returns the numbers that all steps make, none of them as integers."""
    outputs = network.outputs(images, range(len(network.steps) - 1))
    values = values_of(network.steps)
    return [real(x, value) for x, value in zip(outputs, values, strict=True)]


def head_of(network: Network, images: np.ndarray) -> np.ndarray:
    """Returns the input of the classifier."""
    return network.outputs(images, [len(network.steps) - 2])[0]


def levels_of(form):
    """All integers of a format."""
    return formats.values_of(np.arange(form.levels), form)


def around(points):
    """Numbers, and the floats next to each."""
    x = np.array(points, np.float32)
    return np.concatenate([x, *(np.nextafter(x, np.float32(s)) for s in (-99, 99))])


def edges(form):
    """Every tie and bound of an activation, their neighbours, and extremes.

    TensorFlow takes numbers below 2^-126 for zero, so they are left out.
    """
    m = 2**form.integers.shift
    halves = np.arange(-2 * m - 4, 2 * m + 5) / (2 * m)
    x = around([*halves, 0.5, -0.5, 2.0**-125, -(2.0**-125), 1e30, -1e30])
    return np.where(np.abs(x) < 2.0**-126, np.sign(x) * np.float32(2.0**-126), x)


def random_tensor(stored, rng):
    """What a step might store."""
    if stored.format is None:
        bound = 2 ** (stored.width - 1)
        return rng.integers(-bound, bound, stored.shape).astype(np.int32)
    if stored.format.integers is None:
        return rng.normal(size=stored.shape).astype(np.float32)
    return rng.choice(levels_of(stored.format), stored.shape)
