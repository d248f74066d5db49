"""Logs read back, and what analyze_log prints of them."""

import io
import os
import random
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enas.base.errors import InputError
from enas.base.picture_files import STARTS
from enas.base.statistics import mean_and_error, standard_error
from enas.base.text_table import terminal_width
from enas.report import log_reader as report_names
from enas.report.analysis import report
from enas.report.log import FACTS, flag_line
from enas.report.log_plot import draw
from enas.report.log_reader import read_log
from enas.report.log_records import Architecture
from enas.session.output_dir import LOG_FILE
from enas.space.arc import numbers_of, random_arc
from tests.analyses import ARC, command_flags, only, parsed, run_main
from tests.log_files import (
    OLDER,
    SPECIFIED,
    epoch_lines,
    fact_lines,
    flag_lines,
    search_log,
    training_log,
)

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SMALL = (
    "".join(
        flag_line(name, value) + "\n"
        for name, value in {
            "output_dir": "./mine",
            "batch_size": 128,
            "seed": 5,
        }.items()
    )
    + fact_lines(steps_per_epoch=250)
    + epoch_lines(1, random.Random(1), cells=1, steps=250, log_every=100)
)


def test_the_specified_format():
    run = only(SPECIFIED)
    assert run.flags == {}
    assert run.child_steps == [(181, 77850, 0.127491, 108, 128, 549.07)]
    assert run.controller_samples == [(182, 77850, 49.17, 0.9688, 0.97, 5430)]
    assert run.architectures == [Architecture(182, 77850, ARC, 0.9688)]
    assert run.evaluations == [
        (182, 78260, "valid", 0.9612, 5000),
        (182, 78260, "test", 0.9622, 10000),
    ]
    assert run.steps_per_epoch() == 430
    assert run.epochs() == 182


def test_the_older_format():
    run, specified = only(OLDER), only(SPECIFIED)
    assert run.records()[1:3] == specified.records()[1:3]
    assert run.evaluations == [
        one._replace(images=None) for one in specified.evaluations
    ]
    assert run.child_steps == [(181, 77850, 0.127491, 18, 160, 549.07)]
    spaced = OLDER.replace("=18 /160", " = 18 /160").replace("=", " = ")
    assert only(spaced) == run


def test_the_facts_of_a_log_s_head():
    run = only(search_log(1, facts={"valid_images": 115, "classes": "cat, dog"}))
    assert run.facts["classes"] == "cat, dog" and run.fact("classes") is None
    assert (run.fact("train_images"), run.fact("valid_images")) == (55000, 115)
    assert not set(FACTS) & set(run.flags)
    first = only(search_log(1, facts={}).partition("Epoch 1")[0])
    assert first.steps_per_epoch() == 430 and first.epochs() == 0
    none = only(search_log(1))
    assert (none.facts, none.fact("train_images")) == ({}, None)


def test_a_validation_set_that_is_smaller_than_a_batch():
    """Its size is a fact of the head, or else a line of the evaluation."""
    text = search_log(2)
    assert only(text).valid_batch() == 128
    assert only(text.replace("examples:  5000", "examples:  115")).valid_batch() == 115
    assert only(text.replace("examples:  10000", "examples:  90")).valid_batch() == 128
    run = only(search_log(1, facts={"valid_images": 115}).partition("Epoch 1: Ev")[0])
    assert "batch of 115 validation images" in " ".join(report({1: run}, 3, 0).split())


def test_time_of_a_step():
    """From lines with nothing but steps between them; the minutes may start again."""
    run = only(search_log(2))  # of which each step takes two seconds
    assert run.seconds_per_step() == pytest.approx(2, rel=0.01)
    slow = [
        step._replace(minutes=step.minutes + 100 * (step.step > 430))
        for step in run.child_steps
    ]
    assert run._replace(child_steps=slow).seconds_per_step() == pytest.approx(2, 0.01)
    again = [
        step._replace(minutes=step.minutes - 5 * (step.step > 200))
        for step in run.child_steps
    ]
    assert run._replace(child_steps=again).seconds_per_step() == pytest.approx(2, 0.01)
    few = run._replace(child_steps=run.child_steps[:3])
    assert few.seconds_per_step() is None


@pytest.mark.parametrize("cells", [3, 5, 7, 20])
def test_cells_of_any_size_as_numpy_wraps_them(cells):
    arc = random_arc(cells, random.Random(cells))
    normal, reduction = np.array(numbers_of(arc)).reshape(2, -1)
    for width in (12, 40, 75):
        shown = [
            np.array2string(cell, max_line_width=width) for cell in (normal, reduction)
        ]
        assert cells < 5 or width > 12 or "\n" in shown[0]
        text = (
            f"Epoch 3: Training controller\n{shown[0]}\n{shown[1]}\nval_acc = 0.5000\n"
        )
        assert only(text).architectures == [Architecture(3, 0, arc, 0.5)]
    run = only(search_log(2, cells=cells))
    assert [len(a.arc.reduction) for a in run.architectures] == [cells] * 20


def test_line_ends_and_bytes_of_other_systems(tmp_path):
    path = tmp_path / "log.txt"
    for content in (
        SPECIFIED.replace("\n", "\r\n").encode(),
        SPECIFIED.encode("utf-16"),
        b"\xef\xbb\xbf" + SPECIFIED.encode(),
        SPECIFIED.encode().replace(
            b"Here are", b"\xff\xfe\x00\nepoch 3: 1%|\rHere are"
        ),
        SPECIFIED.rstrip("\n").encode(),
    ):
        path.write_bytes(content)
        assert read_log(str(path)) == parsed(SPECIFIED)


def test_damaged_strings_are_left_out():
    for damaged in (
        SPECIFIED.replace("[0 2 1 4", "[2 2 1 4"),  # block 0 reads node 0 or 1
        SPECIFIED.replace("[0 2 1 4", "[0 2 1"),
        SPECIFIED.replace("[0 2 1 4", "0 2 1 4"),
        SPECIFIED.replace("val_acc = 0.9688", "val_acc = 0.968"),
        SPECIFIED.replace("[1 3", "-----\n[1 3"),
    ):
        assert damaged != SPECIFIED
        assert only(damaged).architectures == []
        assert only(damaged + SPECIFIED.replace("77850", "77851")).architectures == (
            [Architecture(182, 77851, ARC, 0.9688)]
        )


def test_a_log_cut_off_anywhere_tells_a_part_of_the_same():
    text = SMALL + OLDER
    whole = parsed(text)
    assert len(whole) == 1 and len(whole[0].architectures) == 11
    told = set()
    for end in range(len(text)):
        runs = parsed(text[:end])
        told.add(len(runs))
        for run in runs:
            if run.child_steps and run.child_steps[-1].minutes is None:  # cut off
                run.child_steps[-1] = whole[0].child_steps[len(run.child_steps) - 1]
            for some, all_ in zip(run.records(), whole[0].records(), strict=True):
                assert some == all_[: len(some)]
            assert run.facts.items() <= whole[0].facts.items()
            assert run.flags.items() <= whole[0].flags.items()
            report({1: run}, 10, False)
    assert told == {0, 1}


edits = st.lists(
    st.tuples(
        st.integers(0, 10**6), st.sampled_from("aio"), st.binary(min_size=1, max_size=9)
    ),
    min_size=1,
    max_size=30,
)


def damage(content: bytes, changes) -> bytes:
    content = bytearray(content)
    for place, kind, added in changes:
        start = place % (len(content) + 1)
        end = start if kind == "i" else start + len(added) * 10 ** (kind == "o")
        content[start:end] = b"" if kind == "o" else added
    return bytes(content)


@settings(max_examples=500, deadline=None)
@given(edits)
def test_a_damaged_log_is_read_or_refused(tmp_path_factory, changes):
    path = tmp_path_factory.getbasetemp() / "damaged.txt"
    path.write_bytes(damage((SMALL + OLDER).encode(), changes))
    try:
        runs = read_log(str(path))
    except InputError as error:
        assert str(path) in str(error)
    else:
        assert report(dict(enumerate(runs, 1)), 10, True)


@settings(max_examples=3, deadline=None)
@given(edits)
def test_a_damaged_log_is_drawn(changes):
    for run in parsed(damage(SMALL.encode(), changes).decode(errors="replace")):
        draw(run, "damaged").savefig(io.BytesIO(), dpi=20)


def test_several_runs():
    runs = parsed(search_log(3, seed=1) + search_log(1, seed=2, cells=3) + OLDER)
    assert [run.epochs() for run in runs] == [3, 182]
    assert [len(run.architectures) for run in runs] == [30, 11]
    restarted = search_log(2, seed=1) + epoch_lines(1, random.Random(2))
    assert [run.epochs() for run in parsed(restarted)] == [2, 1]
    # One that ended before its first step tells nothing, and leaves no flag behind.
    other = flag_lines(data_path="./data/cifar10")
    runs = parsed(search_log(1) + other + search_log(1, seed=2))
    assert len(runs) == 2 and "data_path" not in runs[1].flags


def test_a_continued_run_is_one_run():
    rng = random.Random(5)
    stopped = search_log(2) + epoch_lines(3, rng)[:900]
    after = "".join(epoch_lines(number, rng) for number in (3, 4))
    run = only(stopped + flag_lines(reset_output_dir=False) + after)
    steps = [step.step for step in run.child_steps]
    assert steps == list(range(25, 4 * 430 + 1, 25))
    assert [e.epoch for e in run.evaluations] == [1, 1, 2, 2, 3, 3, 4, 4]
    assert len(run.architectures) == 40
    elsewhere = flag_lines(reset_output_dir=False, output_dir="other")
    assert len(parsed(stopped + "\n" + elsewhere + after)) == 2


@pytest.mark.parametrize("evaluated", [True, False])
def test_epochs_without_headlines(evaluated):
    """Where no controller trains, epochs follow from the child's steps; 5 · 430 is a
    logged step."""
    rng = random.Random(1)
    text = "".join(
        epoch_lines(number, rng, controller=False, evaluated=evaluated)
        for number in range(1, 7)
    )
    epochs = [a.epoch for a in only(text).architectures]
    assert epochs == [number for number in range(1, 7) for _ in range(10)]


def test_strings_before_the_first_step_of_a_log_without_its_beginning():
    rng = random.Random(1)
    text = epoch_lines(7, rng).partition("Here are")[2] + epoch_lines(8, rng)
    headless = text.replace("Epoch 7: Eval\n", "")
    for log_text in (text, headless):
        epochs = [a.epoch for a in only(log_text).architectures]
        assert epochs == [7] * 10 + [8] * 10


def test_best_strings_and_repeated_ones():
    other = random_arc(5, random.Random(1))
    text, cell = SPECIFIED, "[" + " ".join(map(str, numbers_of(other)[:20])) + "]"
    again = (
        f"{cell}\n[{' '.join(map(str, numbers_of(other)[20:]))}]\nval_acc = 0.9800\n"
    )
    again += again.replace("0.9800", "0.9900")
    text = text.replace("Epoch 182: Eval", again + "Epoch 182: Eval")
    lines = report({1: only(text)}, 10, False).splitlines()
    assert lines[0] == "The best 2 of 2 sampled strings:"
    assert lines[3].split(maxsplit=4) == ["0.9850", "0.0076", "2", "182", str(other)]
    assert lines[4].split(maxsplit=4) == ["0.9688", "0.0154", "1", "182", str(ARC)]
    assert "batch of 128 validation images" in lines[6]
    assert len(report({1: only(text)}, 1, False).splitlines()) == len(lines) - 1


def test_a_string_that_recurs_is_before_a_lucky_one():
    lucky = random_arc(5, random.Random(3))
    text = SPECIFIED.replace("0.9688", "0.9531")
    block = text[text.index("[0 2 1 4") : text.index("-----")]
    numbers = numbers_of(lucky)
    once = f"{numbers[:20]}\n{numbers[20:]}\nval_acc = 0.9609\n".replace(",", "")
    run = only(text.replace(block, block * 5 + once))
    assert [a.accuracy for a in run.architectures] == [0.9531] * 5 + [0.9609]
    rows = report({1: run}, 10, False).splitlines()[3:5]
    assert [row.split(maxsplit=4)[4] for row in rows] == [str(ARC), str(lucky)]


def test_epochs_of_strings_without_a_round():
    """As of a search without controller, of fewer steps an epoch than log_every."""
    text = (
        "epoch = 1 ch_step = 25 loss = 2.3 lr = 0.05 |g| = 1.0 tr_acc = 1/20 mins = 0.1"
    )
    for epoch in (2, 3):
        text += (
            f"\nHere are 10 architectures\n[0 2 1 4]\n[1 3 1 4]\nval_acc = 0.1000\n"
            f"Epoch {epoch}: Eval\nEval at {16 * epoch}\nvalid_accuracy: 0.1000\n"
        )
    assert [a.epoch for a in only(text).architectures] == [2, 3]


@pytest.mark.parametrize("epoch", [1, 2])
@pytest.mark.parametrize(
    ("cut", "again"),
    [
        ("epoch = {before}     ch_step = {late} ", ""),
        ("ctrl_step = {updates} ", "Epoch {epoch}: Training controller\n"),
        ("Here are", ""),
        ("Epoch {epoch}: Eval", "Here are"),
    ],
)
def test_a_run_that_was_interrupted_anywhere_is_one_run(epoch, cut, again):
    """Within an epoch, a round, the strings or the evaluation; what is done again is
    told once."""
    whole = search_log(3, seed=1)
    numbers = {"epoch": epoch, "before": epoch - 1, "late": 430 * epoch - 30}
    numbers["late"] -= numbers["late"] % 25
    numbers["updates"] = 30 * (epoch - 1) + 15
    start = 0 if epoch == 1 else whole.index("Epoch 1: Eval")
    place = whole.index(cut.format(**numbers), start)
    again = again.format(**numbers)
    if again == "Here are":  # the strings are drawn again
        rest = whole[whole.index("Here are", start) :]
    else:
        rest = again + whole[place:]
    run = only(whole[:place] + flag_lines(reset_output_dir=False) + rest)
    expected = only(whole)
    assert run.child_steps == expected.child_steps
    for records, others in zip(run.records(), expected.records(), strict=True):
        # A log that starts within a round does not tell the child's step.
        assert [r._replace(step=0) for r in records] == [
            r._replace(step=0) for r in others
        ]


def test_a_run_is_continued_after_another_one():
    flags = {"output_dir": "mine"}
    parts = search_log(2, seed=1, changed=flags)
    other = search_log(1, seed=2, changed={"output_dir": "other"})
    more = search_log(3, seed=3, changed=flags | {"reset_output_dir": False})
    body = more.index("epoch =")
    third = more[:body] + more[more.index("epoch = 2 ") :]
    runs = parsed(parts + other + third)
    assert sorted(run.epochs() for run in runs) == [1, 3]


def continued(first: str, then: str) -> str:
    """A log of three epochs, whose run goes on in a folder by another name."""
    later = {"output_dir": then, "reset_output_dir": False}
    more = search_log(3, seed=3, changed=later)
    rest = more[: more.index("epoch =")] + more[more.index("epoch = 2 ") :]
    return search_log(2, seed=1, changed={"output_dir": first}) + rest


def test_a_run_is_continued_in_its_folder_by_another_spelling(tmp_path):
    assert only(continued("./outputs", "outputs")).epochs() == 3
    assert only(continued("runs/../outputs", "outputs/")).epochs() == 3
    moved = continued("./outputs", "outputs.1")
    assert len(parsed(moved)) == 2
    (tmp_path / "log.txt").write_text(moved)
    (run,) = read_log(str(tmp_path))
    assert run.epochs() == 3


def test_means_and_standard_errors():
    assert mean_and_error([1.0, 2.0, 3.0]) == (2.0, pytest.approx(3**-0.5))
    assert standard_error(0.5, 100) == pytest.approx(0.05)
    assert standard_error(1.0, 128) == standard_error(127 / 128, 128) > 0
    assert standard_error(0.0, 128) == standard_error(1.0, 128)


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "mnist_search.txt"
    path.write_text(search_log(2, seed=1) + search_log(3, seed=2, cells=3))
    return path


def test_command(log, capsys):
    before = log.read_bytes()
    status, out, err = run_main(capsys, log, "--best=4")
    picture = log.with_suffix(".png")
    assert (status, err) == (0, f"analyze_log: the picture is {picture}\n")
    assert out.startswith("The best 4 of 50 sampled strings:\n")
    rows = re.findall(r"^ +(0\.\d{4}) +0\.\d{4} +1 +(\d) +(\d) +([\d ]+)$", out, re.M)
    assert len(rows) == 4
    accuracies = [a.accuracy for run in read_log(str(log)) for a in run.architectures]
    assert [float(row[0]) for row in rows] == sorted(accuracies, reverse=True)[:4]
    command = re.search(r"^enas_env/bin/python train.*$", out, re.M)[0]
    assert command_flags(command)[0].fixed_arc == rows[0][3]
    assert picture.read_bytes().startswith(STARTS[".png"])
    assert len(picture.read_bytes()) > 20_000
    assert log.read_bytes() == before
    assert run_main(capsys, log)[0] == 0  # a picture may be replaced
    assert sorted(os.listdir(log.parent)) == ["mnist_search.png", "mnist_search.txt"]


def test_the_output_folder_of_a_run(tmp_path, capsys):
    (tmp_path / LOG_FILE).write_text(search_log(1))
    status, out, err = run_main(capsys, tmp_path)
    assert (status, err) == (0, f"analyze_log: the picture is {tmp_path}/log.png\n")
    assert f"\nenas_env/bin/python -m enas.rank_arcs {tmp_path} --draw=25\n" in out
    assert (tmp_path / "log.png").read_bytes().startswith(STARTS[".png"])
    assert report_names.LOG_FILE == LOG_FILE


@pytest.mark.parametrize(
    ("folder", "named"),
    [("./outputs", "./outputs"), ("my runs", "'my runs'"), (None, "FOLDER")],
)
def test_the_command_that_ranks_strings(folder, named):
    text = (
        SPECIFIED if folder is None else search_log(1, changed={"output_dir": folder})
    )
    told = report({1: only(text)}, 1, False)
    assert f"\nenas_env/bin/python -m enas.rank_arcs {named} --draw=25\n" in told
    assert ("where FOLDER is the search's" in " ".join(told.split())) == (not folder)


@pytest.mark.parametrize("several_runs", [False, True])
def test_a_table_that_fits_a_terminal(several_runs):
    runs = {1: only(search_log(1))}
    wide = report(runs, 3, several_runs)
    assert wide == report(runs, 3, several_runs, columns=200)
    narrow = report(runs, 3, several_runs, columns=80)
    prose = [line for line in narrow.splitlines() if "train_arc" not in line]
    assert max(map(len, prose)) <= 80
    rows, halves = wide.splitlines()[2:6], narrow.splitlines()[2:9]
    place = rows[0].index("string")
    assert halves[0] == rows[0].rstrip()
    for number, row in enumerate(rows[1:]):
        first, second = halves[1 + 2 * number : 3 + 2 * number]
        assert first == row[: place + 39]
        assert second == " " * place + row[place + 40 :]


def test_the_width_of_a_terminal(monkeypatch):
    pty = pytest.importorskip("pty")
    termios = pytest.importorskip("termios")
    monkeypatch.delenv("COLUMNS", raising=False)
    one, other = pty.openpty()
    with open(one, "wb"), open(other, "w") as terminal:
        termios.tcsetwinsize(other, (24, 97))
        assert terminal_width(terminal) == 97
        monkeypatch.setenv("COLUMNS", "60")
        assert terminal_width(terminal) == 60
    assert terminal_width(terminal) is None  # closed
    assert terminal_width(io.StringIO()) is None and terminal_width(None) is None


def test_one_run_of_several(log, capsys, tmp_path):
    _, out, _ = run_main(capsys, log, "--run=1", "--output", tmp_path / "one.PNG")
    assert "of 20 sampled strings" in out and "--child_num_cells" not in out
    _, out, _ = run_main(capsys, log, "--run=2", "--output", tmp_path / "two.png")
    assert "of 30 sampled strings" in out and "--child_num_cells=3" in out
    assert (tmp_path / "one.PNG").read_bytes() != (tmp_path / "two.png").read_bytes()


@pytest.mark.parametrize(("ending", "start"), [(".svg", b"<?xml"), (".pdf", b"%PDF")])
def test_other_formats(log, capsys, tmp_path, ending, start):
    path = tmp_path / f"picture{ending}"
    assert run_main(capsys, log, f"--output={path}")[0] == 0
    assert path.read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "arguments are required: log"),
        (["LOG", "--best=0"], "'0' is no whole number above 0"),
        (["LOG", "--best=²"], "is no whole number"),
        (["LOG", "--run=3"], "--run is 3; "),
        (["LOG", "LOG", "--run=1"], "--run picks a run of one log"),
        (["LOG", "--output=x.jpg"], "it ends in .png, .svg or .pdf"),
        (["LOG", "--output="], "it ends in .png, .svg or .pdf"),
        (["LOG", "--bset=3"], "unrecognized arguments: --bset=3"),
    ],
)
def test_wrong_usage(log, capsys, arguments, message):
    arguments = [log if word == "LOG" else word for word in arguments]
    status, out, err = run_main(capsys, *arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("analyze_log: ") and message in err
    assert os.listdir(log.parent) == [log.name]


def test_files_that_are_no_log(tmp_path, capsys):
    (tmp_path / "empty.txt").touch()
    (tmp_path / "flags.txt").write_text(flag_lines())
    (tmp_path / "binary.txt").write_bytes(random.Random(1).randbytes(100_000))
    for name, message in (
        ("missing.txt", "there is no file"),
        ("", "has no log.txt; name the log of a run"),
        ("empty.txt", "is empty; name the file"),
        ("flags.txt", "has no line of a search's log; name the file"),
        ("binary.txt", "has no line of a search's log; name the file"),
    ):
        output = tmp_path / "picture.png"
        status, out, err = run_main(capsys, tmp_path / name, "--output", output)
        assert (status, out, err.count("\n")) == (1, "", 1)
        assert message in err and str(tmp_path / name) in err
        assert not output.exists()
    if os.path.exists("/dev/zero"):
        assert "no ordinary file" in run_main(capsys, "/dev/zero", "--output=a.png")[2]


def test_pictures_that_cannot_be_written(log, capsys, tmp_path):
    (tmp_path / "text.png").write_text("mine")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "drawing.svg").write_text("<svg/>")
    for name, message in (
        ("text.png", "exists and is no PNG file, so it is not written over; remove"),
        ("folder.png", "exists and is no PNG"),
        ("drawing.svg", "exists and is no SVG"),
        ("none/picture.png", "there is no folder"),
    ):
        status, out, err = run_main(capsys, log, "--output", tmp_path / name)
        assert (status, err.count("\n")) == (1, 1)
        assert message in err and str(tmp_path / name) in err
        assert "sampled strings" in out
    assert (tmp_path / "text.png").read_text() == "mine"
    assert (tmp_path / "drawing.svg").read_text() == "<svg/>"
    renamed = log.rename(tmp_path / "log.png")
    before = renamed.read_bytes()
    assert run_main(capsys, renamed)[0] == 1 and renamed.read_bytes() == before


def test_a_search_that_has_shown_no_strings_yet(tmp_path, capsys):
    path = tmp_path / "log.txt"
    path.write_text(search_log(1).partition("Epoch 1")[0])
    status, out, _ = run_main(capsys, path)
    assert (status, out) == (0, "no sampled strings in the log yet\n")
    assert path.with_suffix(".png").stat().st_size > 10_000


def test_what_a_training_s_log_tells():
    run = only(training_log(3, seed=3))
    told = report({1: run}, 10, False)
    assert told.startswith("A training of one string, after 3 of 300 epochs:\n")
    valid = [e.accuracy for e in run.evaluations if e.split == "valid"]
    test = [e.accuracy for e in run.evaluations if e.split == "test"]
    picked = valid.index(max(valid))
    assert picked < 2  # the best epoch is not the last
    (row,) = re.findall(r"^valid .*$", told, re.M)
    error = f"{standard_error(valid[-1], 5000):.4f}"
    assert row.split()[1:5] == [f"{valid[-1]:.4f}", error, "3", f"{max(valid):.4f}"]
    assert row.split()[6] == str(picked + 1)
    assert (
        f"pick epoch {picked + 1}, where test accuracy was {test[picked]:.4f}."
    ) in " ".join(told.split())
    start = training_log(1).partition("Epoch 1")[0]
    assert "no evaluation in the log yet. At step 425 " in report(
        {1: only(start)}, 10, False
    )


def test_as_a_program_without_tensorflow(log):
    words = [sys.executable, "-X", "importtime", "-m", "enas.analyze_log", str(log)]
    process = subprocess.run(
        words, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "The best 10 of 50 sampled strings" in process.stdout
    imported = {line.rpartition("|")[2].strip() for line in process.stderr.splitlines()}
    assert "matplotlib.figure" in imported
    assert not imported & {"tensorflow", "keras", "matplotlib.pyplot"}


def test_a_reader_that_has_seen_enough(log):
    words = [sys.executable, "-u", "-m", "enas.analyze_log", str(log)]
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as nobody:
        process = subprocess.run(
            words, cwd=ROOT, stdout=nobody, stderr=subprocess.PIPE, check=False
        )
    picture = log.with_suffix(".png")
    assert process.stderr.decode() == f"analyze_log: the picture is {picture}\n"
    assert process.returncode == 0 and picture.exists()
