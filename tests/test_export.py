"""The export command, and the folder that it writes."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess

import numpy as np
import pytest

from enas.base.errors import InputError, UsageError
from enas.export import writers
from enas.export.folder import MARK_FILE, check_target, replaced
from enas.network import file
from enas.session.lock import FolderLock
from enas.session.output_dir import LOCK_FILE
from tests.finished import copied
from tests.runs import SMALL_ARC, run_module, run_module_here

CLASSES = [str(digit) for digit in range(10)]


def files_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# The folder


def exported(path, **contents):
    with replaced(str(path), {"arc": "0 1"}) as new:
        for name, text in contents.items():
            with open(os.path.join(new, name), "w") as stream:
                stream.write(text)


def test_an_export_takes_the_place_of_an_earlier_one(tmp_path):
    path = tmp_path / "not yet" / "there"
    exported(path, one="1", two="2")
    (path / "mine").write_text("kept")
    exported(path, two="3", three="4")
    mark = json.loads((path / MARK_FILE).read_text())
    assert mark["folder_of"] == "an enas export" and mark["arc"] == "0 1"
    checksums = {
        name: [hashlib.sha256(text).hexdigest()]
        for name, text in (("one", b"1"), ("two", b"3"), ("three", b"4"))
    }
    assert mark["files"] == checksums
    found = {path.name: path.read_text() for path in path.iterdir()}
    del found[MARK_FILE]
    assert found == {"mine": "kept", "one": "1", "two": "3", "three": "4"}
    assert path.stat().st_mode & 0o777 == 0o755
    assert [p.name for p in path.parent.iterdir()] == ["there"]


@pytest.mark.parametrize("name", ["mine", "two"])
def test_a_file_of_a_person_is_never_replaced(name, tmp_path):
    """Neither one that no export made, nor one that was changed since."""
    path = tmp_path / "out"
    exported(path, one="1", two="2")
    (path / name).write_text("a person's")
    before = files_of(path)
    message = rf"{name} was not exported, or was changed since"
    with pytest.raises(UsageError, match=message):
        exported(path, **{"one": "3", name: "4"})
    assert files_of(path) == before


def test_an_export_that_was_interrupted_can_be_repeated(tmp_path, monkeypatch):
    path = tmp_path / "out"
    exported(path, one="1", two="2")
    moves = []

    def replace(source, target, real=os.replace):
        if len(moves) == 4:  # the first mark, "one" and half of what follows
            raise OSError(5, "the disk is gone")
        if os.path.basename(target) in ("one", "two", MARK_FILE):
            moves.append(target)
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    for _ in range(2):
        with contextlib.suppress(InputError):
            exported(path, one="3", two="4")
        moves.clear()
    monkeypatch.undo()
    exported(path, one="5", two="6")
    assert (path / "one").read_text() == "5" and (path / "two").read_text() == "6"


def test_an_export_that_fails_changes_nothing(tmp_path):
    path = tmp_path / "out"
    exported(path, one="1")
    before = files_of(path)
    with pytest.raises(InputError, match="cannot"), replaced(str(path), {}) as new:
        open(os.path.join(new, "two"), "w").close()
        raise InputError("cannot")
    assert files_of(path) == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mark", [None, "{", "[]", "{}", '{"folder_of": "a house"}'])
def test_what_no_export_made_is_left_alone(tmp_path, mark):
    (tmp_path / "thesis").write_text("precious")
    if mark is not None:
        (tmp_path / MARK_FILE).write_text(mark)
    before = files_of(tmp_path)
    with pytest.raises(UsageError, match=r"was not exported, .* with --output$"):
        exported(tmp_path, one="1")
    assert files_of(tmp_path) == before


def test_links_and_files_are_left_alone(tmp_path):
    exported(tmp_path / "out", one="1")
    (tmp_path / "link").symlink_to("out")
    (tmp_path / "nowhere").symlink_to("gone")
    (tmp_path / "file").write_text("")
    for name in ("link", "nowhere", "file"):
        with pytest.raises(UsageError, match="exists and was not exported"):
            check_target(str(tmp_path / name))
    (tmp_path / "empty").mkdir()
    check_target(str(tmp_path / "empty"))


@pytest.mark.parametrize("names", ["../outside", "a/../../outside", "", ".", ".."])
def test_a_mark_names_no_files_elsewhere(tmp_path, names):
    path = tmp_path / "out"
    exported(path, one="1")
    mark = json.loads((path / MARK_FILE).read_text())
    (path / MARK_FILE).write_text(json.dumps(mark | {"files": [names, 3, None]}))
    (tmp_path / "outside").write_text("precious")
    exported(path, two="2")
    assert (tmp_path / "outside").read_text() == "precious"
    assert {p.name for p in path.iterdir()} >= {"two", MARK_FILE}


def test_a_folder_that_cannot_be_made_is_one_message(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"^cannot write .*: (Not a dir|File exists)"):
        exported(tmp_path / "file" / "out", one="1")


# The formats


def test_float_networks_are_for_some_formats():
    writers.check(["onnx", "keras"], is_float=True)
    for name in ("packed", "c"):
        writers.check([name], is_float=False)
        with pytest.raises(
            InputError,
            match=f"^{name} is for low-bit networks, and this one is float; try --to=",
        ):
            writers.check(["keras", name], is_float=True)


# The command


@pytest.fixture(scope="module")
def training(finished_training, tmp_path_factory):
    """A small training of MNIST."""
    folder = tmp_path_factory.mktemp("training") / "out"
    copied(finished_training.folder, folder)
    return folder


def fails(status, *arguments):
    """The one line with which the command ends."""
    process = run_module_here("enas.loop.export_command", *arguments)
    assert (process.returncode, process.stdout) == (status, ""), process.stderr
    *notes, line = process.stderr.splitlines()
    assert line.startswith("export: ") and "Traceback" not in "".join(notes)
    return f"{line}\n"


def test_a_training_is_exported_to_its_folder(training):
    """Also while the training runs: the folder is locked by it."""
    lock = FolderLock(str(training))
    try:
        assert lock.holds()
        process = run_module("enas.export", training, "--to=packed,c, packed")
    finally:
        lock.release()
    assert process.returncode == 0, process.stderr
    packed, c = process.stdout.splitlines()
    size = (training / "network.lbn").stat().st_size
    folder = training / "export"
    assert packed == f"{folder}/network.lbn: the packed network, {size:,} bytes"
    assert c.startswith(f"{folder}/network.c: C for any device, ")
    assert set(files_of(folder)) == {
        MARK_FILE,
        *("Makefile", "main.c", "network.c", "network.h", "network.lbn"),
    }
    content = (training / "network.lbn").read_bytes()
    assert (folder / "network.lbn").read_bytes() == content
    network = file.unpack(content)
    assert list(network.classes) == CLASSES
    assert network.about == {"arc": SMALL_ARC, "scheme": "ternarize"}
    check_in_c(folder, network)
    # Files of other formats stay, and so do a person's.
    (folder / "notes").write_text("mine")
    before = set(files_of(folder))
    process = run_module_here("enas.loop.export_command", training)
    assert process.stdout == packed + "\n", process.stderr
    assert set(files_of(folder)) == before


def check_in_c(folder, network):
    subprocess.run(["make", "CFLAGS=-O0"], cwd=folder, check=True, capture_output=True)
    shape = (3, *network.image.value().shape)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    out = subprocess.run(
        [folder / "network"], input=images.tobytes(), capture_output=True, check=True
    ).stdout.decode()
    found = np.array([line.split()[1:] for line in out.splitlines()], np.float32)
    np.testing.assert_array_equal(found, network.logits(images))
    subprocess.run(["make", "clean"], cwd=folder, check=True, capture_output=True)


def test_a_foreign_folder_is_told(training, tmp_path):
    (tmp_path / "thesis").write_text("precious")
    line = fails(2, training, f"--output={tmp_path}")
    assert line.startswith(f"export: {tmp_path} exists and was not exported")
    assert files_of(tmp_path) == {"thesis": b"precious"}


def test_an_unknown_format(training):
    line = fails(2, training, "--to=packed,hls")
    assert line == (
        "export: --to: 'hls' is no format; there are packed, c, onnx, qonnx, keras\n"
    )


def test_a_search_shares_its_weights(training, tmp_path):
    flags = json.loads((training / "flags.json").read_text())
    del flags["fixed_arc"]
    (tmp_path / "flags.json").write_text(json.dumps(flags))
    line = fails(1, tmp_path)
    assert "is of a search, whose strings share their weights; train one" in line
    assert 'python train_arc_mnist.py -fixed_arc "…"' in line


@pytest.fixture
def copy(training, tmp_path):
    """A copy of the training without an export."""
    path = tmp_path / "copy"
    shutil.copytree(training, path, ignore=shutil.ignore_patterns("export", LOCK_FILE))
    return path


def test_no_checkpoint(copy):
    for path in copy.glob("model.ckpt*"):
        path.unlink()
    assert fails(1, copy) == f"export: {copy} has no checkpoint yet\n"


def test_a_damaged_checkpoint(copy):
    for path in copy.glob("model.ckpt*.data*"):
        path.write_bytes(b"\0" * path.stat().st_size)
    assert "checkpoint" in fails(1, copy)
    assert not (copy / "export").exists()


@pytest.mark.parametrize(
    "damage",
    [
        "{",
        "[1]",
        '{"mean": [0.1], "std": [0.2]}',
        '{"mean": [0.1], "std": [0], "classes": ["0"]}',
        '{"mean": [NaN], "std": [1], "classes": ["0"]}',
        '{"mean": [0.1, 0.2], "std": [1], "classes": ["0"]}',
        '{"mean": ["x"], "std": [1], "classes": ["0"]}',
        '{"mean": [0.1], "std": [1], "classes": [0]}',
    ],
)
def test_damaged_facts_of_the_images(training, monkeypatch, tmp_path, damage):
    from enas.loop import kept_images, trained
    from enas.loop.kept_run import settings_of

    settings = settings_of(str(training), "train")
    monkeypatch.setattr(
        kept_images, "IMAGES_FILE", os.path.relpath(tmp_path / "x", training)
    )
    (tmp_path / "x").write_text(damage)
    with pytest.raises(InputError, match=r"is damaged: "), trained.opened(settings):
        pass


def test_facts_of_other_images(copy):
    """They fit not the number of channels of the weights."""
    content = '{"mean": [1, 2, 3], "std": [1, 1, 1], "classes": ["0"]}'
    (copy / "images.json").write_text(content)
    assert "is of another network: it has a child/" in fails(1, copy)
    assert not (copy / "export").exists()


def test_another_folder_and_no_facts(copy, tmp_path):
    """A training of before there were facts of the images reads them again."""
    (copy / "images.json").unlink()
    output = tmp_path / "deep" / "out"
    process = run_module_here("enas.loop.export_command", copy, f"--output={output}")
    assert process.returncode == 0, process.stderr
    content = (copy / "network.lbn").read_bytes()
    assert (output / "network.lbn").read_bytes() == content
    assert not (copy / "export").exists()


@pytest.mark.parametrize("name", ["packed", "c"])
def test_a_float_training_is_refused(copy, name):
    flags = json.loads((copy / "flags.json").read_text())
    (copy / "flags.json").write_text(json.dumps(flags | {"child_scheme": "float"}))
    assert f"{name} is for low-bit networks, and" in fails(1, copy, f"--to={name}")


@pytest.mark.parametrize("words", [["", "--to=c"], ["somewhere", "--output="]])
def test_an_empty_name(words):
    process = run_module_here("enas.loop.export_command", *words)
    assert process.returncode == 2 and "is empty" in process.stderr
