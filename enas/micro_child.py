"""The search child: it has every candidate's weights, but runs only the sampled one.

The sampled strings are tensors, drawn anew at every step. A `Case` op picks an
operation and runs only its branch. A tensor list holds the nodes of a cell. The list's
items are read, and receive gradient, by reference and without stacking. Banks hold the
weights. Only the rows of the sampled operations are read, so the gradient of a bank is
sparse. Functions of the same shape are traced once and called from every block that
fits.

Layout: N = batch, H and W = height and width, F = filters, B = blocks in a cell, E = 2B
edges of a cell (block 0's x, block 0's y, block 1's x …), R = rows of a bank, P =
numbers in a row, n = a count that depends on the sampled cell.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import NamedTuple

import tensorflow as tf

from enas.common_ops import (
    Context,
    create_bank,
    run_one_of,
    run_operation,
    scheme_for,
    unpack_row,
)
from enas.models import Model
from enas.space.arc import CHOICES, SIDES
from enas.space.banks import (
    BankPlan,
    bank_plans,
    bank_rows,
    most_read,
    row_offsets,
)
from enas.space.operations import (
    CLASSIC,
    Operations,
    Specs,
    WeightSpec,
    norm_specs,
)

lists = tf.raw_ops


class Routing(NamedTuple):
    """Which nodes, operations and bank rows one sampled cell uses.

    Attributes:
      index, op: int32 [E], the node that each edge reads, and its operation.
      unread: int32 [n], the nodes that no block reads, ascending.
      rows: for each operation int32 [n], the bank rows of the edges that sampled it.
      takes: for each operation int32 [E], 1 where an edge sampled it, else 0.
      row: int32 [E], the bank row of each edge.
    """

    index: tf.Tensor
    op: tf.Tensor
    unread: tf.Tensor
    rows: list[tf.Tensor]
    takes: list[tf.Tensor]
    row: tf.Tensor

    def reads(self, plan: BankPlan) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns (rows, takes) of the edges whose operation reads a bank."""
        if len(plan.ops) == 1:
            return self.rows[plan.ops[0]], self.takes[plan.ops[0]]
        takes, row = tf.add_n([self.takes[op] for op in plan.ops]), self.row
        if plan.copies > 1:
            place = tf.add_n([n * self.takes[op] for n, op in enumerate(plan.ops)])
            row += place * bank_rows(place.shape[0] // len(SIDES))
        return tf.dynamic_partition(row, takes, 2)[1], takes


def route(cell: tf.Tensor, num_cells: int, operations: Operations = CLASSIC) -> Routing:
    """Finds the routing of a sampled cell, int32 [4·B]."""
    choices = list(CHOICES)
    edges = tf.reshape(cell, [-1, len(choices)])  # [E, 2]
    index, op = (edges[:, choices.index(kind)] for kind in ("index", "op"))
    reads = tf.math.bincount(index, minlength=num_cells + 2, maxlength=num_cells + 2)
    unread = tf.cast(tf.where(tf.equal(reads, 0))[:, 0], tf.int32)
    row, count = index + tf.constant(row_offsets(num_cells)), len(operations)
    takes = tf.one_hot(op, count, axis=0, dtype=tf.int32)
    return Routing(
        index,
        op,
        unread,
        tf.dynamic_partition(row, op, count),
        tf.unstack(takes),
        row,
    )


class MicroChild(Model):
    """The child whose weights all architectures share.

    Args:
      config: the shape of the child.
      normal_arc, reduce_arc: int32 [4·B], the cells to run.
    """

    def __init__(self, config, normal_arc: tf.Tensor, reduce_arc: tf.Tensor):
        super().__init__(config)
        self._cells = (normal_arc, reduce_arc)
        self._functions: dict[tuple, Callable] = {}

    def _layers(self, build, stem):
        config = self.config
        routings = [self._route(cell) for cell in self._cells]
        pair, aux, filters = (stem, stem), None, config.out_filters
        for layer in range(config.num_layers + 2):
            context = self._context(build, layer)
            reduces = layer in config.pool_layers
            with tf.compat.v1.variable_scope(f"layer_{layer}"):
                if reduces:
                    filters *= 2
                    with tf.compat.v1.variable_scope("reduction"):
                        reduced = self._factorized_reduction(context, pair[1], filters)
                    pair = (pair[1], reduced)
                inputs = self._calibrate(context, pair, filters)
                routing = routings[reduces]
                nodes = self.run_blocks(context, inputs, routing, filters)
                image = inputs[1].shape
                output = self.combine(context, nodes, routing, filters, image)
                output = self._with_shortcut(output, inputs[1])
            build.record(layer, output)
            pair = (pair[1], output)
            if layer == self.aux_layer:
                aux = output
        return pair[1], aux

    def most_read(self) -> int:
        config, total, filters = self.config, 0, self.config.out_filters
        unread = 0 if config.share_output_kernel else config.num_cells + 1
        for layer in range(config.num_layers + 2):
            filters *= 2 if layer in config.pool_layers else 1
            total += most_read(self._bank_plans(filters), config.num_cells)
            total += unread * filters**2  # the rows of the output convolution
        return total

    def _route(self, cell: tf.Tensor) -> Routing:
        return route(cell, self.config.num_cells, self.config.operations)

    def run_blocks(
        self, context: Context, inputs: list, routing: Routing, filters: int
    ) -> tf.Tensor:
        """Runs the blocks of a sampled cell; returns a tensor list of all its nodes.

        Args:
          inputs: the two calibrated inputs, [N, H, W, F] each.
        """
        edge_rows = self._edge_rows(context, routing, filters)
        image = inputs[1].shape
        run_edge = self._shared(self._edge_function, context, filters, image)
        nodes = lists.EmptyTensorList(
            element_shape=tf.constant([-1, *image[1:]]),
            max_num_elements=-1,
            element_dtype=tf.float32,
        )
        for node in inputs:
            nodes = lists.TensorListPushBack(input_handle=nodes, tensor=node)
        index, op = tf.unstack(routing.index), tf.unstack(routing.op)
        for block in range(self.config.num_cells):
            sides = []
            for edge in (2 * block, 2 * block + 1):
                own = [rows[edge] for rows in edge_rows]
                y = run_edge(nodes, index[edge], op[edge], *own)
                y.set_shape(image)
                sides.append(y)
            node = self._node(*sides)
            nodes = lists.TensorListPushBack(input_handle=nodes, tensor=node)
        return nodes

    def _edge_rows(
        self, context: Context, routing: Routing, filters: int
    ) -> list[list[tf.Tensor]]:
        """Returns the E edges' rows of each bank.

        A row is [1, P] if the edge sampled an operation that reads the bank, and empty,
        [0, P], if not.
        """
        edge_rows = []
        for plan, bank in self._banks(context, filters):
            read, takes = routing.reads(plan)
            rows = tf.gather(bank, read)  # [n, P]
            edge_rows.append(tf.split(rows, takes))
        return edge_rows

    def _bank_plans(self, filters: int) -> list[BankPlan]:
        return bank_plans(self.config.operations, filters, self.config.op_scale)

    def _banks(
        self, context: Context, filters: int
    ) -> list[tuple[BankPlan, tf.Variable]]:
        """Returns the banks of a layer's operations, [R, P] or [copies·R, P] each.

        A bank that several operations read is told to have the format of the widest.
        """
        rows, banks = bank_rows(self.config.num_cells), []
        for plan in self._bank_plans(filters):
            operations = [self.config.operations[op] for op in plan.ops]
            schemes = [scheme_for(one, context.scheme) for one in operations]
            widest = max(schemes, key=lambda scheme: scheme.format.bits)
            bank = create_bank(plan.name, plan.copies * rows, plan.specs, widest)
            banks.append((plan, bank))
        return banks

    def _shared(
        self, make: Callable, context: Context, filters: int, image
    ) -> Callable:
        scheme = context.scheme
        key = (make.__name__, scheme.name, scheme.format, filters, image[1])
        if key not in self._functions:
            self._functions[key] = make(context, filters, image)
        return self._functions[key]

    def _edge_function(self, context: Context, filters: int, image) -> Callable:
        """Makes the function that runs an edge and returns [N, H, W, F].

        It takes the nodes, the number of the one that it reads, the operation's number
        (scalars), and the edge's row of each bank.
        """
        operations, plans = self.config.operations, self._bank_plans(filters)
        families = operations.families()

        @tf.function(autograph=False)
        def run_edge(nodes, index, op, *rows):
            x = get_node(nodes, index, image)

            def branch(family: tuple[int, ...], place: tf.Tensor) -> Callable:
                def run():
                    members = [operations[number] for number in family]
                    specs = members[0].weights(filters, 1)
                    weights = unpack_rows(family[0], specs, plans, rows)
                    # A custom gradient inside the branch must hold tensors of the
                    # branch, not the caller's. The identity makes one.
                    inside = tf.identity(x)
                    if len(members) == 1:
                        return run_operation(members[0], context, inside, weights, 1)
                    return run_one_of(
                        members, tf.identity(place), context, inside, weights
                    )

                return run

            family, place = in_families(families, op)
            return tf.switch_case(family, [branch(one, place) for one in families])

        return run_edge

    def combine(
        self, context: Context, nodes: tf.Tensor, routing: Routing, filters: int, image
    ) -> tf.Tensor:
        """Makes a layer's output [N, H, W, F] from the nodes that no block reads.

        They pass through activation, a 1×1 convolution to F filters, and batch norm.
        """
        kernels, scale, offset = self._combine_weights(context, routing, filters)
        run = self._shared(self._combine_function, context, filters, image)
        output = run(nodes, routing.unread, kernels)
        output.set_shape(image)
        return context.norm(output, scale, offset)

    def _combine_weights(
        self, context: Context, routing: Routing, filters: int
    ) -> tuple[tf.Tensor, tf.Variable, tf.Variable]:
        """Returns (kernels, scale of the batch norm, offset of the batch norm).

        The kernels are those of the unread nodes, [n, F·F], or the one that all nodes
        share, [1, F·F].
        """
        kernel_spec = WeightSpec("kernel", (1, 1, filters, filters), "kernel")
        share = self.config.share_output_kernel
        rows = 1 if share else self.config.num_cells + 2
        with tf.compat.v1.variable_scope("final_conv"):
            bank = create_bank("kernel", rows, (kernel_spec,), context.scheme)
            scale, offset = self._create_weights(norm_specs(filters), context.scheme)
        kernels = bank if share else tf.gather(bank, routing.unread)
        return kernels, scale, offset

    def _combine_function(self, context: Context, filters: int, image) -> Callable:
        """Makes the function that convolves the unread nodes to [N, H, W, F].

        It takes (nodes, unread [n], kernels [n or 1, F·F]). It has one branch for each
        number of unread nodes, since this number sets the size of the concatenation and
        of the kernel. At least the last node is unread, and at most all nodes but one.
        If nodes share a kernel, their sum is convolved.
        """
        activation, share = context.scheme.activation, self.config.share_output_kernel

        def merge(picked):
            if share:
                return reduce(tf.add, [activation(node) for node in picked])
            return activation(tf.concat(picked, axis=-1))

        @tf.function(autograph=False)
        def run_combine(nodes, unread, kernels):
            def branch(count):
                def run():
                    picked = [get_node(nodes, unread[i], image) for i in range(count)]
                    x = merge(picked)
                    kernel = tf.reshape(kernels, [1, 1, x.shape[-1], filters])
                    conv = context.scheme.layer(
                        "conv2d", filters, 1, w_getter=lambda: kernel
                    )
                    return conv(x)

                return run

            counts = range(1, self.config.num_cells + 2)
            return tf.switch_case(
                tf.size(unread) - 1, [branch(count) for count in counts]
            )

        return run_combine


def in_families(
    families: Sequence[tuple[int, ...]], op: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns (the number of an operation's family, its place in it), int32 scalars.

    Args:
      op: int32 scalar, the operation's number.
    """
    if all(len(family) == 1 for family in families):
        return op, tf.zeros_like(op)
    places = {
        op: (number, place)
        for number, family in enumerate(families)
        for place, op in enumerate(family)
    }
    family, place = zip(*[places[op] for op in sorted(places)], strict=True)
    return tf.gather(tf.constant(family), op), tf.gather(tf.constant(place), op)


def unpack_rows(
    op: int, specs: Specs, plans: Sequence[BankPlan], rows: Sequence[tf.Tensor]
) -> list[tf.Tensor]:
    """Returns an operation's weights, in the order of its specs.

    Args:
      rows: an edge's row of each bank, [P] or [1, P]; they receive gradient.
    """
    named: dict[str, tf.Tensor] = {}
    for plan, row in zip(plans, rows, strict=True):
        if op in plan.ops:
            tensors = unpack_row(row, plan.specs)
            named |= {spec.name: x for spec, x in zip(plan.specs, tensors, strict=True)}
    return [named[spec.name] for spec in specs]


def get_node(nodes: tf.Tensor, index: tf.Tensor, image: tf.TensorShape) -> tf.Tensor:
    """Reads a node [N, H, W, F] of a cell's list without a copy; passes gradient."""
    node = lists.TensorListGetItem(
        input_handle=nodes,
        index=index,
        element_shape=tf.constant([-1, *image[1:]]),
        element_dtype=tf.float32,
    )
    node.set_shape(image)
    return node
