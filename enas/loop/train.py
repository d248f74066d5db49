"""Trains one fixed architecture from new weights."""

import os
from contextlib import suppress
from typing import NamedTuple

import tensorflow as tf

from enas.base.program import note
from enas.data_utils import DataReader
from enas.export.walk import (
    NO_NETWORK,
    Source,
    network_of,
    why_no_network,
)
from enas.fixed_child import FixedChild
from enas.flags.table import Settings
from enas.loop import configs, epochs, next_steps
from enas.loop.epochs import ChildOps, Run
from enas.loop.trained import about, network_with_weights
from enas.models import Outputs
from enas.network import file
from enas.network.network import Network
from enas.report.log import Log
from enas.session.input_pipeline import InputPipeline
from enas.session.output_dir import OutputDir


class TrainingOps(NamedTuple):
    """All that a training runs.

    Attributes:
      evaluated: the outputs of the child outside training, with its moving averages.
    """

    child: ChildOps
    evaluated: Outputs


def train(
    settings: Settings, data: DataReader, log: Log, folder: OutputDir | None
) -> None:
    """Trains for num_epochs, and then writes the packed network."""

    is_float = settings.child_scheme == "float"

    def source_of(images: tf.Tensor) -> Source:
        found = data()
        return Source(images, found.mean, found.std, found.classes)

    def describe(ops: TrainingOps, images: tf.Tensor) -> Network | None:
        if is_float:
            return None
        with suppress(*NO_NETWORK):
            return network_of(ops.evaluated, source_of(images), about(settings))
        return None

    def after_epoch(run: Run, ops: TrainingOps, epoch: int, step: int) -> None:
        if epochs.is_due(settings, epoch, settings.eval_every_epochs):
            epochs.evaluate_epoch(run, ops.evaluated, step)

    def at_end(run: Run, ops: TrainingOps) -> None:
        if not is_float:
            pack(run, ops)
        next_steps.after_training(run)

    def pack(run: Run, ops: TrainingOps) -> None:
        source, session = source_of(run.reader.pipeline.images), run.reader.session
        try:
            trained = network_with_weights(ops.evaluated, source, session, settings)
            network = trained.simplified()
        except NO_NETWORK as error:
            note(f"the network cannot be packed: {why_no_network(error)}")
            return
        path = os.path.join(run.folder, file.FILE)
        note(f"the packed network is {path}, {file.write(path, network):,} bytes")

    epochs.run_epochs(settings, data, log, folder, build, after_epoch, at_end, describe)


def build(
    settings: Settings, pipeline: InputPipeline, num_classes: int, steps_per_epoch: int
) -> tuple[FixedChild, TrainingOps]:
    """Builds the child in the default graph, once for training and once to evaluate."""
    global_step = tf.compat.v1.train.get_or_create_global_step()
    total_steps = max(1, settings.num_epochs * steps_per_epoch)
    progress = tf.cast(global_step + 1, tf.float32) / float(total_steps)
    model = FixedChild(
        configs.child_config(settings, pipeline.images, num_classes),
        settings.parse_arc(settings.fixed_arc),
        progress,
    )
    outputs = model.build(pipeline.images, pipeline.labels, training=True)
    child = epochs.make_child_ops(
        settings, model, outputs, global_step, steps_per_epoch
    )
    evaluated = model.build(pipeline.images, pipeline.labels, training=False)
    return model, TrainingOps(child, evaluated)
