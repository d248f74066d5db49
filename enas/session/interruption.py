"""Turns Ctrl-C and SIGTERM into a request to leave once the run can be saved."""

import signal

from enas.base.errors import Interrupted


class Interruption:
    """Catches both signals while it is entered as a context manager.

    A second signal ends the process at once, whatever it is doing.
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self._came: int | None = None
        self._before: dict = {}

    def __enter__(self) -> "Interruption":
        for number in self._SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:  # ignored under nohup or &
                self._before[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, *exception) -> None:
        self._restore()

    def _remember(self, number: int, frame) -> None:
        del frame
        self._came = number
        for caught in self._before:
            signal.signal(caught, signal.SIG_DFL)

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def came(self) -> bool:
        """Returns whether a signal asked to leave the run."""
        return self._came is not None

    def leave(self) -> None:
        """Leaves the run after a signal.

        Raises:
          Interrupted: always, with the signal's number.
        """
        raise Interrupted(self._came)
