"""Runs several workers of a search: in threads of a test, or as processes."""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

from enas.base.cluster import VARIABLE, Cluster
from tests.runs import ROOT


def free_hosts(count: int) -> tuple[str, ...]:
    """Addresses on this machine that nobody uses."""
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return tuple(f"127.0.0.1:{one.getsockname()[1]}" for one in found)


def together(count: int, work) -> list:
    """Runs work(workers) as each of some workers, in threads; returns what they do."""
    import tensorflow as tf

    from enas.base.workers import Workers
    from enas.session.session import session_config

    hosts = free_hosts(count)

    def run(index):
        workers = Workers(Cluster(hosts, index))
        workers.join(session_config(), lambda: None)
        try:
            with tf.Graph().as_default():
                tf.compat.v1.set_random_seed(1)
                result = work(workers)
            workers.leave()
            return result
        finally:
            workers.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def session_of(workers):
    """A session of a worker on the default graph, with initial variables."""
    import tensorflow as tf

    session = tf.compat.v1.Session(workers.target, config=workers.config)
    session.run(tf.compat.v1.global_variables_initializer())
    return session


class Process:
    """A script that runs as a worker.

    Attributes:
      process: the Popen; its stdout is read as text.
    """

    def __init__(self, script: str, hosts, index: int, *flags: str):
        task = {"type": "worker", "index": index}
        config = {"cluster": {"worker": list(hosts)}, "task": task}
        self._stderr = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(ROOT, script), *flags],
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=os.environ | {VARIABLE: json.dumps(config)},
        )

    def end(self) -> tuple[int, list[str], list[str]]:
        """Waits for it; returns its status, and the rest of its two outputs."""
        lines = self.process.stdout.read().splitlines()
        status = self.process.wait()
        self._stderr.seek(0)
        errors = self._stderr.read().splitlines()
        self._stderr.close()
        return status, lines, errors


def start(count: int, script: str, *flags: str) -> list[Process]:
    hosts = free_hosts(count)
    return [Process(script, hosts, index, *flags) for index in range(count)]


def read_until(process: Process, pattern: str) -> list[str]:
    """Reads a worker's log up to a line that matches; returns what it read."""
    lines = []
    for line in process.process.stdout:
        lines.append(line.rstrip("\n"))
        if re.match(pattern, line):
            return lines
    raise AssertionError(process.end())


def comes_to(process: Process, pattern: str) -> bool:
    """Reads a worker's log up to a line that matches; whether there is one."""
    return any(re.match(pattern, line) for line in process.process.stdout)


def ends(processes: list[Process]) -> list[tuple[int, list[str], list[str]]]:
    """Waits for workers; returns what each `end` returns."""
    return [process.end() for process in processes]
