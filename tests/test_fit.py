"""--fit_kb: as many filters as a string's packed network has room for."""

import json
import os
import random
import subprocess
import sys

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import enas
import search_arc_mnist
import train_arc_cifar
import train_arc_mnist
from enas.flags.fit import MOST_FILTERS, fitted
from enas.flags.network_shape import network_shape
from enas.flags.parse import parse
from enas.flags.table import KB
from enas.loop import kept_run
from enas.loop.kept_run import resumed
from enas.many.plan import plan
from enas.network import file
from enas.report.log_reader import read_log
from enas.session.output_dir import FLAGS_FILE
from enas.space.arc import random_arc
from enas.space.cost import cost_of
from enas.space.operations import TABLES
from tests.runs import ROOT, SMALL, SMALL_ARC

CLASSES = [str(number) for number in range(10)]
SMALL_FIT = [flag for flag in SMALL if "filters" not in flag]


def settings_of(*flags, arc=SMALL_ARC):
    words = ["train_arc_mnist.py", f"--fixed_arc={arc}", *SMALL_FIT, *flags]
    return parse(words, train_arc_mnist.CONSTANTS)


def size_of(found, filters):
    shape = network_shape(found, 1, CLASSES)._replace(out_filters=filters)
    return cost_of(found.parse_arc(found.fixed_arc), shape).file_bytes


@settings(max_examples=12, deadline=None, phases=(Phase.generate,))
@given(
    st.integers(0, 10**6),
    st.sampled_from(list(TABLES)),
    st.sampled_from(["binarize", "ternarize", "quantize"]),
    st.integers(1, 4),
    st.floats(1, 50),
)
def test_no_more_filters_fit(seed, table, scheme, layers, kb):
    arc = random_arc(2, random.Random(seed), TABLES[table])
    flags = (f"--child_ops={table}", f"--child_scheme={scheme}", f"--fit_kb={kb}")
    flags = (*flags, f"--child_num_layers={layers}", "--child_pool_layers=")
    asked = settings_of(*flags, arc=str(arc))
    sizes = [size_of(asked, filters) for filters in range(2, 62, 2)]
    assert sizes == sorted(sizes) and sizes[-1] > kb * KB
    fitting = [2 * n for n, size in enumerate(sizes, start=1) if size <= kb * KB]
    if fitting:
        assert fitted(asked, 1, CLASSES).child_out_filters == fitting[-1]
    else:
        with pytest.raises(enas.UsageError, match=f"takes {sizes[0]:,} bytes; allow"):
            fitted(asked, 1, CLASSES)


def test_a_network_of_exactly_that_size_fits(capsys):
    asked = settings_of()
    size = size_of(asked, 6)
    found = fitted(settings_of(f"--fit_kb={size / KB}"), 1, CLASSES)
    assert found.child_out_filters == 6
    assert capsys.readouterr().err == (
        f"child_out_filters is 6, with which the packed network takes {size:,} bytes "
        f"(fit_kb={size / KB:g})\n"
    )
    less = fitted(settings_of(f"--fit_kb={(size - 1) / KB}"), 1, CLASSES)
    assert less.child_out_filters == 4


def test_the_images_count():
    """A network of more channels or classes has room for fewer filters."""
    asked = settings_of("--fit_kb=20")
    filters = fitted(asked, 1, CLASSES).child_out_filters
    assert fitted(asked, 1, [f"class {n}" for n in range(300)]).child_out_filters < (
        filters
    )
    size = size_of(asked, filters)
    asked = settings_of(f"--fit_kb={size / KB}")
    assert fitted(asked, 3, CLASSES).child_out_filters < filters


def test_the_most_that_a_file_may_have_bounds_the_filters():
    most = file.MOST_BYTES // KB
    without_kernels = "0 2 1 2 0 2 1 2 0 2 1 2 0 2 1 2"
    flags = (f"--fit_kb={most}", "--child_num_layers=1", "--child_scheme=binarize")
    flags = (*flags, "--child_first_scheme=binarize", "--child_pool_layers=0")
    found = fitted(settings_of(*flags, arc=without_kernels), 1, CLASSES)
    assert 100 < found.child_out_filters < MOST_FILTERS
    with pytest.raises(enas.UsageError, match=f"it must be from 0 to {most}"):
        settings_of(f"--fit_kb={most + 1}")


def test_it_chooses_the_filters_alone():
    both = ("--fit_kb=20", "--child_out_filters=8")
    message = "fit_kb=20 says how many .* and child_out_filters=8 does, too; leave one"
    with pytest.raises(enas.UsageError, match=message):
        settings_of(*both)
    assert settings_of("--fit_kb=0", both[1]).child_out_filters == 8
    # A number that is given stands above a constant, as every flag does.
    edited = train_arc_cifar.CONSTANTS | {"fit_kb": 20, "child_num_cells": 2}
    words = ["train_arc_cifar.py", f"--fixed_arc={SMALL_ARC}"]
    assert parse(words, edited).fit_kb == 20.0
    for recipe in ("recommended", "faithful"):
        found = parse([*words, both[1], f"--recipe={recipe}"], edited)
        assert (found.fit_kb, found.child_out_filters) == (0.0, 8)


def test_a_search_has_no_such_flag():
    with pytest.raises(enas.UsageError, match="--fit_kb is of another script"):
        enas.search(fit_kb=20)


def test_a_keras_model_that_fits():
    sizes = {"num_layers": 1, "num_cells": 2, "pool_layers": "0 1"}
    flags = {f"child_{name}": value for name, value in sizes.items()}
    flags |= {"img_size": 16}
    small, large = (
        enas.keras_model(SMALL_ARC, fit_kb=kb, **flags).count_params() for kb in (8, 20)
    )
    assert small < large


def test_trainings_side_by_side_fit_each(tmp_path):
    """The search's own number of filters gives way."""
    search = parse(
        ["search_arc_mnist.py", *SMALL, f"--output_dir={tmp_path}"],
        search_arc_mnist.CONSTANTS,
    )
    planned = plan(search, SMALL_ARC, ["--fit_kb=20"])
    assert not any("out_filters" in word for word in planned.words)
    assert planned.settings.fit_kb == planned.flags["fit_kb"] == 20.0
    assert "--child_out_filters=4" in plan(search, SMALL_ARC, []).words
    with pytest.raises(enas.UsageError, match="leave one out"):
        plan(search, SMALL_ARC, ["--fit_kb=20", "--child_out_filters=8"])


def flags_of_runs(**changes):
    flags = dict(flag.removeprefix("--").split("=", 1) for flag in SMALL_FIT)
    return flags | {"train_limit": 40, "n_aug_img": 1, "eval_limit": 40} | changes


def test_a_training_that_fits_and_its_continuation(tmp_path, capsys):
    out = str(tmp_path / "out")
    flags = flags_of_runs(seed=1, output_dir=out)
    enas.train(SMALL_ARC, fit_kb=20, num_epochs=1, **flags)
    told = capsys.readouterr().err
    size = os.path.getsize(f"{out}/{file.FILE}")
    filters = fitted(settings_of("--fit_kb=20"), 1, CLASSES).child_out_filters
    assert filters != train_arc_mnist.CONSTANTS["child_out_filters"]
    line = f"child_out_filters is {filters}, with which the packed network takes "
    assert line + f"{size:,} bytes (fit_kb=20)" in told and size <= 20 * KB
    logged = read_log(out)[-1].flags
    assert (logged["child_out_filters"], logged["fit_kb"]) == (str(filters), "20.0")
    again = {"num_epochs": 2, "reset_output_dir": False}
    enas.train(SMALL_ARC, fit_kb=20, **flags | again)
    enas.train(SMALL_ARC, child_out_filters=filters, **flags | again)
    with pytest.raises(enas.UsageError, match=r"another child_out_filters \(was"):
        enas.train(SMALL_ARC, fit_kb=12, **flags | again)
    check_resume(out, filters)


def check_resume(out, filters):
    """A run goes on with the filters that it has, also those of an earlier version."""
    with open(f"{out}/{FLAGS_FILE}", encoding="utf-8") as stream:
        kept = json.load(stream) | {"fit_kb": 1.0}
    with open(f"{out}/{FLAGS_FILE}", "w", encoding="utf-8") as stream:
        json.dump(kept, stream)
    for constants in (train_arc_mnist.CONSTANTS, {"fit_kb": 5.0}):
        constants = train_arc_mnist.CONSTANTS | constants
        words = ["train_arc_mnist.py", f"--resume={out}"]
        found = parse(resumed([*words, "--num_epochs=3"], constants), constants)
        assert (found.child_out_filters, found.fit_kb) == (filters, 0.0)
        with pytest.raises(enas.UsageError, match="--resume says what fit_kb would"):
            resumed([*words, "--fit_kb=20"], constants)
    assert kept_run.settings_of(out, "train").child_out_filters == filters


def test_a_string_that_does_not_fit_is_told_without_tensorflow(tmp_path):
    code = (
        "import runpy, sys\n"
        "sys.argv[0] = 'train_arc_mnist.py'\n"
        "try:\n    runpy.run_path('train_arc_mnist.py', run_name='__main__')\n"
        "finally:\n    print('tensorflow' in sys.modules)\n"
    )
    out = tmp_path / "out"
    words = [f"-fixed_arc={SMALL_ARC}", "--child_num_cells=2", "--fit_kb=1.5"]
    process = subprocess.run(
        [sys.executable, "-c", code, *words, f"--output_dir={out}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    asked = parse(["train_arc_mnist.py", *words], train_arc_mnist.CONSTANTS)
    assert (process.returncode, process.stdout) == (2, "False\n")
    assert process.stderr == (
        "train_arc_mnist.py: fit_kb is 1.5, and the smallest network of this string, "
        f"with child_out_filters=2, takes {size_of(asked, 2):,} bytes; allow more, or "
        "take fewer layers (child_num_layers is 6)\n"
    )
    assert not out.exists()
