"""Downloads CIFAR-10 from its authors and lays it out for the scripts.

    python -m enas.download_cifar [FOLDER]

FOLDER is data/cifar10 by default. A download that broke off is continued, and an
archive that is already in FOLDER is not downloaded again. The archive's MD5 is checked
before it is opened, and only the seven files of CIFAR-10 are unpacked from it. (Neither
pooch nor keras.utils.get_file continues a download that broke off.)
"""

import gzip
import hashlib
import http.client
import os
import socket
import tarfile
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tqdm import tqdm

from enas.base.errors import InputError
from enas.base.files import open_regular, sync_file, sync_folder, write_bytes
from enas.base.program import Parser, note, one_line_errors
from enas.images.cifar_files import ARCHIVE_FOLDER, FILES, find_folder
from enas.images.safe_pickle import MOST_BYTES

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
SIZE = 170_498_071  # bytes
MD5 = "c58f30108f718f92721af3b95e74349a"
FOLDER = os.path.join("data", "cifar10")
CHUNK = 2**16  # bytes
TIMEOUT = 30  # seconds without a byte
SLOWEST = 1000  # bytes a second, after the first TIMEOUT seconds
# The errors that reading a damaged archive raises.
_DAMAGE = (tarfile.TarError, gzip.BadGzipFile, EOFError, ValueError, zlib.error)


def fetch(folder: str, url: str = URL, md5: str = MD5, size: int = SIZE) -> None:
    """Puts CIFAR-10's seven files into a folder, which is made if it is missing.

    Raises:
      InputError: the server cannot be reached, the archive does not have the known MD5,
        or the folder cannot be written to.
    """
    if find_folder(folder) is not None:
        return
    archive = os.path.join(folder, url.rpartition("/")[2])
    try:
        os.makedirs(folder, exist_ok=True)
        if os.path.exists(archive):
            _check_md5(archive, md5, "remove it and run again")
        else:
            part = archive + ".part"
            download(url, part, size)
            try:
                _check_md5(part, md5, "it has been removed; run again")
            except InputError:
                os.remove(part)
                raise
            sync_file(part)
            os.rename(part, archive)
            sync_folder(folder)
        unpack(archive, folder)
    except OSError as error:
        place = error.filename or folder
        raise InputError(f"cannot use {place}: {error.strerror or error}") from None


def download(url: str, part: str, size: int = SIZE) -> None:
    """Downloads a file, or the rest of it.

    Args:
      part: the file to write; what it already holds is the beginning of the download.
      size: of the file, bytes; nothing is written beyond it.

    Raises:
      InputError: the server refuses or sends something else, or the connection fails,
        ends early, or is too slow; `part` keeps what has arrived.
      OSError: `part` cannot be written to.
    """
    have = os.path.getsize(part) if os.path.exists(part) else 0
    if have >= size:
        return
    request = urllib.request.Request(url)
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = _opener().open(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return  # nothing is missing
        raise InputError(f"{url}: {error.code} {error.reason}") from None
    except (http.client.HTTPException, OSError, ValueError) as error:
        raise _broken_off(url, part, getattr(error, "reason", error)) from None
    with response:
        if response.headers.get_content_type() == "text/html":
            raise InputError(f"{url}: a web page came instead of an archive")
        if response.status != http.client.PARTIAL_CONTENT:
            have = 0  # the server sends the whole file
        _receive(response, url, part, have, size)


@contextmanager
def _watch(hang_up: Callable[[], None]) -> Iterator[Callable[[], None]]:
    """Hangs up once nothing has been heard for TIMEOUT.

    A socket's own timeout does not do: it begins anew with each byte, and a line of
    HTTP may have thousands.

    Yields:
      What to call when something was heard.
    """
    heard, done = [time.monotonic()], threading.Event()

    def wait():
        while not done.wait(TIMEOUT / 10):
            if time.monotonic() - heard[0] > TIMEOUT:
                hang_up()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    try:
        yield lambda: heard.__setitem__(0, time.monotonic())
    finally:
        done.set()
        thread.join()


class _Hurried:
    """A connection whose answer has to begin within TIMEOUT, even drop by drop."""

    def getresponse(self):
        connection = self.sock

        def hang_up():
            with suppress(OSError):  # it has ended by itself
                connection.shutdown(socket.SHUT_RDWR)

        with _watch(hang_up):
            response = super().getresponse()
        response.hang_up = hang_up
        return response


class _HTTP(_Hurried, http.client.HTTPConnection):
    pass


class _HTTPS(_Hurried, http.client.HTTPSConnection):
    pass


class _HTTPHandler(urllib.request.HTTPHandler):
    def http_open(self, req):
        return self.do_open(_HTTP, req)


class _HTTPSHandler(urllib.request.HTTPSHandler):
    def https_open(self, req):
        return self.do_open(_HTTPS, req)


class _SameScheme(urllib.request.HTTPRedirectHandler):
    """Follows a redirect only to a place of the same kind, or from http to https."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        scheme = newurl.partition(":")[0].lower()
        if scheme not in (req.type, "https"):
            raise urllib.error.HTTPError(
                newurl, code, "it leads away from the web", headers, fp
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener() -> urllib.request.OpenerDirector:
    """What opens an address of the web, and none of ftp, files or data."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        _HTTPHandler,
        _HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        _SameScheme,
    ):
        opener.add_handler(handler())
    return opener


def _receive(response, url: str, part: str, have: int, size: int) -> None:
    """Writes what a server sends after the `have` bytes that are already there."""
    total = None if response.length is None else have + response.length
    bar = tqdm(
        desc=os.path.basename(part),
        total=total,
        initial=have,
        unit="B",
        unit_scale=True,
        disable=None,
    )
    start, received = time.monotonic(), 0
    with (
        bar,
        open_regular(part, "ab" if have else "wb") as stream,
        _watch(response.hang_up) as heard,
    ):
        while chunk := _next_chunk(response, url, part):
            if have + received + len(chunk) > size:
                raise InputError(
                    f"{url}: more came than the {size} bytes of the archive; remove "
                    f"{part} and run again"
                )
            stream.write(chunk)
            heard()
            received += len(chunk)
            bar.update(len(chunk))
            seconds = time.monotonic() - start
            if seconds > TIMEOUT and received < SLOWEST * seconds:
                raise _broken_off(url, part, f"less than {SLOWEST} bytes came a second")
    if total is not None and os.path.getsize(part) < total:
        raise _broken_off(url, part, "the connection ended early")


def _next_chunk(response, url: str, part: str) -> bytes:
    """Returns what has come, of at most CHUNK bytes; nothing at the end."""
    try:
        return response.read1(CHUNK)
    except (http.client.HTTPException, OSError) as error:
        raise _broken_off(url, part, error) from None


def _broken_off(url: str, part: str, reason) -> InputError:
    size = os.path.getsize(part) if os.path.exists(part) else 0
    return InputError(
        f"{url}: {reason}; {size / 1e6:.1f} MB are in {part}; run again to go on"
    )


def _check_md5(path: str, md5: str, advice: str) -> None:
    digest = hashlib.md5(usedforsecurity=False)
    with open_regular(path, "rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != md5:
        raise InputError(
            f"{path} is damaged or not CIFAR-10's archive: its MD5 is "
            f"{digest.hexdigest()}, not {md5}; {advice}"
        )


def unpack(archive: str, folder: str) -> None:
    """Unpacks CIFAR-10's seven files into a folder.

    They are found by name, and the archive does not choose the names that they are
    written to, so nothing can be written elsewhere.

    Raises:
      InputError: the archive is damaged, or lacks one of the seven.
      OSError: a file cannot be read or written.
    """
    try:
        with (
            open_regular(archive, "rb") as stream,
            tarfile.open(fileobj=stream, mode="r:gz") as tar,
        ):
            for name in FILES:
                member = tar.getmember(f"{ARCHIVE_FOLDER}/{name}")
                if not member.isreg() or member.size > MOST_BYTES:
                    raise InputError(f"{archive}: {member.name} is no batch file")
                file = tar.extractfile(member)
                content = file.read() if file is not None else b""
                if len(content) != member.size:
                    raise InputError(f"{archive} is truncated in {member.name}")
                path = os.path.join(folder, name)
                write_bytes(path, content)
    except KeyError:
        raise InputError(f"{archive} holds no {ARCHIVE_FOLDER}/{name}") from None
    except _DAMAGE as error:
        raise InputError(f"{archive} is damaged: {error}; get it anew") from None


def main() -> None:
    with one_line_errors("download_cifar"):
        parser = Parser(
            prog="python -m enas.download_cifar", description=__doc__.partition("\n")[0]
        )
        parser.add_argument(
            "folder",
            nargs="?",
            default=FOLDER,
            help=f"where it goes (default: {FOLDER})",
        )
        folder = parser.parse_args().folder
        fetch(folder)
    note(f"CIFAR-10 is in {find_folder(folder)}")
