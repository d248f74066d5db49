"""The table of operations that an edge of a cell can be, and the weights they need.

One ordered table maps id to name, weights and builder; the search child, the fixed
child, the arc string and the README follow it. To add an operation, write its entry:
the controller and both children take it from here.

Nothing here imports TensorFlow before an operation is built, so that reading an arc
string costs milliseconds.
"""

from collections.abc import Callable
from typing import NamedTuple


class WeightSpec(NamedTuple):
    """One tensor that an operation needs.

    kind: 'kernel' [K, K, C, F] or 'depthwise' [K, K, C, 1], a latent kernel of the
    scheme; 'scale' and 'offset' [F], of a batch norm. start: where a scale starts.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    start: float = 1.0


Specs = tuple[WeightSpec, ...]


def norm_specs(filters: int, suffix: str = "", start: float = 1.0) -> Specs:
    """Batch norm, whose scale starts at `start`."""
    return (
        WeightSpec(f"scale{suffix}", (filters,), "scale", start),
        WeightSpec(f"offset{suffix}", (filters,), "offset"),
    )


def conv_norm_specs(kernel_size: int, channels: int, filters: int) -> Specs:
    """Convolution, then batch norm."""
    shape = (kernel_size, kernel_size, channels, filters)
    return (WeightSpec("kernel", shape, "kernel"), *norm_specs(filters))


def reduction_specs(channels: int, filters: int) -> Specs:
    """Factorized reduction: two 1×1 convolutions of half the filters, batch norm."""
    shape = (1, 1, channels, filters // 2)
    return (
        WeightSpec("kernel_even", shape, "kernel"),
        WeightSpec("kernel_odd", shape, "kernel"),
        *norm_specs(filters),
    )


def separable_specs(kernel_size: int, filters: int, start: float) -> Specs:
    """Two times: depthwise convolution, pointwise convolution, batch norm; the scale of
    the last one starts at `start`."""
    specs = []
    for stack, scale in (("_0", 1.0), ("_1", start)):
        window = (kernel_size, kernel_size, filters, 1)
        specs += [
            WeightSpec(f"depthwise{stack}", window, "depthwise"),
            WeightSpec(f"pointwise{stack}", (1, 1, filters, filters), "kernel"),
            *norm_specs(filters, stack, scale),
        ]
    return tuple(specs)


class Operation(NamedTuple):
    """One operation on a [N, H, W, F] tensor.

    weights: (filters, stride, start = 1) to the specs of the weights it needs; the
      last batch norm's scale starts at `start` where an op shortcut may stand beside,
      so with stride 1.
    build: (context, x, weights, stride) to its output, [N, H/stride, W/stride, F];
      `context` is the child's `common_ops.Context`.
    drop_path: whether drop path applies to it.
    start_bias: where the controller's learned bias for it starts.
    prior: a fixed addition to its logit in the normal cell.
    """

    name: str
    weights: Callable[..., Specs]
    build: Callable
    drop_path: bool = True
    start_bias: float = 0.0
    prior: float = -0.25


def _separable(kernel_size: int) -> Operation:
    def build(context, x, weights, stride):
        from enas import common_ops

        return common_ops.separable_conv(context, x, weights, stride)

    return Operation(
        f"separable conv {kernel_size}×{kernel_size}",
        lambda filters, stride, start=1.0: separable_specs(
            kernel_size, filters, start if stride == 1 else 1.0
        ),
        build,
        start_bias=10.0,
        prior=0.25,
    )


def _pool(kind: str) -> Operation:
    def build(context, x, weights, stride):
        from enas import common_ops

        return common_ops.pool(x, kind, 3, stride)

    name = {"AVG": "average pool 3×3", "MAX": "max pool 3×3"}[kind]
    return Operation(name, lambda filters, stride, start=1.0: (), build)


def _identity() -> Operation:
    def weights(filters, stride, start=1.0):
        del start
        return () if stride == 1 else reduction_specs(filters, filters)

    def build(context, x, weights, stride):
        from enas import common_ops

        if stride == 1:
            return x
        return common_ops.factorized_reduction(context, x, weights)

    return Operation("identity", weights, build, drop_path=False)


OPERATIONS = (
    _separable(3),
    _separable(5),
    _pool("AVG"),
    _pool("MAX"),
    _identity(),
)
