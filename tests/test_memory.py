"""What is free, and what is refused for want of it."""

import pytest
import tensorflow as tf

from enas.base import memory
from enas.base.errors import InputError
from enas.fixed_child import FixedChild
from enas.space.arc import arc_from_numbers
from tests.children import images_and_labels, tiny_config


def write_cgroup(folder, limit, usage, cached):
    folder.mkdir()
    (folder / "max").write_text(f"{limit}\n")
    (folder / "current").write_text(f"{usage}\n")
    (folder / "memory.stat").write_text(f"anon 1\nfile {cached}\n")
    return memory._Cgroup(str(folder), "max", "current", "file")


def test_free_bytes(tmp_path, monkeypatch):
    """The tightest limit counts; cached files do not take memory."""
    monkeypatch.setattr(memory, "_CGROUPS", ())
    machine = memory.free_bytes()
    assert machine > 2**20
    groups = (
        write_cgroup(tmp_path / "a", 5000, 4000, 500),
        write_cgroup(tmp_path / "b", "max", 4000, 500),
        memory._Cgroup(str(tmp_path / "none"), "max", "current", "file"),
    )
    monkeypatch.setattr(memory, "_CGROUPS", groups)
    assert memory.free_bytes() == 1500
    monkeypatch.setattr(memory, "_CGROUPS", groups[1:])
    assert memory.free_bytes() == pytest.approx(machine, rel=0.5)


def test_check(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda: 2**30)
    memory.check(2**30, "things", "take fewer")
    with pytest.raises(InputError) as error:
        memory.check(3 * 2**30, "things", "take fewer")
    assert str(error.value) == (
        "not enough memory: things need at least 3.0 GB, 1.0 GB are free; take fewer"
    )


def least_memory(numbers, batch_size):
    config = tiny_config()
    with tf.Graph().as_default():
        model = FixedChild(config, arc_from_numbers(numbers * 2), tf.constant(0.0))
        outputs = model.build(*images_and_labels(config), True)
        return model.least_memory(outputs.layers, batch_size)


def test_least_memory_of_a_training():
    """Convolutions keep images for their gradient; all that is kept grows with the
    batch, but for the weights."""
    few = least_memory([0, 4, 1, 4, 0, 4, 1, 4], 1000)
    many = least_memory([0, 0, 1, 1, 0, 0, 1, 1], 1000)
    assert many > 2 * few
    twice = least_memory([0, 0, 1, 1, 0, 0, 1, 1], 2000)
    assert twice == pytest.approx(2 * many, rel=0.01)
