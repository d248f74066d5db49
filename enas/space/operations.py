"""The table of operations that an edge of a cell can choose, and their weights.

One ordered table maps a number to a name, to weights, and to the builder in
`enas/common_ops.py` that computes the operation. The controller, both children, the arc
string, the pictures and the docs follow the table. To add an operation, write its
entry. If no existing builder fits, write one, too.

This module must not import TensorFlow, so that reading an arc string takes
milliseconds.
"""

from collections.abc import Callable
from typing import NamedTuple


class WeightSpec(NamedTuple):
    """One tensor of weights that an operation needs.

    Attributes:
      kind: 'kernel' [K, K, C, F] or 'depthwise' [K, K, C, 1] for a latent kernel of the
        scheme, K pixels a side; 'scale' or 'offset' [F] for a batch norm.
      start: initial value of a scale.
    """

    name: str
    shape: tuple[int, ...]
    kind: str
    start: float = 1.0


Specs = tuple[WeightSpec, ...]


def norm_specs(filters: int, suffix: str = "", start: float = 1.0) -> Specs:
    """The weights of a batch norm; its scale starts at `start`."""
    return (
        WeightSpec(f"scale{suffix}", (filters,), "scale", start),
        WeightSpec(f"offset{suffix}", (filters,), "offset"),
    )


def conv_norm_specs(kernel_size: int, channels: int, filters: int) -> Specs:
    """The weights of a convolution and its batch norm."""
    shape = (kernel_size, kernel_size, channels, filters)
    return (WeightSpec("kernel", shape, "kernel"), *norm_specs(filters))


def reduction_specs(channels: int, filters: int) -> Specs:
    """The weights of a factorized reduction: two 1×1 convolutions and a batch norm.

    Each convolution makes half of the filters.
    """
    shape = (1, 1, channels, filters // 2)
    return (
        WeightSpec("kernel_even", shape, "kernel"),
        WeightSpec("kernel_odd", shape, "kernel"),
        *norm_specs(filters),
    )


def separable_specs(kernel_size: int, filters: int, start: float) -> Specs:
    """The weights of two separable convolutions, each followed by batch norm.

    Each is a depthwise and a pointwise convolution. The scale of the last batch norm
    starts at `start`.
    """
    specs: list[WeightSpec] = []
    for stack, scale in (("_0", 1.0), ("_1", start)):
        window = (kernel_size, kernel_size, filters, 1)
        specs += [
            WeightSpec(f"depthwise{stack}", window, "depthwise"),
            WeightSpec(f"pointwise{stack}", (1, 1, filters, filters), "kernel"),
            *norm_specs(filters, stack, scale),
        ]
    return tuple(specs)


def _no_weights(filters: int, stride: int, start: float = 1.0) -> Specs:
    return ()


def _separable_weights(kernel_size: int) -> Callable[..., Specs]:
    def weights(filters: int, stride: int, start: float = 1.0) -> Specs:
        # With stride 2 the convolution has no shortcut.
        return separable_specs(kernel_size, filters, start if stride == 1 else 1.0)

    return weights


def _identity_weights(filters: int, stride: int, start: float = 1.0) -> Specs:
    return () if stride == 1 else reduction_specs(filters, filters)


class Operation(NamedTuple):
    """One operation, [N, H, W, F] to [N, H/stride, W/stride, F].

    Attributes:
      builder: a key of BUILDERS in `enas/common_ops.py`, whose function computes it.
      weights: a function of (filters, stride, start = 1) that returns the specs of its
        weights. The scale of its last batch norm starts at `start` with stride 1, where
        the operation may have a shortcut.
      drop_path: whether drop path applies to it.
      start_bias: initial value of the controller's learned bias for it.
      prior: constant that is added to its logit in the normal cell.
    """

    name: str
    builder: str
    weights: Callable[..., Specs] = _no_weights
    drop_path: bool = True
    start_bias: float = 0.0
    prior: float = -0.25


OPERATIONS = (
    Operation(
        "separable conv 3×3",
        "separable_conv",
        _separable_weights(3),
        start_bias=10.0,
        prior=0.25,
    ),
    Operation(
        "separable conv 5×5",
        "separable_conv",
        _separable_weights(5),
        start_bias=10.0,
        prior=0.25,
    ),
    Operation("average pool 3×3", "average_pool"),
    Operation("max pool 3×3", "max_pool"),
    Operation("identity", "identity", _identity_weights, drop_path=False),
)
