"""Runs the search: epochs of the shared child alternate with controller rounds."""

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from enas.base import random_numbers
from enas.base.program import note, tell
from enas.base.text_table import terminal_width
from enas.base.workers import ALONE, Workers
from enas.controller import Controller, ControllerTraining, Sample, UniformSampler
from enas.data_utils import DataReader
from enas.flags.table import Settings
from enas.loop import configs, epochs, judging, next_steps
from enas.loop.epochs import ChildOps, Reader, Run
from enas.loop.judging import Judge
from enas.micro_child import MicroChild
from enas.micro_controller import MicroController
from enas.models import Outputs
from enas.report import ranking
from enas.report.budget import Budget, budget_of
from enas.report.log import (
    Log,
    architecture_lines,
    controller_line,
    headline,
    shown_line,
)
from enas.session.input_pipeline import STREAMS, InputPipeline
from enas.session.session import Session, input_errors, leave_functions_alone
from enas.session.worker_folder import RunFolder
from enas.space.arc import CHOICES, Arc, arc_from_numbers

SHOWN_ARCHITECTURES = 10
FEW_IMAGES = 20  # smaller batches have statistics too noisy for batch norm


class RoundSample(NamedTuple):
    """What a sample in a controller's round fetches.

    First comes the op that accumulates its gradient, then the scalars for the log, and
    then its two cells.
    """

    accumulate: Any
    loss: Any
    entropy: Any
    grad_norm: Any
    accuracy: Any
    baseline: Any
    normal_arc: Any
    reduce_arc: Any


class SearchOps(NamedTuple):
    """All that a search runs.

    Attributes:
      evaluated: the outputs of the sampled child outside training, for reward and
        evaluation. Nothing of it is kept for a gradient.
      accuracy: scalar, the accuracy of `evaluated` on the batch.
      budget: None if there is none.
      controller: None if the controller is not trained.
    """

    child: ChildOps
    evaluated: Outputs
    sample: Sample
    accuracy: tf.Tensor
    budget: Budget | None
    controller: ControllerTraining | None

    def fetches(self, training: ControllerTraining) -> RoundSample:
        return RoundSample(
            training.accumulate,
            training.loss,
            self.sample.entropy,
            training.grad_norm,
            self.accuracy,
            training.baseline,
            self.sample.normal_arc,
            self.sample.reduce_arc,
        )


def search(
    settings: Settings,
    data: DataReader,
    log: Log,
    folder: RunFolder | None,
    workers: Workers = ALONE,
) -> None:
    """Searches for num_epochs, then ranks the strings of the last round.

    Args:
      workers: those that share the search.
    """
    epochs.run_epochs(
        settings,
        data,
        log,
        folder,
        partial(build, workers=workers),
        _after_epoch,
        _rank_last_round,
        workers=workers,
    )


def _after_epoch(run: Run, ops: SearchOps, epoch: int, step: int) -> None:
    settings = run.settings
    if epochs.is_due(settings, epoch, settings.controller_train_every):
        if ops.controller is not None:
            _controller_round(run, ops, ops.controller, epoch, step)
        if run.reader.workers.is_chief:
            _show_architectures(run, ops, epoch, step)
    if epochs.is_due(settings, epoch, settings.eval_every_epochs):
        epochs.evaluate_epoch(run, ops.evaluated, step)


def build(
    settings: Settings,
    pipeline: InputPipeline,
    num_classes: int,
    steps_per_epoch: int,
    make_child: Callable = MicroChild,
    workers: Workers = ALONE,
) -> tuple[MicroChild, SearchOps]:
    """Builds the controller and the child in the default graph.

    Args:
      make_child: makes the child from its configuration and the two sampled cells.
      workers: those that share each update.
    """
    if pipeline.smallest_batch() < FEW_IMAGES:
        note(
            f"a batch has only {pipeline.smallest_batch()} images; a search normalizes "
            f"by its batches, so accuracies are poor below {FEW_IMAGES}: raise "
            f"batch_size or eval_limit, or give more images"
        )
    global_step = tf.compat.v1.train.get_or_create_global_step()
    controller, sample, model, evaluated = build_sampled_child(
        settings, pipeline, num_classes, make_child
    )
    batch = tf.shape(pipeline.labels)[0]
    accuracy = tf.cast(evaluated.correct, tf.float32) / tf.cast(batch, tf.float32)
    outputs = model.build(pipeline.images, pipeline.labels, training=True)
    child = epochs.make_child_ops(
        settings, model, outputs, global_step, steps_per_epoch, workers
    )
    budget = budget_of(settings, pipeline.images.shape[3], pipeline.classes)
    training = None
    if settings.controller_training:
        worth = accuracy if budget is None else accuracy - penalty(budget, sample)
        training = controller.train(sample, worth, workers.totals)
    return model, SearchOps(child, evaluated, sample, accuracy, budget, training)


def penalty(budget: Budget, sample: Sample) -> tf.Tensor:
    """Returns by how much a sample is over the budget, a float32 scalar.

    This is subtracted from the accuracy. A factor, as in MnasNet (arXiv:1807.11626),
    would hardly count while the accuracy is still near chance, which in a short search
    is when most of the controller's rounds are; see docs/budget.md.
    """
    operations = budget.shape.operations

    def over(normal: np.ndarray, reduction: np.ndarray) -> np.float32:
        arc = arc_from_numbers([*normal, *reduction], operations)
        return np.float32(budget.over(budget.cost(arc)))

    cells = (sample.normal_arc, sample.reduce_arc)
    return tf.ensure_shape(tf.numpy_function(over, cells, tf.float32), [])


def build_sampled_child(
    settings: Settings,
    pipeline: InputPipeline,
    num_classes: int,
    make_child: Callable = MicroChild,
) -> tuple[Controller, Sample, MicroChild, Outputs]:
    """Builds the controller, its sample and the child that runs it.

    All are in the default graph. Nothing that trains them is built.
    """
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
def opened(settings: Settings, data: DataReader) -> Iterator[Judge]:
    """Opens the last checkpoint of the search in `settings.output_dir`.

    Nothing that trains the search is built.

    Raises:
      InputError: the checkpoint is damaged, or not of these settings.
    """
    with tf.Graph().as_default(), input_errors():
        pipeline = InputPipeline(data, settings.batch_size)
        _, sample, _, outputs = build_sampled_child(
            settings, pipeline, len(data.classes)
        )
        with Session(settings.output_dir, pipeline) as session:
            reader = Reader(session, pipeline, settings.seed)
            yield Judge(reader, sample, outputs)


def _make_controller(settings: Settings) -> Controller:
    if settings.controller_training:
        return MicroController(configs.controller_config(settings))
    return UniformSampler(settings.child_num_cells, settings.operations)


def _controller_round(
    run: Run, ops: SearchOps, controller: ControllerTraining, epoch: int, step: int
) -> None:
    """Runs a round of the controller, or the rest of one that was interrupted.

    It has controller_train_steps updates, each of controller_num_aggregate samples. The
    child's step does not move meanwhile, so the round's events take the steps that lead
    up to it, one after another. Workers share the samples of each update, and count
    them when it is made, since they cannot leave before. The chief tells of its own.
    """
    settings, session, workers = run.settings, run.reader.session, run.reader.workers
    aggregate = settings.controller_num_aggregate
    done = int(session.run(run.progress.round_samples))
    samples = range(done, settings.controller_train_steps * aggregate)
    if not samples:
        return
    run.log.line(headline(epoch, "Training controller"))
    counted = () if workers.several else run.progress.count_samples
    fetches = (ops.fetches(controller), counted)
    before = int(session.run(controller.updates)) - done // aggregate
    bar = tqdm(samples, f"controller {epoch}", disable=None, leave=False)
    events_every = max(1, len(samples) // epochs.POINTS)
    sampled = []
    for number in bar:
        place, is_last = before * aggregate + number, (number + 1) % aggregate == 0
        if not workers.owns(place):
            _end_sample(run, controller, is_last)
            continue
        drawn, _ = session.run(fetches, run.reader.feed("reward", place))
        if not math.isfinite(drawn.grad_norm):
            raise FloatingPointError(
                f"the controller's gradient has norm {drawn.grad_norm} in its round "
                f"after step {step}; lower controller_lr"
            )
        sampled.append((drawn.normal_arc, drawn.reduce_arc))
        if workers.next_is_due(number, settings.log_every):
            run.log.line(
                controller_line(
                    step=before + number // aggregate,
                    loss=drawn.loss,
                    entropy=drawn.entropy,
                    lr=settings.controller_lr,
                    grad_norm=drawn.grad_norm,
                    accuracy=drawn.accuracy,
                    baseline=drawn.baseline,
                    minutes=run.log.minutes(),
                )
            )
        if workers.next_is_due(number, events_every):
            shown = ("loss", "entropy", "grad_norm", "accuracy", "baseline")
            values = {name: getattr(drawn, name) for name in shown}
            run.events.scalars("controller", step - samples.stop + number + 1, values)
        _end_sample(run, controller, is_last)
    if not sampled:
        return
    op = list(CHOICES).index("op")
    ops_sampled = np.array(sampled)[:, :, op :: len(CHOICES)]  # [samples, 2, 2·B]
    count = len(settings.operations)
    for cell, name in enumerate(("normal", "reduction")):
        run.events.histogram(
            f"controller/{name}_ops", step, ops_sampled[:, cell], count
        )


def _end_sample(run: Run, controller: ControllerTraining, is_last: bool) -> None:
    """Ends a sample; after the last one of an update, all workers update."""
    if is_last:
        several = run.reader.workers.several
        count = run.progress.count_samples if several else ()
        run.reader.session.run((controller.apply, count))
    run.reader.session.pause(together=is_last)


def _show_architectures(run: Run, ops: SearchOps, epoch: int, step: int) -> None:
    """Logs and keeps ten strings, each with its accuracy on one validation batch."""
    run.log.line(shown_line(SHOWN_ARCHITECTURES))
    fetches = (ops.sample.normal_arc, ops.sample.reduce_arc, ops.accuracy)
    arcs, accuracies = [], []
    for number in range(SHOWN_ARCHITECTURES):
        feed = run.reader.feed("shown", (epoch - 1) * SHOWN_ARCHITECTURES + number)
        normal, reduction, accuracy = run.reader.session.run(fetches, feed)
        arc = arc_from_numbers([*normal, *reduction], run.settings.operations)
        arcs.append(arc)
        accuracies.append(accuracy)
        cost = ops.budget and ops.budget.cost(arc)
        run.log.line(architecture_lines(normal, reduction, accuracy, cost))
        run.reader.session.pause(together=False)
    ranking.save_arcs(run.folder, epoch, arcs)
    run.events.scalars("sampled", step, {"mean_val_acc": np.mean(accuracies)})


def draw_arcs(session, sample: Sample, settings: Settings, count: int) -> list[Arc]:
    """Lets the controller sample strings, the same ones each time."""
    activity, arcs = len(STREAMS), []
    for number in range(count):
        place = random_numbers.feed(settings.seed, activity, number)
        cells = session.run((sample.normal_arc, sample.reduce_arc), place)
        arcs.append(arc_from_numbers(np.concatenate(cells), settings.operations))
    return arcs


def untrained_arcs(settings: Settings, count: int) -> list[Arc]:
    """Returns strings that a controller like the search's samples before training."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.set_random_seed(settings.seed)
        sample = _make_controller(settings).sample()
        session.run(tf.compat.v1.global_variables_initializer())
        return draw_arcs(session, sample, settings, count)


def _rank_last_round(run: Run, ops: SearchOps) -> None:
    settings, workers = run.settings, run.reader.workers
    arcs = ranking.read_arcs(run.folder, settings.child_num_cells, settings.operations)
    lines = workers.of_chief("\n".join(map(str, arcs))).splitlines()
    arcs = [settings.parse_arc(line) for line in lines]
    if not arcs:
        if workers.is_chief:
            next_steps.after_search(run, None)
        return
    source = ranking.source_of(settings)
    candidates = ranking.beside_uniform(arcs, source, settings)
    judge = Judge(run.reader, ops.sample, ops.evaluated)
    ranked = judging.rank(judge, candidates, ops.budget)
    if not workers.is_chief:
        return
    ranking.save(run.folder, ranked)
    tell(ranking.table(ranked, terminal_width(sys.stderr), ops.budget))
    next_steps.after_search(run, ranked[0].arc)
