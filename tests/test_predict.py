"""The command that predicts classes with a packed network."""

import csv
import io
import os
import subprocess
import sys
import zipfile

import cv2
import numpy as np
import pytest

from enas.base.errors import InputError
from enas.base.picture_files import STARTS
from enas.images.image_files import decode
from enas.images.listing import listed_in
from enas.loop import predict_command
from enas.network import file
from enas.network.formats import TERNARY
from enas.network.network import Network
from enas.network.steps import (
    ROWS,
    Activate,
    Convolve,
    Dense,
    GlobalAverage,
    Image,
    Normalize,
)
from enas.report.predictions import confusion
from tests.runs import ROOT

CLASSES = ("cat", "dog", "owl")


def network(channels=1, classes=CLASSES, size=6) -> Network:
    """A network of random weights for images of `size` pixels."""
    rng = np.random.default_rng(2)
    steps = (
        Image((), size, size, channels),
        Normalize((0,)),
        Convolve((1,), 3, 8, TERNARY, ROWS),
        Activate((2,), TERNARY),
        GlobalAverage((3,)),
        Dense((4,), len(classes), 1),
    )
    kernel = rng.integers(-1, 2, (3, 3, channels, 8)).astype(np.int32)
    weights = rng.normal(size=(8, len(classes))).astype(np.float32)
    mean, std = np.full((2, channels), 0.5, np.float32)
    tensors = ((), (mean, std), (kernel,), (), (), (weights,))
    return Network(steps, tensors, classes)


@pytest.fixture
def places(tmp_path):
    """network.lbn, gray/ and colour/ with class folders, gray.zip, and loose/."""
    file.write(str(tmp_path / "network.lbn"), network())
    rng = np.random.default_rng(0)
    for kind, shape in (("gray", (9, 7)), ("colour", (6, 6, 3))):
        for name in CLASSES:
            (tmp_path / kind / name).mkdir(parents=True)
            for number in range(5):
                pixels = rng.integers(0, 256, shape, np.uint8)
                path = tmp_path / kind / name / f"{number}.png"
                assert cv2.imwrite(str(path), pixels)
    with zipfile.ZipFile(tmp_path / "gray.zip", "w") as archive:
        for path in sorted((tmp_path / "gray").rglob("*.png")):
            archive.write(path, path.relative_to(tmp_path))
    (tmp_path / "loose" / "deep" / "er").mkdir(parents=True)
    one = (tmp_path / "gray" / "cat" / "0.png").read_bytes()
    (tmp_path / "loose" / "deep" / "er" / "one.png").write_bytes(one)
    (tmp_path / "loose" / "notes.txt").write_text("no image")
    return tmp_path


def run(capsys, *arguments):
    """Runs the command; returns its status, stdout and stderr."""
    status = 0
    try:
        predict_command.main([str(word) for word in arguments])
    except SystemExit as end:
        status = end.code
    return status, *capsys.readouterr()


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def expected_of(net, paths):
    """The class and the margin of each image, from the network's own logits."""
    image = net.image
    images = [decode(p.read_bytes(), image.height, image.channels) for p in paths]
    logits = net.logits(np.stack(images))
    ordered = np.sort(logits, axis=1)
    names = [net.classes[number] for number in logits.argmax(axis=1)]
    return names, ordered[:, -1] - ordered[:, -2]


@pytest.mark.parametrize("kind", ["gray", "colour"])
@pytest.mark.parametrize("channels", [1, 3])
def test_rows_agree_with_the_network(places, capsys, kind, channels, monkeypatch):
    monkeypatch.setattr(predict_command, "MOST_IMAGES", 4)  # 15 images, four batches
    net = network(channels)
    file.write(str(places / "network.lbn"), net)
    status, out, err = run(capsys, places, places / kind, "--csv")
    rows, paths = rows_of(out), sorted((places / kind).rglob("*.png"))
    names, margins = expected_of(net, paths)
    assert status == 0 and len(set(names)) > 1
    assert [row["file"] for row in rows] == [str(path) for path in paths]
    assert [row["class"] for row in rows] == names
    assert [np.float32(row["margin"]) for row in rows] == margins.tolist()
    correct = sum(path.parent.name == n for path, n in zip(paths, names, strict=True))
    assert f"accuracy: {correct / 15:.4f} ± " in err
    assert " on 15 images" in err


def test_a_zip_and_a_file_are_read_like_a_folder(places, capsys):
    net = places / "network.lbn"
    wanted = run(capsys, net, places / "gray", "--csv")
    zipped = run(capsys, "--csv", net, places / "gray.zip")
    strip = [[row["class"], row["margin"]] for row in rows_of(wanted[1])]
    assert [[row["class"], row["margin"]] for row in rows_of(zipped[1])] == strip
    assert zipped[2] == wanted[2]
    assert rows_of(zipped[1])[0]["file"] == str(
        places / "gray.zip" / "gray" / "cat" / "0.png"
    )
    one = run(capsys, net, "--csv", places / "gray" / "cat" / "0.png", places / "loose")
    assert [[row["class"], row["margin"]] for row in rows_of(one[1])] == [strip[0]] * 2
    assert one[0] == 0 and one[2] == ""  # no class is known, so no accuracy


def test_the_table(places, capsys):
    status, out, err = run(capsys, places, places / "gray")
    table, accuracy, matrix = out.rstrip().split("\n\n")
    assert (status, err) == (0, "")
    assert table.splitlines()[0].split() == ["file", "class", "margin"]
    assert len(table.splitlines()) == 16
    counts = np.array([line.split()[1:] for line in matrix.splitlines()[2:]], int)
    assert counts.sum() == 15 and matrix.splitlines()[1].split()[0] == "class"
    p = counts.trace() / 15
    assert f"{p:.4f} ± {np.sqrt(p * (1 - p) / 15):.4f} on" in accuracy


def test_rows_of_the_matrix_are_the_images_classes():
    found = confusion([0, 0, 2, None], [2, 0, 2, 1], CLASSES)
    assert found.classes == ["cat", "owl"]  # those that occur
    assert found.counts.tolist() == [[1, 1], [0, 1]]


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf"])
def test_the_figure(places, capsys, ending):
    path = places / f"picture{ending}"
    for _ in range(2):  # a picture may be written over
        status, _, err = run(capsys, places, places / "gray", f"--figure={path}")
        assert status == 0 and f"the picture is {path}" in err
        content = path.read_bytes()
        assert content.startswith(STARTS[ending])
        assert b"CreationDate" not in content and b"<dc:date>" not in content
    path.write_text("precious")
    status, out, err = run(capsys, places, places / "gray", f"--figure={path}")
    assert (status, out) == (1, "") and err.count("\n") == 1
    assert "exists and is no" in err and path.read_text() == "precious"
    assert err.endswith("; remove it, or name another file\n")


@pytest.mark.parametrize(
    "words, status, message",
    [
        ([], 2, "the following arguments are required"),
        (["network.lbn"], 2, "the following arguments are required"),
        (["network.lbn", "gray", "--figure=a.gif"], 2, "ends in .png, .svg or .pdf"),
        (["network.lbn", "gray", "--fig=a.png"], 2, "unrecognized arguments"),
        (["network.lbn", "loose", "--figure=a.png"], 2, "no image lies in a folder"),
        (["nothing", "gray"], 1, "cannot read nothing"),
        (["loose", "gray"], 1, "loose has no network.lbn; "),
        (["network.lbn", "nothing.png"], 1, "there is no file or folder nothing.png"),
        (["network.lbn", "empty"], 1, "empty holds no image"),
        (["network.lbn", "network.lbn"], 1, "cannot read image network.lbn"),
        (["network.lbn", "broken.zip"], 1, "broken.zip is no zip file"),
        (["gray/cat/0.png", "gray"], 1, "0.png is no network that can be read"),
        (["odd.lbn", "gray"], 1, "odd.lbn reads images of 6×6 pixels and 2 channels"),
    ],
)
def test_what_cannot_be_used(places, capsys, monkeypatch, words, status, message):
    monkeypatch.chdir(places)
    (places / "empty").mkdir()
    (places / "broken.zip").write_bytes(b"PK no zip")
    file.write("odd.lbn", network(2))
    found, out, err = run(capsys, *words)
    assert (found, out, err.count("\n")) == (status, "", 1)
    assert err.startswith("predict: ") and message in err


def test_a_damaged_image_is_named_before_anything_is_printed(places, capsys):
    damaged = places / "gray" / "owl" / "4.png"
    damaged.write_bytes(damaged.read_bytes()[:30])
    status, out, err = run(capsys, places, places / "gray")
    assert (status, out) == (1, "")
    assert err == f"predict: cannot read image {damaged}\n"


def test_a_damaged_network_is_named(places, capsys):
    path = places / "network.lbn"
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)
    status, out, err = run(capsys, path, places / "gray")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert f"{path} is no network that can be read: its checksum" in err


def test_names_cannot_steer_a_terminal(places, capsys):
    file.write(str(places / "network.lbn"), network(classes=("a\x1b[2J", "b\n", "c")))
    evil = os.path.join(os.fsencode(places), b"loose", b"\x1b]0;\xff.png")
    with open(evil, "wb") as stream:
        stream.write((places / "gray" / "cat" / "0.png").read_bytes())
    for words in ([], ["--csv"]):
        status, out, _ = run(capsys, places, places / "loose", *words)
        assert status == 0 and "\x1b" not in out
        assert r"\x1b]0;\udcff.png" in out
        assert len(out.splitlines()) == 3


def test_circles_of_links_end(places):
    os.symlink(places / "gray", places / "gray" / "cat" / "round")
    assert len(listed_in(str(places / "gray"), CLASSES)) == 15
    (places / "loose" / "deep" / "er" / "one.png").unlink()
    with pytest.raises(InputError, match="holds no image"):
        listed_in(str(places / "loose"), CLASSES)


def test_a_network_of_one_class_has_no_second(places, capsys):
    file.write(str(places / "network.lbn"), network(classes=("cat",)))
    _, out, _ = run(capsys, places, places / "loose", "--csv")
    assert rows_of(out)[0]["margin"] == "inf"


def test_what_is_slow_and_not_needed_is_not_imported(places):
    program = (
        "import sys; from enas.predict import main; main(sys.argv[1:]); "
        "slow = {'tensorflow', 'keras', 'matplotlib', 'psutil'}; "
        "assert not slow & sys.modules.keys()"
    )
    command = [sys.executable, "-c", program, places, places / "gray.zip"]
    process = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    assert "accuracy: " in process.stdout
