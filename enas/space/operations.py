"""The tables of operations that an edge of a cell can choose, and their weights.

A table maps a number to a name, to weights, and to the builder in `enas/common_ops.py`
that computes the operation. The flag `child_ops` names one of TABLES. The controller,
both children, the arc string, the pictures and the sizes follow it. To add an operation
or a table, write its entry. If no existing builder fits, write one, too.

This module must not import TensorFlow, so that reading an arc string takes
milliseconds.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from enas.space.schemes import SchemeSpec

KERNELS = ("kernel", "depthwise")  # kinds of a WeightSpec


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

    @property
    def is_kernel(self) -> bool:
        """Whether it is a latent kernel, of either kind."""
        return self.kind in KERNELS


Specs = tuple[WeightSpec, ...]


def norm_specs(filters: int, suffix: str = "", start: float = 1.0) -> Specs:
    """The weights of a batch norm; its scale starts at `start`."""
    return (
        WeightSpec(f"scale{suffix}", (filters,), "scale", start),
        WeightSpec(f"offset{suffix}", (filters,), "offset"),
    )


def conv_norm_specs(
    kernel_size: int, channels: int, filters: int, start: float = 1.0
) -> Specs:
    """The weights of a convolution and its batch norm; its scale starts at `start`."""
    shape = (kernel_size, kernel_size, channels, filters)
    return (WeightSpec("kernel", shape, "kernel"), *norm_specs(filters, "", start))


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


def _conv_weights(kernel_size: int) -> Callable[..., Specs]:
    def weights(filters: int, stride: int, start: float = 1.0) -> Specs:
        start = start if stride == 1 else 1.0
        return conv_norm_specs(kernel_size, filters, filters, start)

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
      own: the number format of its weights and activations in every layer; None for
        that of the layer.
    """

    name: str
    builder: str
    weights: Callable[..., Specs] = _no_weights
    drop_path: bool = True
    start_bias: float = 0.0
    prior: float = -0.25
    own: SchemeSpec | None = None


@dataclass(frozen=True)
class Operations:
    """A table of operations; an operation's number in a string is its place here.

    Attributes:
      name: the value of `child_ops`.
    """

    name: str
    entries: tuple[Operation, ...]

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, number: int) -> Operation:
        return self.entries[number]

    def __iter__(self) -> Iterator[Operation]:
        return iter(self.entries)

    def families(self) -> list[tuple[int, ...]]:
        """Groups the numbers of operations that differ only in the scheme they bring.

        An operation without a scheme of its own is alone.
        """
        numbers: dict[tuple, list[int]] = {}
        for number, operation in enumerate(self.entries):
            key = operation._replace(name="", own=None) if operation.own else operation
            numbers.setdefault(key, []).append(number)
        return [tuple(family) for family in numbers.values()]


def _separable(kernel_size: int) -> Operation:
    return Operation(
        f"separable conv {kernel_size}×{kernel_size}",
        "separable_conv",
        _separable_weights(kernel_size),
        start_bias=10.0,
        prior=0.25,
    )


def _conv(kernel_size: int) -> Operation:
    return Operation(
        f"conv {kernel_size}×{kernel_size}",
        "conv",
        _conv_weights(kernel_size),
        start_bias=10.0,
        prior=0.25,
    )


# The formats that an operation can bring, by the bits that are stored of a number.
WIDTHS = {
    1: SchemeSpec("binarize"),
    2: SchemeSpec("ternarize"),
    4: SchemeSpec("quantize", 4),
}


def _in_widths(operation: Operation) -> tuple[Operation, ...]:
    """Returns an operation in each of the WIDTHS."""
    return tuple(
        operation._replace(
            name=f"{operation.name}, {bits} bit{'s' * (bits > 1)}", own=own
        )
        for bits, own in WIDTHS.items()
    )


_WITHOUT_KERNELS = (
    Operation("average pool 3×3", "average_pool"),
    Operation("max pool 3×3", "max_pool"),
    Operation("identity", "identity", _identity_weights, drop_path=False),
)
CLASSIC = Operations("classic", (_separable(3), _separable(5), *_WITHOUT_KERNELS))
TABLES = {
    table.name: table
    for table in (
        CLASSIC,
        Operations(
            "mixed",
            (
                *_in_widths(_separable(3)),
                *_in_widths(_separable(5)),
                *_WITHOUT_KERNELS,
            ),
        ),
        Operations("plain", (_conv(3), _conv(5), *_WITHOUT_KERNELS)),
    )
}
