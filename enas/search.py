"""The search: epochs of the shared child alternate with rounds of the controller."""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from enas import configs, draws, loop, ranking
from enas.arc import Arc, arc_from_numbers
from enas.controller import Controller, ControllerTraining, Sample, UniformSampler
from enas.data_utils import Data
from enas.events import Events
from enas.flags import Settings
from enas.input_pipeline import STREAMS, InputPipeline
from enas.log import Log, architecture_lines, controller_line
from enas.loop import ChildOps, Run
from enas.micro_child import MicroChild
from enas.micro_controller import MicroController
from enas.models import Outputs
from enas.operations import OPERATIONS
from enas.ranking import UNIFORM
from enas.session import Session, input_errors, leave_functions_alone

SHOWN_ARCHITECTURES = 10
# Sources of strings: the controller, and one like it at its start.
CONTROLLER = "controller"
UNTRAINED = "untrained"


class SearchOps(NamedTuple):
    """All that a search runs. evaluated: what the sampled child computes without
    training, of which nothing is kept for a gradient; it serves reward and evaluation.
    accuracy: scalar, of that on the batch."""

    child: ChildOps
    evaluated: Outputs
    sample: Sample
    accuracy: tf.Tensor
    controller: ControllerTraining | None

    def fetches(self) -> tuple:
        """What a sample of a controller round fetches: its gradient's accumulation,
        what its line of the log shows, its two cells."""
        training = self.controller
        return (
            training.accumulate,
            training.loss,
            self.sample.entropy,
            training.grad_norm,
            self.accuracy,
            training.baseline,
            self.sample.normal_arc,
            self.sample.reduce_arc,
        )


def search(settings: Settings, data: Data, log: Log) -> None:
    """Searches for num_epochs, then ranks the strings of the last round."""
    loop.run_epochs(settings, data, log, build, _after_epoch, _rank_last_round)


def _after_epoch(run: Run, ops: SearchOps, epoch: int, step: int) -> None:
    settings = run.settings
    if loop.is_due(settings, epoch, settings.controller_train_every):
        if ops.controller is not None:
            _controller_round(run, ops, epoch, step)
        _show_architectures(run, ops, epoch, step)
    if loop.is_due(settings, epoch, settings.eval_every_epochs):
        loop.evaluate_epoch(run, ops.evaluated, step)


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
    controller, sample, model, evaluated = build_sampled_child(
        settings, pipeline, num_classes, make_child
    )
    batch = tf.shape(pipeline.labels)[0]
    accuracy = tf.cast(evaluated.correct, tf.float32) / tf.cast(batch, tf.float32)
    outputs = model.build(pipeline.images, pipeline.labels, training=True)
    child = loop.make_child_ops(settings, model, outputs, global_step, steps_per_epoch)
    controller_training = None
    if settings.controller_training:
        controller_training = controller.train(sample, accuracy)
    return model, SearchOps(child, evaluated, sample, accuracy, controller_training)


def build_sampled_child(
    settings: Settings,
    pipeline: InputPipeline,
    num_classes: int,
    make_child: Callable = MicroChild,
) -> tuple[Controller, Sample, MicroChild, Outputs]:
    """Controller, what it samples, and the child that runs it, without what trains
    either; in the default graph."""
    leave_functions_alone()
    controller = _make_controller(settings)
    sample = controller.sample()
    model = make_child(
        configs.child_config(settings, pipeline.images, num_classes),
        sample.normal_arc,
        sample.reduce_arc,
    )
    evaluated = model.build(pipeline.images, pipeline.labels, training=False)
    return controller, sample, model, evaluated


@contextmanager
def opened(settings: Settings, data: Data) -> Iterator[tuple[Run, Sample, Outputs]]:
    """The search in `settings.output_dir` as its last checkpoint has it, without what
    trains it: (a run of it, what its controller samples, what its child tells).

    Raises:
      InputError: the checkpoint is damaged, or not of these settings.
    """
    with tf.Graph().as_default(), input_errors():
        pipeline = InputPipeline(data, settings.batch_size)
        _, sample, _, outputs = build_sampled_child(
            settings, pipeline, len(data.classes)
        )
        with Session(settings.output_dir, pipeline) as session:
            log, events, progress = Log(None), Events(None), None
            run = Run(session, pipeline, log, events, progress, settings, 1)
            yield run, sample, outputs


def _make_controller(settings: Settings) -> Controller:
    if settings.controller_training:
        return MicroController(configs.controller_config(settings))
    return UniformSampler(settings.child_num_cells)


def _controller_round(run: Run, ops: SearchOps, epoch: int, step: int) -> None:
    """controller_train_steps updates, each of controller_num_aggregate samples; of a
    round that was interrupted, those that are left.

    The child's step does not move meanwhile; the round's events stand one after another
    at the steps before it."""
    settings, session, controller = run.settings, run.session, ops.controller
    done = int(session.run(run.progress.round_updates))
    if done >= settings.controller_train_steps:
        return
    run.log.line(f"Epoch {epoch}: Training controller")
    fetches = ops.fetches()
    before = int(session.run(controller.updates)) - done
    aggregate = settings.controller_num_aggregate
    samples = range(done * aggregate, settings.controller_train_steps * aggregate)
    bar = tqdm(samples, f"controller {epoch}", disable=None, leave=False)
    sampled = []
    for number in bar:
        _, loss, entropy, grad_norm, accuracy, baseline, *cells = session.run(
            fetches, run.feed("reward", before * aggregate + number)
        )
        if not math.isfinite(grad_norm):
            raise FloatingPointError(
                f"the controller's gradient has norm {grad_norm} in its round after "
                f"step {step}; lower controller_lr"
            )
        sampled.append(cells)
        if number % settings.log_every == 0:
            run.log.line(
                controller_line(
                    step=before + number // aggregate,
                    loss=loss,
                    entropy=entropy,
                    lr=settings.controller_lr,
                    grad_norm=grad_norm,
                    accuracy=accuracy,
                    baseline=baseline,
                    minutes=run.log.minutes(),
                )
            )
            shown = {"loss": loss, "entropy": entropy, "grad_norm": grad_norm}
            shown |= {"accuracy": accuracy, "baseline": baseline}
            run.events.scalars("controller", step - samples.stop + number + 1, shown)
        if (number + 1) % aggregate == 0:
            session.run((controller.apply, run.progress.count_update))
            session.pause()
    ops_sampled = np.array(sampled)[:, :, 1::2]  # [samples, 2, 2·B]
    for cell, name in enumerate(("normal", "reduction")):
        run.events.histogram(
            f"controller/{name}_ops", step, ops_sampled[:, cell], len(OPERATIONS)
        )


def _show_architectures(run: Run, ops: SearchOps, epoch: int, step: int) -> None:
    """Ten strings, each with its accuracy on one validation batch."""
    run.log.line(f"Here are {SHOWN_ARCHITECTURES} architectures")
    fetches = (ops.sample.normal_arc, ops.sample.reduce_arc, ops.accuracy)
    arcs, accuracies = [], []
    for number in range(SHOWN_ARCHITECTURES):
        feed = run.feed("shown", (epoch - 1) * SHOWN_ARCHITECTURES + number)
        normal, reduction, accuracy = run.session.run(fetches, feed)
        arcs.append(arc_from_numbers([*normal, *reduction]))
        accuracies.append(accuracy)
        run.log.line(architecture_lines(normal, reduction, accuracy))
        run.session.pause()
    ranking.save_arcs(run.settings.output_dir, epoch, arcs)
    run.events.scalars("sampled", step, {"mean_val_acc": np.mean(accuracies)})


def source_of(settings: Settings) -> str:
    """What draws the search's strings."""
    return CONTROLLER if settings.controller_training else UNIFORM


def draw_arcs(session, sample: Sample, settings: Settings, count: int) -> list[Arc]:
    """Strings that the controller samples, the same ones each time."""
    activity, arcs = len(STREAMS), []
    for number in range(count):
        place = draws.feed(settings.seed, activity, number)
        cells = session.run((sample.normal_arc, sample.reduce_arc), place)
        arcs.append(arc_from_numbers(np.concatenate(cells)))
    return arcs


def untrained_arcs(settings: Settings, count: int) -> list[Arc]:
    """Strings that a controller like the search's samples before it is trained."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.set_random_seed(settings.seed)
        sample = _make_controller(settings).sample()
        session.run(tf.compat.v1.global_variables_initializer())
        return draw_arcs(session, sample, settings, count)


def _rank_last_round(run: Run, ops: SearchOps) -> None:
    arcs = ranking.read_arcs(run.settings.output_dir, run.settings.child_num_cells)
    if not arcs:
        return
    candidates = ranking.beside_uniform(arcs, source_of(run.settings), run.settings)
    ranked = ranking.rank(run, ops.sample, ops.evaluated, candidates)
    print(ranking.table(ranked), file=sys.stderr)
    ranking.save(run.settings.output_dir, ranked)
