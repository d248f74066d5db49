"""What is free, and what is refused for want of it."""

import importlib

import pytest
import tensorflow as tf

from enas.base import memory
from enas.base.errors import InputError, UsageError
from enas.flags.parse import parse
from enas.loop.configs import child_config
from enas.loop.foresight import check_memory, least_memory
from enas.micro_child import MicroChild
from tests.children import images_and_labels, placeholders


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


def settings_of(script, *flags):
    return parse([script, *flags], importlib.import_module(script).CONSTANTS)


def test_least_memory_of_a_training():
    """Convolutions keep images for their gradient; all that is kept grows with the
    batch, but for the weights."""

    def needed(cell, batch_size):
        arc = f"-fixed_arc={cell} {cell}"
        flags = ("--child_num_cells=2", f"--batch_size={batch_size}")
        return least_memory(settings_of("train_arc_mnist", arc, *flags))

    few, many = needed("0 4 1 4 0 4 1 4", 1000), needed("0 0 1 1 0 0 1 1", 1000)
    assert many > 2 * few
    assert needed("0 0 1 1 0 0 1 1", 2000) == pytest.approx(2 * many, rel=0.01)


def test_weights_that_a_search_needs_at_the_least(graph):
    """Those of the banks, which are most of a search's weights."""
    flags = ("--batch_size=1", "--child_num_layers=2", "--child_num_cells=3")
    settings = settings_of("search_arc_mnist", *flags)
    config = child_config(settings, tf.zeros([1, 32, 32, 1]), 10)
    model = MicroChild(config, *placeholders(config))
    model.build(*images_and_labels(config, 1), True)
    params, _ = model.count_params()
    assert 0.85 * params < least_memory(settings) / 12 < 1.1 * params


@pytest.mark.parametrize(
    "flag", ["--child_num_cells=101", "--child_num_layers=501", "--child_num_layers=0"]
)
def test_a_network_of_absurd_depth_is_refused(flag):
    with pytest.raises(UsageError, match="it must be from 1 to"):
        settings_of("search_arc_mnist", flag)


@pytest.mark.parametrize(
    "flag", ["--child_out_filters=2000000000", "--batch_size=2000000000"]
)
def test_what_cannot_fit_is_refused_before_anything_is_read(flag):
    with pytest.raises(InputError, match="not enough memory: training steps need"):
        check_memory(settings_of("search_arc_mnist", flag))
