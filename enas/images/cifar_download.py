"""Downloads CIFAR-10 from its authors and lays it out for the scripts.

    python -m enas.download_cifar [FOLDER]

FOLDER is data/cifar10 by default. A download that broke off is continued; an archive
that already lies in FOLDER is not downloaded again. The archive's MD5 is checked before
it is opened, and only the seven files that CIFAR-10 consists of are unpacked from it.
(Neither pooch nor keras.utils.get_file goes on with a download that broke off.)
"""

import gzip
import hashlib
import http.client
import os
import sys
import tarfile
import urllib.error
import urllib.request
import zlib

from tqdm import tqdm

from enas.base.command import Parser, one_line_errors
from enas.base.errors import InputError
from enas.images.cifar_files import ARCHIVE_FOLDER, FILES, find_folder
from enas.images.safe_pickle import MOST_BYTES

URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
MD5 = "c58f30108f718f92721af3b95e74349a"
FOLDER = os.path.join("data", "cifar10")
CHUNK = 2**16  # bytes
TIMEOUT = 30  # seconds without a byte
# What reading a damaged archive raises.
_DAMAGE = (tarfile.TarError, gzip.BadGzipFile, EOFError, ValueError, zlib.error)


def fetch(folder: str, url: str = URL, md5: str = MD5) -> None:
    """Leaves CIFAR-10's seven files in a folder, which is made if need be.

    Raises:
      InputError: the server cannot be reached, the archive is not the one whose MD5 is
        known, or the folder cannot be written to.
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
            download(url, part)
            try:
                _check_md5(part, md5, "it has been removed; run again")
            except InputError:
                os.remove(part)
                raise
            os.rename(part, archive)
        unpack(archive, folder)
    except OSError as error:
        place = error.filename or folder
        raise InputError(f"cannot use {place}: {error.strerror or error}") from None


def download(url: str, part: str) -> None:
    """Downloads a file, or the rest of it.

    Args:
      part: where it goes; what stands there already is its beginning.

    Raises:
      InputError: the connection fails or ends early; `part` keeps what has come.
      OSError: `part` cannot be written to.
    """
    have = os.path.getsize(part) if os.path.exists(part) else 0
    request = urllib.request.Request(url)
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
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
            have = 0  # the server sends all of it, from the start
        _receive(response, url, part, have)


def _receive(response, url: str, part: str, have: int) -> None:
    """Writes what a server sends, after the bytes that are there."""
    total = None if response.length is None else have + response.length
    bar = tqdm(
        desc=os.path.basename(part),
        total=total,
        initial=have,
        unit="B",
        unit_scale=True,
        disable=None,
    )
    with bar, open(part, "ab" if have else "wb") as stream:
        while chunk := _next_chunk(response, url, part):
            stream.write(chunk)
            bar.update(len(chunk))
    if total is not None and os.path.getsize(part) < total:
        raise _broken_off(url, part, "the connection ended early")


def _next_chunk(response, url: str, part: str) -> bytes:
    try:
        return response.read(CHUNK)
    except (http.client.HTTPException, OSError) as error:
        raise _broken_off(url, part, error) from None


def _broken_off(url: str, part: str, reason) -> InputError:
    size = os.path.getsize(part) if os.path.exists(part) else 0
    return InputError(
        f"{url}: {reason}; {size / 1e6:.1f} MB are in {part}; run again to go on"
    )


def _check_md5(path: str, md5: str, advice: str) -> None:
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as stream:
        while chunk := stream.read(CHUNK):
            digest.update(chunk)
    if digest.hexdigest() != md5:
        raise InputError(
            f"{path} is damaged or not CIFAR-10's archive: its MD5 is "
            f"{digest.hexdigest()}, not {md5}; {advice}"
        )


def unpack(archive: str, folder: str) -> None:
    """Writes CIFAR-10's seven files into a folder.

    They are found by name, and each is written to a name that is not the archive's to
    choose, so nothing can land elsewhere.

    Raises:
      InputError: the archive is damaged, or one of the seven is not in it.
    """
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for name in FILES:
                member = tar.getmember(f"{ARCHIVE_FOLDER}/{name}")
                if not member.isreg() or member.size > MOST_BYTES:
                    raise InputError(f"{archive}: {member.name} is no batch file")
                file = tar.extractfile(member)
                content = file.read() if file is not None else b""
                if len(content) != member.size:
                    raise InputError(f"{archive} is truncated in {member.name}")
                path = os.path.join(folder, name)
                with open(path + ".part", "wb") as stream:
                    stream.write(content)
                os.replace(path + ".part", path)
    except KeyError:
        raise InputError(f"{archive} holds no {ARCHIVE_FOLDER}/{name}") from None
    except _DAMAGE as error:
        raise InputError(f"{archive} is damaged: {error}; get it anew") from None


def main() -> None:
    with one_line_errors("download_cifar"):
        parser = Parser(description=__doc__.partition("\n")[0])
        parser.add_argument("folder", nargs="?", default=FOLDER)
        folder = parser.parse_args().folder
        fetch(folder)
    print(f"CIFAR-10 is in {find_folder(folder)}", file=sys.stderr)
