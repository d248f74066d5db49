"""The folder that a run writes into: which ones it may not be, and what is kept."""

import errno
import json
import os

import pytest

from enas.base.errors import InputError, UsageError
from enas.base.files import write_json
from enas.session import lock
from enas.session.output_dir import FLAGS_FILE, MARK, MUST_HAVE, OutputDir, read_flags
from tests.runs import ROOT

FLAGS = {"child_num_layers": 6}


def contents(path):
    return {
        name: os.readlink(path / name)
        if os.path.islink(path / name)
        else (path / name).read_bytes()
        for name in os.listdir(path)
    }


@pytest.fixture
def earlier(tmp_path):
    """A folder that a run made."""
    path = tmp_path / "out"
    OutputDir(str(path), True, FLAGS).begin().release()
    return path


def test_places_that_are_refused(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    (tmp_path / "link").symlink_to(home)
    mount = tmp_path / "mount"
    monkeypatch.setattr(os.path, "ismount", lambda path: path in ("/", str(mount)))
    places = {
        home: "the home folder",
        tmp_path / "link": "the home folder",
        ROOT: "this program's own folder",
        "/": "around this program's own folder",
        mount: "where a file system is mounted",
    }
    for path, what in places.items():
        with pytest.raises(UsageError, match=f"is {what}; name a folder in it"):
            OutputDir(str(path), True, FLAGS)
    assert os.listdir(home) == []
    # Even if a run had been there.
    (home / FLAGS_FILE).write_text("{}")
    with pytest.raises(UsageError, match="is the home folder"):
        OutputDir(str(home), True, FLAGS)
    assert os.listdir(home) == [FLAGS_FILE]


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    for reset in (True, False):
        with pytest.raises(InputError, match="not of an earlier run"):
            OutputDir(str(tmp_path), reset, FLAGS)
    assert contents(tmp_path) == {"mine.txt": b"mine"}


def test_links_within_the_folder_are_not_followed(earlier, tmp_path):
    outside = tmp_path / "outside.txt"
    outside.write_text("mine")
    (earlier / "log.txt").symlink_to(outside)
    before = contents(earlier)
    with pytest.raises(InputError, match=r"log\.txt is a symbolic link"):
        OutputDir(str(earlier), False, FLAGS)
    assert contents(earlier) == before
    assert outside.read_text() == "mine"


def test_a_link_to_the_folder_stays(earlier, tmp_path, capsys):
    """What it leads to is moved aside, and made anew."""
    link = tmp_path / "link"
    link.symlink_to(earlier)
    OutputDir(str(link), True, FLAGS | {"seed": 2}).begin().release()
    assert os.readlink(link) == str(earlier)
    assert json.loads((earlier / FLAGS_FILE).read_text())["seed"] == 2
    assert read_flags(str(tmp_path / "out.1")) == FLAGS
    assert f"--resume={earlier}.1" in capsys.readouterr().err


def test_moving_aside_takes_the_first_free_name(earlier, tmp_path):
    (tmp_path / "out.1").mkdir()
    (tmp_path / "out.2").symlink_to(tmp_path / "nowhere")
    OutputDir(str(earlier), True, FLAGS).begin().release()
    assert FLAGS_FILE in os.listdir(tmp_path / "out.3")
    assert os.listdir(tmp_path / "out.1") == []


def test_a_folder_in_use_is_refused(earlier):
    folder = OutputDir(str(earlier), False, FLAGS)
    for reset in (True, False):
        with pytest.raises(InputError, match="another run is at work in"):
            OutputDir(str(earlier), reset, FLAGS)
    folder.release()


def test_a_continuation_is_checked_before_anything_is_written(earlier):
    before = contents(earlier)
    with pytest.raises(UsageError, match=r"another child_node_mean \(was False\)"):
        OutputDir(str(earlier), False, FLAGS | {"child_node_mean": True})
    with pytest.raises(UsageError, match=r"child_num_layers \(was 6\)"):
        OutputDir(str(earlier), False, {"child_num_layers": 4})
    # A flag that the earlier version did not have yet.
    OutputDir(str(earlier), False, FLAGS | {"child_node_mean": False}).begin().release()
    OutputDir(str(earlier), False, FLAGS | {"seed": 3}).begin().release()
    assert contents(earlier) == before
    (earlier / FLAGS_FILE).write_text(json.dumps(MARK | {"seed": 4}))
    with pytest.raises(UsageError, match=r"with another seed \(was 4\)"):
        OutputDir(str(earlier), False, {"seed": 3})
    OutputDir(str(earlier), False, {"seed": 4}).release()
    for damaged in ("[]", "{", "[" * 100_000, ""):
        (earlier / FLAGS_FILE).write_text(damaged)
        with pytest.raises(InputError, match=r"flags\.json is damaged"):
            OutputDir(str(earlier), False, FLAGS)


def test_json_is_replaced_whole(tmp_path):
    path = tmp_path / "a.json"
    write_json(str(path), [1])
    with pytest.raises(TypeError):
        write_json(str(path), [1, object()])
    assert json.loads(path.read_text()) == [1]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt])
def test_a_write_that_fails_leaves_nothing_behind(error, tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_json(str(path), [1])

    def fsync(_):
        raise error

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises((InputError, KeyboardInterrupt)):
        write_json(str(path), [2])
    assert os.listdir(tmp_path) == ["a.json"]
    assert json.loads(path.read_text()) == [1]


def test_a_refused_start_leaves_nothing_behind(earlier, tmp_path):
    """It neither moves an earlier run aside nor makes a folder that would be moved."""
    before = contents(earlier)
    OutputDir(str(earlier), True, FLAGS).release()
    assert contents(earlier) == before and os.listdir(tmp_path) == ["out"]
    for new in ("new", "a/b/new"):
        OutputDir(str(tmp_path / new), True, FLAGS).release()
        assert os.listdir(tmp_path) == ["out"]
    (tmp_path / "empty").mkdir()  # made by someone else
    OutputDir(str(tmp_path / "empty"), True, FLAGS).release()
    assert os.listdir(tmp_path / "empty") == []


@pytest.mark.parametrize("content", ['{"seed": 1}', '{"output_dir": "x"}', "{}"])
def test_a_folder_with_somebody_else_s_flags_is_left_alone(content, tmp_path):
    for name in ("flags.json", "lock", "summary.txt", "versions.json"):
        (tmp_path / name).write_text(content)
    before = contents(tmp_path)
    for reset in (True, False):
        with pytest.raises(InputError, match="files that are not of an earlier run"):
            OutputDir(str(tmp_path), reset, FLAGS)
    assert contents(tmp_path) == before


def test_runs_of_before_the_mark_are_known_by_their_flags(tmp_path):
    flags = dict.fromkeys(MUST_HAVE, 1) | {"child_lr_max": 0.1}
    (tmp_path / FLAGS_FILE).write_text(json.dumps(flags))
    OutputDir(str(tmp_path), False, flags).release()
    (tmp_path / FLAGS_FILE).write_text(json.dumps(flags | {"of another code": 1}))
    with pytest.raises(InputError, match="files that are not of an earlier run"):
        OutputDir(str(tmp_path), False, flags)


def test_a_folder_in_which_a_command_is_at_work_is_not_moved_aside(earlier):
    (earlier / "alone").mkdir()
    at_work = lock.FolderLock(str(earlier / "alone"))
    with pytest.raises(InputError, match=r"another command is at work in .*alone"):
        OutputDir(str(earlier), True, FLAGS)
    OutputDir(str(earlier), False, FLAGS).release()  # it stays where it is
    at_work.release()
    folder = OutputDir(str(earlier), True, FLAGS)
    at_work = lock.FolderLock(str(earlier / "alone"))  # it came meanwhile
    with pytest.raises(InputError, match="another command is at work in"):
        folder.begin()
    folder.release()
    at_work.release()
    OutputDir(str(earlier), True, FLAGS).begin().release()
    assert (earlier.parent / "out.1" / "alone").is_dir()


def test_the_lock_goes_with_a_folder_that_is_moved(tmp_path):
    """Neither run's end lets a third one into the other's folder."""
    path = str(tmp_path / "out")
    first = OutputDir(path, True, FLAGS).begin()
    os.rename(path, path + ".moved")
    second = OutputDir(path, True, FLAGS).begin()
    first.release()
    with pytest.raises(InputError, match="another run is at work in"):
        OutputDir(path, False, FLAGS)
    OutputDir(path + ".moved", False, FLAGS).release()
    second.release()
    OutputDir(path, False, FLAGS).release()


def test_a_file_is_locked_where_folders_cannot_be(tmp_path, monkeypatch):
    flock = lock.fcntl.flock

    def no_folders(descriptor, operation):
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(errno.EBADF, "as NFS says")
        flock(descriptor, operation)

    monkeypatch.setattr(lock.fcntl, "flock", no_folders)
    path = str(tmp_path / "out")
    folder = OutputDir(path, True, FLAGS).begin()
    assert lock.LOCK_FILE in os.listdir(path)
    with pytest.raises(InputError, match="another run is at work in"):
        OutputDir(path, False, FLAGS)
    folder.release()
    OutputDir(path, True, FLAGS).begin().release()
    assert sorted(os.listdir(tmp_path)) == ["out", "out.1"]


def test_pipes_in_the_folder_are_refused(earlier):
    os.mkfifo(earlier / "log.txt")
    for reset in (True, False):
        with pytest.raises(
            InputError, match=r"log\.txt is neither a file nor a folder"
        ):
            OutputDir(str(earlier), reset, FLAGS)


def test_a_file_is_replaced_and_not_what_a_link_leads_to(tmp_path):
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    for name in ("a.json", "a.json.new"):
        (tmp_path / name).symlink_to(mine)
    write_json(str(tmp_path / "a.json"), [1])
    assert mine.read_text() == "mine"
    assert json.loads((tmp_path / "a.json").read_text()) == [1]
    assert not os.path.islink(tmp_path / "a.json")


def test_what_an_interrupted_write_left_goes_with_the_next_run(earlier):
    left = earlier / ".arcs.json.0123abcd.enas-new"
    left.write_text("half")
    (earlier / "mine.enas-new").write_text("mine")
    OutputDir(str(earlier), False, FLAGS).begin().release()
    assert not left.exists() and (earlier / "mine.enas-new").exists()


def test_one_path_for_all(tmp_path):
    """What `..` means behind a link is decided once."""
    (tmp_path / "far" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "inner")
    folder = OutputDir(str(tmp_path / "link" / ".." / "out"), True, FLAGS).begin()
    folder.release()
    assert folder.path == str(tmp_path / "far" / "out")
    assert FLAGS_FILE in os.listdir(tmp_path / "far" / "out")
    assert not os.path.exists(tmp_path / "out")


@pytest.mark.parametrize("reset", [True, False])
def test_a_folder_that_is_exchanged_before_a_run_begins(reset, earlier, tmp_path):
    """What has its name by then is left exactly as it is."""
    run = OutputDir(str(earlier), reset, FLAGS)
    os.rename(earlier, tmp_path / "moved")
    earlier.mkdir()
    for name in ("flags.json", "summary.txt", "model.ckpt-3-1.index"):
        (earlier / name).write_text("mine")
    before = contents(earlier)
    with pytest.raises(InputError, match="was moved or removed"):
        run.begin()
    run.release()
    assert contents(earlier) == before
    assert sorted(os.listdir(tmp_path)) == ["moved", "out"]


def test_a_folder_by_the_name_of_a_dot(earlier, tmp_path, monkeypatch):
    monkeypatch.chdir(earlier)
    OutputDir(".", True, FLAGS | {"seed": 2}).begin().release()
    assert sorted(os.listdir(tmp_path)) == ["out", "out.1"]


def test_a_place_for_a_folder_moved_aside_is_given_back(earlier, tmp_path, monkeypatch):
    run = OutputDir(str(earlier), True, FLAGS)

    def rename(*_):
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(InputError, match="busy"):
        run.begin()
    assert os.listdir(tmp_path) == ["out"]


def test_json_of_absurd_length_is_not_read_whole(earlier):
    os.truncate(earlier / FLAGS_FILE, 2**33)
    with pytest.raises(
        InputError, match=r"damaged: it is longer than 16777216 letters"
    ):
        OutputDir(str(earlier), False, FLAGS)
