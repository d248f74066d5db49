"""data/draw_shapes.py: what it draws, and that it replaces nothing."""

import cv2

from enas.data_utils import FolderReader, open_sources
from tests.runs import run

SCRIPT = "data/draw_shapes.py"


def files_below(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*.png")
    }


def test_shapes_are_a_data_set(tmp_path, capsys):
    for name, seed in (("one", 3), ("again", 3), ("other", 4)):
        flags = ("--images=60", "--size=24", f"--seed={seed}")
        process = run(SCRIPT, tmp_path / name, *flags)
        assert process.returncode == 0, process.stderr
    files = files_below(tmp_path / "one")
    assert len(files) == len(set(files.values())) == 60
    assert files == files_below(tmp_path / "again")
    other = files_below(tmp_path / "other")
    assert files.keys() == other.keys() and files != other
    assert cv2.imread(tmp_path / "one/train/circle/0001.png").shape == (24, 24, 3)

    places = [str(tmp_path / "one" / name) for name in ("train", "valid", "test")]
    data = FolderReader(open_sources(*places), 24, 3)()
    assert data.classes == ("circle", "square", "triangle")
    assert [len(x.labels) for x in (data.train, data.valid, data.test)] == [48, 6, 6]
    assert capsys.readouterr().err.count("left out") == 0


def test_a_folder_that_is_there_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    process = run(SCRIPT, tmp_path / "mine")
    assert process.returncode == 1
    assert process.stderr == (
        f"draw_shapes.py: {tmp_path / 'mine'} is there already; name another folder\n"
    )
    assert not any((tmp_path / "mine").iterdir())
