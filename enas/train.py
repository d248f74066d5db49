"""Training one fixed architecture from new weights."""

import tensorflow as tf

from enas import configs, loop
from enas.arc import parse_arc
from enas.data_utils import Data
from enas.fixed_child import FixedChild
from enas.flags import Settings
from enas.input_pipeline import InputPipeline
from enas.log import Log
from enas.loop import ChildOps, Run
from enas.models import Outputs
from enas.session import Session
from enas.utils import get_train_ops


def train(settings: Settings, data: Data, log: Log) -> None:
    """Trains for num_epochs, from the output folder's checkpoint if there is one."""
    with tf.Graph().as_default():
        tf.compat.v1.set_random_seed(settings.seed or None)
        pipeline = InputPipeline(data, settings.batch_size, settings.seed or None)
        steps = loop.steps_per_epoch(pipeline, settings.batch_size)
        model, child, evaluated = build(settings, pipeline, len(data.classes), steps)
        loop.log_model(model, log)
        if settings.num_epochs == 0:
            return
        with Session(settings.output_dir, pipeline) as session:
            run = Run(session, pipeline, log, settings, steps)
            first = int(session.run(child.global_step)) // steps
            for epoch in range(first, settings.num_epochs):
                step = loop.train_epoch(run, child, epoch)
                is_last = epoch + 1 == settings.num_epochs
                if (epoch + 1) % settings.eval_every_epochs == 0 or is_last:
                    loop.evaluate_epoch(run, evaluated, step)
                session.save(step)


def build(
    settings: Settings, pipeline: InputPipeline, num_classes: int, steps_per_epoch: int
) -> tuple[FixedChild, ChildOps, Outputs]:
    """The child in the default graph: in training, and as it is evaluated."""
    global_step = tf.compat.v1.train.get_or_create_global_step()
    total_steps = max(1, settings.num_epochs * steps_per_epoch)
    progress = tf.cast(global_step + 1, tf.float32) / float(total_steps)
    model = FixedChild(
        configs.child_config(settings, num_classes),
        parse_arc(settings.fixed_arc, settings.child_num_cells),
        progress,
    )
    outputs = model.build(pipeline.images, pipeline.labels, training=True)
    train_ops = get_train_ops(
        outputs.total_loss,
        model.variables(),
        configs.train_config(settings),
        global_step,
        steps_per_epoch,
        settings.num_epochs,
    )
    step_op = tf.group(train_ops.train, *model.updates)
    child = ChildOps(outputs, train_ops._replace(train=step_op), global_step)
    evaluated = model.build(pipeline.images, pipeline.labels, training=False)
    return model, child, evaluated
