"""From a script's flags to its images: which reader, and how it is called."""

from collections.abc import Callable
from functools import partial

from enas.data_utils import Data, open_sources, read_data
from enas.data_utils_cifar import CifarSource
from enas.flags import Settings


def open_data(settings: Settings) -> Callable[[], Data]:
    """Finds the images that the flags name.

    Returns:
      What reads them, and may take a while.

    Raises:
      InputError: they are not there, or not as they should be.
    """
    limits = {
        "train_limit": settings.train_limit,
        "eval_limit": settings.eval_limit,
    }
    if "data_path" in vars(settings):
        source = CifarSource(settings.data_path)
        return partial(source.read, settings.num_valids, **limits)
    sources = open_sources(
        settings.train_data_dir, settings.val_data_dir, settings.test_data_dir
    )
    return partial(
        read_data,
        sources,
        settings.img_size,
        settings.channel,
        settings.n_aug_img,
        seed=settings.seed or None,
        **limits,
    )
