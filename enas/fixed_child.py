"""The fixed child: one architecture with weights of its own, trained to convergence.

Layout: N = batch, H and W = height and width, C = channels, F = filters. Every image
tensor is [N, H, W, C].
"""

import tensorflow as tf

from enas import common_ops
from enas.common_ops import BN_DECAY, BN_EPSILON
from enas.models import Build, ChildConfig, Model
from enas.space.arc import SIDES, Arc, Cell, unread_nodes
from enas.space.operations import Specs
from enas.space.schemes import Scheme


class FixedChild(Model):
    """The network of one arc string.

    Args:
      config: the shape of the network.
      arc: the two cells of the network.
      progress: float32 scalar, the part of training that is done. It schedules drop
        path (arXiv:1605.07648; the schedule is that of arXiv:1707.07012).
    """

    def __init__(self, config: ChildConfig, arc: Arc, progress: tf.Tensor):
        super().__init__(config)
        self.arc = arc
        self.progress = progress
        self._moving: dict = {}  # maps a scale variable to its moving (mean, variance)

    def _layers(self, build, stem):
        config = self.config
        inputs, aux, filters = (stem, stem), None, config.out_filters
        for layer in range(config.num_layers + 2):
            reduces = layer in config.pool_layers
            filters *= 2 if reduces else 1
            cell = self.arc.reduction if reduces else self.arc.normal
            with tf.compat.v1.variable_scope(f"layer_{layer}"):
                stride = 2 if reduces else 1
                output = self._cell(build, layer, inputs, cell, filters, stride)
            build.record(layer, output)
            inputs = (inputs[1], output)
            if layer == self.aux_layer:
                aux = output
        return inputs[1], aux

    def _cell(
        self,
        build: Build,
        layer: int,
        inputs: tuple,
        cell: Cell,
        filters: int,
        stride: int,
    ) -> tf.Tensor:
        """Runs a cell on a layer's two inputs, [N, H, W, C] each.

        Returns:
          [N, H/stride, W/stride, F · unread nodes].
        """
        context = self._context(build, layer)
        nodes = self._calibrate(context, inputs, filters)
        calibrated = nodes[1]
        with tf.compat.v1.variable_scope("preprocess"):
            second = context.scheme.activation(nodes[1])
            nodes[1] = self._conv_norm(context, second, filters)
        nodes = self.run_blocks(build, layer, nodes, cell, stride)
        size = nodes[-1].shape[1]
        outputs = []
        for node in unread_nodes(cell):
            x = nodes[node]
            if x.shape[1] != size:
                with tf.compat.v1.variable_scope(f"combine_{node}"):
                    x = self._factorized_reduction(context, x, filters)
            outputs.append(x)
        return self._with_shortcut(tf.concat(outputs, axis=-1), calibrated)

    def run_blocks(
        self,
        build: Build,
        layer: int,
        inputs: list[tf.Tensor],
        cell: Cell,
        stride: int,
    ) -> list[tf.Tensor]:
        """Runs the blocks of a cell; returns all its nodes.

        Operations on the two inputs have the stride; the others have stride 1.

        Args:
          inputs: the two calibrated inputs, [N, H, W, F] each.
        """
        nodes = list(inputs)
        for number, block in enumerate(cell):
            sides = []
            for side, (index, op) in zip(SIDES, block.edges(), strict=True):
                with tf.compat.v1.variable_scope(f"block_{number}_{side}"):
                    strides = stride if index < 2 else 1
                    sides.append(self._edge(build, layer, nodes[index], op, strides))
            nodes.append(self._node(*sides))
        return nodes

    def _edge(
        self, build: Build, layer: int, x: tf.Tensor, op: int, stride: int
    ) -> tf.Tensor:
        context, operation = self._context(build, layer), self.config.operations[op]
        specs = operation.weights(x.shape[-1], stride, self.config.op_scale)
        scheme = common_ops.scheme_for(operation, context.scheme)
        weights = self._create_weights(specs, scheme)
        x = common_ops.run_operation(operation, context, x, weights, stride)
        if (
            operation.drop_path
            and build.training
            and self.config.drop_path_keep_prob < 1.0
        ):
            x = common_ops.drop_path(x, self._keep_prob(layer))
        return x

    def _keep_prob(self, layer: int) -> tf.Tensor:
        """The keep probability: 1 - progress · depth · (1 - drop_path_keep_prob)."""
        depth = (layer + 1) / (self.config.num_layers + 2)
        dropped = depth * (1.0 - self.config.drop_path_keep_prob)
        return 1.0 - tf.minimum(1.0, self.progress) * dropped

    def _create_weights(self, specs: Specs, scheme: Scheme) -> list[tf.Variable]:
        weights = super()._create_weights(specs, scheme)
        for spec, weight in zip(specs, weights, strict=True):
            if spec.kind == "scale":
                self._moving[weight.ref()] = tuple(
                    tf.compat.v1.get_variable(
                        f"{spec.name}_{name}", initializer=value, trainable=False
                    )
                    for name, value in (
                        ("moving_mean", tf.zeros(spec.shape)),
                        ("moving_variance", tf.ones(spec.shape)),
                    )
                )
        return weights

    def _norm(self, build, x, scale, offset):
        """Batch norm with the batch's statistics in training, else moving averages.

        In training, the build's `updates` then move the averages.
        """
        moving = self._moving[scale.ref()]
        fused = tf.compat.v1.nn.fused_batch_norm
        if not build.training:
            mean, variance = moving
            if self.config.fold_norms:
                return common_ops.folded_norm(x, scale, offset, mean, variance)
            return fused(
                x, scale, offset, mean, variance, BN_EPSILON, is_training=False
            )[0]
        x, *statistics = fused(x, scale, offset, epsilon=BN_EPSILON)
        for average, value in zip(moving, statistics, strict=True):
            change = (1.0 - BN_DECAY) * (value - average)
            build.updates.append(average.assign_add(change).op)
        return x
