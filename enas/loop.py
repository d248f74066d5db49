"""What the search and the train loop share: an epoch of the child, an evaluation."""

import math
from typing import NamedTuple

import tensorflow as tf
from tqdm import tqdm

from enas.flags import Settings
from enas.input_pipeline import InputPipeline
from enas.log import Log, child_line, eval_lines, layer_line
from enas.models import Model, Outputs
from enas.session import Session
from enas.utils import TrainOps


class Run(NamedTuple):
    """A session at work."""

    session: Session
    pipeline: InputPipeline
    log: Log
    settings: Settings
    steps_per_epoch: int


class ChildOps(NamedTuple):
    """outputs: of the child in training. train: one step and all that belongs to it."""

    outputs: Outputs
    train: TrainOps
    global_step: tf.Variable


def steps_per_epoch(pipeline: InputPipeline, batch_size: int) -> int:
    return math.ceil(pipeline.num_examples["train"] / batch_size)


def log_model(model: Model, log: Log) -> None:
    """A line a layer, and how many weights there are."""
    for shape in model.layer_shapes:
        log.line(layer_line(*shape))
    params, aux_params = model.count_params()
    log.line(f"Model has {params} params")
    if model.aux_layer is not None:
        log.line(f"Aux head uses {aux_params} params")


def train_epoch(run: Run, child: ChildOps, epoch: int, feed: dict | None = None) -> int:
    """Trains the child up to the end of an epoch; returns the global step there.

    Raises:
      FloatingPointError: the loss is not finite.
    """
    session, settings = run.session, run.settings
    feed = run.pipeline.feed("train") | (feed or {})
    fetches = (
        child.train.train,
        child.outputs.loss,
        child.train.lr,
        child.train.grad_norm,
        child.outputs.correct,
    )
    first = int(session.run(child.global_step))
    last = (epoch + 1) * run.steps_per_epoch
    bar = tqdm(
        range(first + 1, last + 1), f"epoch {epoch + 1}", disable=None, leave=False
    )
    for step in bar:
        _, loss, lr, grad_norm, correct = session.run(fetches, feed)
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"the loss is {loss} at step {step}; lower the learning rate "
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
    return last


def evaluate(run: Run, outputs: Outputs, split: str, step: int) -> float:
    """Goes once over a split, logs and returns the accuracy."""
    feed = run.pipeline.feed(split)
    batches = range(run.pipeline.eval_batches(split))
    bar = tqdm(batches, f"{split} set", disable=None, leave=False)
    correct = sum(int(run.session.run(outputs.correct, feed)) for _ in bar)
    count = run.pipeline.num_examples[split]
    run.log.line(eval_lines(split, step, count, correct / count))
    return correct / count


def evaluate_epoch(run: Run, outputs: Outputs, step: int) -> None:
    """The evaluation after an epoch: valid, where there is one, and test."""
    run.log.line(f"Epoch {step // run.steps_per_epoch}: Eval")
    for split in ("valid", "test"):
        if split in run.pipeline.num_examples:
            evaluate(run, outputs, split, step)
