"""Watches whether the other workers of a run are alive.

A worker that waits for another one in a session would notice its end only when the wait
is over, after minutes. So a thread keeps a connection to each of the others; their
system closes it when they end, whatever ended them. Nothing is sent on it.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Callable

from enas.base.cluster import Cluster
from enas.base.program import note

PERIOD = 0.5  # seconds between two looks
GRACE = 2.0  # seconds, in which this worker may end in order, too
SILENCE = 60.0  # seconds for which a network may be interrupted
_PATIENCE = 2.0  # seconds to wait for a connection


class Peers:
    """The other workers, watched by a thread until `close`.

    If one that has been there is gone, a line on stderr names it, and the process ends
    at once with status 1: what it was doing may wait for the other one for ever.

    Args:
      cluster: all workers.
      at_end: is called before the process ends so.
    """

    def __init__(self, cluster: Cluster, at_end: Callable[[], None]):
        self._cluster = cluster
        self._at_end = at_end
        self._others = [n for n in range(cluster.count) if n != cluster.index]
        self._connections: dict[int, socket.socket] = {}
        self._silent_since: dict[int, float] = {}
        self._seen: set[int] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the watch; it does no harm to call this twice."""
        self._over.set()
        self._thread.join(2 * PERIOD)

    def missing(self) -> list[int]:
        """Returns the numbers of the workers that cannot be reached now."""
        return [n for n in self._others if self._is_missing(n)]

    def missing_soon(self, seconds: float) -> list[int]:
        """Waits until a worker cannot be reached; returns those, or none at the end.

        A worker that is killed closes its connections one after the other, and may
        still be reached when a first one is closed.
        """
        end = time.monotonic() + seconds
        while not (found := self.missing()) and time.monotonic() < end:
            time.sleep(PERIOD)
        return found

    def wait(self, seconds: float) -> list[int]:
        """Waits until all workers can be reached; returns those that did not come.

        Unlike a wait in a session, it can be ended by Ctrl-C.
        """
        end, late = time.monotonic() + seconds, self._others
        while late := [number for number in late if self._is_missing(number)]:
            if time.monotonic() > end:
                break
            time.sleep(PERIOD)
        return late

    def _is_missing(self, number: int) -> bool:
        try:
            self._connect(number).close()
        except OSError:
            return True
        return False

    def _watch(self) -> None:
        while not self._over.wait(PERIOD):
            gone = [n for n in self._others if self._is_gone(n)]
            if gone and not self._over.wait(GRACE):
                gone = [n for n in gone if self._is_gone(n)]
                if gone and not self._over.is_set():
                    self._leave(gone[0])
        for connection in self._connections.values():
            connection.close()

    def _is_gone(self, number: int) -> bool:
        """Returns whether a worker has ended; one that was never there has not."""
        if self._is_open(number):
            return False
        try:
            self._connections[number] = self._connect(number)
        except OSError as error:
            since = self._silent_since.setdefault(number, time.monotonic())
            is_over = isinstance(error, ConnectionRefusedError)
            is_over = is_over or time.monotonic() - since > SILENCE
            return number in self._seen and is_over
        self._seen.add(number)
        self._silent_since.pop(number, None)
        return False

    def _connect(self, number: int) -> socket.socket:
        """Connects to a worker.

        Raises:
          OSError: it cannot be reached. If it is a ConnectionRefusedError, the machine
            is there, and no worker on it.
        """
        host, _, port = self._cluster.hosts[number].rpartition(":")
        connection = socket.create_connection((host.strip("[]"), int(port)), _PATIENCE)
        connection.setblocking(False)
        return connection

    def _is_open(self, number: int) -> bool:
        """Returns whether the connection to a worker is open; forgets a closed one."""
        connection = self._connections.get(number)
        if connection is None:
            return False
        try:
            if connection.recv(4096):
                return True
        except BlockingIOError:  # there is nothing to read
            return True
        except OSError:
            pass
        self._connections.pop(number).close()
        return False

    def _leave(self, number: int) -> None:
        program = os.path.basename(sys.argv[0])
        note(f"{program}: {lost(self._cluster, [number])}")
        self._at_end()
        os._exit(1)


def lost(cluster: Cluster, numbers: list[int]) -> str:
    """Says that workers are gone, and what to do."""
    names = " and ".join(cluster.name(number) for number in numbers)
    are = "is" if len(numbers) == 1 else "are"
    return (
        f"{names} {are} gone, and the others end; start all of them again, and the run "
        f"goes on from its last checkpoint with --reset_output_dir=False"
    )
