"""Weights, normalization and the operations that both children are built of.

Layout: N batch, H W height and width, C channels, F filters, R rows of a bank, P
numbers in a row. Every image tensor is [N, H, W, C].

Functions here take the weights they use; the children decide where those come from.
"""

import math
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from enas.base import draws
from enas.space.operations import Operation, Specs, WeightSpec
from enas.space.schemes import Scheme
from quantize.base_layers import fans

BN_EPSILON = 1e-5
BN_DECAY = 0.9
PIECES = "pieces"  # collection that holds one dict, see `_all_pieces`


class Piece(NamedTuple):
    """A logical tensor within the last axis of a variable.

    size: how many numbers. bound: they are kept in [-bound, bound]; may be infinite.
    kind: as a WeightSpec's; empty where there is no spec.
    """

    size: int
    bound: float
    kind: str = ""


class Context(NamedTuple):
    """What an operation needs to know of its child.

    norm: (x, scale, offset) to batch norm of x.
    op_shortcut: whether a separable convolution's input is added to its output.
    """

    scheme: Scheme
    norm: Callable
    op_shortcut: bool = False


def spec_size(spec: WeightSpec) -> int:
    return math.prod(spec.shape)


def _initial(
    spec: WeightSpec, H: float | None, rows: Sequence[int], name: str
) -> tf.Tensor:
    """Initial values of a spec, [*rows, size of the spec].

    Args:
      name: tells apart what the variables of a scope hold.
    """
    shape = [*rows, spec_size(spec)]
    if spec.kind in ("scale", "offset"):
        return tf.fill(shape, spec.start if spec.kind == "scale" else 0.0)
    if H is not None:
        return draws.initial_uniform(shape, H, name)
    fan_in, _ = fans(spec.shape, spec.kind == "depthwise")
    return draws.initial_normal(shape, math.sqrt(2.0 / fan_in), name)


def _piece(spec: WeightSpec, scheme: Scheme) -> Piece:
    is_kernel = spec.kind in ("kernel", "depthwise")
    bound = scheme.H if is_kernel and scheme.H is not None else math.inf
    return Piece(spec_size(spec), bound, spec.kind)


def create_weight(
    name: str, shape: Sequence[int], initial: Callable, pieces: Sequence[Piece] = ()
) -> tf.Variable:
    """A trainable variable of the current scope, or the existing one of that name.

    Args:
      initial: a function of no arguments that makes the initial value.
      pieces: the logical tensors that the last axis holds side by side; by default the
        variable is one tensor without a bound.
    """
    variable = tf.compat.v1.get_variable(
        name, shape, tf.float32, initializer=lambda *_, **__: initial()
    )
    if pieces:
        _all_pieces()[variable.ref()] = tuple(pieces)
    return variable


def create_bias(name: str, values: Sequence[float]) -> tf.Variable:
    """A trainable vector of the current scope that starts at given values."""
    return create_weight(name, [len(values)], lambda: tf.constant(values, tf.float32))


def pieces_of(variable: tf.Variable) -> tuple[Piece, ...]:
    """The logical tensors that the last axis of a variable holds."""
    whole = (Piece(math.prod(variable.shape.as_list()), math.inf),)
    return _all_pieces().get(variable.ref(), whole)


def _all_pieces() -> dict:
    """The pieces of each variable of the default graph, by its reference."""
    collection = tf.compat.v1.get_collection_ref(PIECES)
    if not collection:
        collection.append({})
    return collection[0]


def create_weights(specs: Specs, scheme: Scheme) -> list[tf.Variable]:
    """A variable for each spec, in the current scope."""
    return [
        create_weight(
            spec.name,
            spec.shape,
            lambda spec=spec: tf.reshape(
                _initial(spec, scheme.H, [], spec.name), spec.shape
            ),
            [_piece(spec, scheme)],
        )
        for spec in specs
    ]


def create_bank(name: str, rows: int, specs: Specs, scheme: Scheme) -> tf.Variable:
    """One variable [R, P]: each row holds all that `specs` ask for, side by side."""
    pieces = [_piece(spec, scheme) for spec in specs]
    return create_weight(
        name,
        [rows, sum(piece.size for piece in pieces)],
        lambda: tf.concat(
            [_initial(s, scheme.H, [rows], f"{name}/{s.name}") for s in specs],
            axis=-1,
        ),
        pieces,
    )


def unpack_row(row: tf.Tensor, specs: Specs) -> list[tf.Tensor]:
    """The weights in one row of a bank, [P] or [1, P]; receives gradient."""
    parts = tf.split(tf.reshape(row, [-1]), [spec_size(spec) for spec in specs])
    return [
        tf.reshape(part, spec.shape) for part, spec in zip(parts, specs, strict=True)
    ]


def is_within(op: tf.Operation, scope: str) -> bool:
    """Whether an op was built in a name scope, or is the gradient of one that was."""
    return re.search(rf"(^|/){scope}(_\d+)?/", op.name) is not None


def batch_norm(x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
    """Batch norm with the statistics of this batch (arXiv:1502.03167)."""
    return tf.compat.v1.nn.fused_batch_norm(x, scale, offset, epsilon=BN_EPSILON)[0]


def conv_norm(context: Context, x: tf.Tensor, weights: Sequence) -> tf.Tensor:
    """Convolution with stride 1, batch norm. weights: as `conv_norm_specs`."""
    kernel, scale, offset = weights
    kernel_size, filters = kernel.shape[0], kernel.shape[-1]
    conv = context.scheme.layer("conv2d", filters, kernel_size, w_getter=lambda: kernel)
    return context.norm(conv(x), scale, offset)


def separable_conv(
    context: Context, x: tf.Tensor, weights: Sequence, stride: int
) -> tf.Tensor:
    """Two times: activation, separable convolution, batch norm; with the context's
    shortcut and stride 1, x is added to that (Bi-Real Net, arXiv:1808.00278).

    Only the first convolution carries the stride. weights: as `separable_specs`.
    """
    shortcut = x if context.op_shortcut and stride == 1 else None
    for start, strides in ((0, stride), (4, 1)):
        depthwise, pointwise, scale, offset = weights[start : start + 4]
        conv = context.scheme.layer(
            "separable_conv2d",
            pointwise.shape[-1],
            depthwise.shape[0],
            strides=strides,
            w_getter=lambda kernels=(depthwise, pointwise): kernels,
        )
        x = context.norm(conv(context.scheme.activation(x)), scale, offset)
    return x if shortcut is None else x + shortcut


def factorized_reduction(
    context: Context, x: tf.Tensor, weights: Sequence
) -> tf.Tensor:
    """Halves height and width without losing pixels: [N, H, W, C] to [N, H/2, W/2, F].

    Two 1×1 convolutions of F/2 filters each read every second pixel, from the first and
    from the second one on (`BaseFactorizedReduction`); batch norm.

    Args:
      weights: as `reduction_specs`.
    """
    even, odd, scale, offset = weights
    conv = context.scheme.layer(
        "factorized_reduction", 2 * even.shape[-1], w_getter=lambda: (even, odd)
    )
    return context.norm(conv(x), scale, offset)


def average_pool(x: tf.Tensor, size: int, stride: int) -> tf.Tensor:
    """Mean over the pixels of a window that lie in the image, SAME."""
    return tf.nn.avg_pool2d(x, size, stride, "SAME")


def max_pool(x: tf.Tensor, size: int, stride: int) -> tf.Tensor:
    """Max pool, SAME, whose gradient takes the maximum once more.

    oneDNN's fast gradient serves only where its max pool stands in the same function. A
    gradient that is given the maximum by another function, as in a branch, falls back
    on one that takes six times as long."""

    @tf.custom_gradient
    def run(x):
        def gradient(dy):
            return tf.raw_ops.MaxPoolGrad(
                orig_input=x,
                orig_output=tf.nn.max_pool2d(x, size, stride, "SAME"),
                grad=dy,
                ksize=[1, size, size, 1],
                strides=[1, stride, stride, 1],
                padding="SAME",
            )

        return tf.nn.max_pool2d(x, size, stride, "SAME"), gradient

    return run(x)


def identity(
    context: Context, x: tf.Tensor, weights: Sequence, stride: int
) -> tf.Tensor:
    """x, or with stride 2 its factorized reduction. weights: none, or for that."""
    return x if stride == 1 else factorized_reduction(context, x, weights)


# What computes an operation of the table, by its builder's name: (context, x [N, H, W,
# F], weights, stride) to [N, H/stride, W/stride, F].
BUILDERS: dict[str, Callable] = {
    "separable_conv": separable_conv,
    "average_pool": lambda context, x, weights, stride: average_pool(x, 3, stride),
    "max_pool": lambda context, x, weights, stride: max_pool(x, 3, stride),
    "identity": identity,
}


def run_operation(
    operation: Operation, context: Context, x: tf.Tensor, weights: Sequence, stride: int
) -> tf.Tensor:
    """An operation of the table on x [N, H, W, F]: [N, H/stride, W/stride, F].

    Args:
      weights: as `operation.weights(F, stride)` specifies them.
    """
    return BUILDERS[operation.builder](context, x, weights, stride)


def drop_path(x: tf.Tensor, keep_prob: tf.Tensor) -> tf.Tensor:
    """Drops the whole branch of an example (arXiv:1605.07648), scaling what is kept.

    Args:
      x: [N, H, W, C]; receives gradient where kept.
      keep_prob: scalar in (0, 1].
    """
    return _drop(x, keep_prob, [tf.shape(x)[0], 1, 1, 1])


def dropout(x: tf.Tensor, keep_prob: tf.Tensor) -> tf.Tensor:
    """Drops single numbers (arXiv:1207.0580), scaling what is kept.

    Args:
      x: of any shape; receives gradient where kept.
      keep_prob: scalar in (0, 1].
    """
    return _drop(x, keep_prob, tf.shape(x))


def _drop(x: tf.Tensor, keep_prob: tf.Tensor, shape) -> tf.Tensor:
    kept = draws.uniform(shape) < keep_prob
    return x * (tf.cast(kept, x.dtype) / keep_prob)


def lstm(x: tf.Tensor, state: tuple, w: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """One step of an LSTM layer without bias (gates i, f, o, g).

    Args:
      x: [1, D]. state: (c, h), [1, D] each. w: [2·D, 4·D]; all receive gradient.

    Returns:
      The next (c, h).
    """
    c, h = state
    i, f, o, g = tf.split(tf.matmul(tf.concat([x, h], axis=1), w), 4, axis=1)
    c = tf.sigmoid(i) * tf.tanh(g) + tf.sigmoid(f) * c
    return c, tf.sigmoid(o) * tf.tanh(c)
