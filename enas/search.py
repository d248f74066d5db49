"""The search: epochs of the shared child alternate with rounds of the controller."""

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf
from tqdm import tqdm

from enas import configs, loop
from enas.controller import Controller, ControllerTraining, Sample, UniformSampler
from enas.data_utils import Data
from enas.flags import Settings
from enas.input_pipeline import InputPipeline
from enas.log import Log, architecture_lines, controller_line
from enas.loop import ChildOps, Run
from enas.micro_child import MicroChild
from enas.micro_controller import MicroController

SHOWN_ARCHITECTURES = 10


class SearchOps(NamedTuple):
    """All that a search runs. One copy of the child serves training, reward and
    evaluation. accuracy: scalar, of the sampled child on the batch."""

    child: ChildOps
    sample: Sample
    accuracy: tf.Tensor
    controller: ControllerTraining | None

    def fetches(self) -> tuple:
        """What a sample of a controller round fetches: its gradient's accumulation,
        then what its line of the log shows."""
        training = self.controller
        return (
            training.accumulate,
            training.loss,
            self.sample.entropy,
            training.grad_norm,
            self.accuracy,
            training.baseline,
        )


def search(settings: Settings, data: Data, log: Log) -> None:
    """Searches for num_epochs."""
    loop.run_epochs(settings, data, log, build, _after_epoch)


def _after_epoch(run: Run, ops: SearchOps, epoch: int, step: int) -> None:
    settings = run.settings
    if loop.is_due(settings, epoch, settings.controller_train_every):
        if ops.controller is not None:
            _controller_round(run, ops, epoch)
        _show_architectures(run, ops)
    if loop.is_due(settings, epoch, settings.eval_every_epochs):
        loop.evaluate_epoch(run, ops.child.outputs, step)


def build(
    settings: Settings,
    pipeline: InputPipeline,
    num_classes: int,
    steps_per_epoch: int,
    make_child: Callable = MicroChild,
) -> tuple[MicroChild, SearchOps]:
    """Controller and child in the default graph.

    Args:
      make_child: what makes the child of its configuration and the two sampled cells.
    """
    global_step = tf.compat.v1.train.get_or_create_global_step()
    training = tf.compat.v1.placeholder_with_default(False, [], "training")
    controller = _make_controller(settings)
    sample = controller.sample()
    model = make_child(
        configs.child_config(settings, pipeline.images, num_classes),
        sample.normal_arc,
        sample.reduce_arc,
    )
    outputs = model.build(pipeline.images, pipeline.labels, training)
    batch = tf.shape(pipeline.labels)[0]
    accuracy = tf.cast(outputs.correct, tf.float32) / tf.cast(batch, tf.float32)
    child = loop.make_child_ops(
        settings, model, outputs, global_step, steps_per_epoch, {training: True}
    )
    controller_training = None
    if settings.controller_training:
        controller_training = controller.train(sample, accuracy)
    return model, SearchOps(child, sample, accuracy, controller_training)


def _make_controller(settings: Settings) -> Controller:
    if settings.controller_training:
        return MicroController(configs.controller_config(settings))
    return UniformSampler(settings.child_num_cells)


def _controller_round(run: Run, ops: SearchOps, epoch: int) -> None:
    """controller_train_steps updates, each of controller_num_aggregate samples."""
    settings, session, controller = run.settings, run.session, ops.controller
    run.log.line(f"Epoch {epoch}: Training controller")
    feed = run.pipeline.feed("reward")
    fetches = ops.fetches()
    updates = int(session.run(controller.updates))
    samples = settings.controller_train_steps * settings.controller_num_aggregate
    bar = tqdm(range(samples), f"controller {epoch}", disable=None, leave=False)
    for number in bar:
        _, loss, entropy, grad_norm, accuracy, baseline = session.run(fetches, feed)
        if number % settings.log_every == 0:
            run.log.line(
                controller_line(
                    step=updates + number // settings.controller_num_aggregate,
                    loss=loss,
                    entropy=entropy,
                    lr=settings.controller_lr,
                    grad_norm=grad_norm,
                    accuracy=accuracy,
                    baseline=baseline,
                    minutes=run.log.minutes(),
                )
            )
        if (number + 1) % settings.controller_num_aggregate == 0:
            session.run(controller.apply)


def _show_architectures(run: Run, ops: SearchOps) -> None:
    """Ten strings, each with its accuracy on one validation batch."""
    run.log.line(f"Here are {SHOWN_ARCHITECTURES} architectures")
    feed = run.pipeline.feed("reward")
    fetches = (ops.sample.normal_arc, ops.sample.reduce_arc, ops.accuracy)
    for _ in range(SHOWN_ARCHITECTURES):
        run.log.line(architecture_lines(*run.session.run(fetches, feed)))
