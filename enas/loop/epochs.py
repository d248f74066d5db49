"""Runs what a search and a training share: the loop over epochs, and an evaluation."""

import math
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf
from tqdm import tqdm

from enas.base import random_numbers
from enas.base.errors import UsageError
from enas.base.exchange import Exchange
from enas.base.files import write_text
from enas.base.garbage import no_garbage_collection
from enas.base.program import note, tell
from enas.base.text_table import terminal_width
from enas.base.workers import ALONE, Workers
from enas.data_utils import DataReader, digest
from enas.flags.table import Settings
from enas.loop import configs, kept_images
from enas.loop.advice import steps_per_epoch
from enas.loop.history import Evaluation, History
from enas.loop.stopping import keep_best
from enas.loop.time_left import TimeLeft
from enas.models import Model, Outputs
from enas.network.network import Network
from enas.report.events import Events
from enas.report.log import (
    Log,
    aux_params_line,
    child_line,
    eval_lines,
    headline,
    layer_line,
    params_line,
)
from enas.report.summary import parts_of, table
from enas.session.checkpoint_files import found_in
from enas.session.input_pipeline import InputPipeline, stream_number
from enas.session.output_dir import LOG_FILE, plain_path
from enas.session.progress import Progress
from enas.session.session import Session
from enas.session.warm_start import WarmStart
from enas.session.worker_folder import RunFolder
from enas.utils import TrainOps, get_train_ops

SUMMARY_FILE = "summary.txt"
EVENTS_FOLDER = "events"
POINTS = 100  # points of a curve in the events, for each epoch and each round


class Reader(NamedTuple):
    """A session and the batches that it reads.

    Attributes:
      seed: the seed of all random numbers.
      workers: those that share the run.
    """

    session: Session
    pipeline: InputPipeline
    seed: int
    workers: Workers = ALONE

    def feed(self, stream: str, number: int) -> dict:
        """Seeks a batch, and returns the feed_dict of the session run that reads it.

        Args:
          stream: the stream of the pipeline that the run reads.
          number: the number of the session run, and of its batch, in this stream.
        """
        self.pipeline.seek(self.session, stream, number)
        place = random_numbers.feed(self.seed, stream_number(stream), number)
        return self.pipeline.feed(stream) | place


class Run(NamedTuple):
    """A run in progress.

    Attributes:
      folder: the path of the output folder.
    """

    folder: str
    reader: Reader
    log: Log
    events: Events
    progress: Progress
    settings: Settings
    steps_per_epoch: int
    history: History
    time_left: TimeLeft


class ChildStep(NamedTuple):
    """What a step of child training fetches: the update, then values for the log.

    Attributes:
      lr: the learning rate.
      grad_norm: the norm of the gradient before clipping.
      correct: how many images of the batch were classified correctly.
    """

    train: Any
    loss: Any
    lr: Any
    grad_norm: Any
    correct: Any


class ChildOps(NamedTuple):
    """What an epoch of child training runs.

    Attributes:
      outputs: those of the child in training.
      train: the ops of one step; its `train` runs the updates of `outputs`, too.
      loss, correct: scalars, those of all workers' batches together.
    """

    outputs: Outputs
    train: TrainOps
    global_step: tf.Variable
    loss: tf.Tensor
    correct: tf.Tensor

    def fetches(self) -> ChildStep:
        train = self.train
        return ChildStep(
            train.train, self.loss, train.lr, train.grad_norm, self.correct
        )


def make_child_ops(
    settings: Settings,
    model: Model,
    outputs: Outputs,
    global_step: tf.Variable,
    steps_per_epoch: int,
    workers: Workers = ALONE,
) -> ChildOps:
    """Makes the ops that train a model, from its outputs in training.

    Args:
      workers: those that share each step, each with a batch of its own.
    """
    loss, correct, total_loss = outputs.loss, outputs.correct, outputs.total_loss
    exchange = None
    if workers.several:  # the loss of all is the mean of theirs, a sum of M shares
        loss, total_loss = loss / workers.count, total_loss / workers.count
        numbers = [loss, tf.cast(correct, tf.float32)]
        exchange = Exchange(workers, model.most_read(), numbers)
    train = get_train_ops(
        total_loss,
        model.variables(),
        configs.train_config(settings),
        global_step,
        steps_per_epoch,
        settings.num_epochs,
        exchange.sums if exchange else None,
    )
    if exchange is not None:
        loss, correct = exchange.totals[0], tf.cast(exchange.totals[1], tf.int32)
    step = tf.group(train.train, *outputs.updates)
    return ChildOps(outputs, train._replace(train=step), global_step, loss, correct)


def is_due(settings: Settings, epoch: int, every: int) -> bool:
    """Returns whether `epoch` is a multiple of `every`, or the last epoch."""
    return epoch % every == 0 or epoch == settings.num_epochs


def run_epochs(
    settings: Settings,
    data: DataReader,
    log: Log,
    folder: RunFolder | None,
    build: Callable,
    after_epoch: Callable,
    at_end: Callable | None = None,
    network_of: Callable | None = None,
    workers: Workers = ALONE,
) -> None:
    """Trains a child for num_epochs, from the output folder's checkpoint if any.

    All random numbers are a function of the seed and of the place in the run.

    Args:
      data: reads the images; it is called once the graph is built.
      folder: the folder that the run has claimed; None to build the network and stop.
      build: a function of (settings, pipeline, number of classes, steps per epoch). It
        builds in the default graph, and returns the model and its ops, which have a
        ChildOps as `child`.
      after_epoch: is called after each epoch with the Run, the ops, the number of
        complete epochs and the global step; a checkpoint follows.
      at_end: is called after the last epoch with the Run and the ops.
      network_of: a function of the ops and the pipeline's images that returns the
        Network that they make, or None.
      workers: those that share the run; `build` must know them, too.

    Raises:
      InputError: there is too little memory, or the output folder or its checkpoints
        cannot be used.
      FloatingPointError: the loss or its gradient is not finite.
      Interrupted: a signal asked to leave, and the run was saved.
      TimeIsOver: max_minutes have passed, and the run was saved.
    """
    with tf.Graph().as_default(), ExitStack() as stack:
        with no_garbage_collection():
            tf.compat.v1.set_random_seed(settings.seed)
            pipeline = InputPipeline(
                data,
                settings.batch_size,
                settings.seed,
                configs.batch_augmentation(settings),
                configs.reward_repeats(settings),
                workers.count,
            )
            steps = steps_per_epoch(settings, data, workers.count)
            model, ops = build(settings, pipeline, len(data.classes), steps)
            images = data()
            if workers.several:
                workers.compare({"images": digest(images)})
            network = network_of and network_of(ops, pipeline.images)
            summary = _describe(model, ops.child.outputs, log, network)
            if workers.is_chief:
                tell(summary(terminal_width(sys.stderr)))
            if folder is None:
                return
            start = _start(settings, folder) if workers.is_chief else None
            folder.begin()
            each = settings.controller_num_aggregate if workers.several else 1
            progress = Progress(steps, each)
            session = _open(settings, pipeline, log, folder, start, workers)
            stack.enter_context(session)
            progress.check(session)
            folder.check()
            log.keep_in(os.path.join(folder.path, LOG_FILE))
            if folder.continues:  # else they were kept when it began
                folder.keep_flags()
            write_text(os.path.join(folder.path, SUMMARY_FILE), summary() + "\n")
            kept_images.keep(folder.path, images)
            step, epochs = session.run((ops.child.global_step, progress.epochs))
            events = Events(os.path.join(folder.path, EVENTS_FOLDER), step + 1)
            stack.enter_context(closing(events))
        reader = Reader(session, pipeline, settings.seed, workers)
        if folder.continues and epochs >= settings.num_epochs:
            note(
                f"the run in {folder.path} has done its {epochs} epochs; a larger "
                f"--num_epochs trains on"
            )
        run = Run(
            folder.path,
            reader,
            log,
            events,
            progress,
            settings,
            steps,
            History(folder.path, epochs),
            TimeLeft(settings.num_epochs * steps - step),
        )
        for epoch in range(epochs, settings.num_epochs):
            if run.history.is_over(settings.patience):
                break
            step = _train_epoch(run, ops.child, epoch)
            after_epoch(run, ops, epoch + 1, step)
            session.run(progress.finish_epoch)
            session.align()
            session.save()
        if run.history.is_over(settings.patience):
            note(
                f"{settings.patience} evaluations without a higher valid accuracy "
                f"(patience), so the training ends here"
            )
        if at_end is not None:
            at_end(run, ops)
        workers.leave()


def _start(settings: Settings, folder: RunFolder) -> Callable | None:
    """Returns what gives a new run its first weights; None if they are random.

    Raises:
      UsageError: they are in the folder that the run would move aside.
      InputError: the other run's weights cannot be used.
    """
    if not settings.init_from or (folder.continues and found_in(folder.path)):
        return None
    other = plain_path(settings.init_from)
    own = os.path.realpath(folder.path)
    if Path(os.path.realpath(other)).is_relative_to(own):
        raise UsageError(
            f"init_from is {other}, which is moved aside with output_dir; name another "
            f"output_dir"
        )
    return WarmStart(other).start


def _open(
    settings: Settings,
    pipeline: InputPipeline,
    log: Log,
    folder: RunFolder,
    start: Callable | None,
    workers: Workers,
) -> Session:
    """Opens the session of a run in its folder."""
    minutes = settings.max_minutes
    return Session(
        folder.path,
        pipeline,
        settings.save_every_minutes,
        folder.check,
        minutes - log.minutes() if minutes else None,
        start,
        workers,
    )


def _describe(
    model: Model, outputs: Outputs, log: Log, network: Network | None
) -> Callable[..., str]:
    """Logs the layers and numbers of weights.

    Returns:
      A function that makes the summary; it may be given how wide a line may be.
    """
    for shape in outputs.layers:
        log.line(layer_line(*shape))
    params, aux_params = model.count_params()
    log.line(params_line(params))
    if model.aux_layer is not None:
        log.line(aux_params_line(aux_params))
    parts = parts_of(model, outputs, network)
    return partial(table, parts, network)


def _train_epoch(run: Run, child: ChildOps, epoch: int) -> int:
    """Trains the child up to the end of an epoch; returns the global step there.

    Raises:
      FloatingPointError: the loss or its gradient is not finite.
    """
    session, settings, workers = run.reader.session, run.settings, run.reader.workers
    fetches, images = child.fetches(), settings.batch_size * workers.count
    first = int(session.run(child.global_step))
    last = (epoch + 1) * run.steps_per_epoch
    events_every = max(1, run.steps_per_epoch // POINTS)
    title = f"epoch {epoch + 1}/{settings.num_epochs}"
    bar = tqdm(range(first + 1, last + 1), title, disable=None, leave=False)
    for step in bar:
        done = session.run(fetches, run.reader.feed("train", workers.own(step - 1)))
        # Check the gradient, too: it ruins the weights before any loss shows it.
        for name, value in (("loss", done.loss), ("gradient's norm", done.grad_norm)):
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"the {name} is {value} at step {step}; {_remedy(step)}"
                )
        if left := run.time_left.step():
            bar.set_postfix_str(left, refresh=False)
        # An epoch that is shorter than log_every has at least its last step logged.
        is_only = step == last and run.steps_per_epoch < settings.log_every
        if step % settings.log_every == 0 or is_only:
            run.log.line(
                child_line(
                    epoch=step // run.steps_per_epoch,
                    step=step,
                    loss=done.loss,
                    lr=done.lr,
                    grad_norm=done.grad_norm,
                    correct=done.correct,
                    batch_size=images,
                    minutes=run.log.minutes(),
                )
            )
        if step % events_every == 0:
            shown = {"loss": done.loss, "lr": done.lr, "grad_norm": done.grad_norm}
            shown["tr_acc"] = done.correct / images
            run.events.scalars("child", step, shown)
        session.pause()
    return last


def _remedy(step: int) -> str:
    """Says what helps against a loss or gradient that is not finite."""
    if step == 1:  # the learning rate has not moved a weight yet
        return (
            "no weight has moved yet, so this network overflows as it starts: try "
            "another seed, another string, or child_op_shortcut=True"
        )
    return "lower the learning rate (child_lr_max or child_lr) or set child_clip_mode"


def count_correct(
    reader: Reader, outputs: Outputs, split: str, step: int, feed: dict
) -> int:
    """Goes once over a split and counts the images that are classified correctly.

    Workers share the batches, and each returns the whole count.

    Args:
      split: 'valid' or 'test'.
      step: the global step.
      feed: what the child is fed besides its batches.
    """
    workers = reader.workers
    batches = range(reader.pipeline.eval_batches(split))
    own = batches[workers.index :: workers.count]
    bar = tqdm(own, f"{split} set", disable=None, leave=False)
    correct = 0
    for batch in bar:
        fed = reader.feed(split, step * len(batches) + batch) | feed
        correct += int(reader.session.run(outputs.correct, fed))
        reader.session.pause(together=False)
    return reader.session.pause(number=correct) if workers.several else correct


def evaluate(run: Run, outputs: Outputs, split: str, step: int) -> float:
    """Goes once over a split, and logs and returns the accuracy, from 0 to 1."""
    count = run.reader.pipeline.num_examples[split]
    accuracy = count_correct(run.reader, outputs, split, step, {}) / count
    run.log.line(eval_lines(split, step, count, accuracy))
    run.events.scalars("eval", step, {f"{split}_accuracy": accuracy})
    return accuracy


def evaluate_epoch(run: Run, outputs: Outputs, step: int) -> None:
    """Evaluates the child after an epoch: on valid, if there is one, and on test.

    If the run may stop early, it keeps the weights if they are the best so far.
    """
    epoch = step // run.steps_per_epoch
    run.log.line(headline(epoch, "Eval"))
    accuracies = {
        split: evaluate(run, outputs, split, step)
        for split in ("valid", "test")
        if split in run.reader.pipeline.num_examples
    }
    found = Evaluation(epoch, step, accuracies.get("valid"), accuracies["test"])
    run.history.add(found)
    if run.settings.patience and run.history.is_best():
        keep_best(run.folder, run.reader.session)
