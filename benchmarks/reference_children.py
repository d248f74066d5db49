"""Builds two search children to compare the project's own with.

Both have the same banks and the same layers as MicroChild. With one string and one set
of weights, all three must compute the same logits and gradients. They do not know
operations that share kernels (`mixed`).

Layout: as in enas/micro_child.py, with N = images in a batch.
"""

import tensorflow as tf

from enas.common_ops import Context, run_operation, unpack_row
from enas.micro_child import MicroChild, Routing
from enas.models import Outputs
from enas.space.arc import Arc, numbers_of
from enas.space.banks import row_offsets

COPIES = 4  # for training, validation, test and reward


class ReferenceChild(MicroChild):
    """What the two share: they make a cell's output from its merged unread nodes."""

    def _convolve(self, context: Context, x, kernels, scale, offset, filters):
        """Convolves activated nodes to the output of a cell, [N, H, W, F].

        Args:
          x: the sum of the nodes, [N, H, W, F], if they share a kernel; otherwise the
            nodes side by side, [N, H, W, n·F].
        """
        kernel = tf.reshape(kernels, [1, 1, -1, filters])
        conv = context.scheme.layer("conv2d", filters, 1, w_getter=lambda: kernel)
        return context.norm(conv(x), scale, offset)


class StraightChild(ReferenceChild):
    """A child whose string is known when it is built: no branches, no picking.

    Args:
      arc: the string. The sampled cells are ignored.
    """

    def __init__(self, arc: Arc, config, normal_arc=None, reduce_arc=None):
        del normal_arc, reduce_arc
        numbers = numbers_of(arc)
        half = len(numbers) // 2
        super().__init__(config, numbers[:half], numbers[half:])
        self._unread_banks: set = set()

    def variables(self):
        """Returns the variables that the string reads."""
        return [v for v in super().variables() if v.ref() not in self._unread_banks]

    def _route(self, cell):
        offsets = row_offsets(self.config.num_cells)
        index, op = list(cell[0::2]), list(cell[1::2])
        edges, count = range(len(op)), len(self.config.operations)
        row = [offsets[edge] + index[edge] for edge in edges]
        return Routing(
            index,
            op,
            [n for n in range(self.config.num_cells + 2) if n not in index],
            [
                [row[edge] for edge in edges if op[edge] == number]
                for number in range(count)
            ],
            [[int(taken == n) for taken in op] for n in range(count)],
            row,
        )

    def run_blocks(self, context: Context, inputs, routing, filters):
        weights = self._edge_weights(context, routing, filters)
        nodes = list(inputs)
        for block in range(self.config.num_cells):
            sides = []
            for edge in (2 * block, 2 * block + 1):
                operation = self.config.operations[routing.op[edge]]
                x = nodes[routing.index[edge]]
                sides.append(run_operation(operation, context, x, weights[edge], 1))
            nodes.append(self._node(*sides))
        return nodes

    def _edge_weights(self, context: Context, routing, filters) -> list:
        """Returns E lists: the weights of each edge's operation."""
        weights = [()] * len(routing.op)
        for plan, bank in self._banks(context, filters):
            (number,) = plan.ops
            if not routing.rows[number]:
                self._unread_banks.add(bank.ref())
                continue
            read = tf.unstack(tf.gather(bank, routing.rows[number]))
            edges = [edge for edge, op in enumerate(routing.op) if op == number]
            for edge, row in zip(edges, read, strict=True):
                weights[edge] = unpack_row(row, plan.specs)
        return weights

    def combine(self, context: Context, nodes, routing, filters, image):
        kernels, scale, offset = self._combine_weights(context, routing, filters)
        unread = [nodes[number] for number in routing.unread]
        if self.config.share_output_kernel:
            x = tf.add_n([context.scheme.activation(node) for node in unread])
        else:
            x = context.scheme.activation(tf.concat(unread, axis=-1))
        return self._convolve(context, x, kernels, scale, offset, filters)


class AllBranchesChild(ReferenceChild):
    """A child as older codes build it, which computes every operation.

    Each edge picks one of the stacked nodes, runs every operation on it, stacks the
    results and picks one of them. The graph has four copies of the child: one trains
    and three do not. A step runs one of them.
    """

    def build(self, images, labels, training) -> Outputs:
        for _ in range(1 if training else COPIES - 1):
            outputs = super().build(images, labels, training)
        return outputs

    def run_blocks(self, context: Context, inputs, routing, filters):
        banks = {
            plan.ops[0]: (plan, bank) for plan, bank in self._banks(context, filters)
        }
        offsets = row_offsets(self.config.num_cells)
        nodes = list(inputs)
        for block in range(self.config.num_cells):
            stacked, sides = tf.stack(nodes), []  # [b+2, N, H, W, F]
            for edge in (2 * block, 2 * block + 1):
                index, op = routing.index[edge], routing.op[edge]
                x, outputs = tf.gather(stacked, index), []
                for number, operation in enumerate(self.config.operations):
                    weights = ()
                    if number in banks:
                        plan, bank = banks[number]
                        row = tf.gather(bank, [offsets[edge] + index])
                        weights = unpack_row(row, plan.specs)
                    outputs.append(run_operation(operation, context, x, weights, 1))
                sides.append(tf.gather(tf.stack(outputs), op))
            nodes.append(self._node(*sides))
        return nodes

    def combine(self, context: Context, nodes, routing, filters, image):
        kernels, scale, offset = self._combine_weights(context, routing, filters)
        unread = tf.gather(tf.stack(nodes), routing.unread)  # [n, N, H, W, F]
        x = context.scheme.activation(unread)
        if self.config.share_output_kernel:
            x = tf.reduce_sum(x, axis=0)
        else:
            x = tf.transpose(x, [1, 2, 3, 0, 4])
            x = tf.reshape(x, [-1, *image[1:3], tf.size(routing.unread) * filters])
            x.set_shape([*image[:3], None])
        output = self._convolve(context, x, kernels, scale, offset, filters)
        output.set_shape(image)
        return output
