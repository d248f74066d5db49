"""Keeps the best checkpoint of a training that may stop early."""

import os
import shutil

from enas.base.errors import InputError
from enas.loop.trained import IMAGES_FILE
from enas.session.output_dir import FLAGS_FILE
from enas.session.session import Session

BEST_FOLDER = "best"


def keep_best(folder: str, session: Session) -> None:
    """Keeps the weights as they are now, in a folder that can be exported as a run's.

    Args:
      folder: the run's own folder.

    Raises:
      InputError: the disk is full, or cannot be written to.
    """
    best = os.path.join(folder, BEST_FOLDER)
    try:
        os.makedirs(best, exist_ok=True)
        for name in (FLAGS_FILE, IMAGES_FILE):
            shutil.copyfile(os.path.join(folder, name), os.path.join(best, name))
    except OSError as error:
        raise InputError(f"cannot write {best}: {error.strerror}") from None
    session.save_into(best)
