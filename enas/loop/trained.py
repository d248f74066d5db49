"""Opens a trained child as it is evaluated, from the folder of its training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import tensorflow as tf

from enas.export.walk import Source, Trained, trained_network_of
from enas.fixed_child import FixedChild
from enas.flags.table import Settings
from enas.loop import configs, kept_images
from enas.loop.kept_images import Images
from enas.models import Outputs
from enas.session.session import Session, session_config
from enas.space.cost import about_network


def about(settings: Settings) -> dict[str, str]:
    """Returns what a network's file tells people of its training."""
    return about_network(settings.fixed_arc, settings.child_scheme, settings.operations)


def network_with_weights(
    outputs: Outputs,
    source: Source,
    session: Session | tf.compat.v1.Session,
    settings: Settings,
) -> Trained:
    """Returns the network of a child with all that further training needs.

    Args:
      outputs: those of the child outside training.
    """
    return trained_network_of(
        outputs, source, session, session_config(), about(settings)
    )


class Opened(NamedTuple):
    """A trained child.

    Attributes:
      raw: the placeholder of its images, uint8 [N, H, W, C].
      outputs: those of the child outside training.
    """

    raw: tf.Tensor
    outputs: Outputs
    source: Source
    session: Session

    def network(self, settings: Settings) -> Trained:
        """Returns its network with all that further training needs."""
        return network_with_weights(self.outputs, self.source, self.session, settings)


@contextmanager
def opened(settings: Settings) -> Iterator[Opened]:
    """Opens the child of a training, from the last undamaged checkpoint.

    Args:
      settings: those of the training; its folder is `output_dir`.

    Raises:
      InputError: the checkpoint or the file of the images is damaged or missing.
    """
    images = kept_images.kept(settings)
    with tf.Graph().as_default():
        raw, outputs, source = _build(settings, images)
        with Session(settings.output_dir) as session:
            yield Opened(raw, outputs, source, session)


def untrained(settings: Settings, images: Images) -> Trained:
    """Returns the network of a string with its first weights.

    Raises:
      TooLarge, NotImplementedError: see why_no_network.
    """
    with tf.Graph().as_default():
        tf.compat.v1.set_random_seed(settings.seed)
        _, outputs, source = _build(settings, images)
        with tf.compat.v1.Session(config=session_config()) as session:
            session.run(tf.compat.v1.global_variables_initializer())
            return network_with_weights(outputs, source, session, settings)


def _build(settings: Settings, images: Images) -> tuple[tf.Tensor, Outputs, Source]:
    """Builds a child in the default graph; see Opened."""
    shape = [None, settings.img_size, settings.img_size, len(images.mean)]
    raw = tf.compat.v1.placeholder(tf.uint8, shape, "raw")
    normalized = (tf.cast(raw, tf.float32) / 255.0 - images.mean) / images.std
    model = FixedChild(
        configs.child_config(settings, normalized, len(images.classes)),
        settings.parse_arc(settings.fixed_arc),
        tf.constant(1.0),
    )
    labels = tf.zeros(tf.shape(raw)[:1], tf.int32)
    outputs = model.build(normalized, labels, training=False)
    return raw, outputs, Source(normalized, *images)
