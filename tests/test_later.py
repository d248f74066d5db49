"""Modules that are loaded only when they are used."""

import importlib
import subprocess
import sys

import pytest

from enas.base.later import put_off
from tests.runs import ROOT


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with a module; each notes in `sys.noted` that it was loaded."""
    folder = tmp_path / "outer_one"
    folder.mkdir()
    for file, name in (("__init__", "outer"), ("inner", "inner")):
        lines = ["import sys", f"sys.noted.append('{name}')", f"value = '{name}'"]
        (folder / f"{file}.py").write_text("\n".join(lines))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "noted", [], raising=False)
    yield sys.noted
    for name in ("outer_one", "outer_one.inner"):
        sys.modules.pop(name, None)


NAMES = ("outer_one", "outer_one.inner")


def test_a_module_is_loaded_when_it_is_used(package):
    with put_off(*NAMES):
        import outer_one.inner as plain
        from outer_one import inner

        assert plain is inner and package == []
    assert not sys.modules.keys() & set(NAMES)
    assert inner.value == "inner" and package == ["outer", "inner"]
    assert importlib.import_module("outer_one.inner").value == "inner"
    assert package == ["outer", "inner"]  # and it is loaded once


def test_a_module_may_be_used_at_once(package):
    with put_off(*NAMES):
        import outer_one.inner as inner

        assert inner.value == "inner"
        assert importlib.import_module("outer_one").value == "outer"
    assert importlib.import_module("outer_one.inner").value == "inner"
    assert package == ["outer", "inner"]


def test_what_is_not_there_is_missed_when_it_is_used():
    with put_off("no_such_module"):
        import no_such_module
    with pytest.raises(ImportError):
        _ = no_such_module.value


def test_a_loaded_module_stays(package):
    import outer_one

    with put_off(*NAMES):
        import outer_one.inner

        assert outer_one.inner.value == "inner"


def test_tensorflow_is_loaded_without_matplotlib():
    code = (
        "from enas.base.quiet import load_tensorflow; load_tensorflow(); import sys; "
        "print('tensorflow' in sys.modules, 'matplotlib' in sys.modules); "
        "from keras.src.visualization import plot_image_gallery as gallery; "
        "from matplotlib import pyplot; print(gallery.plt.figure is pyplot.figure)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "False", "True"], done.stderr
