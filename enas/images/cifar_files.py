"""Lists the files of CIFAR-10 as its authors ship it, and finds them on disk."""

import os

SIZE = 32
CLASSES = 10
TRAIN_FILES = tuple(f"data_batch_{number}" for number in range(1, 6))
TEST_FILE = "test_batch"
META_FILE = "batches.meta"
FILES = (*TRAIN_FILES, TEST_FILE, META_FILE)
ARCHIVE_FOLDER = "cifar-10-batches-py"  # what the official archive unpacks to


def missing_file(folder: str) -> str | None:
    """Returns the path of the first file that a folder lacks; None if all are there."""
    paths = (os.path.join(folder, name) for name in FILES)
    return next((path for path in paths if not os.path.isfile(path)), None)


def find_folder(path: str) -> str | None:
    """Returns the folder with all files: `path`, ARCHIVE_FOLDER in it, or None."""
    for folder in (path, os.path.join(path, ARCHIVE_FOLDER)):
        if missing_file(folder) is None:
            return folder
    return None
