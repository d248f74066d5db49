"""Programs that are used as they should not be, from end to end: each ends in order,
with one line or with success, and changes nothing of anybody's."""

import json
import os
import pickle
import re
import resource
import signal
import struct
import subprocess
import sys
import time
import tracemalloc
import zipfile
from functools import partial

import cv2
import numpy as np
import pytest
import tensorflow as tf

from enas.base.errors import InputError
from enas.data_utils import Source
from enas.images import safe_pickle
from enas.report.log import flag_line
from enas.report.log_reader import parse_log, read_log
from enas.session import checkpoint_files
from enas.session.output_dir import FLAGS_FILE, MARK
from enas.session.session import Session
from tests import finished
from tests.damage import tiny_graph
from tests.runs import (
    CONTINUED,
    ROOT,
    SMALL,
    SMALL_ARC,
    run_here,
    run_module_here,
    succeed,
    watch,
)

SEARCH = ("search_arc_mnist.py", *SMALL, "--child_use_aux_heads=False", "--seed=7")
QUICK = ("--num_epochs=1", "--controller_train_steps=1", "--controller_num_aggregate=2")
TRAINING = ("train_arc_mnist.py", *SMALL, f"-fixed_arc={SMALL_ARC}")
TRAINING += ("--num_epochs=1", "--n_aug_img=1")


def command(script, *flags):
    return [sys.executable, os.path.join(ROOT, script), *flags]


def start(*words, **options):
    """A script as a process of its own, whose Ctrl-C is not ignored."""
    return subprocess.Popen(
        command(*words),
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        **options,
    )


def one_line(process, status, message):
    assert process.returncode == status, process.stderr
    line = process.stderr.splitlines()[-1]
    assert re.search(message, line) and "Traceback" not in process.stderr, line


@pytest.mark.parametrize("name", ["ram://out", "gs://bucket/out", "s3:/x", "file:///x"])
def test_places_that_are_no_folders_on_disk(name):
    for process in (
        run_here("search_arc_mnist.py", f"--output_dir={name}"),
        run_module_here("enas.rank_arcs", name),
    ):
        assert process.returncode in (1, 2) and process.stderr.count("\n") == 1


def test_what_a_folder_s_name_leads_to_is_decided_once(tmp_path):
    """Flags, log and checkpoints go to one folder, whatever stands where TensorFlow
    would look by the shortened name."""
    (tmp_path / "far" / "inner").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "far" / "inner")
    out = f"--output_dir={tmp_path}/link/../out"
    succeed(*SEARCH, *QUICK, out, how=run_here)
    names = set(os.listdir(tmp_path / "far" / "out"))
    assert {"flags.json", "log.txt", "model.ckpt-10-1.index", "events"} <= names
    assert sorted(os.listdir(tmp_path)) == ["far", "link"]
    # A file of somebody's, to which a link of the name of an unfinished file leads.
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    (tmp_path / "far" / "out" / "ranking.json.new").symlink_to(mine)
    process = run_module_here("enas.rank_arcs", f"{tmp_path}/link/../out")
    one_line(process, 1, r"ranking\.json\.new is a symbolic link")
    assert mine.read_text() == "mine"
    (tmp_path / "far" / "out" / "ranking.json.new").unlink()
    process = run_module_here("enas.rank_arcs", f"{tmp_path}/link/../out")
    assert process.returncode == 0


def test_a_pickle_s_repeated_keys_cost_what_they_may():
    key = b"T" + struct.pack("<i", 2**20) + b"a" * 2**20
    content = b"\x80\x02}" + key + b"q\x00Ns" + b"h\x00Ns" * 3000 + b"."
    tracemalloc.start()
    with pytest.raises(safe_pickle.HostilePickleError, match="more bytes than it has"):
        safe_pickle.load(content)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200e6


def claiming(kind, width, height):
    """An image of some hundred bytes that says that it is larger."""
    image = bytearray(cv2.imencode(f".{kind}", np.zeros((8, 8, 3), np.uint8))[1])
    if kind == "png":
        struct.pack_into(">II", image, 16, width, height)
    elif kind == "bmp":
        struct.pack_into("<ii", image, 18, width, height)
    else:
        struct.pack_into(">HH", image, image.index(b"\xff\xc0") + 5, height, width)
    return bytes(image)


@pytest.mark.parametrize("kind", ["png", "jpg", "bmp"])
def test_an_image_that_claims_to_be_huge(kind, tmp_path):
    (tmp_path / "class").mkdir()
    (tmp_path / "class" / f"0.{kind}").write_bytes(claiming(kind, 32767, 32767))
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(InputError, match="cannot read image"):
        Source(str(tmp_path), "train_data_dir").read(8, 3)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 100_000 and time.monotonic() - begun < 2


def test_absl_s_own_files_of_flags_are_refused(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("--password=hunter2\n")
    process = run_here("search_arc_mnist.py", f"--flagfile={secret}")
    one_line(process, 2, "flag --flagfile has no meaning here")
    assert "hunter2" not in process.stderr
    flags = MARK | {"flagfile": str(secret)}
    (tmp_path / FLAGS_FILE).write_text(json.dumps(flags))
    process = run_module_here("enas.rank_arcs", tmp_path)
    one_line(process, 1, "flag --flagfile has no meaning here")
    one_line(run_here("search_arc_mnist.py", "--undefok=x", "--x=1"), 2, "--undefok")


def test_a_long_flag_and_a_terminal_s_escapes_are_not_repeated(tmp_path):
    process = run_here("search_arc_mnist.py", "--child_scheme=" + "x" * 100_000)
    assert process.returncode == 2 and len(process.stderr) < 2000
    red = f"--train_data_dir={tmp_path}/\x1b[31mred"
    process = run_here("search_arc_mnist.py", red)
    one_line(process, 1, r"\\x1b\[31mred")
    assert "\x1b" not in process.stderr
    (tmp_path / FLAGS_FILE).write_text(json.dumps(MARK | {"seed": "\x1b[2Jgone"}))
    process = run_module_here("enas.rank_arcs", tmp_path)
    assert process.returncode == 1 and "\x1b" not in process.stderr


def test_a_seed_of_absurd_size_in_a_folder(finished_search, tmp_path):
    out = tmp_path / "out"
    finished.copied(finished_search.folder, out)
    flags = json.loads((out / FLAGS_FILE).read_text()) | {"seed": 10**30}
    (out / FLAGS_FILE).write_text(json.dumps(flags))
    process = run_here(*finished.SEARCH, f"--output_dir={out}", CONTINUED, "--seed=0")
    one_line(process, 2, r"cannot be continued with another seed \(was 10+\)")


@pytest.mark.parametrize(
    ("closed", "words", "kept"),
    [
        ((1,), (*SEARCH, *QUICK), "ranking.json"),
        ((2,), TRAINING, "network.lbn"),
        ((0, 1, 2), TRAINING, "network.lbn"),
    ],
)
def test_closed_streams_and_letters_that_an_encoding_lacks(
    closed, words, kept, tmp_path
):
    """The run goes on in silence, also where the streams that are left lead to a full
    disk, and nothing is written into its files by mistake. What it ends with is kept,
    though nobody listens."""
    out = tmp_path / "o_é"
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            command(*words, f"--output_dir={out}"),
            cwd=ROOT,
            env=os.environ | {"PYTHONIOENCODING": "ascii"},
            stderr=full,
            preexec_fn=lambda: [os.close(number) for number in closed],
            check=False,
        )
    assert process.returncode == 0
    lines = (out / "log.txt").read_text().splitlines()
    assert lines[-1].startswith("test_accuracy")
    assert "output" in (out / "summary.txt").read_text()
    assert kept in os.listdir(out)


def test_a_log_whose_name_is_no_text(tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"\xff.txt")
    with open(path, "w") as stream:
        stream.write("val_acc = 0.5\n")
    for environment in ({}, {"PYTHONIOENCODING": "ascii"}):
        process = subprocess.run(
            [sys.executable, "-m", "enas.analyze_log", path],
            cwd=ROOT,
            env=os.environ | environment,
            capture_output=True,
            check=False,
        )
        assert process.returncode == 1
        assert process.stderr.count(b"\n") == 1 and b"Traceback" not in process.stderr


@pytest.mark.parametrize("seconds", [2.5, 4.0, 5.5])
def test_two_interruptions_while_a_run_starts(seconds, tmp_path):
    """The second one comes while the first is leaving, or after it has left."""
    process = start(*SEARCH, *QUICK, f"--output_dir={tmp_path / 'out'}")
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode in (130, -signal.SIGINT)
    assert "Traceback" not in errors and "nesting" not in errors


def test_a_second_signal_ends_a_run_at_once(tmp_path):
    """Though the first is heard only where the run can be saved."""
    begun = []

    def twice(process):
        process.send_signal(signal.SIGTERM)
        time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        begun.append(time.monotonic())

    flags = ("--batch_size=2000", "--num_epochs=1", f"--output_dir={tmp_path / 'out'}")
    status, _, _ = watch(*SEARCH, *flags, "--log_every=1", at="epoch =", then=twice)
    assert status in (-signal.SIGTERM, 143)
    assert time.monotonic() - begun[0] < 5


def test_too_little_memory_for_tensorflow(tmp_path):
    limit = partial(resource.setrlimit, resource.RLIMIT_AS, (1_500_000_000,) * 2)
    process = subprocess.run(
        command(*SEARCH, *QUICK, f"--output_dir={tmp_path / 'out'}"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=limit,
        check=False,
    )
    assert process.returncode == 1
    assert "Traceback" not in process.stderr
    assert os.listdir(tmp_path) == []


def test_a_checkpoint_that_goes_while_it_is_restored(tmp_path, monkeypatch):
    """The one that its run has written meanwhile is taken."""
    made = tf.compat.v1.train.SingularMonitoredSession

    def save_meanwhile():
        with tf.Graph().as_default(), Session(str(tmp_path), tiny_graph(), 9.0) as run:
            run.save()
            run.save()

    save_meanwhile()
    calls = []

    def make(*arguments, **options):
        calls.append(options["checkpoint_filename_with_path"])
        if len(calls) == 1:
            monkeypatch.setattr(tf.compat.v1.train, "SingularMonitoredSession", made)
            save_meanwhile()
            monkeypatch.setattr(tf.compat.v1.train, "SingularMonitoredSession", make)
        return made(*arguments, **options)

    monkeypatch.setattr(tf.compat.v1.train, "SingularMonitoredSession", make)
    with tf.Graph().as_default(), Session(str(tmp_path), tiny_graph()):
        pass
    assert len(calls) == 2 and calls[0] != calls[1]
    assert calls[1] == checkpoint_files.found_in(str(tmp_path))[-1]


def test_pickles_may_not_name_what_is_called():
    for function in (os.system, eval, subprocess.call):
        with pytest.raises(safe_pickle.HostilePickleError):
            safe_pickle.load(pickle.dumps(function))


def test_images_that_cost_more_than_their_size_says(tmp_path):
    """A chunk that claims four gigabytes, and a picture that is scanned for ever."""
    (tmp_path / "class").mkdir()
    png = cv2.imencode(".png", np.zeros((8, 8), np.uint8))[1].tobytes()
    jpg = cv2.imencode(".jpg", np.zeros((8, 8), np.uint8))[1].tobytes()
    scan = jpg[jpg.index(b"\xff\xda") : -2]
    for name, content in (
        ("0.png", png[:33] + b"\xff\xff\xff\xfftEXt"),
        ("0.jpg", jpg[:-2] + scan * 300 + jpg[-2:]),
    ):
        path = tmp_path / "class" / name
        path.write_bytes(content)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(InputError, match="cannot read image"):
            Source(str(tmp_path), "train_data_dir").read(8, 1)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
        path.unlink()


def test_pipes_where_files_should_be(tmp_path):
    out, archive = tmp_path / "out", tmp_path / "cifar" / "cifar-10-python.tar.gz"
    out.mkdir()
    (out / FLAGS_FILE).write_text(json.dumps(MARK))
    os.mkfifo(out / "model.ckpt-1-1.index")
    archive.parent.mkdir()
    os.mkfifo(archive)
    for module, place in (("rank_arcs", out), ("download_cifar", archive.parent)):
        one_line(
            run_module_here(f"enas.{module}", place),
            1,
            "neither a file|no regular file",
        )


def test_logs_of_many_runs_and_of_endless_lines(tmp_path):
    flag = flag_line("reset_output_dir", False)
    step = "epoch = 0 ch_step = {} loss = 1.0 lr = 0.1 |g| = 1.0 tr_acc = 1/2 mins = 1"
    lines = [flag, *(step.format(number) for number in range(5000, 0, -1))]
    arc = "[0 0 0 0]\n[0 0 0 0]\nval_acc = 0.5000"
    lines += [arc] * 3000 + ["Epoch 0: Eval"] * 3000
    begun = time.process_time()
    parse_log("\n".join(lines).splitlines())
    assert time.process_time() - begun < 10
    path = tmp_path / "log.txt"
    path.write_text("val_acc = 0.5\n" + flag + "\n" + step.format(1) + "\n")
    os.truncate(path, 2**28)
    tracemalloc.start()
    assert len(read_log(str(path))) == 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50e6


@pytest.mark.parametrize("module", ["search_arc_mnist", "enas.vis_cell"])
def test_help_in_an_alphabet_of_few_letters_and_to_a_full_disk(module):
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    words = [sys.executable, "-m", module, "--help"]
    options = {"cwd": ROOT, "env": environment, "stderr": subprocess.PIPE}
    process = subprocess.run(words, stdout=subprocess.PIPE, check=False, **options)
    assert process.returncode == 0 and b"usage" in process.stdout
    with open("/dev/full", "w") as full:
        process = subprocess.run(words, stdout=full, check=False, **options)
    assert process.returncode == 1 and process.stderr.count(b"\n") == 1


def test_a_zip_that_changes_after_it_was_listed(tmp_path):
    path = tmp_path / "a.zip"
    for names in ([], ["class/1.png"]):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("class/0.png", b"")
        source = Source(str(path), "train_data_dir")
        path.write_bytes(b"PK")
        if names:
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr(names[0], b"")
        with pytest.raises(InputError, match=r"is no zip file|cannot read image"):
            source.read(8, 1)
