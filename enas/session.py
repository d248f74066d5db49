"""The one session of a run: how it is configured, and its checkpoints."""

import os

import tensorflow as tf

from enas.input_pipeline import InputPipeline

CHECKPOINT = "model.ckpt"


def session_config() -> tf.compat.v1.ConfigProto:
    """The options of every session.

    Grappler is off: it would first inline every shared function of the search child,
    which makes the first step five times slower and later ones hardly faster. Threads
    are as many as cores, the default: a single one between ops takes a fifth longer,
    more of them gain nothing."""
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    return config


def leave_functions_alone() -> None:
    """Turns grappler off inside the shared functions that are traced after this, too.

    A session's options do not reach there. It saves half a second of the first run of
    each set of fetches, and costs later runs nothing."""
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


class _InitializeInput(tf.compat.v1.train.SessionRunHook):
    def __init__(self, pipeline: InputPipeline):
        self._pipeline = pipeline

    def after_create_session(self, session, coord):
        self._pipeline.initialize(session)


class Session:
    """A monitored session that starts from the output folder's last checkpoint, if any.

    Use it as a context manager.

    Args:
      output_dir: where checkpoints are.
      pipeline: is handed its images as the session starts.
    """

    def __init__(self, output_dir: str, pipeline: InputPipeline):
        self._output_dir = output_dir
        # Built once the graph is whole; one checkpoint back is kept, in case.
        self._saver = tf.compat.v1.train.Saver(max_to_keep=2)
        self._session = tf.compat.v1.train.SingularMonitoredSession(
            hooks=[_InitializeInput(pipeline)],
            scaffold=tf.compat.v1.train.Scaffold(saver=self._saver),
            config=session_config(),
            checkpoint_dir=output_dir,
        )

    def run(self, fetches, feed_dict: dict | None = None):
        return self._session.run(fetches, feed_dict)

    def save(self, step: int) -> None:
        """Writes a checkpoint of all variables."""
        self._saver.save(
            self._session.raw_session(),
            os.path.join(self._output_dir, CHECKPOINT),
            global_step=step,
            write_meta_graph=False,
        )

    def __enter__(self) -> "Session":
        self._session.__enter__()
        return self

    def __exit__(self, *exception) -> None:
        self._session.__exit__(*exception)
