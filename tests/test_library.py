"""What `import enas` offers to notebooks."""

import os
import subprocess
import sys

import pytest

import enas
from tests.runs import ARC, ROOT, SMALL_ARC


def test_the_example_of_the_docs(tmp_path):
    """It runs in a folder of its own, with arguments that are not for it; its network
    is made smaller."""
    (tmp_path / "data").symlink_to(f"{ROOT}/data")
    with open(f"{ROOT}/docs/notebook.py", encoding="utf-8") as stream:
        lines = stream.read()
    assert lines.count('"child_num_layers": 2') == 1
    smaller = '"child_num_layers": 1, "child_num_cells": 2'
    script = tmp_path / "notebook.py"
    script.write_text(lines.replace('"child_num_layers": 2', smaller))
    process = subprocess.run(
        [sys.executable, script, "--no_such_flag=1"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": ROOT},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    assert "after epoch 2: 10 strings, mean val_acc " in process.stdout
    assert lines[-2].startswith("test accuracy 0.")
    assert lines[-1].startswith("the Keras model has ")
    assert (tmp_path / "outputs_notebook" / "best.png").stat().st_size > 10000


def test_arcs():
    for text in (ARC, SMALL_ARC):
        assert str(enas.parse_arc(text)) == text
    for text in ("", "0 1", ARC + " 0", "9" + ARC[1:]):
        with pytest.raises(ValueError):
            enas.parse_arc(text)


def test_wrong_settings_are_told():
    with pytest.raises(enas.UsageError, match="num_epoch'"):
        enas.search(num_epoch=3)
    with pytest.raises(enas.UsageError, match="batch_size is 0"):
        enas.train(ARC, batch_size=0)
    with pytest.raises(enas.UsageError, match="dataset is 'svhn'; it must be one of"):
        enas.search("svhn")
    with pytest.raises(enas.UsageError, match="number 1 of the arc"):
        enas.train("9" + ARC[1:])
    with pytest.raises(enas.InputError, match="there is no file nowhere"):
        enas.read_log("nowhere")
    with pytest.raises(AttributeError, match="no attribute 'serach'"):
        _ = enas.serach
