"""The search child: every candidate's weights, and only the sampled one's arithmetic.

The sampled strings are tensors, drawn anew at every step. An operation is picked by a
`Case` op that runs one branch; the nodes of a cell stand in a tensor list, whose items
are read and given gradient by reference, without stacking; weights stand in banks, of
which only the rows of the sampled operations are read, so that their gradient is
sparse. Functions of the same shape are traced once and called from every block that
fits.

Layout: N batch, H W height and width, F filters, B blocks a cell, E = 2B edges of a
cell (block 0's x, block 0's y, block 1's x …), R rows of a bank, P numbers in a row, n
as many as the sampled cell asks for."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from enas.common_ops import Context, create_bank, run_operation, unpack_row
from enas.models import Model
from enas.space.arc import CHOICES, SIDES
from enas.space.operations import OPERATIONS, Operation, WeightSpec, norm_specs

lists = tf.raw_ops


class Routing(NamedTuple):
    """Which nodes, operations and rows one sampled cell uses.

    index, op: int32 [E]. unread: int32 [n], the nodes that no block reads, ascending.
    rows: for each operation int32 [n], the bank rows of the edges that sampled it.
    takes: for each operation int32 [E], 1 where an edge sampled it.
    """

    index: tf.Tensor
    op: tf.Tensor
    unread: tf.Tensor
    rows: list[tf.Tensor]
    takes: list[tf.Tensor]


def bank_rows(num_cells: int) -> int:
    """Rows of a bank: one for each edge and each node that it may read."""
    return sum(len(SIDES) * CHOICES["index"](block) for block in range(num_cells))


def row_offsets(num_cells: int) -> list[int]:
    """The row of each edge's node 0: for each block, x's b+2 rows and then y's."""
    nodes = [CHOICES["index"](block) for block in range(num_cells) for _ in SIDES]
    return [sum(nodes[:edge]) for edge in range(len(nodes))]


def route(cell: tf.Tensor, num_cells: int) -> Routing:
    """Reads a sampled cell, int32 [4·B]."""
    choices = list(CHOICES)
    edges = tf.reshape(cell, [-1, len(choices)])  # [E, 2]
    index, op = (edges[:, choices.index(kind)] for kind in ("index", "op"))
    reads = tf.math.bincount(index, minlength=num_cells + 2, maxlength=num_cells + 2)
    unread = tf.cast(tf.where(tf.equal(reads, 0))[:, 0], tf.int32)
    row = index + tf.constant(row_offsets(num_cells))
    sampled = [tf.equal(op, number) for number in range(len(OPERATIONS))]
    return Routing(
        index,
        op,
        unread,
        [tf.boolean_mask(row, mask) for mask in sampled],
        [tf.cast(mask, tf.int32) for mask in sampled],
    )


class MicroChild(Model):
    """The shared-weight child.

    Args:
      config: its shape.
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

    def _route(self, cell: tf.Tensor) -> Routing:
        return route(cell, self.config.num_cells)

    def run_blocks(
        self, context: Context, inputs: list, routing: Routing, filters: int
    ) -> tf.Tensor:
        """A tensor list of all nodes of a sampled cell, from its two calibrated inputs
        [N, H, W, F]."""
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
                x = get_node(nodes, index[edge], image)
                y = run_edge(x, op[edge], *[rows[edge] for rows in edge_rows])
                y.set_shape(image)
                sides.append(y)
            node = self._node(*sides)
            nodes = lists.TensorListPushBack(input_handle=nodes, tensor=node)
        return nodes

    def _edge_rows(
        self, context: Context, routing: Routing, filters: int
    ) -> list[list[tf.Tensor]]:
        """For each operation that has weights, E tensors: the edge's row [1, P] where
        the edge sampled that operation, else nothing, [0, P]."""
        edge_rows = []
        for number, bank in self._operation_banks(context, filters).items():
            rows = tf.gather(bank, routing.rows[number])  # [n, P]
            edge_rows.append(tf.split(rows, routing.takes[number]))
        return edge_rows

    def _operation_banks(
        self, context: Context, filters: int
    ) -> dict[int, tf.Variable]:
        """The bank [R, P] of each operation that has weights, by its number."""
        rows, banks = bank_rows(self.config.num_cells), {}
        for number, operation in enumerate(OPERATIONS):
            specs = operation.weights(filters, 1, self.config.op_scale)
            if specs:
                banks[number] = create_bank(f"op_{number}", rows, specs, context.scheme)
        return banks

    def _shared(
        self, make: Callable, context: Context, filters: int, image
    ) -> Callable:
        scheme = context.scheme
        key = (make.__name__, scheme.name, scheme.bits, filters, image[1])
        if key not in self._functions:
            self._functions[key] = make(context, filters, image)
        return self._functions[key]

    def _edge_function(self, context: Context, filters: int, image) -> Callable:
        """(x [N, H, W, F], op scalar, rows of each op with weights) to [N, H, W, F]."""

        specs = [operation.weights(filters, 1) for operation in OPERATIONS]
        with_weights = [number for number, spec in enumerate(specs) if spec]

        @tf.function(autograph=False)
        def run_edge(x, op, *rows):
            row_of = dict(zip(with_weights, rows, strict=True))

            def branch(number: int, operation: Operation) -> Callable:
                def run():
                    weights = ()
                    if number in row_of:
                        weights = unpack_row(row_of[number], specs[number])
                    # A custom gradient inside the branch must hold the branch's own
                    # tensor, which the identity makes, not the caller's.
                    inside = tf.identity(x)
                    return run_operation(operation, context, inside, weights, 1)

                return run

            return tf.switch_case(op, [branch(*one) for one in enumerate(OPERATIONS)])

        return run_edge

    def combine(
        self, context: Context, nodes: tf.Tensor, routing: Routing, filters: int, image
    ) -> tf.Tensor:
        """The unread nodes → activation → 1×1 convolution to F → batch norm."""
        kernels, scale, offset = self._combine_weights(context, routing, filters)
        run = self._shared(self._combine_function, context, filters, image)
        output = run(nodes, routing.unread, kernels)
        output.set_shape(image)
        return context.norm(output, scale, offset)

    def _combine_weights(
        self, context: Context, routing: Routing, filters: int
    ) -> tuple[tf.Tensor, tf.Variable, tf.Variable]:
        """(kernels of the unread nodes [n, F·F], or the one that nodes share [1, F·F];
        batch norm's scale and offset)."""
        kernel_spec = WeightSpec("kernel", (1, 1, filters, filters), "kernel")
        share = self.config.share_output_kernel
        rows = 1 if share else self.config.num_cells + 2
        with tf.compat.v1.variable_scope("final_conv"):
            bank = create_bank("kernel", rows, (kernel_spec,), context.scheme)
            scale, offset = self._create_weights(norm_specs(filters), context.scheme)
        kernels = bank if share else tf.gather(bank, routing.unread)
        return kernels, scale, offset

    def _combine_function(self, context: Context, filters: int, image) -> Callable:
        """(nodes, unread [n], kernels [n or 1, F·F]) to [N, H, W, F].

        One branch for each number of unread nodes, since concatenation and kernel are
        of that size: at least the last node is unread, at most all but one. Where nodes
        share a kernel, their sum is convolved.
        """
        activation, share = context.scheme.activation, self.config.share_output_kernel

        def merge(picked):
            if share:
                return tf.add_n([activation(node) for node in picked])
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


def get_node(nodes: tf.Tensor, index: tf.Tensor, image: tf.TensorShape) -> tf.Tensor:
    """One node of a cell's list, [N, H, W, F], without a copy; receives gradient."""
    node = lists.TensorListGetItem(
        input_handle=nodes,
        index=index,
        element_shape=tf.constant([-1, *image[1:]]),
        element_dtype=tf.float32,
    )
    node.set_shape(image)
    return node
