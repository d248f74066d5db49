"""A checkpoint's files on the disk."""

import os

import pytest
import tensorflow as tf

from enas.session import checkpoint_files
from enas.session.checkpoints import error_line
from enas.session.session import Session
from tests.damage import tiny_graph


def test_a_checkpoint_is_on_the_disk_before_older_ones_go(tmp_path, monkeypatch):
    """Its files, and after them the folder, which holds their names."""
    done, synced, deleted = [], os.fsync, checkpoint_files.delete_others

    def fsync(descriptor):
        done.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        synced(descriptor)

    def delete(*arguments):
        done.append("older ones go")
        deleted(*arguments)

    with tf.Graph().as_default(), Session(str(tmp_path), tiny_graph(), 10.0) as session:
        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(checkpoint_files, "delete_others", delete)
        session.save()
    path = str(tmp_path / "model.ckpt-0-1")
    *files, folder, end = done
    assert set(files) == {path + ".data-00000-of-00001", path + ".index"}
    assert (folder, end) == (str(tmp_path), "older ones go")


def test_a_checkpoint_set_aside_replaces_none_before_it(tmp_path):
    for number in range(3):
        (tmp_path / "model.ckpt-1-1.index").write_text(str(number))
        checkpoint_files.set_aside(str(tmp_path / "model.ckpt-1-1"))
    names = ("index.damaged", "index.damaged.1", "index.damaged.2")
    for number, name in enumerate(names):
        assert (tmp_path / f"model.ckpt-1-1.{name}").read_text() == str(number)


@pytest.mark.parametrize(
    "message",
    [
        "the disk is full",
        "From /job:worker/replica:0/task:0:\nthe disk is full\n\t [[node x]]",
        "Graph execution error:\n\nNode: 'x'\nthe disk is full\nmore",
    ],
)
def test_the_line_of_an_error_that_gives_the_reason(message):
    assert error_line(tf.errors.UnknownError(None, None, message)) == "the disk is full"
