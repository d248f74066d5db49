"""Keeps the best checkpoint of a training that may stop early."""

import os

from enas.base.errors import InputError
from enas.base.files import open_regular, write_bytes
from enas.loop.kept_images import IMAGES_FILE
from enas.session.output_dir import FLAGS_FILE, check_entries
from enas.session.session import Session

BEST_FOLDER = "best"


def keep_best(folder: str, session: Session) -> None:
    """Keeps the weights as they are now, in a folder that can be exported as a run's.

    Args:
      folder: the run's own folder.

    Raises:
      InputError: the disk is full, or cannot be written to; or there are links in the
        folder of the best weights.
    """
    best = os.path.join(folder, BEST_FOLDER)
    try:
        os.makedirs(best, exist_ok=True)
        check_entries(best)
        for name in (FLAGS_FILE, IMAGES_FILE):
            with open_regular(os.path.join(folder, name), "rb") as stream:
                write_bytes(os.path.join(best, name), stream.read())
    except OSError as error:
        raise InputError(f"cannot write {best}: {error.strerror}") from None
    session.save_into(best)
