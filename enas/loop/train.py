"""Trains one fixed architecture from new weights."""

from typing import NamedTuple

import tensorflow as tf

from enas.data_utils import Data
from enas.fixed_child import FixedChild
from enas.flags.table import Settings
from enas.loop import configs, epochs
from enas.loop.epochs import ChildOps, Run
from enas.models import Outputs
from enas.report.log import Log
from enas.session.input_pipeline import InputPipeline
from enas.session.output_dir import OutputDir
from enas.space.arc import parse_arc


class TrainingOps(NamedTuple):
    """All that a training runs.

    Attributes:
      evaluated: the outputs of the child outside training, with its moving averages.
    """

    child: ChildOps
    evaluated: Outputs


def train(settings: Settings, data: Data, log: Log, folder: OutputDir | None) -> None:
    """Trains for num_epochs."""
    epochs.run_epochs(settings, data, log, folder, build, _after_epoch)


def _after_epoch(run: Run, ops: TrainingOps, epoch: int, step: int) -> None:
    if epochs.is_due(run.settings, epoch, run.settings.eval_every_epochs):
        epochs.evaluate_epoch(run, ops.evaluated, step)


def build(
    settings: Settings, pipeline: InputPipeline, num_classes: int, steps_per_epoch: int
) -> tuple[FixedChild, TrainingOps]:
    """Builds the child in the default graph, once for training and once to evaluate."""
    global_step = tf.compat.v1.train.get_or_create_global_step()
    total_steps = max(1, settings.num_epochs * steps_per_epoch)
    progress = tf.cast(global_step + 1, tf.float32) / float(total_steps)
    model = FixedChild(
        configs.child_config(settings, pipeline.images, num_classes),
        parse_arc(settings.fixed_arc, settings.child_num_cells),
        progress,
    )
    outputs = model.build(pipeline.images, pipeline.labels, training=True)
    child = epochs.make_child_ops(
        settings, model, outputs, global_step, steps_per_epoch
    )
    evaluated = model.build(pipeline.images, pipeline.labels, training=False)
    return model, TrainingOps(child, evaluated)
