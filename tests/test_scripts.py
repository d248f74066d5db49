"""The scripts from end to end, as a person runs them, on real MNIST images.

The CIFAR-10 scripts read MNIST's digits too, in colour and laid out as CIFAR-10 is."""

import glob
import importlib
import itertools
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import time
from collections import Counter

import cv2
import numpy as np
import pytest

from enas.base.errors import UsageError
from enas.data_utils import Source
from enas.flags.parse import parse, read
from enas.flags.recipes import RECIPES
from enas.flags.table import FLAGS, REFUSED
from enas.loop import epochs
from enas.session.output_dir import OutputDir, read_flags
from search_arc_cifar import CONSTANTS
from tests.cifar_files import write_folder
from tests.finished import SEARCH, copied
from tests.runs import (
    ARC,
    LINES,
    ROOT,
    SMALL,
    SMALL_ARC,
    assert_log,
    count,
    run,
    run_here,
    run_module_here,
    succeed,
)

SMALL_CIFAR = tuple(flag for flag in SMALL if not flag.startswith("--img_size"))
SCRIPTS = [f"{t}_arc_{d}" for t in ("search", "train") for d in ("mnist", "cifar")]
SMALLEST_ARC = "0 2 1 4 1 3 0 1"  # of one block a cell
TINT = np.array([1.0, 0.6, 0.2])  # of the digits in colour


def test_a_search_and_its_continuation(finished_search, tmp_path):
    out, lines, _ = finished_search
    assert_log(lines)
    assert count(lines, "Layer") == 3
    assert count(lines, "epoch = ") == 4  # 10 steps an epoch, each fifth logged
    assert count(lines, "ctrl_step = ") == 4  # samples 0 and 5 of each round of 6
    assert [x for x in lines if "Training controller" in x] == [
        f"Epoch {n}: Training controller" for n in (1, 2)
    ]
    assert count(lines, "val_acc") == 20
    assert count(lines, "Eval at 10") == count(lines, "Eval at 20") == 2
    assert count(lines, "Valid Num examples:  110") == 2
    with open(os.path.join(out, "log.txt"), encoding="utf-8") as stream:
        assert stream.read().splitlines() == lines
    with open(os.path.join(out, "flags.json"), encoding="utf-8") as stream:
        assert json.load(stream)["child_num_cells"] == 2
    assert os.path.exists(os.path.join(out, "model.ckpt-20-2.index"))
    # Each step is an event, though only each fifth is logged; so is each sample.
    assert event_steps(out, "child/loss") == list(range(1, 21))
    assert len(event_steps(out, "controller/accuracy")) == 12

    out = copied(out, tmp_path / "out")
    search = (*SEARCH, f"--output_dir={out}", "--reset_output_dir=False")
    lines = succeed(*search, "--num_epochs=3", how=run_here)
    steps = [re.search(r"ch_step = (\d+)", line) for line in lines]
    assert [int(step[1]) for step in steps if step] == [25, 30]
    assert count(lines, "ctrl_step = 4") == 1

    assert {"summary.txt", "versions.json", "events"} <= set(os.listdir(out))
    check_ranking(out)
    check_strings_given_to_rank(out)

    message = r"cannot be continued with another child_out_filters \(was 4\)"
    fail(2, message, *search, "--child_out_filters=6", how=run)


def event_steps(out, tag):
    """The steps at which the events of a run have a point of a curve."""
    import tensorflow as tf

    steps = []
    for path in sorted(glob.glob(f"{out}/events/*")):
        for record in tf.compat.v1.io.tf_record_iterator(path):
            event = tf.compat.v1.Event.FromString(record)
            steps += [event.step for value in event.summary.value if value.tag == tag]
    return steps


def check_ranking(out):
    """A search's ranking is on all validation images, and is repeated from its
    checkpoint alone, wherever its folder is by then."""
    with open(f"{out}/ranking.json", encoding="utf-8") as stream:
        ranked = json.load(stream)
    for source in ("controller", "uniform"):
        assert sum(one["source"] == source for one in ranked) == 10
    assert all(round(110 * one["accuracy"], 6).is_integer() for one in ranked)
    accuracies = {one["arc"]: one["accuracy"] for one in ranked}
    assert len(set(accuracies.values())) > 3  # so that other weights would show
    # Another folder now stands where this one was written to.
    os.rename(out, f"{out}.moved")
    shutil.copytree(f"{out}.moved", out, ignore=shutil.ignore_patterns("model*"))
    process = run_module_here("enas.rank_arcs", f"{out}.moved")
    assert process.returncode == 0, process.stderr
    shutil.rmtree(out)
    os.rename(f"{out}.moved", out)
    with open(f"{out}/ranking.json", encoding="utf-8") as stream:
        again = {one["arc"]: one["accuracy"] for one in json.load(stream)}
    for one in ranked:
        if one["source"] == "controller":  # threads may round differently
            assert again[one["arc"]] == pytest.approx(one["accuracy"], abs=1.5 / 110)
    process = run_module_here("enas.rank_arcs", out, "--draw=3")
    assert process.returncode == 0, process.stderr
    with open(f"{out}/ranking.json", encoding="utf-8") as stream:
        drawn = json.load(stream)
    sources = Counter(one["source"] for one in drawn)
    assert sources == {"controller": 3, "untrained": 3, "uniform": 3}
    assert "mean of 3 untrained: " in process.stdout
    assert "\nuntrained - uniform: " in process.stdout


def check_strings_given_to_rank(out):
    """They leave the search's own ranking alone; a checkpoint that is damaged or of
    another network is refused."""
    with open(f"{out}/ranking.json", encoding="utf-8") as stream:
        before = stream.read()
    process = run_module_here("enas.rank_arcs", out, SMALL_ARC)
    assert process.returncode == 0, process.stderr
    assert f" given     {SMALL_ARC}" in process.stdout
    with open(f"{out}/ranking.json", encoding="utf-8") as stream:
        assert stream.read() == before
    shutil.copytree(out, f"{out}.other")
    path = f"{out}.other/flags.json"
    with open(path, encoding="utf-8") as stream:
        flags = json.load(stream) | {"child_out_filters": 6}
    with open(path, "w", encoding="utf-8") as stream:
        json.dump(flags, stream)
    process = run_module_here("enas.rank_arcs", f"{out}.other")
    assert (process.returncode, process.stdout) == (1, "")
    assert re.search(
        r"^rank_arcs: \S+model.ckpt-30-3 is of another network: it has a child/\S+ of "
        r"shape \[.*\], not of \[.*\]\n$",
        process.stderr,
        re.M,
    )
    for index in glob.glob(f"{out}.other/model.ckpt-*.index"):
        with open(index, "w", encoding="utf-8") as stream:
            stream.write("nonsense")
    process = run_module_here("enas.rank_arcs", f"{out}.other")
    assert (process.returncode, process.stdout) == (1, "")
    assert process.stderr.endswith(
        f"rank_arcs: {out}.other/model.ckpt-30-3 is damaged, and there is none before "
        f"it\n"
    )


def test_a_fresh_run_moves_an_earlier_one_aside(tmp_path):
    out = str(tmp_path / "out")
    OutputDir(out, True, {"seed": 1}).begin().release()
    (tmp_path / "out" / "model.ckpt-1.index").write_text("precious")
    folder = OutputDir(out, True, {"seed": 2}).begin()
    assert (tmp_path / "out.1" / "model.ckpt-1.index").read_text() == "precious"
    assert read_flags(out) == {"seed": 2}
    flags = (*SMALL, f"--output_dir={out}")
    fail(1, "another run is at work", "search_arc_mnist.py", *flags, how=run)
    folder.release()
    OutputDir(out, True, {"seed": 3}).begin().release()
    assert sorted(os.listdir(tmp_path)) == ["out", "out.1", "out.2"]


def test_random_search(tmp_path):
    lines = succeed(
        "search_arc_mnist.py",
        *SMALL,
        f"--output_dir={tmp_path / 'out'}",
        "--num_epochs=1",
        "--controller_training=False",
        how=run_here,
    )
    assert count(lines, "ctrl_step") == 0 and count(lines, "val_acc") == 10


def test_a_training(finished_training):
    _, lines, _ = finished_training
    assert_log(lines)
    assert f"fixed_arc...{SMALL_ARC}".replace(".", "") in lines[0].replace(".", "")
    assert count(lines, "epoch = ") == 8  # 400 images are 20 steps an epoch
    assert count(lines, "Eval at 40") == 2
    accuracies = [float(x.split()[1]) for x in lines if "_accuracy" in x]
    assert len(accuracies) == 2
    assert count(lines, "Aux head uses") == 1


@pytest.mark.parametrize("flag", ["-fixed_arc", "--fixed_arc", "--child_fixed_arc"])
def test_spellings_of_a_string_s_flag(flag):
    constants = importlib.import_module("train_arc_mnist").CONSTANTS
    for words in ([flag, ARC], [f"{flag}={ARC}"]):
        assert parse(["script", *words], constants).fixed_arc == ARC


@pytest.fixture
def cifar_path(tmp_path):
    """A folder of digits in red, green and blue, laid out as CIFAR-10."""
    source = Source(os.path.join(ROOT, "data", "mnist", "train"), "flag")
    images, labels = source.read(32, 3, 300)
    rng = np.random.default_rng(0)
    tinted = images * rng.random((len(images), 1, 1, 3))
    rows = tinted.astype(np.uint8).transpose(0, 3, 1, 2).reshape(-1, 3072)
    parts = iter(np.split(rng.permutation(len(rows)), 6))
    write_folder(tmp_path / "cifar10", lambda _: batch_of(rows, labels, next(parts)))
    return str(tmp_path / "cifar10")


def batch_of(rows, labels, chosen):
    return rows[chosen], labels[chosen].tolist()


def test_a_search_and_a_training_on_cifar(cifar_path, tmp_path):
    flags = (*SMALL_CIFAR, f"--data_path={cifar_path}", "--num_epochs=1")
    lines = succeed(
        "search_arc_cifar.py",
        *flags,
        f"--output_dir={tmp_path / 'out'}",
        "--num_valids=50",
        "--controller_train_steps=2",
        "--controller_num_aggregate=3",
        "--child_cutout_size=8",
        "--random_rotation=10",
        "--random_zoom=0.1",
        "--random_shift=2",
    )
    assert count(lines, "epoch = ") == 2 and count(lines, "val_acc") == 10
    assert count(lines, "Valid Num examples:  50") == 1
    assert count(lines, "Test Num examples:  50") == 1
    lines = succeed(
        "train_arc_cifar.py",
        *flags,
        f"--output_dir={tmp_path / 'out'}",
        f"-fixed_arc={SMALL_ARC}",
        "--child_scheme=float",
    )
    assert count(lines, "epoch = ") == 2
    assert count(lines, "Valid") == 0 and count(lines, "test_accuracy") == 1
    assert os.path.isdir(tmp_path / "out.1")


def test_colour_images_of_ones_own(tmp_path):
    """Four classes of unequal size; files of any size, in three formats."""
    source = Source(os.path.join(ROOT, "data", "mnist", "test"), "flag")
    digits, _ = source.read(28, 3, 40)
    for name in ("train", "valid", "test"):
        for number, digit in enumerate(digits):
            kind = ("ant", "bee", "cat", "cat")[number % 4] if number < 36 else "dog"
            folder = tmp_path / "mine" / name / kind
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / f"{number}.{('png', 'jpg', 'bmp')[number % 3]}"
            cv2.imwrite(str(file), cv2.resize(digit * TINT, (20 + number, 30)))
    folders = {"train": "train", "val": "valid", "test": "test"}
    flags = [f"--{f}_data_dir={tmp_path / 'mine' / n}" for f, n in folders.items()]
    own = (*SMALL_CIFAR, *flags, "--channel=3", f"--output_dir={tmp_path / 'out'}")
    lines = succeed(
        "train_arc_mnist.py",
        *own,
        f"-fixed_arc={SMALL_ARC}",
        "--img_size=12",
        "--n_aug_img=3",
        "--num_epochs=1",
        how=run_here,
    )
    assert "Layer  0: [N, 6, 6, 8]" in lines
    assert count(lines, "epoch = ") == 1  # 120 images are 6 steps
    assert count(lines, "Valid Num examples:  40") == 1
    message = r"images have 18 pixels a side; 2 reductions .* need a multiple of 4"
    fail(2, message, "search_arc_mnist.py", *own, "--img_size=18")


def test_wrong_flags_and_files_of_cifar(cifar_path, tmp_path):
    path = f"--data_path={cifar_path}"
    out = f"--output_dir={tmp_path / 'out'}"
    script = "search_arc_cifar.py"
    message = "num_valids is 0; a search needs"
    fail(2, message, script, path, "--num_valids=0", how=run)
    for name in ("child_cutout_size", "crop_padding"):
        fail(2, f"{name} is 33; images have 32 pixels", script, f"--{name}=33")
    message = "random_shift is 32.5; images have 32 pixels"
    fail(2, message, script, "--random_shift=32.5")
    message = "num_valids: 5000 validation images leave none of 250"
    fail(1, message, script, path, out, reading=True)
    fail(1, "data_path: there is no file", script, f"--data_path={tmp_path}")
    (tmp_path / "cifar10" / "data_batch_1").write_bytes(pickle.dumps(os.getcwd))
    message = "data_path: .*data_batch_1 .*asks for 'posix.getcwd'"
    out = f"--output_dir={tmp_path / 'another'}"
    fail(1, message, script, path, out, reading=True, how=run)


def test_zero_epochs_print_the_model_and_stop(tmp_path):
    flags = ("--num_epochs=0", "--train_limit=10", "--eval_limit=10")
    flags = (*flags, "--child_num_cells=1", f"-fixed_arc={SMALLEST_ARC}")
    out = f"--output_dir={tmp_path / 'out'}"
    lines = succeed("train_arc_mnist.py", *flags, out, how=run_here)
    assert not os.listdir(tmp_path)
    assert count(lines, "Layer") == 8
    assert lines[-2].startswith("Model has") and lines[-1].startswith("Aux head uses")


def fail(status, message, script, *flags, reading=False, how=run_here):
    """A run that ends with one line on stderr; where it was `reading` images by then,
    its flags are in the log, and no more; notes on its images may stand before."""
    start = time.monotonic()
    process = how(script, *flags)
    assert process.returncode == status, process.stderr
    logged = process.stdout.splitlines()
    assert all(re.match(LINES[0], line) for line in logged) and reading == bool(logged)
    *notes, line = process.stderr.splitlines()
    assert reading or not notes, process.stderr
    assert re.match(rf"{script}: .*{message}", line), line
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    ("message", "flags"),
    [
        ("fixed_arc is missing", ()),
        ("the arc has 3 numbers; child_num_cells=5 needs 40", ("-fixed_arc", "0 1 2")),
        ("number 2 of the arc is 'conv'", ("-fixed_arc", "0 conv 2")),
        (
            "number 1 of the arc, .*is 2; allowed is 0 to 1",
            ("-fixed_arc", "2" + ARC[1:]),
        ),
        ("number 2 of the arc, .*is 5; allowed", ("-fixed_arc", "0 5" + ARC[3:])),
        ("child_num_cells=3 needs 24.*=5", ("-fixed_arc", ARC, "--child_num_cells=3")),
        ("child_out_filters is 7; it must be even", ("--child_out_filters=7",)),
        ("images have 28 pixels a side; 3 reductions .* of 8", ("--img_size=28",)),
        ("child_lr_min 0.1 is above child_lr_max", ("--child_lr_min=0.1",)),
        (
            "child_label_smoothing is for child_loss=cross_entropy, not squared_hinge",
            ("--child_label_smoothing=0.1", "--child_loss=squared_hinge"),
        ),
        ("child_keep_prob is 0.0; it must be above 0", ("--child_keep_prob=0",)),
        ("random_rotation is 181.0; it must be from 0", ("--random_rotation=181",)),
        ("random_zoom is 1.0; it must be at least 0", ("--random_zoom=1",)),
        ("child_n_bits is 1; .*binarize", ("--child_n_bits=1",)),
        ("channel is 2", ("--channel=2",)),
        ("child_scheme is 'int8'; it must be one of binar", ("--child_scheme=int8",)),
        ("child_first_scheme is 'x'; .* of binar", ("--child_first_scheme=x",)),
        ("child_loss is 'mse'", ("--child_loss=mse",)),
        ("child_optim_algo is 'lion'", ("--child_optim_algo=lion",)),
        ("child_clip_mode is 'value'; .*norm", ("--child_clip_mode=value",)),
        ("batch_size is 0; it must be at least 1", ("--batch_size=0",)),
        ("child_lr_max is nan", ("--child_lr_max=nan",)),
        ("child_pool_layers has 'x'", ("--child_pool_layers=x",)),
        ("child_pool_layers is ',', which", ("--child_pool_layers=,",)),
        (
            "batch_size is 99999999999; it must be at most",
            ("--batch_size=99999999999",),
        ),
        ("batch_size.*a b", ("--batch_size=a\nb",)),
        ("child_pool_layers names a layer twice", ("--child_pool_layers=1 1",)),
        ("child_use_aux_heads needs a layer after .* 7", ("--child_pool_layers=7",)),
        ("batch_size.*'many'", ("--batch_size=many",)),
        ("Unknown command line flag 'no_such_flag'", ("--no_such_flag=1",)),
        ("--controller_lr is of another script", ("--controller_lr=1",)),
        ("'5' is no flag", ("--batch_size=5", "5")),
        ("does not take an argument", ("--nochild_lr_cosine=nan",)),
        ("flag --search_for other than micro", ("--search_for=macro",)),
        ("flag --data_format other than NHWC", ("--data_format", "NCHW")),
        ("flag --child_sync_replicas has no meaning", ("--child_sync_replicas",)),
        ("flag --controller_use_critic has", ("--nocontroller_use_critic",)),
    ],
)
def test_usage_errors(message, flags):
    if not any("arc" in flag for flag in flags) and "missing" not in message:
        flags = ("-fixed_arc", ARC, *flags)
    fail(2, message, "train_arc_mnist.py", *flags)


def test_a_usage_error_in_a_process_of_its_own():
    fail(2, "fixed_arc is missing", "train_arc_mnist.py", how=run)


def test_flags_of_older_codes():
    """Each flag is refused for a reason; what is done anyway is let pass."""
    for name, (allowed, reason) in REFUSED.items():
        assert reason and "\n" not in reason
        if allowed:
            flags = (f"--{name}={allowed}", "--batch_size=0")
            fail(2, "batch_size is 0", "search_arc_mnist.py", *flags)
    fail(2, "search_for", "search_arc_mnist.py", "--search_for", "macro")


def test_missing_and_broken_data(tmp_path):
    missing = f"--train_data_dir={tmp_path / 'none'}"
    message = "train_data_dir: neither a folder"
    fail(1, message, "search_arc_mnist.py", missing, how=run)
    (tmp_path / "images" / "cat").mkdir(parents=True)
    empty = f"--val_data_dir={tmp_path / 'images'}"
    fail(1, "val_data_dir: class folder cat", "search_arc_mnist.py", empty)


def test_a_folder_of_other_things_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    message = "output_dir: .* holds files that are not of an earlier run"
    fail(1, message, "search_arc_mnist.py", f"--output_dir={tmp_path}")
    assert os.listdir(tmp_path) == ["thesis.tex"]
    file = tmp_path / "thesis.tex"
    fail(1, "output_dir: cannot use", "search_arc_mnist.py", f"--output_dir={file}")


def test_an_unreadable_image_ends_the_run_with_its_name(tmp_path):
    for name in "ab":
        (tmp_path / "images" / name).mkdir(parents=True)
        (tmp_path / "images" / name / "1.png").write_bytes(b"no image")
    flags = [f"--{n}_data_dir={tmp_path / 'images'}" for n in ("train", "val", "test")]
    flags = (*flags, f"--output_dir={tmp_path / 'out'}")
    message = r"train_data_dir: cannot read image .*a.1\.png"
    fail(1, message, "search_arc_mnist.py", *flags, reading=True, how=run)
    assert os.listdir(tmp_path) == ["images"]  # nothing that a next start would move


def test_small_batches_of_a_search_are_warned_of(finished_search):
    flags = (*SMALL, "--batch_size=19", "--num_epochs=0")
    process = run_here("search_arc_mnist.py", *flags)
    assert process.returncode == 0
    assert "a batch has only 19 images" in process.stderr
    assert "a batch has only" not in finished_search.errors  # it has 20


def test_an_overflow_at_the_first_step_is_not_the_rate_s_fault(tmp_path):
    flags = (*SMALL, f"--output_dir={tmp_path / 'out'}", "--child_l2_reg=1e38")
    process = run_here("train_arc_mnist.py", f"-fixed_arc={SMALL_ARC}", *flags)
    assert process.returncode == 1
    last = process.stderr.splitlines()[-1]
    assert re.search(r" is (inf|nan) at step 1; no weight has moved yet", last)


@pytest.mark.parametrize("task", ["search", "train"])
@pytest.mark.parametrize("dataset", ["mnist", "cifar"])
def test_help_names_every_flag_with_a_sentence(task, dataset):
    process = run(f"{task}_arc_{dataset}.py", "--help")
    assert process.returncode == 0
    constants = importlib.import_module(f"{task}_arc_{dataset}").CONSTANTS
    shown = process.stdout.splitlines()
    for name, default in constants.items():
        assert FLAGS[name].help.endswith(".") and len(FLAGS[name].help) > 15
        place = shown.index(f"  --{name} (default: {default!r})")
        sentence = " ".join(itertools.takewhile(_is_indented, shown[place + 1 :]))
        assert " ".join(sentence.split()) == FLAGS[name].help
        assert FLAGS[name].group in shown[:place]
    assert max(map(len, shown)) <= 80


def _is_indented(line):
    return line.startswith(" " * 6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"batch_size": 128.0},
            "constant batch_size is 128.0; it must be a whole number",
        ),
        ({"random_flip": 1}, "constant random_flip is 1; it must be True or False"),
        (
            {"child_keep_prob": "1"},
            "constant child_keep_prob is '1'; it must be a number",
        ),
        ({"data_path": None}, "constant data_path is None; it must be text in quotes"),
        ({"bacth_size": 128}, "constant bacth_size is no flag"),
    ],
)
def test_a_constant_edited_wrongly_is_named(change, message):
    with pytest.raises(UsageError, match=message):
        parse(["script"], CONSTANTS | change)


def test_a_whole_number_does_for_a_constant_that_may_have_a_fraction():
    constants = CONSTANTS | {"child_lr_max": 1, "child_keep_prob": 1}
    settings = parse(["script", "--child_keep_prob=0.9"], constants)
    assert (settings.child_lr_max, settings.child_keep_prob) == (1.0, 0.9)


def test_every_flag_belongs_to_a_script():
    programs = (*SCRIPTS, "enas.drawing.command")
    used = [set(importlib.import_module(program).CONSTANTS) for program in programs]
    assert set.union(*used) == set(FLAGS)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_a_log_that_cannot_be_written_ends_the_run(tmp_path):
    """Its disk is full; nobody reads it."""
    command = [sys.executable, os.path.join(ROOT, "search_arc_mnist.py"), *SMALL]
    command.append(f"--output_dir={tmp_path / 'out'}")
    with open("/dev/full", "w") as full:
        process = subprocess.run(
            command,
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert process.returncode == 1
    assert process.stderr.splitlines()[-1] == (
        "search_arc_mnist.py: cannot write the log: No space left on device; "
        "--reset_output_dir=False goes on from the last checkpoint, if there is one"
    )


def test_recipes():
    """A recipe stands above the constants, and below what is given."""
    constants = importlib.import_module("search_arc_mnist").CONSTANTS

    def flags(constants, *given):
        return parse(["script", *given], constants).flags()

    assert flags(constants) == constants
    faithful = flags(constants, "--recipe=faithful")
    assert faithful == constants | RECIPES["faithful"] | {"recipe": "faithful"}
    given = ["--child_lr_max=0.5", "--child_shortcut", "--recipe=faithful"]
    mixed = {"child_lr_max": 0.5, "child_shortcut": True}
    assert flags(constants, *given) == faithful | mixed
    # A constant that was edited stands, with the recipe edited in, too, and without.
    edited = constants | {"child_lr_max": 0.02, "child_op_scale": 0.5}
    stands = faithful | {"child_lr_max": 0.02, "child_op_scale": 0.5}
    assert flags(edited, "--recipe=faithful") == stands
    assert flags(edited | {"recipe": "faithful"}) == stands
    assert flags(edited | {"recipe": "faithful"}, "--child_op_scale=0.7") == (
        stands | {"child_op_scale": 0.7}
    )
    for recipe in RECIPES.values():
        assert recipe.keys() <= FLAGS.keys()
    for script in SCRIPTS:  # their constants are the recommended recipe
        constants = importlib.import_module(script).CONSTANTS
        for name, value in RECIPES["recommended"].items():
            assert constants.get(name, value) == value
    with pytest.raises(
        UsageError, match="recipe is 'best'; it must be one of recommended"
    ):
        parse(["script", "--recipe=best"], constants)


def test_batches_of_a_string_alone_on_cifar():
    """They are smaller in the recommended recipe, and as ever in the faithful one."""
    constants = importlib.import_module("train_arc_cifar").CONSTANTS
    searching = importlib.import_module("search_arc_cifar").CONSTANTS

    def batch(constants, *words):
        return read(["script", *words], constants)[0].batch_size

    assert batch(constants) == 32 and batch(searching) == 128
    assert batch(constants, "--recipe=faithful") == 128
    assert batch(constants, "--recipe=faithful", "--batch_size=32") == 32
    for size in (64, 128):
        edited = constants | {"batch_size": size}
        assert batch(edited) == batch(edited, "--recipe=faithful") == size


def test_samples_of_an_update_are_judged_on_the_same_images(monkeypatch):
    """What a batch of images does when it comes several times is in test_data.py."""

    class Made(Exception):
        """Ends a run where its pipeline is made."""

    def make(*arguments):
        raise Made(arguments[4])

    constants = importlib.import_module("search_arc_mnist").CONSTANTS
    monkeypatch.setattr(epochs, "InputPipeline", make)
    for flags, repeats in (([], 10), (["--recipe=faithful"], 1)):
        settings = parse(["script", *flags], constants)
        with pytest.raises(Made, match=f"^{repeats}$"):
            epochs.run_epochs(settings, None, None, None, None, None)
    alone = ["script", "--controller_num_aggregate=1"]
    with pytest.raises(UsageError, match=r"with each other, .*bl_of_update=False, too"):
        parse(alone, constants)
    for flag in ("--controller_bl_of_update=False", "--controller_training=False"):
        parse([*alone, flag], constants)
