"""Chooses as many filters as a string's packed network has room for.

This module must not import TensorFlow.
"""

import dataclasses
from bisect import bisect_right
from collections.abc import Sequence

from enas.base.errors import UsageError
from enas.base.program import note
from enas.flags.network_shape import network_shape
from enas.flags.table import KB, Settings
from enas.space.cost import cost_of

# No network has so many and fits: each of its layers has a kernel of filters² weights,
# and a file at most MOST_BYTES (enas/network/file.py).
MOST_FILTERS = 2**15


def fitted(settings: Settings, channels: int, classes: Sequence[str]) -> Settings:
    """Returns the settings of a training with the most filters that `fit_kb` allows.

    A line on stderr tells how many these are, and how many bytes the network takes.

    Args:
      channels: of the images.
      classes: the names of the classes, which stand in the packed file.

    Raises:
      UsageError: not even the smallest network fits.
    """
    arc = settings.parse_arc(settings.fixed_arc)
    shape = network_shape(settings, channels, classes)

    def size(filters: int) -> int:
        return cost_of(arc, shape._replace(out_filters=filters)).file_bytes

    choices = range(2, MOST_FILTERS + 1, 2)
    count = bisect_right(choices, settings.fit_kb * KB, key=size)
    if not count:
        raise UsageError(
            f"fit_kb is {settings.fit_kb:g}, and the smallest network of this string, "
            f"with child_out_filters={choices[0]}, takes {size(choices[0]):,} bytes; "
            f"allow more, or take fewer layers (child_num_layers is "
            f"{settings.child_num_layers})"
        )
    filters = choices[count - 1]
    note(
        f"child_out_filters is {filters}, with which the packed network takes "
        f"{size(filters):,} bytes (fit_kb={settings.fit_kb:g})"
    )
    return dataclasses.replace(settings, child_out_filters=filters)
