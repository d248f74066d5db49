"""The errors that end a program with one line on stderr instead of a traceback."""


class UsageError(Exception):
    """A flag is wrong, or flags contradict each other; exit status 2."""


class Interrupted(Exception):
    """A signal, its number, ended a run that was saved; exit status 128 and more."""


class InputError(Exception):
    """A file, a folder or data cannot be used; exit status 1."""
