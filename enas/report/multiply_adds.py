"""Multiply-adds of a graph, forward and backward, counted from its convolutions."""

import math
from collections.abc import Iterable

import tensorflow as tf

from enas.common_ops import is_within
from quantize.base_layers import DIAGONAL

# Type of an op to the number of the input that it slides over, None for its output. One
# multiply-add for each position that is slid over and each weight of the kernel, both
# forward and in either gradient.
_SLIDING = {
    "Conv2D": None,
    "DepthwiseConv2dNative": None,
    "Conv2DBackpropInput": 2,
    "Conv2DBackpropFilter": 2,
    "DepthwiseConv2dNativeBackpropInput": 2,
    "DepthwiseConv2dNativeBackpropFilter": 2,
}


def multiply_adds(ops: Iterable[tf.Operation]) -> int:
    """Of one image, in all convolutions among some ops of a graph.

    A factorized reduction, which is computed as a 2×2 convolution whose kernel is zero
    off its diagonal, counts as the two 1×1 convolutions that it stands for. Gathers,
    norms, activations, pools and the classifier's few thousand count as nothing, nor
    does what nothing reads, as the gradient of the images.
    """
    return sum(
        _of(op) for op in ops if op.type in _SLIDING and op.outputs[0].consumers()
    )


def _of(op: tf.Operation) -> int:
    number = _SLIDING[op.type]
    sliding = op.outputs[0] if number is None else op.inputs[number]
    _, height, width, _ = sliding.shape
    is_kernel_gradient = op.type.endswith("Filter")
    kernel = (op.outputs[0] if is_kernel_gradient else op.inputs[1]).shape.as_list()
    work = height * width * math.prod(kernel)
    # Of a diagonal kernel, half of the window times half of the filters is not zero.
    return work // 4 if is_within(op, DIAGONAL) else work
