"""Many trainings at once, with a train script that takes a second; the runs with the
real one are in test_train_arcs.py."""

import glob
import io
import json
import os
import random
import signal
import subprocess
import sys
import time

import psutil
import pytest

from enas.base.errors import InputError, UsageError
from enas.flags.table import Settings
from enas.many import attempts, cores, orders
from enas.many.engines import engine_named
from enas.many.folder import read
from enas.many.orders import Ended, Order, run_here
from enas.many.plan import Plan
from enas.many.plot import draw
from enas.many.processes import Processes
from enas.many.progress import Progress
from enas.many.strings import Wanted, once, wanted
from enas.many.table import Rows, table, table_of_means
from enas.many.trainings import (
    FAILED,
    FINISHED,
    PAUSED,
    RUNNING,
    WAITING,
    Result,
    Training,
    is_complete,
    named,
)
from enas.report import ranking
from tests import fake_training
from tests.runs import ARC, ROOT

ARCS = [f"0 {n} 0 0 0 0 0 0" for n in range(5)]


@pytest.fixture
def wrong(monkeypatch):
    """Says what shall go wrong with which string."""

    def say(**of_number):
        said = {ARCS[int(name[1:])]: what for name, what in of_number.items()}
        monkeypatch.setenv("FAKE", json.dumps(said))

    return say


def states(trainings):
    return [one.state for one in trainings]


def steps_of(folder):
    """The steps of a log, in its order."""
    with open(os.path.join(folder, "log.txt"), encoding="utf-8") as stream:
        return [int(line.split()[5]) for line in stream if "ch_step" in line]


def below(folder):
    """The processes that work in a folder."""
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any(f"={folder}/" in word for word in process.info["cmdline"] or ())
    ]


def has_moved(process):
    """Whether a training has written a checkpoint since it was started."""
    (word,) = [w for w in process.info["cmdline"] if w.startswith("--output_dir=")]
    files = glob.glob(f"{word.partition('=')[2]}/model.ckpt-*.index")
    return any(os.path.getmtime(file) > process.create_time() for file in files)


def test_a_table_that_fills(tmp_path, capsys):
    """Each training is in a folder of its own; what has finished is left alone."""
    folder = str(tmp_path / "alone")
    trainings = fake_training.train(folder, ARCS[:3], 2, seed=1)
    out, err = capsys.readouterr()
    assert states(trainings) == [FINISHED] * 3
    assert sorted(os.listdir(folder)) == sorted(
        ["alone.json"]
        + [name for one in trainings for name in (one.name, f"{one.name}.stderr.txt")]
    )
    assert [one.name for one in trainings] == [f"0{n}-controller" for n in (1, 2, 3)]
    lines = out.splitlines()
    assert len(lines) == 2 * 4 and lines[0].split() == lines[4].split()
    assert lines[5].split()[:6] == [
        "03-controller",
        "0.9200",
        "0.0271",
        "20.00",
        "%",
        "500",
    ]
    assert err.count("starts") == err.count("finished, valid_accuracy 0.9") == 3
    before = {one.name: steps_of(one.folder(folder)) for one in trainings}
    trainings = fake_training.train(folder, ARCS[:4], 2, seed=1)
    assert states(trainings) == [FINISHED] * 4 and trainings[3].name == "04-controller"
    assert before == {name: steps_of(os.path.join(folder, name)) for name in before}
    out, err = capsys.readouterr()
    assert err.count("starts") == 1 and len(out.splitlines()) == 2 + 5
    assert [one.arc for one in read(folder)[2]] == ARCS[:4]


def test_a_string_of_several_seeds(tmp_path, capsys):
    folder = str(tmp_path / "alone")
    fake_training.train(folder, ARCS[:1], 2, seeds=2)
    out, err = capsys.readouterr()
    assert err.count("starts") == 2 and "\n\nmean of " in out
    trainings = fake_training.train(folder, ARCS[:1], 2, seeds=3)
    assert states(trainings) == [FINISHED] * 3
    for seed, one in enumerate(trainings, start=1):
        with open(f"{one.folder(folder)}/flags.json", encoding="utf-8") as stream:
            assert json.load(stream)["seed"] == str(seed)
    out, err = capsys.readouterr()
    assert err.count("starts") == 1
    shown = "01-controller 3 0.9000 0.0000 20.00 % 0.00 % 0.00 %"
    assert out.splitlines()[-1].split() == shown.split()


def test_what_dies_goes_on(tmp_path, wrong, capsys):
    """From its last checkpoint, as long as that moves; others are unharmed."""
    wrong(_0="die", _1="die at once", _2="fail")
    trainings = fake_training.train(str(tmp_path), ARCS[:4], 4)
    assert states(trainings) == [FINISHED, FAILED, FAILED, FINISHED]
    err = capsys.readouterr().err
    dead = "ended by SIGKILL; it goes on from its last checkpoint"
    assert err.count(f"01-controller: {dead}") == fake_training.STEPS - 1
    assert err.count(f"02-controller: {dead}") == attempts.MOST_DEATHS
    assert "02-controller: failed: ended by SIGKILL, 4 times without a new" in err
    assert "03-controller: failed: fake: the images are gone" in err
    for one in (trainings[0], trainings[3]):
        whole = list(range(1, fake_training.STEPS + 1))
        assert steps_of(one.folder(str(tmp_path))) == whole
    wrong()  # it is mended
    trainings = fake_training.train(str(tmp_path), ARCS[:4], 4)
    assert states(trainings) == [FINISHED] * 4


def test_one_that_could_not_be_saved_says_why(tmp_path):
    """It was asked to leave, but that is not what it ended with."""

    class FullDisk:
        def run(self, order):
            with open(order.errors, "a", encoding="utf-8") as errors:
                errors.write("fake: there is no space left\n")
            return Ended(1, left=True)

    training = Training("01-controller", ARC, "controller", 0.5)
    order = Order((), str(tmp_path), "", 1, "")
    plan = Plan("fake.py", (), {}, Settings(num_epochs=1))
    attempts.train(training, FullDisk(), order, str(tmp_path), plan, lambda _: None)
    assert training.state == FAILED
    assert training.reason == "fake: there is no space left"


def test_kills_at_random(tmp_path):
    """Trainings are killed from outside, twelve times."""
    command = [sys.executable, "-m", "tests.fake_training", str(tmp_path), "3", *ARCS]
    process = subprocess.Popen(command, cwd=ROOT, stdout=-3, stderr=-3)
    rng, kills = random.Random(1), 0
    while process.poll() is None:
        time.sleep(rng.uniform(0.1, 0.3))
        at_work = below(tmp_path)
        # Not before its next checkpoint, lest it dies too often without one.
        moved = [one for one in at_work if has_moved(one)]
        if moved and kills < 12:
            rng.choice(moved).kill()
            kills += 1
    assert process.returncode == 0 and kills > 3
    for one in read(str(tmp_path))[2]:
        assert set(steps_of(one.folder(str(tmp_path)))) == set(
            range(1, fake_training.STEPS + 1)
        )


def started(folder):
    """The command on five strings, once some are at work."""
    command = [sys.executable, "-m", "tests.fake_training", str(folder), "2", *ARCS]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 60
    while not any(
        name.endswith("log.txt") for _, _, names in os.walk(folder) for name in names
    ):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    return process


def gone(folder):
    """Whether all its processes end within some seconds."""
    deadline = time.monotonic() + 10
    while below(folder) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not below(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_process(tmp_path, number):
    process = started(tmp_path)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert not below(tmp_path)
    assert err.splitlines()[-1] == "fake: interrupted and saved"
    assert "saving …" in err and "controller is paused: it was asked to leave" in out
    assert {one.state for one in read(str(tmp_path))[2]} <= {PAUSED, WAITING, FINISHED}
    trainings = fake_training.train(str(tmp_path), ARCS, 5)
    assert states(trainings) == [FINISHED] * 5
    for one in trainings:  # no step was lost, none was done twice
        steps = steps_of(one.folder(str(tmp_path)))
        assert steps == list(range(1, fake_training.STEPS + 1))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children so")
def test_a_killed_command(tmp_path):
    process = started(tmp_path)
    process.kill()
    process.communicate()
    assert gone(tmp_path)
    assert any(name.startswith(".at-work-") for name in os.listdir(tmp_path))
    trainings = fake_training.train(str(tmp_path), ARCS, 5)
    assert states(trainings) == [FINISHED] * 5
    assert not any(name.startswith(".at-work-") for name in os.listdir(tmp_path))


def test_a_command_that_was_killed_before_it_kept_anything(tmp_path):
    (tmp_path / ".at-work-0123456789abcdef").touch()
    trainings = fake_training.train(str(tmp_path), ARCS[:1], 1)
    assert states(trainings) == [FINISHED]


def test_two_commands_in_a_folder(tmp_path):
    process = started(tmp_path)
    with pytest.raises(InputError, match="another train_arcs is at work in"):
        fake_training.train(str(tmp_path), ARCS, 2)
    process.communicate()
    assert process.returncode == 0


def test_other_flags_are_named(tmp_path):
    fake_training.train(str(tmp_path), ARCS[:1], 1, seed=1, child_out_filters=8)
    kept = (tmp_path / "alone.json").read_bytes()
    with pytest.raises(
        UsageError, match=r"another seed \(was 1\); name another --fold"
    ):
        fake_training.train(str(tmp_path), ARCS, 2, seed=2, child_out_filters=8)
    assert (tmp_path / "alone.json").read_bytes() == kept
    fake_training.train(
        str(tmp_path), ARCS[:1], 1, seed=1, child_out_filters=8, max_minutes=3
    )
    # A folder of before there was a flag had its default.
    newer = {"seed": 1, "child_out_filters": 8, "child_ops": "classic", "fit_kb": 0.0}
    fake_training.train(str(tmp_path), ARCS[:1], 1, **newer)
    with pytest.raises(UsageError, match=r"another fit_kb \(was 0.0\); name"):
        fake_training.train(str(tmp_path), ARCS[:1], 1, **newer | {"fit_kb": 9.0})


def test_foreign_folders_are_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="holds files that are not of trainings"):
        fake_training.train(str(tmp_path), ARCS, 2)
    with pytest.raises(UsageError, match=r"folder: .* is this program's own folder"):
        fake_training.train(ROOT, ARCS, 2)
    assert os.listdir(tmp_path) == ["mine.txt"]
    (tmp_path / "mine.txt").rename(tmp_path / "alone.json")
    with pytest.raises(InputError, match=r"alone.json is damaged"):
        fake_training.train(str(tmp_path), ARCS, 2)
    with pytest.raises(InputError, match=r"cannot use .*mine: Not a directory"):
        fake_training.train(str(tmp_path / "alone.json" / "mine"), ARCS, 2)


@pytest.mark.parametrize(
    "change",
    [
        {"folder_of": "an enas run"},
        {"trainings": [{"name": "x"}]},
        {"trainings": 3},
        {"flags": None},
        {"script": 1},
    ],
)
def test_a_damaged_table(tmp_path, change):
    fake_training.train(str(tmp_path), ARCS[:1], 1)
    path = tmp_path / "alone.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=r"alone.json is damaged"):
        read(str(tmp_path))


@pytest.mark.parametrize(
    "key, value",
    [
        ("name", "../away"),
        ("state", "lost"),
        ("minutes", "3"),
        ("arc", 1),
        ("x", 1),
        ("searched", "0.5"),
        ("result", {"accuracy": None}),
        ("result", {"split": "train"}),
        ("result", {"bytes": "500"}),
    ],
)
def test_a_damaged_training(tmp_path, key, value):
    fake_training.train(str(tmp_path), ARCS[:1], 1)
    path = tmp_path / "alone.json"
    content = json.loads(path.read_text())
    row = content["trainings"][0]
    row[key] = row[key] | value if isinstance(value, dict) else value
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"alone.json is damaged"):
        read(str(tmp_path))


def test_names_follow_the_string():
    strings = [Wanted(arc, "uniform", None) for arc in ARCS]
    first = named([], strings[:2])
    assert [one.name for one in first] == ["01-uniform", "02-uniform"]
    again = named(first, [strings[3], strings[1]])
    assert [one.name for one in again] == ["03-uniform", "02-uniform"]
    assert again[1] is first[1]
    assert once([*strings, *strings[:2]]) == strings


def test_trainings_of_several_seeds():
    strings = [Wanted(arc, "uniform", None) for arc in ARCS[:3]]
    alone = named([], strings[:1])
    assert alone[0].task == (ARCS[0], 0)
    two = named(alone, strings[:2], seeds=2)
    names = ["01-uniform-s1", "02-uniform-s1", "01-uniform-s2", "02-uniform-s2"]
    assert [one.name for one in two] == names
    assert [one.task for one in two] == [(a, s) for s in (1, 2) for a in ARCS[:2]]
    three = named([*alone, *two], [strings[2], strings[1]], seeds=3)
    assert [one.name for one in three[:2]] == ["03-uniform-s1", "02-uniform-s1"]
    assert three[1] is two[1] and three[3] is two[3]
    assert [one.name for one in three[4:]] == ["03-uniform-s3", "02-uniform-s3"]


def test_the_table_of_means():
    def trained(name, seed, accuracy, wrong, state=FINISHED):
        result = Result("valid", accuracy, 0.003, wrong, 500)
        return Training(name, ARC, "given", None, state, 1.0, "", result, seed)

    one = [trained("01-given-s1", 1, 0.9, 0.1), trained("02-given-s1", 1, 0.95, 0.06)]
    assert table_of_means(one) == ""
    two = [trained("01-given-s2", 2, 0.92, 0.2), trained("02-given-s2", 2, 0.97, 0.08)]
    unfinished = [trained("01-given-s3", 3, 0.1, 0.9, RUNNING)]
    _, head, first, second = table_of_means([*one, *two, *unfinished]).splitlines()
    assert head.split()[:5] == ["mean", "of", "seeds", "accuracy", "±"]
    shown = "02-given 2 0.9600 0.0100 7.00 % 1.00 % 1.41 %"
    assert first.split() == shown.split()
    shown = "01-given 2 0.9100 0.0100 15.00 % 5.00 % 7.07 %"
    assert second.split() == shown.split()


def test_the_first_of_a_ranking(tmp_path):
    """So many different ones; a uniform one may be among them."""
    settings = Settings(output_dir=str(tmp_path), seed=7, child_num_cells=1)
    uniform = [str(arc) for arc in ranking.uniform_arcs(settings, 3)]
    drawn = [(ARCS[0], "controller"), (ARCS[0], "untrained"), (uniform[0], "uniform")]
    drawn.append((ARCS[1], "controller"))
    ranked = [ranking.Ranked(*one, 0.9 - n / 10, 0.1) for n, one in enumerate(drawn)]
    ranking.save(str(tmp_path), ranked)
    first = wanted(settings, 3, None, 2)
    assert [one.arc for one in first] == [ARCS[0], uniform[0], ARCS[1], uniform[1]]
    assert [one.source for one in first[:2]] == ["controller", "uniform"]
    assert [one.searched for one in first[:3]] == pytest.approx([0.9, 0.7, 0.6])
    assert first[3].searched is None
    assert [one.arc for one in wanted(settings, 0, None, 3)] == uniform
    assert len(wanted(settings, None, None, 0)) == 3
    arcs = tmp_path / "arcs.txt"
    arcs.write_text(f"{ARCS[1]}\n{ARCS[1]}\n# no more\n\n[{ARCS[0]}]")
    given = wanted(settings, None, str(arcs), 0)
    assert [one.arc for one in given] == [ARCS[1], ARCS[0]]
    assert wanted(settings, 1, str(arcs), 0) == given[:1]
    assert given[0] == Wanted(ARCS[1], "given", given[0].searched)


def test_how_programs_end():
    assert Ended(-9).died() and Ended(None, "was lost").died() and Ended(143).died()
    assert not Ended(0).died() and not Ended(1).died() and not Ended(2).died()
    assert Ended(-9).words() == "ended by SIGKILL"
    assert Ended(143).words() == "ended by SIGTERM"
    assert Ended(None, "was lost").words() == "was lost"
    assert Ended(250).words() == "ended with status 250"


def test_a_program_has_its_cores_and_threads(tmp_path):
    """And those that run beside it have others."""
    stays = tmp_path / "stays"
    stays.touch()
    program = (
        "import os, sys, time; time.sleep(0.5); "
        "print(sorted(os.sched_getaffinity(0)), os.environ['TF_NUM_INTRAOP_THREADS'], "
        "os.getcwd(), file=sys.stderr)"
    )
    order = Order(("-c", program), str(tmp_path), str(tmp_path / "err"), 1, str(stays))
    before = os.sched_getaffinity(0)
    with cores.claimed(1):
        mine = os.sched_getaffinity(0)
        assert run_here(order._replace()) == Ended(0)
    assert os.sched_getaffinity(0) == before and len(mine) == 1
    words = (tmp_path / "err").read_text().split()
    assert words[-2:] == ["1", str(tmp_path)]
    stays.unlink()
    assert run_here(order).left


def test_cores_are_claimed_by_one():
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("there is one core")
    from contextlib import ExitStack

    with ExitStack() as one, ExitStack() as two, ExitStack() as three:
        every = sorted(os.sched_getaffinity(0))[:2]
        claims = [cores._claim(every, 1, stack) for stack in (one, two, three)]
        # Other tests, or other commands, may have claimed some, too.
        assert not claims[2] and not claims[0] & claims[1]


def test_more_jobs_than_cores():
    engine = Processes()
    assert engine.jobs(None, None) == (1, cores.usable())
    assert engine.jobs(1000, None) == (1000, 1)
    assert engine.jobs(2, 3) == (2, 3)
    with pytest.raises(InputError, match="there is no /nowhere"):
        engine.check(["/nowhere"])
    with pytest.raises(UsageError, match="--engine is 'slurm'; it is one of processes"):
        engine_named("slurm")


def test_an_unreadable_sign_is_no_reason_to_leave(tmp_path):
    order = Order((), "", "", 1, str(tmp_path))  # a folder cannot be opened
    assert not orders.is_over(order)


def test_complete_trainings(tmp_path):
    def say(*valid):
        rows = [
            {"epoch": n, "step": n, "valid": v, "test": 0.5}
            for n, v in enumerate(valid, start=1)
        ]
        (tmp_path / "evaluations.json").write_text(json.dumps(rows))
        (tmp_path / f"model.ckpt-{len(rows)}-{len(rows)}.index").touch()
        return lambda epochs, patience: is_complete(str(tmp_path), epochs, patience)

    assert not is_complete(str(tmp_path), 1, 0)
    assert say(0.5, 0.4)(2, 0)
    assert not say(0.5, 0.4)(3, 0)
    assert say(0.5, 0.4)(3, 1)
    assert not say(0.5, 0.6)(3, 1)
    (tmp_path / "model.ckpt-1-9.index").touch()  # it went on from an older one
    assert not is_complete(str(tmp_path), 2, 0)


def finished(name, accuracy, size, searched, source="controller"):
    result = Result("valid", accuracy, 0.003, 0.1, size)
    return Training(name, ARC, source, searched, FINISHED, 12.3, "", result)


def test_tables():
    trainings = [
        finished("01-controller", 0.95, 43210, 0.9),
        finished("02-uniform", 0.96, None, None, "uniform"),
        Training("03-uniform", ARC, "uniform", 0.5, FAILED, 0.1, "no images"),
    ]
    wide = table(trainings, None).splitlines()
    assert [line.split()[0] for line in wide[:4]] == [
        "training",
        "02-uniform",
        "01-controller",
        "03-uniform",
    ]
    assert wide[2].split()[1:7] == ["0.9500", "0.0030", "10.00", "%", "43,210", "12.3"]
    assert wide[3].split()[1:6] == ["-", "-", "-", "-", "0.1"]
    assert wide[4] == "03-uniform is failed: no images"
    assert max(map(len, table(trainings, 110).splitlines())) <= 110
    for columns in (None, 110):
        rows = Rows(trainings, columns)
        lines = [rows.head(), *map(rows.row, trainings)]
        lines = "\n".join(lines).splitlines()
        assert len(lines) == (4 if columns is None else 7)
        ends = {line.index("12.3") + 4 for line in lines if "12.3" in line}
        assert ends == {lines[0].index("minutes") + len("minutes")}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_bars_in_a_terminal(tmp_path, monkeypatch):
    """A bar moves with the log, and makes room for a line in the end."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "100")
    training = Training("01-controller", ARC, "controller", 0.5, RUNNING)
    progress = Progress(str(tmp_path), Settings(num_epochs=4))
    progress.changed(training, "starts")
    progress.look()  # there is no log yet
    (tmp_path / "01-controller").mkdir()
    (tmp_path / "01-controller" / "log.txt").write_text(
        f"{'steps_per_epoch':.<70}5\nepoch = 1     ch_step = 7      loss = 0.1 \n"
        "valid_accuracy: 0.9000\n"
    )
    progress.look()
    progress.changed(training, "ended by SIGKILL; it goes on")
    assert "01-controller:  35%" in terminal.getvalue()
    assert "7/20" in terminal.getvalue()
    assert "valid_accuracy: 0.9000" in terminal.getvalue()
    assert "01-controller: ended by SIGKILL; it goes on\n" in terminal.getvalue()
    training.state, training.reason = FAILED, "no images"
    progress.changed(training, "failed")
    assert terminal.getvalue().endswith("01-controller: failed: no images\n")
    progress.changed(finished("02-controller", 0.95, 10, 0.9), "finished")
    assert terminal.getvalue().endswith("finished, valid_accuracy 0.9500\n")
    progress.close()


def test_pictures():
    both = [finished("01-controller", 0.9, 4000, 0.8), finished("02-u", 0.8, 3000, 0.7)]
    figure = draw(both)
    searched, sizes = figure.axes
    assert searched.get_xlabel().startswith("accuracy in the search")
    assert [text.get_text() for text in sizes.texts] == ["01", "02"]
    (ring,) = [line for line in sizes.lines if line.get_markersize() == 13]
    assert list(ring.get_xdata()) == [3.0, 4.0]
    assert len(draw([finished("01-given", 0.9, 4000, None)]).axes) == 1
    assert len(draw([finished("01-given", 0.9, None, 0.5)]).axes) == 1
    assert draw([Training("01-given", ARC, "given", 0.5)]) is None
