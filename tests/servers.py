"""Servers that misbehave while CIFAR-10 is downloaded from them."""

import os
import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing, suppress

from enas.base.errors import InputError
from enas.images import cifar_download

SIZE = 200_000  # bytes that the archive has
PATIENCE = 1.0  # seconds, in place of the program's TIMEOUT
SLOW = 8.0  # seconds, after which a download counts as hung


def _head(rng: random.Random) -> bytes:
    """The beginning of an answer, right or wrong."""
    status = rng.choice(["200 OK", "206 Partial Content", "404 Not", "302 F", "999 X"])
    status = rng.choice([status, "200 \x1b[31mred", "", "200 " + "x" * 70_000])
    headers = ["Content-Type: application/x-gzip"]
    headers += rng.choices(
        [
            f"Content-Length: {rng.randrange(10**6)}",
            "Content-Length: -5",
            "Content-Length: many",
            "Transfer-Encoding: chunked",
            "Content-Type: text/html",
            "Location: ftp://127.0.0.1/x",
            "Location: /again",
            "Location: http://[",
            "Content-Encoding: gzip",
            "X: " + "y" * 70_000,
        ],
        k=rng.randrange(4),
    )
    headers += ["X: y"] * rng.choice([0, 0, 0, 200])
    text = "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""])
    return text.encode()


def _misbehave(connection: socket.socket, rng: random.Random) -> None:
    with closing(connection), suppress(OSError):
        connection.settimeout(2 * SLOW)
        connection.recv(2**16)
        head, kind = _head(rng), rng.randrange(6)
        if kind == 0:  # the head comes drop by drop
            for letter in head[:2000]:
                connection.sendall(bytes([letter]))
                time.sleep(0.1)
        elif kind == 1:  # it is cut off
            connection.sendall(head[: rng.randrange(len(head))])
        elif kind == 2:  # the body has no end
            connection.sendall(head)
            while True:
                connection.sendall(os.urandom(2**16))
        elif kind == 3:  # the body comes drop by drop
            connection.sendall(head)
            while True:
                connection.sendall(b"x")
                time.sleep(0.1)
        elif kind == 4:  # noise
            connection.sendall(os.urandom(rng.randrange(1, 2**16)))
        else:  # a body that is too short, or silence
            connection.sendall(head + os.urandom(rng.randrange(SIZE)))
            time.sleep(rng.choice([0.0, 3 * PATIENCE]))


def _serve(server: socket.socket, rng: random.Random) -> None:
    with suppress(OSError):  # it was closed
        while True:
            connection, _ = server.accept()
            own = random.Random(rng.random())
            threading.Thread(
                target=_misbehave, args=(connection, own), daemon=True
            ).start()


def attempt(seed: int) -> str:
    """'refused', which is right, or what went wrong."""
    rng, start = random.Random(seed), time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(socket.create_server(("127.0.0.1", 0))) as server,
    ):
        threading.Thread(target=_serve, args=(server, rng), daemon=True).start()
        part = os.path.join(folder, "cifar.tar.gz.part")
        if rng.randrange(2):  # a download that broke off
            with open(part, "wb") as stream:
                stream.write(os.urandom(rng.randrange(SIZE)))
        url = f"http://127.0.0.1:{server.getsockname()[1]}/cifar.tar.gz"
        try:
            cifar_download.fetch(folder, url, "0" * 32, SIZE)
            return "it was taken for an archive"
        except InputError as error:
            if len(str(error)) > 100_000:
                return "a line without end"
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        if set(os.listdir(folder)) - {"cifar.tar.gz.part"}:
            return f"it left {os.listdir(folder)}"
        if os.path.exists(part) and os.path.getsize(part) > SIZE:
            return "it wrote more than the archive has"
    return "refused" if time.monotonic() - start < SLOW else "slow"


def survive(count: int) -> tuple[Counter, list[str]]:
    """How many downloads ended how, and what went wrong."""
    patience, cifar_download.TIMEOUT = cifar_download.TIMEOUT, PATIENCE
    counts, wrong = Counter(), []
    try:
        for seed in range(count):
            result = attempt(seed)
            counts[result if result == "refused" else "wrong"] += 1
            if result != "refused":
                wrong.append(f"server {seed}: {result}")
                print(wrong[-1], file=sys.stderr)
    finally:
        cifar_download.TIMEOUT = patience
    return counts, wrong
