"""Stands for the output folder on a worker that is not the chief."""

import tempfile

from enas.session.output_dir import OutputDir


class WorkerFolder:
    """A temporary folder for what a run writes, which the chief's folder holds, too.

    It has what a run uses of an `OutputDir`, and is removed when it is released.

    Attributes:
      path: the path of the folder.
      continues: False, since a worker starts from what the chief tells it.
    """

    continues = False

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(
            prefix="enas-worker-", ignore_cleanup_errors=True
        )
        self.path = self._folder.name

    def begin(self) -> None:
        """Does nothing: no earlier run can be in the folder."""

    def check(self) -> None:
        """Does nothing: no other run can have the folder."""

    def keep_flags(self) -> None:
        """Does nothing: the chief keeps them."""

    def release(self) -> None:
        self._folder.cleanup()


RunFolder = OutputDir | WorkerFolder  # what a run writes to
