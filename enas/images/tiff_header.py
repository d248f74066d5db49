"""Tells how large the first page of a TIFF is, and refuses one that lies about it.

A TIFF has numbers in any order and of several types, and a page is made of strips or
tiles that have sizes of their own, for which its reader makes room as well. So this
takes only what all readers understand alike: no tag twice, and plain numbers.
"""

import struct

WIDTH, HEIGHT, BITS, COMPRESSION, SAMPLES = 256, 257, 258, 259, 277
ROWS, TILE_WIDTH, TILE_HEIGHT, KIND = 278, 322, 323, 339
DEPTHS = (32997, 32998)  # of an image in space, and of its tiles
_NUMBERS = (WIDTH, HEIGHT, COMPRESSION, SAMPLES, ROWS, TILE_WIDTH, TILE_HEIGHT)
_LETTERS = {3: "H", 4: "I"}  # of a type, for `struct`
# None, CCITT (three), LZW, JPEG, Deflate (two) and PackBits.
COMPRESSIONS = (1, 2, 3, 4, 5, 7, 8, 32946, 32773)
MOST_BITS = 16  # of a sample
MOST_SAMPLES = 5  # of a pixel: CMYK and alpha
WHOLE = 1  # the KIND of samples that are whole numbers and not negative
ALL_ROWS = 2**32 - 1  # in one strip


def tiff_size(content: bytes) -> tuple[int, int]:
    """The size of what is decoded of a TIFF: its first page, filled up to whole tiles.

    Args:
      content: the bytes of the file, which begins as a TIFF does.

    Returns:
      (width, height) in pixels.

    Raises:
      ValueError: it is damaged, or of an unusual kind.
    """
    try:
        tags = _tags(content, "<" if content.startswith(b"II") else ">")
    except struct.error:
        raise ValueError("a TIFF is cut off") from None
    width, height = tags.get(WIDTH, 0), tags.get(HEIGHT, 0)
    if tags.get(BITS, 1) > MOST_BITS or tags.get(SAMPLES, 1) > MOST_SAMPLES:
        raise ValueError("a TIFF of larger pixels than are read")
    if tags.get(KIND, WHOLE) != WHOLE:  # else all of it might become black
        raise ValueError("a TIFF whose samples may be fractions or negative")
    if (TILE_WIDTH in tags) != (TILE_HEIGHT in tags):
        raise ValueError("a TIFF of tiles without a size")
    if tags.get(COMPRESSION, 1) not in COMPRESSIONS:
        raise ValueError("a TIFF that is compressed in an unusual way")
    rows = tags.get(ROWS, ALL_ROWS)
    across = tags.get(TILE_WIDTH, width)
    down = tags.get(TILE_HEIGHT, height if rows == ALL_ROWS else rows)
    if not (width and height and across and down):
        raise ValueError("a TIFF without a size")
    return -(-width // across) * across, -(-height // down) * down


def _tags(content: bytes, order: str) -> dict[int, int]:
    """The numbers that say how large the first page is, by their tags.

    Args:
      order: of the bytes, "<" or ">".

    Raises:
      ValueError: a tag comes twice, or has another type than it should.
      struct.error: the file is too short.
    """
    (start,) = struct.unpack_from(order + "I", content, 4)
    (count,) = struct.unpack_from(order + "H", content, start)
    tags: dict[int, int] = {}
    seen = set()
    for position in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, length = struct.unpack_from(order + "HHI", content, position)
        if tag in seen:
            raise ValueError("a TIFF has a tag twice")
        seen.add(tag)
        if tag in _NUMBERS:
            if kind not in _LETTERS or length != 1:
                raise ValueError("a TIFF has no plain number where one should be")
            letter = order + _LETTERS[kind]
            (tags[tag],) = struct.unpack_from(letter, content, position + 8)
        elif tag in (BITS, KIND):
            tags[tag] = _largest(content, order, position, kind, length)
        elif tag in DEPTHS:
            raise ValueError("a TIFF has a depth")
    return tags


def _largest(content: bytes, order: str, position: int, kind: int, length: int) -> int:
    """The largest of a tag's numbers, which has one for each sample.

    Raises:
      ValueError, struct.error: as `_tags`.
    """
    if kind != 3 or not 1 <= length <= MOST_SAMPLES:
        raise ValueError("a TIFF has no plain number where one should be")
    place = position + 8
    if length > 2:
        (place,) = struct.unpack_from(order + "I", content, place)
    return max(struct.unpack_from(f"{order}{length}H", content, place))
