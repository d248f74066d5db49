"""Locks the folder that a run works in.

The lock is on the folder itself, not on its name: if the folder is moved, the lock goes
with it, and nothing is left behind in it. Windows and some network file systems cannot
lock a folder. There a file in it is locked instead, which is never deleted.
"""

import contextlib
import errno
import os
import stat

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

LOCK_FILE = ".enas-lock"
# What a file system says that cannot lock a folder.
_NO_FOLDERS = (errno.EBADF, errno.EINVAL, errno.EISDIR, errno.ENOTSUP, errno.ENOSYS)


class FolderLock:
    """Holds a folder until it is released, or until the process ends.

    Args:
      path: the folder.

    Raises:
      BlockingIOError: another run holds it.
      FileNotFoundError: the folder was moved or removed meanwhile.
      OSError: it cannot be locked.
    """

    def __init__(self, path: str):
        self._locked = path
        self._descriptor = _locked_folder(path)
        if self._descriptor is None:
            self._locked = os.path.join(path, LOCK_FILE)
            self._descriptor = _locked_file(self._locked)

    def holds(self) -> bool:
        """Returns whether the folder of that name is still the one that is locked."""
        if self._descriptor is None:
            return False
        try:
            found = os.stat(self._locked)
        except OSError:
            return False
        return os.path.samestat(found, os.fstat(self._descriptor))

    def release(self) -> None:
        """Lets go of the folder; it does no harm to call this twice."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def is_locked(path: str) -> bool:
    """Returns whether somebody holds a folder; no, where folders cannot be locked."""
    try:
        descriptor = _locked_folder(path)
    except BlockingIOError:
        return True
    except OSError:
        return False
    if descriptor is not None:
        os.close(descriptor)
    return False


def _locked_folder(path: str) -> int | None:
    """Returns a descriptor that holds a folder; None where folders cannot be locked."""
    if fcntl is None:
        return None
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if error.errno in _NO_FOLDERS:
            return None
        raise
    with _closing_on_error(descriptor):
        # The name may have gone to another folder between opening and locking.
        if not os.path.samestat(os.stat(path), os.fstat(descriptor)):
            raise FileNotFoundError(errno.ENOENT, "it was moved", path)
    return descriptor


def _locked_file(path: str) -> int:
    """Returns a descriptor that holds a file, which is made if it is missing."""
    flags = os.O_RDWR | os.O_CREAT
    for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"):
        flags |= getattr(os, name, 0)
    descriptor = os.open(path, flags, 0o666)
    with _closing_on_error(descriptor):
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file", path)
        if fcntl is not None:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.stat(path), os.fstat(descriptor)):
                raise FileNotFoundError(errno.ENOENT, "it was moved", path)
        else:
            import msvcrt

            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            except OSError as error:
                raise BlockingIOError(errno.EAGAIN, "it is locked", path) from error
    return descriptor


@contextlib.contextmanager
def _closing_on_error(descriptor: int):
    try:
        yield
    except BaseException:
        os.close(descriptor)
        raise
