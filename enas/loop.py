"""What a search and a training share: the loop over epochs, and an evaluation."""

import gc
import math
import os
import sys
from collections.abc import Callable
from contextlib import closing
from typing import NamedTuple

import tensorflow as tf
from tqdm import tqdm

from enas import configs, draws, memory, output_dir
from enas.data_utils import Data
from enas.events import Events
from enas.flags import Settings
from enas.input_pipeline import InputPipeline, stream_number
from enas.log import Log, child_line, eval_lines, layer_line
from enas.models import Model, Outputs
from enas.progress import Progress
from enas.session import Session
from enas.summary import parts_of, table
from enas.utils import TrainOps, get_train_ops

SUMMARY_FILE = "summary.txt"
EVENTS_FOLDER = "events"


class Run(NamedTuple):
    """A session at work."""

    session: Session
    pipeline: InputPipeline
    log: Log
    events: Events
    progress: Progress
    settings: Settings
    steps_per_epoch: int

    def feed(self, stream: str, number: int) -> dict:
        """The feed_dict of a session run.

        Args:
          stream: which of the pipeline's it reads.
          number: of the run, and of its batch, among all that read this stream.
        """
        self.pipeline.seek(self.session, stream, number)
        place = draws.feed(self.settings.seed, stream_number(stream), number)
        return self.pipeline.feed(stream) | place


class ChildOps(NamedTuple):
    """What an epoch of child training runs.

    outputs: of the child in training. train: one step and all that belongs to it.
    """

    outputs: Outputs
    train: TrainOps
    global_step: tf.Variable

    def fetches(self) -> tuple:
        """What a step fetches: the update, then what its line of the log shows."""
        train, outputs = self.train, self.outputs
        return train.train, outputs.loss, train.lr, train.grad_norm, outputs.correct


def make_child_ops(
    settings: Settings,
    model: Model,
    outputs: Outputs,
    global_step: tf.Variable,
    steps_per_epoch: int,
) -> ChildOps:
    """The ops that train a model, from its outputs in training."""
    train = get_train_ops(
        outputs.total_loss,
        model.variables(),
        configs.train_config(settings),
        global_step,
        steps_per_epoch,
        settings.num_epochs,
    )
    step = tf.group(train.train, *model.updates)
    return ChildOps(outputs, train._replace(train=step), global_step)


def is_due(settings: Settings, epoch: int, every: int) -> bool:
    """Whether what happens after each so-many-th epoch happens now; the last counts."""
    return epoch % every == 0 or epoch == settings.num_epochs


def run_epochs(
    settings: Settings,
    data: Data,
    log: Log,
    build: Callable,
    after_epoch: Callable,
    at_end: Callable | None = None,
) -> None:
    """Trains a child for num_epochs, from the output folder's checkpoint if any.

    All that is drawn at random is a function of the seed and of where the run is.

    Args:
      build: (settings, pipeline, number of classes, steps an epoch) to the model and
        its ops, which have a ChildOps as `child`; builds in the default graph.
      after_epoch: is called with the Run, the ops, the number of whole epochs and the
        global step after each epoch; a checkpoint follows.
      at_end: is called with the Run and the ops after the last epoch.
    """
    with tf.Graph().as_default():
        seed = settings.seed
        tf.compat.v1.set_random_seed(seed)
        pipeline = InputPipeline(
            data,
            settings.batch_size,
            seed,
            configs.batch_augmentation(settings),
            configs.reward_repeats(settings),
        )
        steps = math.ceil(pipeline.num_examples["train"] / settings.batch_size)
        model, ops = build(settings, pipeline, len(data.classes), steps)
        _log_model(model, log)
        summary = table(parts_of(model))
        print(summary, file=sys.stderr)
        if settings.num_epochs == 0:
            return
        memory.check(
            model.least_memory(settings.batch_size),
            "training steps",
            f"lower batch_size ({settings.batch_size}), child_out_filters "
            f"({settings.child_out_filters}) or child_num_layers "
            f"({settings.child_num_layers})",
        )
        progress, every = Progress(steps), settings.save_every_minutes
        with Session(settings.output_dir, pipeline, every) as session:
            progress.check(session)
            output_dir.keep_flags(settings.output_dir, vars(settings))
            path = os.path.join(settings.output_dir, SUMMARY_FILE)
            output_dir.write_text(path, summary + "\n")
            step, epochs = session.run((ops.child.global_step, progress.epochs))
            folder = os.path.join(settings.output_dir, EVENTS_FOLDER)
            with closing(Events(folder, step + 1)) as events:
                run = Run(session, pipeline, log, events, progress, settings, steps)
                gc.freeze()  # What was built stays; no search for garbage looks there.
                gc.enable()
                for epoch in range(epochs, settings.num_epochs):
                    step = _train_epoch(run, ops.child, epoch)
                    after_epoch(run, ops, epoch + 1, step)
                    session.run(progress.finish_epoch)
                    session.save()
                if at_end is not None:
                    at_end(run, ops)


def _log_model(model: Model, log: Log) -> None:
    """A line a layer, and how many weights there are."""
    for shape in model.layer_shapes:
        log.line(layer_line(*shape))
    params, aux_params = model.count_params()
    log.line(f"Model has {params} params")
    if model.aux_layer is not None:
        log.line(f"Aux head uses {aux_params} params")


def _train_epoch(run: Run, child: ChildOps, epoch: int) -> int:
    """Trains the child up to the end of an epoch; returns the global step there.

    Raises:
      FloatingPointError: the loss or its gradient is not finite.
    """
    session, settings = run.session, run.settings
    fetches = child.fetches()
    first = int(session.run(child.global_step))
    last = (epoch + 1) * run.steps_per_epoch
    bar = tqdm(
        range(first + 1, last + 1), f"epoch {epoch + 1}", disable=None, leave=False
    )
    for step in bar:
        feed = run.feed("train", step - 1)
        _, loss, lr, grad_norm, correct = session.run(fetches, feed)
        # The gradient, since it ruins the weights before any loss shows it.
        for name, value in (("loss", loss), ("gradient's norm", grad_norm)):
            if not math.isfinite(value):
                raise FloatingPointError(
                    f"the {name} is {value} at step {step}; lower the learning rate "
                    f"(child_lr_max or child_lr) or set child_clip_mode"
                )
        if step % settings.log_every == 0:
            run.log.line(
                child_line(
                    epoch=step // run.steps_per_epoch,
                    step=step,
                    loss=loss,
                    lr=lr,
                    grad_norm=grad_norm,
                    correct=correct,
                    batch_size=settings.batch_size,
                    minutes=run.log.minutes(),
                )
            )
            accuracy = correct / settings.batch_size
            shown = {"loss": loss, "lr": lr, "grad_norm": grad_norm}
            run.events.scalars("child", step, shown | {"tr_acc": accuracy})
        session.pause()
    return last


def count_correct(run: Run, outputs: Outputs, split: str, step: int, feed: dict) -> int:
    """Goes once over a split: how many of its images are classified right.

    Args:
      step: the global step.
      feed: what the child is fed beside its batches.
    """
    batches = range(run.pipeline.eval_batches(split))
    bar = tqdm(batches, f"{split} set", disable=None, leave=False)
    correct = 0
    for batch in bar:
        fed = run.feed(split, step * len(batches) + batch) | feed
        correct += int(run.session.run(outputs.correct, fed))
        run.session.pause()
    return correct


def evaluate(run: Run, outputs: Outputs, split: str, step: int) -> float:
    """Goes once over a split, logs and returns the accuracy."""
    count = run.pipeline.num_examples[split]
    accuracy = count_correct(run, outputs, split, step, {}) / count
    run.log.line(eval_lines(split, step, count, accuracy))
    run.events.scalars("eval", step, {f"{split}_accuracy": accuracy})
    return accuracy


def evaluate_epoch(run: Run, outputs: Outputs, step: int) -> None:
    """The evaluation after an epoch: valid, where there is one, and test."""
    run.log.line(f"Epoch {step // run.steps_per_epoch}: Eval")
    for split in ("valid", "test"):
        if split in run.pipeline.num_examples:
            evaluate(run, outputs, split, step)
