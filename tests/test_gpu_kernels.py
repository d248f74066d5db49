"""Whether a GPU could run a search: no GPU is needed to know which kernels there are.

A test that an op has a kernel for GPUs says nothing of what it computes there.
"""

import tensorflow as tf
from tensorflow.python.framework.kernels import get_registered_kernels_for_op

from enas.controller import UniformSampler
from enas.micro_child import MicroChild
from enas.space.operations import TABLES
from enas.utils import TrainConfig, get_train_ops
from tests.children import images_and_labels, tiny_config

# These hand tensors on, and compute nothing.
HAND_ON = {
    "Case",
    "If",
    "PartitionedCall",
    "StatefulPartitionedCall",
    "StatelessCase",
    "_Arg",
    "_Retval",
}


def is_image(rank, dtype):
    """Whether a tensor may hold images; in functions, many ranks are not known."""
    return dtype == tf.float32 and rank in (4, None)


def op_types(graph):
    """The types of ops that read or make images, in a graph and in its functions."""
    found = set()
    for op in graph.get_operations():
        tensors = [*op.inputs, *op.outputs]
        if any(is_image(x.shape.rank, x.dtype) for x in tensors):
            found.add(op.type)
    for function in graph.as_graph_def().library.function:
        for node in function.node_def:
            if node.attr["T"].type in (0, tf.float32.as_datatype_enum):
                found.add(node.op)
    return found


def has_kernel(op_type):
    """Whether an op has a kernel for GPUs, or one for any device."""
    kernels = get_registered_kernels_for_op(op_type).kernel
    return any(kernel.device_type in ("GPU", "DEFAULT") for kernel in kernels)


def test_every_op_on_images_has_a_kernel_for_gpus(graph):
    """In a table that has all low-bit formats."""
    changes = {"use_aux_heads": True, "keep_prob": 0.9, "num_cells": 1}
    config = tiny_config(operations=TABLES["mixed"], num_layers=1, **changes)
    sample = UniformSampler(config.num_cells, config.operations).sample()
    child = MicroChild(config, sample.normal_arc, sample.reduce_arc)
    outputs = child.build(*images_and_labels(config), training=True)
    step = tf.compat.v1.train.get_or_create_global_step()
    get_train_ops(outputs.total_loss, child.variables(), TrainConfig(), step, 1, 1)
    types = op_types(graph) - HAND_ON
    assert {"Conv2D", "DepthwiseConv2dNative", "FusedBatchNormV3"} <= types
    assert [t for t in sorted(types) if not has_kernel(t)] == []
    assert not has_kernel("ReaderReadV2")  # one that has none is found
