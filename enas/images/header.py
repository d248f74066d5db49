"""Tells how large an image is before it is decoded.

A file of some hundred bytes may claim a billion pixels. OpenCV would make room for all
of them, whatever its own limit says. Nothing here decodes an image.
"""

import io
import struct
import warnings

MOST_PIXELS = 2**26
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
    else:
        width, height = _size_by_pillow(content)
    if width * height > MOST_PIXELS:
        raise ValueError(f"{width}×{height} pixels; at most {MOST_PIXELS} are read")


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
