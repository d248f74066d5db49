"""What the search child and the fixed child share: stem, calibration, heads and loss.

This module must not depend on how a cell is run; the two children decide that.

Layout: N = batch, H and W = height and width, C = channels, F = current number of
filters, K = classes. Every image tensor is [N, H, W, C].
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import tensorflow as tf

from enas import common_ops
from enas.base import random_numbers
from enas.common_ops import Context, Piece, create_weight, create_weights
from enas.space.layer_plan import aux_layer
from enas.space.operations import (
    CLASSIC,
    Operations,
    Specs,
    conv_norm_specs,
    reduction_specs,
)
from enas.space.schemes import Scheme

AUX_WEIGHT = 0.4
AUX_FILTERS = (128, 768)
AUX_SIZE = 2  # height and width that the aux head's second convolution reads, at most


class ChildConfig(NamedTuple):
    """The shape of a child.

    Attributes:
      img_size: height and width of an image, in pixels.
      num_layers: the child has num_layers + 2 layers.
      num_cells: blocks in a cell.
      out_filters: filters before the first reduction; each reduction doubles them.
      pool_layers: the numbers of the reduction layers, ascending.
      first_scheme: the scheme of the stem and layer 0.
      head_scheme: that of the classifier's weights; None for real ones.
      operations: the table of operations; those with a scheme of their own keep it in
        all layers.
      shortcut: whether a layer adds its second input, calibrated, to its output.
      op_shortcut: whether a convolution of the table adds its input to its output.
      op_scale: initial scale of such a convolution's last batch norm. With stride 2
        that scale starts at 1.
      node_mean: whether a node is the mean of its two operations; if not, their sum.
      share_output_kernel: whether the nodes of a layer share the kernel of its output
        convolution (search child).
      fold_norms: whether each batch norm is one product and one sum outside of training
        (fixed child).
      keep_prob: keep probability of the dropout before the head's dense layer.
      drop_path_keep_prob: keep probability of the last layer's branches at the end of
        training (fixed child).
      loss: a key of LOSSES.
      label_smoothing: the part of a target that is spread over all classes
        (cross_entropy only).
    """

    img_size: int
    channels: int
    num_classes: int
    num_layers: int
    num_cells: int
    out_filters: int
    pool_layers: tuple[int, ...]
    scheme: Scheme
    first_scheme: Scheme
    head_scheme: Scheme | None = None
    operations: Operations = CLASSIC
    use_aux_heads: bool = True
    shortcut: bool = False
    op_shortcut: bool = False
    op_scale: float = 1.0
    node_mean: bool = False
    share_output_kernel: bool = False
    fold_norms: bool = False
    keep_prob: float = 1.0
    drop_path_keep_prob: float = 1.0
    loss: str = "cross_entropy"
    label_smoothing: float = 0.0


class LayerShape(NamedTuple):
    """The shape of a layer's output: the layer's number, height = width, channels."""

    layer: int
    size: int
    channels: int


class Outputs(NamedTuple):
    """A child that was built on one batch.

    Attributes:
      logits: [N, K].
      loss: scalar, the loss of the head alone.
      total_loss: scalar, which adds AUX_WEIGHT times the loss of the aux head. That
        head is built only for training.
      correct: int32 scalar, how many images are classified correctly.
      layers: the output shape of each layer.
      updates: ops to run with each training step.
      scope: the name scope of the child's ops.
    """

    logits: tf.Tensor
    loss: tf.Tensor
    total_loss: tf.Tensor
    correct: tf.Tensor
    layers: list[LayerShape]
    updates: list[tf.Operation]
    scope: str


class Build(NamedTuple):
    """A build in progress; its `layers` and `updates` grow meanwhile (see Outputs)."""

    training: bool
    layers: list[LayerShape]
    updates: list[tf.Operation]

    def record(self, layer: int, x: tf.Tensor) -> None:
        """Records the shape of a layer's output x [N, H, W, C]."""
        self.layers.append(LayerShape(layer, x.shape[1], x.shape[-1]))


def cross_entropy(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Mean softmax cross-entropy; logits [N, K], labels int32 [N]."""
    return tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits)
    )


def smoothed_cross_entropy(
    logits: tf.Tensor, labels: tf.Tensor, smoothing: float
) -> tf.Tensor:
    """Mean softmax cross-entropy with label smoothing (arXiv:1512.00567).

    The target is 1 - smoothing for the label's class, and `smoothing` is spread evenly
    over all K classes.

    Args:
      logits: [N, K]. labels: int32 [N].
    """
    classes = logits.shape[-1]
    targets = tf.one_hot(labels, classes) * (1.0 - smoothing) + smoothing / classes
    return tf.reduce_mean(
        tf.nn.softmax_cross_entropy_with_logits(labels=targets, logits=logits)
    )


def squared_hinge(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Mean squared hinge loss over images and classes (arXiv:1602.02830).

    The loss is max(0, 1 - t·logit)², where t is +1 for the label's class and -1 for the
    others.

    Args:
      logits: [N, K]. labels: int32 [N].
    """
    targets = tf.one_hot(labels, logits.shape[-1], on_value=1.0, off_value=-1.0)
    return tf.reduce_mean(tf.square(tf.nn.relu(1.0 - targets * logits)))


LOSSES = {"cross_entropy": cross_entropy, "squared_hinge": squared_hinge}


def aux_pool(x: tf.Tensor) -> tf.Tensor:
    """Pools what the aux head reads; every pixel counts.

    The pool is 5×5 with stride 3. A kernel over the whole of a larger map than 32-pixel
    images give would outgrow the network, so a second pool shrinks that to AUX_SIZE.

    Args:
      x: [N, H, W, C], where H = W.

    Returns:
      [N, S, S, C], where S is at most AUX_SIZE.
    """
    # VALID if 5×5 windows with stride 3 cover every pixel.
    size = x.shape[1]
    padding = "VALID" if size >= 5 and (size - 5) % 3 == 0 else "SAME"
    x = tf.nn.avg_pool2d(x, 5, 3, padding)
    if x.shape[1] > AUX_SIZE:
        window = -(-x.shape[1] // AUX_SIZE)
        x = tf.nn.avg_pool2d(x, window, window, "SAME")
    return x


class Model:
    """Base class of both children; all weights are in the variable scope `child`."""

    scope = "child"

    def __init__(self, config: ChildConfig):
        self.config = config
        self.aux_layer = None
        if config.use_aux_heads:
            self.aux_layer = aux_layer(config.pool_layers, config.num_layers)

    def build(self, images: tf.Tensor, labels: tf.Tensor, training: bool) -> Outputs:
        """Builds the child on a batch; a second call reuses the weights of the first.

        Args:
          images: float32 [N, H, W, C], normalized. labels: int32 [N].
          training: whether to build for training (dropout, the aux head and the like).
        """
        build = Build(training, [], [])
        with tf.compat.v1.variable_scope(self.scope, reuse=tf.compat.v1.AUTO_REUSE):
            scope = tf.compat.v1.get_default_graph().get_name_scope()
            final, aux = self._layers(build, self._stem(build, images))
            with tf.compat.v1.variable_scope("head"):
                logits = self._head(build, final)
            loss = total_loss = self._loss(logits, labels)
            if training and self.aux_layer is not None:
                with tf.compat.v1.variable_scope("aux_head"):
                    aux_logits = self._aux_head(build, self.aux_layer, aux)
                total_loss += AUX_WEIGHT * self._loss(aux_logits, labels)
        predictions = tf.argmax(logits, axis=1, output_type=tf.int32)
        correct = tf.reduce_sum(tf.cast(tf.equal(predictions, labels), tf.int32))
        return Outputs(logits, loss, total_loss, correct, *build[1:], scope)

    def _loss(self, logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
        """Returns the loss of logits [N, K], a scalar."""
        smoothing = self.config.label_smoothing
        if smoothing:
            return smoothed_cross_entropy(logits, labels, smoothing)
        return LOSSES[self.config.loss](logits, labels)

    def variables(self) -> list[tf.Variable]:
        """Every trainable weight, including those of the aux head."""
        return tf.compat.v1.get_collection(
            tf.compat.v1.GraphKeys.TRAINABLE_VARIABLES, scope=self.scope + "/"
        )

    def most_read(self) -> int:
        """Returns how many numbers of banks a step reads at most; 0 without banks."""
        return 0

    def count_params(self) -> tuple[int, int]:
        """Returns (weights without those of the aux head, weights of the aux head)."""
        params = aux_params = 0
        for variable in self.variables():
            count = math.prod(variable.shape.as_list())
            if variable.name.startswith(f"{self.scope}/aux_head/"):
                aux_params += count
            else:
                params += count
        return params, aux_params

    def _layers(
        self, build: Build, stem: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Returns the output of the last layer, and that of the aux layer or None."""
        raise NotImplementedError

    def _norm(
        self, build: Build, x: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor
    ) -> tf.Tensor:
        del build
        return common_ops.batch_norm(x, scale, offset)

    def _create_weights(self, specs: Specs, scheme: Scheme) -> list[tf.Variable]:
        return create_weights(specs, scheme)

    def scheme_of(self, layer: int) -> Scheme:
        """The scheme of a layer; the stem (layer -1) and layer 0 have the first one."""
        return self.config.first_scheme if layer <= 0 else self.config.scheme

    def _context(self, build: Build, layer: int) -> Context:
        norm = partial(self._norm, build)
        return Context(self.scheme_of(layer), norm, self.config.op_shortcut)

    def _stem(self, build: Build, images: tf.Tensor) -> tf.Tensor:
        """Applies the stem: [N, H, W, C] to [N, H, W, 3F]."""
        context, filters = self._context(build, -1), 3 * self.config.out_filters
        with tf.compat.v1.variable_scope("stem_conv"):
            return self._conv_norm(context, images, filters, 3)

    def _conv_norm(
        self, context: Context, x: tf.Tensor, filters: int, kernel_size: int = 1
    ) -> tf.Tensor:
        specs = conv_norm_specs(kernel_size, x.shape[-1], filters)
        weights = self._create_weights(specs, context.scheme)
        return common_ops.conv_norm(context, x, weights)

    def _factorized_reduction(
        self, context: Context, x: tf.Tensor, filters: int
    ) -> tf.Tensor:
        weights = self._create_weights(
            reduction_specs(x.shape[-1], filters), context.scheme
        )
        return common_ops.factorized_reduction(context, x, weights)

    def _calibrate(
        self, context: Context, inputs: tuple[tf.Tensor, tf.Tensor], filters: int
    ) -> list[tf.Tensor]:
        """Brings a layer's two inputs to F channels and to the size of the second."""
        first, second = inputs
        act = context.scheme.activation
        with tf.compat.v1.variable_scope("calibrate_x"):
            if first.shape[1] != second.shape[1]:
                first = self._factorized_reduction(context, act(first), filters)
            elif first.shape[-1] != filters:
                first = self._conv_norm(context, act(first), filters)
        with tf.compat.v1.variable_scope("calibrate_y"):
            if second.shape[-1] != filters:
                second = self._conv_norm(context, act(second), filters)
        return [first, second]

    def _node(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """Combines the outputs of a block's two operations into its node."""
        return common_ops.mean_or_sum(x, y, self.config.node_mean)

    def _with_shortcut(self, output: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        """Adds a layer's second input to its output if the child has shortcuts.

        The shortcut has no weights. It adds the same x to each node of the output; in a
        reduction layer x is max pooled first.

        Args:
          output: [N, H/stride, W/stride, F · nodes].
          x: [N, H, W, F].
        """
        if not self.config.shortcut:
            return output
        stride = -(-x.shape[1] // output.shape[1])
        nodes = output.shape[-1] // x.shape[-1]
        if stride > 1:
            x = tf.nn.max_pool2d(x, stride, stride, "SAME")
        return output + (tf.tile(x, [1, 1, 1, nodes]) if nodes > 1 else x)

    def _dense(self, x: tf.Tensor, scheme: Scheme | None = None) -> tf.Tensor:
        """Maps [N, C] to logits [N, K].

        Args:
          scheme: that of the weights, which are real-valued without one.
        """
        shape = [x.shape[-1], self.config.num_classes]
        initial = self._dense_initial(shape)
        if scheme is None or scheme.H is None:
            return tf.matmul(x, create_weight("w", shape, initial))
        piece = Piece(math.prod(shape), scheme.H, "kernel", scheme.format)
        return tf.matmul(
            x, scheme.quantize(create_weight("w", shape, initial, [piece]))
        )

    def _dense_initial(self, shape: list[int]) -> Callable:
        fan_in, fan_out = shape
        if self.config.scheme.H is None:
            return lambda: random_numbers.initial_normal(
                shape, math.sqrt(2 / fan_in), "w"
            )
        limit = math.sqrt(6 / (fan_in + fan_out))
        return lambda: random_numbers.initial_uniform(shape, limit, "w")

    def _head(self, build: Build, x: tf.Tensor) -> tf.Tensor:
        """Maps [N, H, W, C] to logits [N, K]."""
        x = self.scheme_of(self.config.num_layers).activation(x)
        x = tf.reduce_mean(x, axis=[1, 2])  # [N, C]
        if build.training and self.config.keep_prob < 1.0:
            x = common_ops.dropout(x, self.config.keep_prob)
        return self._dense(x, self.config.head_scheme)

    def _aux_head(self, build: Build, layer: int, x: tf.Tensor) -> tf.Tensor:
        """Maps a layer's output [N, H, W, C] to logits [N, K].

        Only training uses the weights of this head. However large the images are, its
        second convolution has a kernel of at most AUX_SIZE × AUX_SIZE.
        """
        context = self._context(build, layer)
        act = context.scheme.activation
        x = aux_pool(act(x))
        with tf.compat.v1.variable_scope("proj"):
            x = self._conv_norm(context, x, AUX_FILTERS[0])
        with tf.compat.v1.variable_scope("avg_pool"):
            x = self._conv_norm(context, act(x), AUX_FILTERS[1], x.shape[1])
        return self._dense(tf.reduce_mean(act(x), axis=[1, 2]))
