"""From settings to the shape of the network that they make of a string.

This module must not import TensorFlow.
"""

from collections.abc import Sequence

from enas.flags.table import Settings
from enas.space.cost import NetworkShape
from enas.space.layer_plan import parse_pool_layers
from enas.space.schemes import head_spec, specs_of


def network_shape(
    settings: Settings, channels: int, classes: Sequence[str]
) -> NetworkShape:
    """Returns the shape of the network that a training of any string makes.

    Args:
      settings: those of the training; of a search's settings, its own layers, filters
        and image size count.
      channels: of the images.
      classes: the names of the classes.
    """
    scheme, first_scheme = specs_of(
        settings.child_scheme, settings.child_first_scheme, settings.child_n_bits
    )
    return NetworkShape(
        img_size=settings.img_size,
        channels=channels,
        classes=tuple(classes),
        num_layers=settings.child_num_layers,
        out_filters=settings.child_out_filters,
        pool_layers=parse_pool_layers(
            settings.child_pool_layers, settings.child_num_layers
        ),
        scheme=scheme,
        first_scheme=first_scheme,
        head_scheme=head_spec(settings.child_head_bits),
        operations=settings.operations,
        shortcut=settings.child_shortcut,
        op_shortcut=settings.child_op_shortcut,
        node_mean=settings.child_node_mean,
        fold_norms=settings.child_fold_norms,
    )
