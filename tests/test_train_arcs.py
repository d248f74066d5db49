"""Strings of a tiny search, trained and ranked many at once by the real programs."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import time

import pytest
import tensorflow as tf

from enas.base.errors import InputError, UsageError
from enas.flags.table import Settings
from enas.many.cores import threads
from enas.many.engine import WorkerDied
from enas.many.engines import ENGINES, engine_named
from enas.many.orders import Ended, Order
from enas.many.rank_workers import MOST_DEATHS, _Workers
from enas.many.ranker import Ranker
from enas.report.log_reader import read_log
from tests.frail import Frail, Moving
from tests.runs import ARC, ROOT, SMALL, SMALL_ARC, run, run_module

FLAGS = ("--num_epochs=2", "--n_aug_img=1", "--eval_limit=110", "--seed=3")
FLAGS = (*FLAGS, "--batch_size=20", "--log_every=5")
HAS_RAY = importlib.util.find_spec("ray") is not None
NO_RAY = pytest.mark.skipif(not HAS_RAY, reason="requirements-cluster.txt is optional")
EVERY = [pytest.param(name, marks=NO_RAY if name == "ray" else ()) for name in ENGINES]


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    """The folder of a search that has a ranking."""
    folder = str(tmp_path_factory.mktemp("search") / "out")
    flags = (*SMALL, "--num_epochs=1", "--controller_train_steps=1", "--seed=1")
    process = run("search_arc_mnist.py", *flags, f"--output_dir={folder}")
    assert process.returncode == 0, process.stderr
    return folder


def lines_of(log):
    """The lines of a log, without minutes and the name of the folder."""
    with open(log, encoding="utf-8") as stream:
        lines = stream.read().splitlines()
    lines = [re.sub(r"mins = .*", "", line) for line in lines]
    return [line for line in lines if not line.startswith("output_dir")]


@pytest.mark.parametrize("engine", EVERY)
def test_strings_are_trained_as_by_hand(search, engine, tmp_path):
    folder = str(tmp_path / "alone")
    words = [search, "--count=2", "--jobs=2", "--cores=1", f"--engine={engine}"]
    words = [*words, f"--folder={folder}", "--", *FLAGS]
    process = run_module("enas.train_arcs", *words)
    assert process.returncode == 0, process.stderr
    with open(f"{folder}/alone.json", encoding="utf-8") as stream:
        content = json.load(stream)
    with open(f"{search}/ranking.json", encoding="utf-8") as stream:
        ranked = json.load(stream)
    rows = content["trainings"]
    assert [row["arc"] for row in rows] == [one["arc"] for one in ranked[:2]]
    assert [row["searched"] for row in rows] == [one["accuracy"] for one in ranked[:2]]
    assert content["flags"]["child_out_filters"] == 4  # the search's
    for row in rows:
        assert row["state"] == "finished" and row["minutes"] > 0
        assert f"{row['name']}: finished, valid_accuracy" in process.stderr
        valid, test = read_log(f"{folder}/{row['name']}")[-1].evaluations[-2:]
        result = row["result"]
        assert (valid.split, test.split) == ("valid", "test")
        assert result["accuracy"] == valid.accuracy
        assert result["test_error"] == 1 - test.accuracy
        assert result["bytes"] == os.path.getsize(f"{folder}/{row['name']}/network.lbn")
        assert f"{valid.accuracy:.4f}" in process.stdout
    assert os.path.getsize(f"{folder}/alone.png") > 10_000
    if engine != "processes":
        return  # one engine shows it
    # A single run, of as many threads, has the same log.
    by_hand = subprocess.run(
        [
            sys.executable,
            "train_arc_mnist.py",
            f"--fixed_arc={rows[0]['arc']}",
            *(word for word in SMALL if "limit" not in word and "batch" not in word),
            "--train_limit=200",
            *FLAGS,
            f"--output_dir={tmp_path}/by_hand",
        ],
        cwd=ROOT,
        env=os.environ | threads(1),
        capture_output=True,
        check=True,
    )
    assert by_hand.stdout
    expected = lines_of(f"{tmp_path}/by_hand/log.txt")
    assert lines_of(f"{folder}/{rows[0]['name']}/log.txt") == expected
    # What has finished is left alone, and nothing is imported to see that.
    began = time.monotonic()
    again = run_module("enas.train_arcs", *words)
    assert again.returncode == 0 and time.monotonic() - began < 15
    assert lines_of(f"{folder}/{rows[0]['name']}/log.txt") == expected
    assert again.stdout in process.stdout
    other = run_module("enas.train_arcs", *words, "--child_keep_prob=0.5")
    assert (other.returncode, other.stdout) == (2, "")
    assert "made with another child_keep_prob (was 1.0)" in other.stderr


@pytest.mark.parametrize("engine", EVERY)
def test_workers_rank_as_one_does(search, engine):
    with open(f"{search}/ranking.json", encoding="utf-8") as stream:
        expected = stream.read()
    process = run_module("enas.rank_arcs", search, "--jobs=2", f"--engine={engine}")
    assert process.returncode == 0, process.stderr
    with open(f"{search}/ranking.json", encoding="utf-8") as stream:
        assert stream.read() == expected
    assert process.stdout.startswith("rank  accuracy")


@pytest.mark.parametrize(
    "words, status, message",
    [
        (
            ["--", "--num_epoch=3"],
            2,
            "train_arcs: Unknown command line flag 'num_epoch'",
        ),
        (["--", "--num_epochs=0"], 2, "num_epochs is 0, so nothing would be trained"),
        (["--", "--batch_size=0"], 2, "batch_size is 0; it must be at least 1"),
        (["--", "--output_dir=x"], 2, "says itself what output_dir is; leave it out"),
        (["--", "--noreset_output_dir"], 2, "says itself what reset_output_dir is"),
        (["--", "stray"], 2, "'stray' is no flag"),
        (["--", "--test_data_dir=/nowhere"], 1, "/nowhere"),
        (["--count=0"], 2, "there is no string to train"),
        (["--jobs=0"], 2, "argument --jobs: '0' is no whole number above 0"),
        (["--seeds=2", "--", "--seed=3"], 2, "--seeds says what seed is; leave one"),
        (["--jobs=two"], 2, "argument --jobs: 'two' is no whole number"),
        (["--engine=slurm"], 2, "argument --engine: invalid choice: 'slurm'"),
        (["--figure=x.jpg"], 2, "--figure is x.jpg; it ends in .png, .svg or .pdf"),
        (["--folder="], 2, "folder is empty; name a file or a folder"),
        (["--arcs=/nowhere"], 1, "cannot read /nowhere: No such file"),
        (["--arcs=/dev/null"], 1, "cannot read /dev/null: it is no regular file"),
        (["--arcs=README.md"], 2, "line 3 of README.md: number 1 of the arc is 'This'"),
        (["--arcs=docs/cell.png"], 1, "docs/cell.png is no text"),
    ],
)
def test_wrong_usage_starts_nothing(search, words, status, message):
    before = sorted(os.listdir(search))
    process = run_module("enas.train_arcs", search, *words)
    assert (process.returncode, process.stdout) == (status, "")
    assert message in process.stderr and process.stderr.count("\n") == 1
    assert sorted(os.listdir(search)) == before


def test_a_search_without_ranking(search, tmp_path):
    """Strings of a file, and uniform ones, need none."""
    for name in os.listdir(search):
        if name == "flags.json" or "ckpt" in name:
            shutil.copy(f"{search}/{name}", tmp_path)
    process = run_module("enas.train_arcs", tmp_path)
    assert process.returncode == 1 and process.stderr.count("\n") == 1
    assert "has no ranking yet; make one: " in process.stderr
    arcs = tmp_path / "arcs.txt"
    arcs.write_text(f"# mine\n\n{SMALL_ARC}\n[{SMALL_ARC}]\n")
    words = (f"--arcs={arcs}", "--uniform=1", "--", "--train_data_dir=data/mnist/train")
    words = (*words, "--num_epochs=1", "--train_limit=200", "--init_from=/nowhere")
    process = run_module("enas.train_arcs", tmp_path, *words)
    assert process.returncode == 1, process.stderr
    with open(tmp_path / "alone" / "alone.json", encoding="utf-8") as stream:
        rows = json.load(stream)["trainings"]
    assert [row["source"] for row in rows] == ["given", "uniform"]
    assert rows[0]["arc"] == SMALL_ARC and rows[0]["searched"] is None
    assert all(row["state"] == "failed" for row in rows)
    assert rows[0]["reason"].endswith("init_from: /nowhere has no checkpoint of a run")
    assert "01-given is failed: train_arc_mnist.py: init_from: " in process.stdout
    assert "2 of 2 trainings failed, for the reasons above" in process.stderr


@pytest.mark.parametrize("module", ["enas.train_arcs", "enas.rank_arcs"])
def test_without_ray(search, module, tmp_path, monkeypatch):
    (tmp_path / "ray.py").write_text("raise ImportError(\"No module named 'ray'\")")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    process = run_module(module, search, "--engine=ray")
    assert (process.returncode, process.stdout) == (1, "")
    assert process.stderr.count("\n") == 1
    assert "needs Ray (No module named 'ray'): " in process.stderr
    assert "-m pip install -r requirements-cluster.txt" in process.stderr


def test_wrong_jobs_of_a_ranking(search):
    process = run_module("enas.rank_arcs", search, "--jobs=0")
    assert (process.returncode, process.stdout) == (2, "")
    assert "rank_arcs: argument --jobs: '0' is no whole number above" in process.stderr


@pytest.mark.parametrize("engine", EVERY)
def test_engines(engine, tmp_path, capsys):
    """Programs, workers, and what becomes of them, with each engine."""
    stays = tmp_path / "stays"
    stays.touch()
    with engine_named(engine) as made:
        made.check([str(stays)])
        with pytest.raises(InputError, match="/nowhere"):
            made.check([str(stays), "/nowhere"])
        order = Order((), str(tmp_path), str(tmp_path / "err"), 1, str(stays))

        def ended(program):
            return made.run(order._replace(words=("-c", program)))

        assert ended("import sys; sys.exit(3)") == Ended(3)
        assert ended("import os; os.kill(os.getpid(), 9)") == Ended(-9)
        with pytest.raises(OSError, match="No such file"):
            made.run(order._replace(words=("-c", ""), errors="/nowhere/err"))
        worker = made.worker(Frail)
        assert worker.call("pid") == worker.call("pid") != os.getpid()
        with pytest.raises(InputError, match="no images"):
            worker.call("fail")
        with pytest.raises(WorkerDied):
            worker.call("die")
        worker.close()
        if engine == "ray":
            with pytest.raises(UsageError, match="--cores is 1000; the largest"):
                made.jobs(1, 1000)
            assert made.jobs(None, None)[1] == 1 and made.jobs(1, 1) == (1, 1)
            assert made.jobs(10**6, 1) == made.jobs(None, 1)


def test_a_ranking_that_needs_too_much_memory():
    class Judge:
        def correct(self, arc):
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")

    ranker = Ranker.__new__(Ranker)
    ranker.judge, ranker._settings = Judge(), Settings(child_num_cells=5)
    with pytest.raises(InputError, match="OOM when allocating"):
        ranker.correct(ARC)


def test_workers_that_die_are_replaced(monkeypatch, capsys):
    """But not for ever; and all of them must read the same checkpoint."""
    from enas.many import rank_workers

    monkeypatch.setattr(rank_workers, "Ranker", Frail)
    workers = _Workers(engine_named("processes"), None)
    first = workers.do(lambda frail: frail.pid())
    assert workers.do(lambda frail: frail.pid()) == first
    with pytest.raises(InputError, match="status 7, 3 times in a row; if it was"):
        workers.do(lambda frail: frail.die())
    assert workers.do(lambda frail: frail.pid()) != first
    assert capsys.readouterr().err.count("another one takes its str") == MOST_DEATHS - 1
    workers.close()
    with pytest.raises(InputError, match="the workers were closed"):
        workers.do(lambda frail: frail.pid())
    monkeypatch.setattr(rank_workers, "Ranker", Moving)
    workers = _Workers(engine_named("processes"), None)
    with pytest.raises(InputError, match="would not judge alike; rank with one worker"):
        workers.do(lambda one: workers.do(lambda other: None))
    workers.close()
