"""Gradients are added up in one order, so that a seeded run can be repeated bit by bit.

AddN of more than two tensors puts one first whose memory it may use, and which one that
is depends on what other ops have finished by then.
"""

import pytest
import tensorflow as tf

from enas.fixed_child import FixedChild
from enas.micro_child import MicroChild
from enas.micro_controller import ControllerConfig, MicroController
from enas.space.arc import arc_from_numbers
from enas.utils import TrainConfig, get_train_ops
from tests.children import images_and_labels, placeholders, tiny_config

# Its nodes are read several times: by convolutions, pools and identities.
CELL = [0, 4, 0, 2, 0, 0, 0, 3, 2, 4, 0, 1]


def sizes_of_sums(graph):
    """How many tensors each AddN adds up, in the graph and in its functions.

    Lists of tensors are added up, too, but no two of them hold the same item."""
    definition = graph.as_graph_def()
    nodes = [*definition.node]
    for function in definition.library.function:
        nodes += function.node_def
    return [
        node.attr["N"].i
        for node in nodes
        if node.op == "AddN" and node.attr["T"].type == tf.float32.as_datatype_enum
    ]


@pytest.mark.parametrize("kind", ["search", "fixed"])
def test_gradients_are_added_up_in_pairs(kind, graph):
    changes = {"op_shortcut": True, "node_mean": True}
    config = tiny_config(num_layers=1, num_cells=3, **changes)
    if kind == "search":
        child = MicroChild(config, *placeholders(config))
    else:
        child = FixedChild(config, arc_from_numbers(CELL * 2), tf.constant(0.0))
    outputs = child.build(*images_and_labels(config), True)
    step = tf.compat.v1.train.get_or_create_global_step()
    get_train_ops(outputs.total_loss, child.variables(), TrainConfig(), step, 1, 1)
    assert set(sizes_of_sums(graph)) == {2}


def test_so_are_those_of_the_controller(graph):
    controller = MicroController(ControllerConfig(num_cells=2, lstm_size=4))
    controller.train(controller.sample(), tf.constant(0.5))
    assert set(sizes_of_sums(graph)) == {2}


def test_so_are_the_nodes_that_share_a_kernel(graph):
    config = tiny_config("float", num_cells=3, share_output_kernel=True)
    child = MicroChild(config, *placeholders(config))
    child.build(*images_and_labels(config), False)
    assert sizes_of_sums(graph) == []
