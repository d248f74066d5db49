"""Weights, batch norm and the operations that both children are built from.

Layout: N = batch, H and W = height and width, C = channels, F = filters, R = rows of a
bank, P = numbers in a row. Every image tensor is [N, H, W, C].

An operation takes its weights as arguments and must not create any: the children decide
where the weights come from.
"""

import math
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from enas.base import random_numbers
from enas.network.formats import REAL, Format
from enas.space.operations import Operation, Specs, WeightSpec
from enas.space.schemes import Scheme, SchemeSpec
from quantize.base_layers import fans

BN_EPSILON = 1e-5
BN_DECAY = 0.9
FOLDED_NORM = "folded_norm"  # the name scope of such a batch norm
PIECES = "pieces"  # graph collection with one dict; see `_all_pieces`


class Piece(NamedTuple):
    """A logical tensor that lies within the last axis of a variable.

    Attributes:
      size: how many numbers it has.
      bound: its numbers are kept in [-bound, bound]; may be infinite.
      kind: the kind of its WeightSpec; empty if it has none.
      format: that in which its numbers are stored.
    """

    size: int
    bound: float
    kind: str = ""
    format: Format = REAL


class Context(NamedTuple):
    """What an operation needs to know about its child.

    Attributes:
      scheme: the number format of the layer.
      norm: a function of (x, scale, offset) that applies batch norm to x.
      op_shortcut: whether a convolution of a table adds its input to its output.
    """

    scheme: Scheme
    norm: Callable
    op_shortcut: bool = False


def spec_size(spec: WeightSpec) -> int:
    """How many numbers the tensor of a spec has."""
    return math.prod(spec.shape)


def _initial(
    spec: WeightSpec, H: float | None, rows: Sequence[int], name: str
) -> tf.Tensor:
    """Returns the initial values of a spec, [*rows, size of the spec].

    Args:
      H: the bound of latent kernels; None for real-valued kernels.
      name: tells the tensors of a scope apart; their random seeds depend on it.
    """
    shape = [*rows, spec_size(spec)]
    if spec.kind in ("scale", "offset"):
        return tf.constant(spec.start if spec.kind == "scale" else 0.0, shape=shape)
    if H is not None:
        return random_numbers.initial_uniform(shape, H, name)
    fan_in, _ = fans(spec.shape, spec.kind == "depthwise")
    return random_numbers.initial_normal(shape, math.sqrt(2.0 / fan_in), name)


def _piece(spec: WeightSpec, scheme: Scheme) -> Piece:
    bound = scheme.H if spec.is_kernel and scheme.H is not None else math.inf
    form = scheme.format if spec.is_kernel else REAL
    return Piece(spec_size(spec), bound, spec.kind, form)


def create_weight(
    name: str, shape: Sequence[int], initial: Callable, pieces: Sequence[Piece] = ()
) -> tf.Variable:
    """Creates a trainable variable in the current scope, or returns the existing one.

    Args:
      initial: a function without arguments that makes the initial value.
      pieces: the logical tensors that the last axis holds side by side. By default the
        variable is one tensor without a bound.
    """
    variable = tf.compat.v1.get_variable(
        name, shape, tf.float32, initializer=lambda *_, **__: initial()
    )
    if pieces:
        _all_pieces()[variable.ref()] = tuple(pieces)
    return variable


def create_bias(name: str, values: Sequence[float]) -> tf.Variable:
    """Creates a trainable vector in the current scope that starts at `values`."""
    return create_weight(name, [len(values)], lambda: tf.constant(values, tf.float32))


def pieces_of(variable: tf.Variable) -> tuple[Piece, ...]:
    """The logical tensors that the last axis of a variable holds."""
    whole = (Piece(math.prod(variable.shape.as_list()), math.inf),)
    return _all_pieces().get(variable.ref(), whole)


def _all_pieces() -> dict:
    """Maps the reference of each variable in the default graph to its pieces."""
    collection = tf.compat.v1.get_collection_ref(PIECES)
    if not collection:
        collection.append({})
    return collection[0]


def create_weights(specs: Specs, scheme: Scheme) -> list[tf.Variable]:
    """Creates a variable for each spec in the current scope."""
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
    """Creates a variable [R, P]; each row holds the tensors of `specs` side by side.

    Args:
      scheme: that of the latent kernels among them.
    """
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
    """Splits a row of a bank into the weights of `specs`.

    Args:
      row: [P] or [1, P]; receives gradient.

    Returns:
      A tensor of the right shape for each spec.
    """
    parts = tf.split(tf.reshape(row, [-1]), [spec_size(spec) for spec in specs])
    return [
        tf.reshape(part, spec.shape) for part, spec in zip(parts, specs, strict=True)
    ]


def scheme_for(operation: Operation, scheme: Scheme) -> Scheme:
    """Returns the scheme of an operation in a layer: its own, or the layer's."""
    return scheme if operation.own is None else operation.own.make()


def is_within(op: tf.Operation, scope: str) -> bool:
    """Whether an op was built in a name scope, or is the gradient of one that was."""
    return re.search(rf"(^|/){scope}(_\d+)?/", op.name) is not None


def batch_norm(x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
    """Batch norm with the statistics of this batch (arXiv:1502.03167).

    Args:
      x: [N, H, W, C]. scale, offset: [C]. All receive gradient.
    """
    return tf.compat.v1.nn.fused_batch_norm(x, scale, offset, epsilon=BN_EPSILON)[0]


def folded_norm(x, scale, offset, mean, variance) -> tf.Tensor:
    """Batch norm with given statistics, as one product and one sum for each number.

    Both numbers of a channel are computed beforehand. TensorFlow's own batch norm
    rounds in another way on each machine; this one rounds twice on all of them.

    Args:
      x: [N, H, W, C]. scale, offset, mean, variance: [C].
    """
    with tf.name_scope(FOLDED_NORM):
        factor = scale * tf.math.rsqrt(variance + BN_EPSILON)
        return x * factor + (offset - mean * factor)


def conv_norm(context: Context, x: tf.Tensor, weights: Sequence) -> tf.Tensor:
    """Applies a convolution and batch norm: [N, H, W, C] to [N, H, W, F].

    Args:
      weights: those that `conv_norm_specs` describes.
    """
    kernel, scale, offset = weights
    kernel_size, filters = kernel.shape[0], kernel.shape[-1]
    conv = context.scheme.layer("conv2d", filters, kernel_size, w_getter=lambda: kernel)
    return context.norm(conv(x), scale, offset)


def separable_conv(
    context: Context, x: tf.Tensor, weights: Sequence, stride: int
) -> tf.Tensor:
    """Applies activation, separable convolution and batch norm, twice in a row.

    Only the first convolution has the stride. If the context asks for the shortcut and
    the stride is 1, x is added to the result (Bi-Real Net, arXiv:1808.00278).

    Args:
      x: [N, H, W, F].
      weights: those that `separable_specs` describes.

    Returns:
      [N, H/stride, W/stride, F].
    """
    inputs = x
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
    return _with_op_shortcut(context, x, inputs, stride)


def _with_op_shortcut(
    context: Context, output: tf.Tensor, x: tf.Tensor, stride: int
) -> tf.Tensor:
    """Adds an operation's input x to its output, if the context asks for that."""
    return output + x if context.op_shortcut and stride == 1 else output


def plain_conv(
    context: Context, x: tf.Tensor, weights: Sequence, stride: int
) -> tf.Tensor:
    """Applies activation, convolution and batch norm.

    With stride 2, each 2×2 pixels are averaged first; an average has as many numbers
    above zero as below, which activations of few bits need. The shortcut is that of
    `separable_conv`.

    Args:
      x: [N, H, W, F].
      weights: those that `conv_norm_specs` describes.

    Returns:
      [N, H/stride, W/stride, F].
    """
    read = average_pool(x, stride, stride) if stride > 1 else x
    output = conv_norm(context, context.scheme.activation(read), weights)
    return _with_op_shortcut(context, output, x, stride)


def factorized_reduction(
    context: Context, x: tf.Tensor, weights: Sequence
) -> tf.Tensor:
    """Halves height and width without losing pixels: [N, H, W, C] to [N, H/2, W/2, F].

    Two 1×1 convolutions of F/2 filters each read every second pixel. One starts at the
    first pixel and one at the second (`BaseFactorizedReduction`). Batch norm follows.

    Args:
      weights: those that `reduction_specs` describes.
    """
    even, odd, scale, offset = weights
    conv = context.scheme.layer(
        "factorized_reduction", 2 * even.shape[-1], w_getter=lambda: (even, odd)
    )
    return context.norm(conv(x), scale, offset)


def mean_or_sum(x: tf.Tensor, y: tf.Tensor, is_mean: bool) -> tf.Tensor:
    """Returns the mean or the sum of two images.

    TensorFlow's own gradient would not know that both have the same shape, and would
    find it out anew in each step, by a dozen ops.

    Args:
      x, y: [N, H, W, F]. Both receive gradient.
    """

    @tf.custom_gradient
    def combine(x, y):
        def gradient(dy):
            part = 0.5 * dy if is_mean else dy
            return part, part

        return 0.5 * (x + y) if is_mean else x + y, gradient

    return combine(x, y)


def average_pool(x: tf.Tensor, size: int, stride: int) -> tf.Tensor:
    """Average pool with SAME padding; the mean counts only pixels within the image."""
    return tf.nn.avg_pool2d(x, size, stride, "SAME")


def max_pool(x: tf.Tensor, size: int, stride: int) -> tf.Tensor:
    """Max pool with SAME padding, whose gradient computes the maximum again.

    oneDNN has a fast gradient, but only for a max pool in the same function. If the
    maximum comes from another function, as it does in a branch, TensorFlow falls back
    on a gradient that takes six times as long.
    """

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
    """Returns x, or its factorized reduction if the stride is 2.

    Args:
      x: [N, H, W, F].
      weights: those that `reduction_specs` describes; none with stride 1.
    """
    return x if stride == 1 else factorized_reduction(context, x, weights)


# Maps the name of a builder to the function that computes the operation. It takes
# (context, x [N, H, W, F], weights, stride) and returns [N, H/stride, W/stride, F].
BUILDERS: dict[str, Callable] = {
    "separable_conv": separable_conv,
    "conv": plain_conv,
    "average_pool": lambda context, x, weights, stride: average_pool(x, 3, stride),
    "max_pool": lambda context, x, weights, stride: max_pool(x, 3, stride),
    "identity": identity,
}


def run_operation(
    operation: Operation, context: Context, x: tf.Tensor, weights: Sequence, stride: int
) -> tf.Tensor:
    """Runs an operation of a table: [N, H, W, F] to [N, H/stride, W/stride, F].

    Args:
      context: that of the layer; an operation with a scheme of its own puts it in the
        place of the layer's.
      weights: those that `operation.weights(F, stride)` describes.
    """
    context = context._replace(scheme=scheme_for(operation, context.scheme))
    return BUILDERS[operation.builder](context, x, weights, stride)


def run_one_of(
    operations: Sequence[Operation],
    number: tf.Tensor,
    context: Context,
    x: tf.Tensor,
    weights: Sequence,
) -> tf.Tensor:
    """Runs one of some operations that differ only in their scheme, with stride 1.

    Only the quantizers are there once for each scheme. All other ops are there once,
    which saves most of the time and memory of a graph with a branch for each operation.

    Args:
      number: int32 scalar, the place of the operation that runs.
      x: [N, H, W, F].
      weights: those that `operation.weights(F, 1)` describes.

    Returns:
      [N, H, W, F].
    """
    schemes = [scheme_for(operation, context.scheme) for operation in operations]
    specs = operations[0].weights(x.shape[-1], 1)
    kernels = [w for spec, w in zip(specs, weights, strict=True) if spec.is_kernel]
    row = tf.concat([tf.reshape(kernel, [-1]) for kernel in kernels], 0)
    row = chosen([scheme.quantize for scheme in schemes], number, row)
    quantized = iter(unpack_row(row, tuple(spec for spec in specs if spec.is_kernel)))
    weights = [
        next(quantized) if spec.is_kernel else w
        for spec, w in zip(specs, weights, strict=True)
    ]
    activations = [scheme.activation for scheme in schemes]
    scheme = SchemeSpec("float").make()  # the kernels are quantized already
    scheme = scheme._replace(activation=lambda x: chosen(activations, number, x))
    context = context._replace(scheme=scheme)
    return BUILDERS[operations[0].builder](context, x, weights, 1)


def chosen(functions: Sequence[Callable], number: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
    """Returns functions[number](x).

    The gradient, too, has a branch for each function. It computes what it needs of the
    function again, so that x is all that is kept for it.

    Args:
      functions: quantizers; each takes a tensor and returns one of the same shape.
      number: int32 scalar.
      x: float32 of any shape; receives gradient.
    """

    @tf.custom_gradient
    def choose(x):
        def run(function):
            return lambda: function(tf.identity(x))

        def gradient(dy):
            def back(function):
                def run():
                    inside = tf.identity(x)
                    return tf.gradients(function(inside), inside, dy)[0]

                return run

            return tf.switch_case(number, [back(one) for one in functions])

        return tf.switch_case(number, [run(one) for one in functions]), gradient

    return choose(x)


def drop_path(x: tf.Tensor, keep_prob: tf.Tensor) -> tf.Tensor:
    """Drops the whole branch of an example (arXiv:1605.07648) and scales up the rest.

    Args:
      x: [N, H, W, C]; receives gradient where it is kept.
      keep_prob: scalar in (0, 1].
    """
    return _drop(x, keep_prob, [tf.shape(x)[0], 1, 1, 1])


def dropout(x: tf.Tensor, keep_prob: tf.Tensor) -> tf.Tensor:
    """Drops single numbers (arXiv:1207.0580) and scales up the rest.

    Args:
      x: of any shape; receives gradient where it is kept.
      keep_prob: scalar in (0, 1].
    """
    return _drop(x, keep_prob, tf.shape(x))


def _drop(x: tf.Tensor, keep_prob: tf.Tensor, shape) -> tf.Tensor:
    kept = random_numbers.uniform(shape) < keep_prob
    return x * (tf.cast(kept, x.dtype) / keep_prob)


def lstm(x: tf.Tensor, state: tuple, w: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """One step of an LSTM layer without bias (gates i, f, o, g).

    Args:
      x: [1, D]. state: (c, h), [1, D] each. w: [2·D, 4·D]. All receive gradient.

    Returns:
      The next (c, h).
    """
    c, h = state
    i, f, o, g = tf.split(tf.matmul(tf.concat([x, h], axis=1), w), 4, axis=1)
    c = tf.sigmoid(i) * tf.tanh(g) + tf.sigmoid(f) * c
    return c, tf.sigmoid(o) * tf.tanh(c)
