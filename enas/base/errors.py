"""The errors that end a program with one line on stderr instead of a traceback."""


class UsageError(Exception):
    """A flag is wrong, or flags contradict each other; exit status 2."""


class Interrupted(Exception):
    """A signal ended a run that was saved; exit status 128 plus the signal's number.

    That number is the first argument. A second one, if any, says how to go on.
    """


class TimeIsOver(Exception):
    """A run has used the minutes that it was given, and was saved; exit status 0."""


class InputError(Exception):
    """A file, a folder or some data cannot be used; exit status 1."""
