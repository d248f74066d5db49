"""Turns Ctrl-C and SIGTERM into a request to leave once the run can be saved."""

import signal
import socket
import threading
from contextlib import suppress

from enas.base.errors import Interrupted
from enas.base.program import note


class Interruption:
    """Catches both signals while it is entered as a context manager.

    The first one is answered at once with a line on stderr. A second signal ends the
    process at once, whatever it is doing. Outside the main thread, as in some
    notebooks, it catches nothing.
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self._came = 0
        self._before: dict = {}
        self._answer: _Answer | None = None

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is not threading.main_thread():
            return self
        for number in self._SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:  # ignored under nohup or &
                self._before[number] = signal.signal(number, self._remember)
        self._answer = _Answer(self._before)
        return self

    def __exit__(self, *exception) -> None:
        if self._answer is not None:
            self._answer.close()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _remember(self, number: int, frame) -> None:
        del frame
        self._came = number
        for caught in self._before:
            signal.signal(caught, signal.SIG_DFL)

    def came(self) -> int:
        """Returns the number of the signal that asked to leave the run; 0 if none."""
        return self._came

    def leave(self) -> None:
        """Leaves the run after a signal.

        Raises:
          Interrupted: always, with the signal's number.
        """
        raise Interrupted(self._came)


class _Answer:
    """Tells that a signal was heard, from a thread of its own.

    Python runs the handler of a signal only once TensorFlow has finished the step that
    it is computing, which may take a while. But the number of a signal is written to
    the wakeup socket as soon as it comes.

    Args:
      signals: the numbers of the signals to answer.
    """

    def __init__(self, signals):
        self._signals = set(signals)
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)
        self._before = signal.set_wakeup_fd(
            self._writer.fileno(), warn_on_full_buffer=False
        )
        self._thread = threading.Thread(target=self._wait, daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        with suppress(OSError):
            while numbers := self._reader.recv(1):
                if numbers[0] in self._signals:
                    note("saving … (a second signal leaves at once, without saving)")
                    return

    def close(self) -> None:
        signal.set_wakeup_fd(self._before)
        self._writer.close()
        self._thread.join()
        self._reader.close()
