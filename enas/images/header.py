"""Tells how large an image is before it is decoded.

A file of some hundred bytes may claim a billion pixels. OpenCV would make room for all
of them, whatever its own limit says. Nothing here decodes an image.
"""

import io
import struct
import warnings

MOST_PIXELS = 2**26
MOST_SCANS = 200  # of a JPEG; a progressive one has some ten
FORMATS = ("PNG", "JPEG", "BMP")
_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


def check_size(content: bytes) -> None:
    """Checks the size that an encoded image claims.

    Args:
      content: the bytes of the file.

    Raises:
      ValueError: it has more than MOST_PIXELS, or is no image of FORMATS.
    """
    # Most images are PNG, and Pillow takes longer for a header than OpenCV for a digit.
    if content.startswith(_PNG) and len(content) >= 24:
        width, height = struct.unpack_from(">II", content, 16)
        _check_chunks(content)
    else:
        width, height = _size_by_pillow(content)
    # A JPEG may have any number of scans, each as dear as all of the image.
    if content.startswith(b"\xff\xd8") and content.count(b"\xff\xda") > MOST_SCANS:
        raise ValueError(f"a JPEG of more than {MOST_SCANS} scans")
    if width * height > MOST_PIXELS:
        raise ValueError(f"{width}×{height} pixels; at most {MOST_PIXELS} are read")


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
