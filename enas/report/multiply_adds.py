"""Counts a graph's multiply-adds, forward and backward, from its convolutions."""

import math
from collections.abc import Iterable

import tensorflow as tf

from enas.common_ops import is_within
from quantize.base_layers import DIAGONAL
from quantize.base_ops import PAIRS, POINTWISE

# For each type of op, the number of the input that it slides over; None if it is the
# output. There is one multiply-add for each position that it slides over and each
# weight of the kernel, both forward and in either gradient.
_SLIDING = {
    "Conv2D": None,
    "DepthwiseConv2dNative": None,
    "Conv2DBackpropInput": 2,
    "Conv2DBackpropFilter": 2,
    "DepthwiseConv2dNativeBackpropInput": 2,
    "DepthwiseConv2dNativeBackpropFilter": 2,
}


def is_pointwise(op: tf.Operation) -> bool:
    """Whether an op is the product of matrices that a 1×1 convolution is, or one of its
    gradients."""
    return op.type == "MatMul" and is_within(op, POINTWISE)


def multiply_adds(ops: Iterable[tf.Operation]) -> int:
    """Counts the multiply-adds of one image in all convolutions among some ops.

    A factorized reduction is computed as a 2×2 convolution whose kernel is zero off its
    diagonal; it counts as the two 1×1 convolutions that it stands for. The gradient of
    a depthwise kernel counts as what it is, also where it is computed from all pairs of
    pixels. Gathers, norms, activations, pools and the classifier's few thousand do not
    count. An op whose output nothing reads, such as the gradient of the images, does
    not count either.
    """
    return sum(_of(op) for op in ops if op.outputs and op.outputs[0].consumers())


def _of(op: tf.Operation) -> int:
    if op.type == "MatMul" and is_within(op, PAIRS):
        channels, weights = op.outputs[0].shape.as_list()
        return channels * weights * math.isqrt(op.inputs[1].shape[0])
    if is_pointwise(op):  # its pixels are a reshaped image
        sliding = op.inputs[0].op.inputs[0]
        is_kernel_gradient = op.get_attr("transpose_a")
    elif op.type in _SLIDING:
        number = _SLIDING[op.type]
        sliding = op.outputs[0] if number is None else op.inputs[number]
        is_kernel_gradient = op.type.endswith("Filter")
    else:
        return 0
    _, height, width, _ = sliding.shape
    kernel = (op.outputs[0] if is_kernel_gradient else op.inputs[1]).shape.as_list()
    work = height * width * math.prod(kernel)
    # In a diagonal kernel, half of the window times half of the filters is not zero.
    return work // 4 if is_within(op, DIAGONAL) else work
