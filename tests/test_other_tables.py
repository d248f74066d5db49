"""A string of another table is refused wherever one can be given, in one line.

It is known by a number that its table lacks, and the table by the flags."""

import json
import sys

import pytest

import search_arc_mnist
import train_arc_cifar
import train_arc_mnist
from enas.drawing import command as vis_cell
from enas.loop import export_command
from enas.loop.main import main as start
from enas.many import rank_command, train_command
from tests.runs import SMALL_ARC

# A string of `mixed`, and one of `classic` whose last number is none of any table.
OF_MIXED = SMALL_ARC[:-1] + "8"
OF_NONE = SMALL_ARC[:-1] + "9"
CASES = [("classic", OF_MIXED), ("plain", OF_MIXED), ("mixed", OF_NONE)]
OTHERS = pytest.mark.parametrize("table, arc", CASES)


def refusal(table, arc):
    most = {"classic": 4, "plain": 4, "mixed": 8}[table]
    return (
        f"number 16 of the arc, op_y of block 1 of the reduction cell, is {arc[-1]}; "
        f"allowed is 0 to {most} with child_ops={table}\n"
    )


@pytest.fixture
def refused(capsys, monkeypatch):
    """Runs a program that leaves with a line; returns its status and the line."""

    def run(main, *words):
        monkeypatch.setattr(sys, "argv", [str(word) for word in words])
        with pytest.raises(SystemExit) as leaving:
            main()
        captured = capsys.readouterr()
        assert captured.out == ""
        return leaving.value.code, captured.err

    return run


def folder_of(path, constants, **changes):
    """The folder of a run that has a checkpoint, as far as its names say."""
    (path / "model.ckpt-1-1.index").touch()
    flags = constants | {"child_num_cells": 2, "output_dir": str(path)} | changes
    (path / "flags.json").write_text(json.dumps(flags))
    return path


@OTHERS
@pytest.mark.parametrize("script", [train_arc_mnist, train_arc_cifar])
def test_train_scripts(refused, script, table, arc):
    name = f"{script.__name__}.py"
    words = (name, "-fixed_arc", arc, "--child_num_cells=2", f"--child_ops={table}")
    status, line = refused(lambda: start("train", script.CONSTANTS), *words)
    assert (status, line) == (2, f"{name}: fixed_arc: {refusal(table, arc)}")


@OTHERS
def test_pictures(refused, table, arc):
    status, line = refused(vis_cell.main, "vis_cell", arc, f"--child_ops={table}")
    assert (status, line) == (2, f"vis_cell: fixed_arc: {refusal(table, arc)}")


@OTHERS
def test_strings_to_rank(refused, tmp_path, table, arc):
    folder_of(tmp_path, search_arc_mnist.CONSTANTS, child_ops=table)
    status, line = refused(rank_command.main, "rank_arcs", tmp_path, SMALL_ARC, arc)
    assert (status, line) == (2, f"rank_arcs: {refusal(table, arc)}")
    (tmp_path / "arcs.json").write_text(json.dumps({"epoch": 1, "arcs": [arc]}))
    status, line = refused(rank_command.main, "rank_arcs", tmp_path)
    name = tmp_path / "arcs.json"
    assert (status, line) == (
        1,
        f"rank_arcs: {name} is damaged: {refusal(table, arc)}",
    )


@OTHERS
def test_strings_to_train(refused, tmp_path, table, arc):
    folder_of(tmp_path, search_arc_mnist.CONSTANTS, child_ops=table)
    (tmp_path / "mine.txt").write_text(f"{SMALL_ARC}\n{arc}\n")
    words = ("train_arcs", tmp_path, f"--arcs={tmp_path / 'mine.txt'}")
    status, line = refused(train_command.main, *words)
    assert (status, line) == (
        2,
        f"train_arcs: line 2 of mine.txt: {refusal(table, arc)}",
    )
    ranked = [
        {"arc": one, "source": "controller", "accuracy": 0.5, "error": 0.1}
        for one in (SMALL_ARC, arc)
    ]
    (tmp_path / "ranking.json").write_text(json.dumps(ranked))
    status, line = refused(train_command.main, "train_arcs", tmp_path)
    name = tmp_path / "ranking.json"
    assert (status, line) == (
        1,
        f"train_arcs: {name} is damaged: {refusal(table, arc)}",
    )
    assert not (tmp_path / "alone").exists()


@OTHERS
def test_a_training_to_export(refused, tmp_path, table, arc):
    changes = {"fixed_arc": arc, "child_ops": table}
    folder_of(tmp_path, train_arc_mnist.CONSTANTS, **changes)
    status, line = refused(export_command.main, "export", tmp_path)
    name = tmp_path / "flags.json"
    assert (status, line) == (
        1,
        f"export: {name}: fixed_arc: {refusal(table, arc)}",
    )
    assert not (tmp_path / "export").exists()
