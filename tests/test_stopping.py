"""How a run ends before its last epoch, and how another one starts from it."""

import json
import os
import re

import numpy as np
import pytest
import tensorflow as tf

from enas.base.errors import InputError, UsageError
from enas.flags.parse import parse
from enas.loop.history import Evaluation, History
from enas.loop.kept_run import settings_of
from enas.loop.stopping import BEST_FOLDER
from enas.session.checkpoint_files import found_in
from enas.session.session import Session
from enas.session.warm_start import WarmStart
from tests.runs import CONTINUED, SMALL, SMALL_ARC, count, run, run_here
from tests.runs import variables as variables_of
from train_arc_cifar import CONSTANTS

STILL = ("--child_lr_max=1e-12", "--child_lr_min=0", "--child_scheme=float")


def evaluations(*accuracies):
    return [
        Evaluation(epoch, 10 * epoch, accuracy, 0.5)
        for epoch, accuracy in enumerate(accuracies, start=1)
    ]


@pytest.mark.parametrize(
    ("accuracies", "patience", "is_over"),
    [
        ((), 1, False),
        ((0.5,), 1, False),
        ((0.5, 0.5), 1, True),  # it has not risen
        ((0.5, 0.6), 1, False),
        ((0.6, 0.5), 2, False),
        ((0.6, 0.5, 0.6), 2, True),
        ((0.6, 0.5, 0.7), 2, False),
        ((0.6, 0.5, 0.6), 0, False),
        ((None, None, None), 1, False),
    ],
)
def test_patience(tmp_path, accuracies, patience, is_over):
    history = History(str(tmp_path), 0)
    for one in evaluations(*accuracies):
        history.add(one)
    assert history.is_over(patience) == is_over
    # So it is for a run that goes on from here; a checkpoint before knows less.
    assert History(str(tmp_path), 1000).evaluations == history.evaluations
    assert History(str(tmp_path), 1).evaluations == history.evaluations[:1]


def test_an_evaluation_that_is_made_again_replaces_the_first(tmp_path):
    history = History(str(tmp_path), 0)
    for one in evaluations(0.1, 0.2, 0.3):
        history.add(one)
    history.add(Evaluation(2, 20, 0.25, 0.5))
    assert [one.valid for one in history.evaluations] == [0.1, 0.25]
    assert history.is_best()
    history.add(Evaluation(3, 30, 0.25, 0.5))
    assert not history.is_best() and history.best().epoch == 2


@pytest.mark.parametrize(
    "content",
    [
        "nonsense",
        "{}{}",
        "[1]",
        '[{"epoch": 1}]',
        '[{"epoch": 1, "step": 10, "valid": 2, "test": 0.5}]',
        '[{"epoch": 0, "step": 10, "valid": 0.5, "test": 0.5}]',
        '[{"epoch": 1, "step": 10, "valid": "0.5", "test": 0.5}]',
    ],
)
def test_a_damaged_history_is_told(tmp_path, content):
    (tmp_path / "evaluations.json").write_text(content)
    with pytest.raises(InputError, match=r"evaluations\.json is damaged"):
        History(str(tmp_path), 100)


def test_patience_needs_validation_images():
    words = ["train_arc_cifar.py", f"-fixed_arc={SMALL_ARC}", "--child_num_cells=2"]
    with pytest.raises(UsageError, match="patience looks at validation images"):
        parse([*words, "--patience=2", "--num_valids=0"], CONSTANTS)
    assert parse([*words, "--patience=2", "--num_valids=9"], CONSTANTS).patience == 2


def test_a_training_that_ends_early_and_one_that_starts_from_it(tmp_path):
    """Its weights hardly move, so that its first evaluation remains the best."""
    out = str(tmp_path / "out")
    flags = (*SMALL, *STILL, f"-fixed_arc={SMALL_ARC}", "--seed=1", "--n_aug_img=1")
    process = run_here(
        "train_arc_mnist.py",
        *flags,
        f"--output_dir={out}",
        "--patience=1",
        "--num_epochs=9",
    )
    assert process.returncode == 0, process.stderr
    evaluated = count(process.stdout.splitlines(), "valid_accuracy")
    with open(f"{out}/evaluations.json", encoding="utf-8") as stream:
        kept = [Evaluation(**one) for one in json.load(stream)]
    assert 2 <= len(kept) == evaluated < 9
    best = max(kept, key=lambda one: one.valid)
    assert kept[-2] is best
    assert "1 evaluations without a higher valid accuracy" in process.stderr
    # The last line is the test accuracy; before it comes what to type next.
    lines = process.stderr.splitlines()
    assert lines[-1] == f"test_accuracy: {kept[-1].test:.4f}"
    assert any(f"-m enas.export {out}/best" in line for line in lines)
    (path,) = found_in(os.path.join(out, BEST_FOLDER))
    assert re.search(rf"ckpt-{best.step}-", path)
    assert settings_of(os.path.join(out, BEST_FOLDER), "train").fixed_arc == SMALL_ARC

    # It goes on with its own flags, beside others that are given.
    more = f"--num_epochs={len(kept) + 1}"
    process = run("train_arc_mnist.py", f"--resume={out}", "--patience=0", more)
    assert process.returncode == 0, process.stderr
    lines = process.stdout.splitlines()
    assert count(lines, f"Eval at {kept[0].step * (len(kept) + 1)}") == 2
    assert count(lines, "valid_accuracy") == 1
    trained = variables_of(out)

    # Its folder is not moved aside while another one starts from its weights.
    best = os.path.join(out, BEST_FOLDER)
    process = run_here(
        "train_arc_mnist.py", *flags, f"--output_dir={out}", f"--init_from={best}"
    )
    assert process.returncode == 2
    assert process.stderr.splitlines()[-1].startswith(
        f"train_arc_mnist.py: init_from is {best}, which is moved aside with output_dir"
    )
    assert found_in(best) == [path] and not os.path.exists(f"{out}.1")

    # Another one starts from its weights, and from new ones where shapes differ.
    other = str(tmp_path / "other")
    process = run_here(
        "train_arc_mnist.py",
        *flags,
        f"--output_dir={other}",
        f"--init_from={out}",
        "--max_minutes=1e-9",
        "--child_use_aux_heads=False",
        "--log_every=1",
    )
    assert process.returncode == 0, process.stderr
    assert count(process.stdout.splitlines(), "epoch = ") == 1
    assert f"weight tensors start from {found_in(out)[-1]}" in process.stderr
    assert process.stderr.splitlines()[-1].endswith(f"--resume={other}")
    started = variables_of(other)
    for name in ("child/head/w", "child/stem_conv/kernel"):
        np.testing.assert_allclose(started[name], trained[name], atol=1e-6)


def test_weights_of_nothing_alike_are_refused(tmp_path):
    process = run_here(
        "train_arc_mnist.py",
        *SMALL,
        f"-fixed_arc={SMALL_ARC}",
        f"--output_dir={tmp_path / 'out'}",
        f"--init_from={tmp_path}",
    )
    assert process.returncode == 1
    last = process.stderr.splitlines()[-1]
    assert last == (
        f"train_arc_mnist.py: init_from: {tmp_path} has no checkpoint of a run"
    )


def graph_of(**shapes):
    """A graph of trained variables that hold ones."""
    graph = tf.Graph()
    with graph.as_default():
        for name, shape in shapes.items():
            tf.compat.v1.get_variable(name, shape, initializer=tf.ones_initializer())
    return graph.as_default()


def test_weights_that_fit_are_taken_over(tmp_path, capfd):
    out = str(tmp_path)
    with graph_of(kept=[2], other=[2]), Session(out, None, 10.0) as session:
        session.save()
    with graph_of(kept=[2], other=[3], new=[1]):
        variables = tf.compat.v1.trainable_variables()
        zeros = [variable.assign(tf.zeros_like(variable)) for variable in variables]
        start = WarmStart(out).start
        with tf.compat.v1.Session() as session:
            session.run(zeros)
            start(session)
            kept, other, new = session.run(variables)
    assert kept.tolist() == [1, 1] and not other.any() and not new.any()
    (line,) = capfd.readouterr().err.splitlines()[-1:]
    assert line.startswith(f"1 of 3 weight tensors start from {found_in(out)[-1]}; ")
    assert line.endswith("none of their shape: new, other")


def test_a_run_of_which_nothing_fits_is_refused(tmp_path):
    out = str(tmp_path)
    with graph_of(w=[2]), Session(out, None, 10.0) as session:
        session.save()
    with graph_of(w=[3]), pytest.raises(InputError, match="no weight of the run in"):
        WarmStart(out)
    with open(found_in(out)[-1] + ".index", "wb") as stream:
        stream.write(b"nonsense")
    with graph_of(w=[2]), pytest.raises(InputError, match=r"init_from: .* is damaged"):
        WarmStart(out)


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (("--resume",), 2, "resume one run, by its folder"),
        (("--resume=",), 2, "resume one run, by its folder"),
        (("--resume=out", "--resume=out"), 2, "resume one run, by its folder"),
        (("--resume=out", "--output_dir=x"), 2, "--resume says what output_dir would"),
        (("--resume=out", CONTINUED), 2, "--resume says what reset_output_dir would"),
        (("--resume=out", "--recipe=faithful"), 2, "--resume says what recipe would"),
        (("--resume=nowhere",), 1, "name the output folder of a run"),
        (("--resume=x", "--seed", "1"), 1, "name the output folder of a run"),
    ],
)
def test_resume_names_one_folder(words, status, message):
    process = run_here("search_arc_mnist.py", *words)
    assert (process.returncode, process.stdout) == (status, "")
    (line,) = process.stderr.splitlines()
    assert line.startswith("search_arc_mnist.py: ") and message in line
