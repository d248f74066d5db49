"""Tells how large an image is before it is decoded.

A file of some hundred bytes may claim a billion pixels. OpenCV would make room for all
of them, whatever its own limit says. Nothing here decodes an image.
"""

import io
import re
import struct
import warnings

from enas.images.tiff_header import tiff_size

MOST_PIXELS = 2**26
MOST_SCANS = 200  # of a JPEG; a progressive one has some ten
# Of these Pillow tells the size.
FORMATS = ("JPEG", "BMP")
_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
_GIF = (b"GIF87a", b"GIF89a")
_TIFF = (b"II*\0", b"MM\0*")
# PBM, PGM and PPM, where a comment may stand before a number but not right behind it:
# readers differ over which number that is.
_PNM = re.compile(
    rb"P[1-6]\s(?:\s|#[^\r\n]*[\r\n])*([0-9]{1,9})\s(?:\s|#[^\r\n]*[\r\n])*([0-9]{1,9})\s"
)


def check_size(content: bytes) -> None:
    """Checks the size that an encoded image claims.

    Args:
      content: the bytes of the file.

    Raises:
      ValueError: it has more than MOST_PIXELS, or is no image that is read.
    """
    width, height = _claimed_size(content)
    # A JPEG may have any number of scans, each as dear as all of the image.
    if content.startswith(b"\xff\xd8") and content.count(b"\xff\xda") > MOST_SCANS:
        raise ValueError(f"a JPEG of more than {MOST_SCANS} scans")
    if width * height > MOST_PIXELS:
        raise ValueError(f"{width}×{height} pixels; at most {MOST_PIXELS} are read")


def _claimed_size(content: bytes) -> tuple[int, int]:
    """The size of an image that OpenCV will go by: (width, height) in pixels.

    Pillow tells it only where it reads no more than a header, and the same as OpenCV.

    Raises:
      ValueError: the header is damaged, or of no format that is read.
    """
    # Most images are PNG, and Pillow takes longer for a header than OpenCV for a digit.
    if content.startswith(_PNG) and len(content) >= 24:
        _check_chunks(content)
        return struct.unpack_from(">II", content, 16)
    if content.startswith(b"RIFF"):
        return _webp_size(content)
    if content.startswith(_TIFF):
        return tiff_size(content)
    if content.startswith(_GIF) and len(content) >= 10:
        return struct.unpack_from("<HH", content, 6)  # no frame may be larger
    if match := _PNM.match(content):
        return int(match[1]), int(match[2])
    return _size_by_pillow(content)


def _webp_size(content: bytes) -> tuple[int, int]:
    """The size of a WebP, whose first chunk tells it: (width, height) in pixels."""
    kind = content[8:16]
    if len(content) >= 30 and kind == b"WEBPVP8X":
        width = int.from_bytes(content[24:27], "little") + 1
        height = int.from_bytes(content[27:30], "little") + 1
    elif len(content) >= 30 and kind == b"WEBPVP8L":
        (bits,) = struct.unpack_from("<I", content, 21)
        width, height = bits % 2**14 + 1, (bits >> 14) % 2**14 + 1
    elif len(content) >= 30 and kind == b"WEBPVP8 ":
        sizes = struct.unpack_from("<HH", content, 26)
        width, height = (size % 2**14 for size in sizes)  # above is how to enlarge it
    else:
        raise ValueError("no WebP")
    return width, height


def _check_chunks(content: bytes) -> None:
    """Checks that no chunk of a PNG claims more bytes than the file has.

    OpenCV would make room for all of them first.
    """
    position = 8
    while position + 8 <= len(content):
        (length,) = struct.unpack_from(">I", content, position)
        kind = content[position + 4 : position + 8]
        position += 12 + length
        if position > len(content):
            raise ValueError("a chunk of a PNG is cut off")
        if kind == b"IEND":
            return


def _size_by_pillow(content: bytes) -> tuple[int, int]:
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of many pixels, which are refused anyway
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                return image.size
    except Image.DecompressionBombError as error:
        raise ValueError(str(error)) from None
    except Exception as error:  # whatever damaged bytes make a parser raise
        raise ValueError(f"no image: {error}") from None
