"""Who shares a search, and that a lost worker is noticed."""

import json
import socket
import subprocess
import sys
import threading
import time

import pytest

from enas.base.cluster import VARIABLE, Cluster, cluster_of
from enas.base.errors import UsageError
from enas.base.peers import Peers
from enas.loop.joining import cluster_for
from tests.runs import ROOT
from tests.together import free_hosts


def config(task="worker", index=0, **jobs):
    content = {"cluster": jobs, "task": {"type": task, "index": index}}
    return {VARIABLE: json.dumps(content)}


@pytest.mark.parametrize(
    ("environment", "cluster"),
    [
        ({}, Cluster()),
        ({VARIABLE: " "}, Cluster()),
        ({VARIABLE: "{}"}, Cluster()),
        (config(worker=["a:1"]), Cluster(("a:1",), 0)),
        (config(index=1, worker=["a:1", "b:2"]), Cluster(("a:1", "b:2"), 1)),
        (config(chief=["c:9"], worker=["a:1"]), Cluster(("c:9", "a:1"), 1)),
        (config("chief", 0, worker=["a:1"], chief=["c:9"]), Cluster(("c:9", "a:1"))),
        (config("master", 0, master=["c:9"], worker=["a:1"]), Cluster(("c:9", "a:1"))),
    ],
)
def test_what_tf_config_says(environment, cluster):
    assert cluster_of(environment) == cluster
    assert cluster.is_chief == (cluster.index == 0)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({VARIABLE: "{"}, "TF_CONFIG is no JSON"),
        ({VARIABLE: "[]"}, "cluster is wrong"),
        (config(ps=["a:1"], worker=["b:1"]), "has tasks of the type ps"),
        (config(worker="a:1"), "worker is no list"),
        (config(index=2, worker=["a:1", "b:2"]), "index 2 is in its cluster"),
        (config("chief", worker=["a:1", "b:2"]), "type 'chief' and index 0"),
        (config(worker=["a:1", "b"]), "'b' is no HOST:PORT"),
        (config(worker=["a:1", "a:1"]), "the same HOST:PORT twice"),
        ({VARIABLE: "slurm"}, "start the workers with srun"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(environment, words):
    with pytest.raises(UsageError, match=words) as caught:
        cluster_of(environment)
    assert "\n" not in str(caught.value)


def test_slurm_names_a_worker_for_each_task(monkeypatch):
    step = {"PROCID": "2", "STEP_NUM_TASKS": "3"}
    step |= {"STEP_NODELIST": "n[1-2]", "STEP_TASKS_PER_NODE": "2,1"}
    for name, value in step.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    assert cluster_of({VARIABLE: "slurm"}) == Cluster(
        ("n1:8888", "n1:8889", "n2:8888"), 2
    )
    assert cluster_of({VARIABLE: "slurm:70"}).hosts == ("n1:70", "n1:71", "n2:70")
    assert cluster_of({}) == Cluster()  # Slurm alone says nothing


def settings_of(script, **changes):
    import dataclasses
    import importlib

    from enas.flags.parse import read

    constants = importlib.import_module(script).CONSTANTS
    settings, _ = read([f"{script}.py"], constants)
    return dataclasses.replace(settings, **changes)


def test_a_string_alone_is_trained_by_the_first_worker(monkeypatch, capsys):
    for index, expected in ((0, Cluster()), (1, None)):
        environment = config(index=index, worker=["a:1", "b:2"])
        monkeypatch.setenv(VARIABLE, environment[VARIABLE])
        assert cluster_for("train", settings_of("train_arc_mnist")) == expected
        assert "enas.train_arcs" in capsys.readouterr().err


def test_a_baseline_that_workers_do_not_know_is_refused(monkeypatch):
    monkeypatch.setenv(VARIABLE, config(worker=["a:1", "b:2"])[VARIABLE])
    changes = {"controller_training": True, "controller_bl_of_update": False}
    with pytest.raises(UsageError, match="pass --controller_bl_of_update=True"):
        cluster_for("search", settings_of("search_arc_mnist", **changes))
    changes["controller_training"] = False  # no baseline is needed
    assert cluster_for("search", settings_of("search_arc_mnist", **changes)).several
    changes = {"num_epochs": 0}
    assert not cluster_for("search", settings_of("search_arc_mnist", **changes)).several


WATCHING = """
import sys, time
from enas.base.cluster import Cluster
from enas.base.peers import Peers
peers = Peers(Cluster(tuple(sys.argv[1:]), 0), lambda: print("at end", flush=True))
print("watching", flush=True)
time.sleep(30)
"""


def test_those_that_do_not_come_are_told():
    hosts = free_hosts(3)
    peers = Peers(Cluster(hosts, 0), lambda: None)
    try:
        with socket.create_server(("127.0.0.1", int(hosts[2].rpartition(":")[2]))):
            assert peers.wait(0.0) == peers.missing() == [1]
        assert peers.wait(0.1) == [1, 2]
    finally:
        peers.close()


def test_a_worker_that_takes_a_while_to_end_is_missing_then():
    hosts = free_hosts(2)
    peers = Peers(Cluster(hosts, 0), lambda: None)
    try:
        other = socket.create_server(("127.0.0.1", int(hosts[1].rpartition(":")[2])))
        assert peers.missing_soon(0.0) == []
        threading.Timer(1.0, other.close).start()
        assert peers.missing_soon(10.0) == [1]
    finally:
        peers.close()


def test_a_worker_that_is_gone_is_named_and_ends_the_others():
    """One that has not come yet is waited for."""
    hosts = free_hosts(3)
    process = subprocess.Popen(
        [sys.executable, "-c", WATCHING, *hosts],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout.readline() == "watching\n"
    with socket.create_server(("127.0.0.1", int(hosts[1].rpartition(":")[2]))) as one:
        one.accept()[0].close()  # as a server does with who says nothing
        connection, _ = one.accept()  # it tries again, and is not alarmed
        time.sleep(1.0)
        assert process.poll() is None
    connection.close()
    output, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert output == "at end\n"
    assert errors.startswith(f"-c: worker 1 ({hosts[1]}) is gone, and the others end; ")
    assert errors.count("\n") == 1
