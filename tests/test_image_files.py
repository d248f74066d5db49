"""Image formats, what a header may claim, and what is said of files left out."""

import io
import struct
import time
import zipfile

import cv2
import numpy as np
import pytest
from PIL import Image

from enas.base.errors import InputError
from enas.data_utils import Source
from enas.images.class_folders import endings
from enas.images.header import MOST_PIXELS, check_size
from enas.images.image_files import EXTENSIONS, decode
from enas.images.listing import listed_in

COLOUR = (200, 90, 30)  # red, green, blue
GRAY = 116
LOSSLESS = [".png", ".bmp", ".webp", ".gif", ".tif", ".tiff", ".ppm"]


def opencv(ending, pixels):
    return cv2.imencode(ending, pixels)[1].tobytes()


def pillow(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.fixture
def plain():
    return Image.new("RGB", (5, 6), COLOUR)


@pytest.mark.parametrize("ending", LOSSLESS)
def test_colours_of_every_format(ending):
    content = opencv(ending, np.full((6, 5, 3), COLOUR[::-1], np.uint8))
    # OpenCV writes a GIF with some bits for each colour.
    apart = 40 if ending == ".gif" else 0
    np.testing.assert_allclose(decode(content, 8, 3)[3, 3], COLOUR, atol=apart)
    np.testing.assert_allclose(decode(content, 8, 1)[3, 3], GRAY, atol=apart)
    assert ending in EXTENSIONS


def test_gray_and_black_and_white():
    pixels = np.zeros((8, 8), np.uint8)
    pixels[:4] = 255
    for ending in (".pgm", ".pbm"):
        assert ending in EXTENSIONS
        for channels in (1, 3):
            image = decode(opencv(ending, pixels), 8, channels)
            assert image.shape == (8, 8, channels)
            assert (image == pixels[..., None]).all()
    plain = decode(b"P2 # by hand\n# and commented\n2 2\n9\n0 9\r\n9 0\n", 2, 1)
    assert plain[..., 0].tolist() == [[0, 255], [255, 0]]


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "CMYK"])
def test_tiff_in_every_mode(mode, compression, plain):
    content = pillow(plain.convert(mode), "TIFF", compression=compression)
    assert decode(content, 8, 3)[0, 0].tolist() == list(COLOUR)
    assert decode(content, 8, 1)[0, 0] == GRAY


def test_sixteen_bits_and_palettes_become_bytes(plain):
    pixels = np.full((6, 5, 3), COLOUR[::-1], np.uint16) * 257
    for ending in (".png", ".tif", ".ppm"):
        image = decode(opencv(ending, pixels), 8, 3)
        assert image.dtype == np.uint8 and image[0, 0].tolist() == list(COLOUR)
    for kind in ("TIFF", "GIF", "PNG"):
        palette = plain.quantize(2)
        assert decode(pillow(palette, kind), 8, 3)[0, 0].tolist() == list(COLOUR)


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "WEBP"])
def test_the_first_of_several_pictures_is_read(kind, plain):
    others = [Image.new("RGB", (5, 6), "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    content = pillow(plain, kind, save_all=True, append_images=others, **options)
    assert decode(content, 8, 3)[0, 0].tolist() == list(COLOUR)


def with_tags(content, **tags):
    """A TIFF whose tags (t256=…) have other values, each a plain number."""
    image = bytearray(content)
    (start,) = struct.unpack_from("<I", image, 4)
    for name, value in tags.items():
        place = image.index(struct.pack("<H", int(name[1:])), start + 2)
        struct.pack_into("<HHII", image, place, int(name[1:]), 4, 1, value)
    return bytes(image)


def hostile_images():
    """Files of some hundred bytes, by what they do."""
    tif = opencv(".tif", np.zeros((6, 5, 3), np.uint8))
    gif = bytearray(opencv(".gif", np.zeros((6, 5, 3), np.uint8)))
    frame = gif.index(b",\0\0\0\0\x05\0\x06\0")
    webp = bytearray(opencv(".webp", np.zeros((6, 5, 3), np.uint8)))
    lossy = bytearray(pillow(Image.new("RGB", (5, 6)), "WEBP"))
    large = bytearray(pillow(Image.new("RGBA", (5, 6)), "WEBP", exif=b"Exif\0\0"))
    assert large[12:16] == b"VP8X"
    yield "a wide TIFF", with_tags(tif, t256=2**31 - 1)
    yield "a TIFF in two dimensions", with_tags(tif, t256=40000, t257=40000)
    yield "a strip of a TIFF", with_tags(tif, t278=2**30)
    yield "samples of a TIFF", with_tags(tif, t277=60000)
    yield (
        "a tile of a TIFF",
        with_tags(tif, t278=6).replace(
            struct.pack("<HHII", 278, 4, 1, 6), struct.pack("<HHII", 322, 4, 1, 2**24)
        ),
    )
    yield "a GIF's screen", bytes(gif[:6] + struct.pack("<HH", 60000, 60000) + gif[10:])
    struct.pack_into("<HH", gif, frame + 5, 60000, 60000)
    yield "a frame of a GIF", bytes(gif)
    struct.pack_into("<I", webp, 21, 2**28 - 1)
    yield "a WebP without loss", bytes(webp)
    struct.pack_into("<HH", lossy, 26, 2**14 - 1, 2**14 - 1)
    yield "a lossy WebP", bytes(lossy)
    large[24:30] = b"\xff\xff\0" * 2
    yield "a canvas of a WebP", bytes(large)
    yield "a PPM", b"P6 60000 60000 255\n" + bytes(90)
    # Of these two numbers one reader takes the first and another one the second.
    yield "a PGM's comment", b"P5\n40000#40000\n 1 255\n" + bytes(90)


HOSTILE = dict(hostile_images())


@pytest.mark.parametrize("name", HOSTILE)
def test_claims_that_a_header_makes(name, monkeypatch):
    """None reaches OpenCV but a GIF's frame, for which it makes no room."""
    given = []

    def imdecode(content, mode, inner=cv2.imdecode):
        given.append(content)
        return inner(content, mode)

    monkeypatch.setattr("cv2.imdecode", imdecode)
    begun = time.monotonic()
    with pytest.raises((ValueError, cv2.error)):
        decode(HOSTILE[name], 8, 3)
    assert time.monotonic() - begun < 2
    assert bool(given) == (name == "a frame of a GIF")


def test_a_tiff_that_readers_may_understand_differently(plain):
    tif = opencv(".tif", np.zeros((6, 5, 3), np.uint8))
    check_size(tif)
    (start,) = struct.unpack_from("<I", tif, 4)
    twice = bytearray(tif)
    twice[start + 14 : start + 26] = twice[start + 2 : start + 14]
    fractions = opencv(".tif", np.full((6, 5), 0.5, np.float32))
    for content in (bytes(twice), tif[: start + 20], fractions, b"II*\0", tif[:8]):
        with pytest.raises(ValueError, match="a TIFF"):
            check_size(content)
    check_size(with_tags(tif, t278=2**32 - 1))  # all rows in one strip
    with pytest.raises(ValueError, match=f"at most {MOST_PIXELS}"):
        check_size(with_tags(tif, t278=2**30))


@pytest.fixture
def mixed(tmp_path):
    """Two classes, and beside their images what is left out."""
    png = opencv(".png", np.zeros((4, 4), np.uint8))
    for name in ("cat", "dog"):
        (tmp_path / "set" / name / "raw").mkdir(parents=True)
        (tmp_path / "set" / name / "0.png").write_bytes(png)
        (tmp_path / "set" / name / "raw" / "1.png").write_bytes(png)
        (tmp_path / "set" / name / ".DS_Store").write_bytes(b"")
    for name in ("cat/1.HEIC", "cat/2.heic", "dog/notes.txt", "dog/LICENSE"):
        (tmp_path / "set" / name).write_bytes(b"")
    (tmp_path / "set" / "loose.png").write_bytes(png)
    (tmp_path / "set" / ".hidden").write_bytes(b"")
    return tmp_path / "set"


def zipped(folder, around=""):
    path = folder.parent / "set.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, around + str(file.relative_to(folder)))
        archive.writestr("__MACOSX/cat/._0.png", b"")
    return path


def test_what_is_left_out_is_told_in_one_line(mixed, capsys):
    expected = (
        "train_data_dir: left out 4 files that are no images (.heic 2, without an "
        "ending 1, .txt 1), and 1 file in no class folder (.png 1), and 2 folders "
        "within class folders\n"
    )
    for path in (mixed, zipped(mixed)):
        source = Source(str(path), "train_data_dir")
        assert [len(files) for files in source.files.values()] == [1, 1]
        assert capsys.readouterr() == ("", expected)
    (mixed / "loose.png").unlink()
    Source(str(zipped(mixed, "my/set/")), "flag")
    assert capsys.readouterr().err == (
        "flag: left out 4 files that are no images (.heic 2, without an ending 1, "
        ".txt 1), and 2 folders within class folders\n"
    )


def test_nothing_is_told_where_all_is_read(mixed, capsys):
    for name in ("cat", "dog"):
        for file in (mixed / name).iterdir():
            if file.is_dir():
                (file / "1.png").unlink()
                file.rmdir()
            elif file.suffix != ".png" and file.name != ".DS_Store":
                file.unlink()
    (mixed / "loose.png").unlink()
    for path in (mixed, zipped(mixed)):
        Source(str(path), "flag")
        listed_in(str(path), ("cat", "dog"))
    assert capsys.readouterr() == ("", "")


def test_a_class_without_images_names_what_it_has(mixed):
    (mixed / "cat" / "0.png").unlink()
    for path in (mixed, zipped(mixed)):
        with pytest.raises(InputError, match=r"cat in .* are not read: \.heic 2; fill"):
            Source(str(path), "flag")
    for name in ("1.HEIC", "2.heic"):
        (mixed / "cat" / name).unlink()
    for path in (mixed, zipped(mixed)):
        with pytest.raises(InputError, match=r"cat in .*, but 1 folder of its own"):
            Source(str(path), "flag")


def test_what_a_list_to_predict_has_instead_of_images(mixed):
    for path in (mixed, zipped(mixed)):
        assert len(listed_in(str(path), ("cat", "dog"))) == 5
    for path in mixed.rglob("*.png"):
        path.unlink()
    for path in (mixed, zipped(mixed)):
        with pytest.raises(InputError, match=r"but 4 files that are no images \(.heic"):
            listed_in(str(path), ("cat", "dog"))


def test_rare_endings_are_counted_together():
    names = [f"{number}.{letter}" for letter in "abcdefgh" for number in range(2)]
    assert endings([*names, "0.h"]) == ".h 3, .a 2, .b 2, .c 2, .d 2, .e 2, others 4"
