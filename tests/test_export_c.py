"""The C export against the NumPy definition, bit by bit, on tiny networks."""

import random
import re
import shutil
import subprocess
from functools import cache

import numpy as np
import pytest

from enas.base.errors import InputError
from enas.export import c
from enas.export.c_kernels import stored_bits
from enas.network.formats import BINARY, TERNARY, fixed, from_bits, values_of
from enas.network.network import Network, stored_by
from enas.network.simplify import simplified
from enas.network.steps import (
    COLUMNS,
    FUSED,
    ROWS,
    SEPARATE,
    Activate,
    Add,
    Concatenate,
    Convolve,
    Dense,
    GlobalAverage,
    Image,
    Mean,
    Norm,
    Normalize,
    Value,
)
from enas.space.arc import random_arc
from enas.space.operations import CLASSIC, TABLES
from tests.networks import edges, random_child, random_tensor

STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
NAMES = ('say "hi"', "back\\slash", "what??/ %s", "Grün\n", "\udcff", "5")
EVERY = {
    # What each network is for: its child
    "ternary": {"out_filters": 6, "channels": 3, "size": 12, "pool_layers": (0, 1)},
    "binary": {"scheme": "binarize", "out_filters": 2, "first": ("ternarize", 2)},
    "three bits": {
        "scheme": "quantize",
        "bits": 3,
        "out_filters": 10,
        "channels": 3,
        "node_mean": True,
        "op_shortcut": True,
    },
    "eight bits": {"scheme": "quantize", "bits": 8, "size": 10, "shortcut": True},
    "two bits": {"scheme": "quantize", "bits": 2, "first": ("quantize", 5)},
    "mixed": {"out_filters": 6, "channels": 3, "first": ("quantize", 3)},
    "own bits": {"operations": TABLES["mixed"], "out_filters": 6, "op_shortcut": True},
    "plain": {"operations": TABLES["plain"], "scheme": "binarize", "out_filters": 6},
    "a low-bit classifier": {"head": 8, "channels": 3, "out_filters": 6},
    "folded": {"fold_norms": True, "out_filters": 6, "op_shortcut": True, "size": 12},
    "folded four bits": {"fold_norms": True, "scheme": "quantize", "out_filters": 18},
    "large": {"out_filters": 20, "size": 64, "num_layers": 0, "count": 1},
    "large binary": {"scheme": "binarize", "out_filters": 18, "size": 17, "count": 2},
}


@cache
def child_of(name):
    changes = dict(EVERY[name])
    table = changes.get("operations", CLASSIC)
    arc = random_arc(3, random.Random(name), table)
    settings = {"arc": arc, "num_layers": 1, "classes": NAMES, "pool_layers": (1,)}
    return random_child(**(settings | changes))


def write(folder, network):
    files, ram, flash = c.sources(network)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return ram, flash


def build(folder, compiler, *flags, name="network"):
    if not shutil.which(compiler):
        pytest.skip(f"{compiler} is not installed")
    command = [compiler, *flags, "-o", name, "main.c", "network.c", "-lm"]
    process = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    assert not process.stderr
    return str(folder / name)


def run(program, images, *words):
    process = subprocess.run(
        [program, *words], input=images.tobytes(), capture_output=True, check=False
    )
    assert process.returncode == 0, process.stderr.decode()
    assert not process.stderr
    return process.stdout


def logits_of(program, images, classes):
    """The logits that a program prints, and its answers."""
    names = [re.escape(n.encode("utf-8", "surrogatepass")) for n in classes]
    number = rb" (-?[\d.]+(?:e-?\d+)?)"
    pattern = b"(" + b"|".join(names) + b")" + number * len(classes) + b"\n"
    rows = re.findall(pattern, out := run(program, images))
    assert re.fullmatch(b"(" + pattern + b")*", out)
    answers = [row[0].decode("utf-8", "surrogatepass") for row in rows]
    return np.array([row[1:] for row in rows]).astype(np.float32), answers


def check(program, network, images):
    wanted = network.logits(images)
    found, answers = logits_of(program, images, network.classes)
    np.testing.assert_array_equal(found, wanted)
    assert answers == [network.classes[n] for n in wanted.argmax(1)]


SANITIZED = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


@pytest.mark.parametrize("name", EVERY)
def test_c_equals_the_definition(name, tmp_path):
    child = child_of(name)
    network = child.trained.simplified()
    wanted = network.logits(child.images)
    assert (np.ptp(wanted, axis=0) > 0).all() or len(wanted) == 1
    write(tmp_path, network)
    program = build(tmp_path, "gcc", *STRICT, *SANITIZED)
    check(program, network, child.images)


def random_network(*rows):
    """A network of some steps with random tensors; it is simplified."""
    rng = np.random.default_rng(0)
    steps = tuple(rows)
    tensors = []
    for row in stored_by(steps):
        made = [random_tensor(stored, rng) for stored in row]
        if len(made) == 4:  # of a batch norm, so that its outputs are of every level
            made[1] = np.abs(made[1]) / 9
        tensors.append(tuple(made))
    names = tuple(str(n) for n in range(rows[-1].units))
    return simplified(Network(steps, tuple(tensors), names, (), {"arc": "*/ /* ??/"}))


def windows(form):
    """K×K convolutions of activations, also of two pieces; a mean, and odd sizes."""
    return random_network(
        Image((), 7, 5, 3),
        Normalize((0,)),
        Activate((1,), form),
        Convolve((2,), 2, 5, form, ROWS),
        Norm((3,), FUSED),
        Activate((4,), form),
        Convolve((5,), 3, 5, form, COLUMNS),
        Norm((6,), SEPARATE),
        Mean((4, 7)),
        Activate((8,), form),
        Concatenate((5, 9)),
        Convolve((10,), 5, 35, form, ROWS),
        Norm((11,), FUSED),
        Activate((12,), form),
        GlobalAverage((13,)),
        Dense((14,), 3, 1),
    )


@pytest.mark.parametrize("form", [BINARY, TERNARY, fixed(3), fixed(8)], ids=str)
def test_wide_windows(form, tmp_path):
    network = windows(form)
    images = np.random.default_rng(1).integers(0, 256, (4, 7, 5, 3), dtype=np.uint8)
    write(tmp_path, network)
    check(build(tmp_path, "gcc", *STRICT, *SANITIZED), network, images)


BUILDS = [
    ("gcc", "-O0", *STRICT),
    ("gcc", "-Os", *STRICT),
    ("gcc", "-O3", *STRICT),
    ("gcc", "-O3", "-mavx2", "-mfma", *STRICT),
    ("gcc", "-O3", "-march=native", *STRICT),
    ("gcc", "-O3", "-march=native"),  # the pragma alone keeps products rounded
    ("gcc", "-O2", "-DNETWORK_PLAIN", *STRICT),
    ("clang", "-O3", "-march=native", *STRICT),
    ("clang", "-O1", "-march=native"),
]


@pytest.mark.parametrize("command", BUILDS, ids=" ".join)
def test_every_build_computes_the_same(command, tmp_path):
    child = child_of("mixed")
    network = child.trained.simplified()
    write(tmp_path, network)
    if {"-mavx2", "-mfma"} & set(command):
        with open("/proc/cpuinfo", encoding="utf-8") as cpus:
            if not {"avx2", "fma"} <= set(cpus.read().split()):
                pytest.skip("this processor has no AVX2")
    check(build(tmp_path, *command), network, child.images)


@pytest.mark.parametrize("classes", [2, 3, 6, 10])
def test_sums_of_the_classifier_are_rounded(classes, tmp_path):
    """gcc 12 at -O3 must not keep two of them as doubles."""
    network = random_network(
        Image((), 4, 4, 3),
        Normalize((0,)),
        Convolve((1,), 1, 12, TERNARY, ROWS),
        Norm((2,), FUSED),
        Activate((3,), fixed(4)),
        GlobalAverage((4,)),
        Dense((5,), classes, 1),
    )
    images = np.random.default_rng(1).integers(0, 256, (32, 4, 4, 3), dtype=np.uint8)
    write(tmp_path, network)
    check(build(tmp_path, "gcc", *STRICT, "-O3"), network, images)


@pytest.mark.parametrize("name", ["large", "large binary"])
def test_tables_without_vectors(name, tmp_path):
    child = child_of(name)
    network = child.trained.simplified()
    write(tmp_path, network)
    assert "look_up_" in (tmp_path / "network.c").read_text()
    program = build(tmp_path, "gcc", *STRICT, "-O1", "-DNETWORK_PLAIN")
    check(program, network, child.images)


def test_fast_math_is_refused(tmp_path):
    write(tmp_path, windows(BINARY))
    process = subprocess.run(
        ["gcc", "-ffast-math", "-c", "network.c"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode != 0
    assert "compile without -ffast-math" in process.stderr


def test_the_makefile_builds_the_example(tmp_path):
    child = child_of("ternary")
    (line,) = c.write(str(tmp_path), child.trained)
    assert line.startswith("network.c: C for any device, ")
    subprocess.run(
        ["make", "CFLAGS=-O0"], cwd=tmp_path, capture_output=True, check=True
    )
    program = str(tmp_path / "network")
    check(program, child.trained.simplified(), child.images[:1])
    process = subprocess.run(
        [program], input=child.images.tobytes()[:-5], capture_output=True, check=False
    )
    assert process.returncode == 1
    assert process.stderr == b"the last image has 427 bytes of 432\n"
    subprocess.run(["make", "clean"], cwd=tmp_path, capture_output=True, check=True)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"network.c", "network.h", "main.c", "Makefile"}


@pytest.mark.parametrize("name", ["eight bits", "large binary"])
def test_the_header_tells_the_memory(name, tmp_path):
    child = child_of(name)
    ram, _ = write(tmp_path, child.trained.simplified())
    command = ["gcc", "-O0", "-fno-pie", "-c", "network.c"]  # constants stay constant
    subprocess.run(command, cwd=tmp_path, check=True)
    table = subprocess.run(
        ["nm", "-S", "network.o"], cwd=tmp_path, capture_output=True, check=True
    ).stdout.split(b"\n")
    symbols = [row.split() for row in table if len(row.split()) == 4]
    static = {name: int(size, 16) for _, size, kind, name in symbols if kind in b"bBdD"}
    assert b"memory" in static and len(static) > 2
    assert sum(static.values()) == ram
    header = (tmp_path / "network.h").read_text(encoding="utf-8")
    assert re.search(r"#define NETWORK_MEMORY (\d+)", header)[1] == str(ram)


@pytest.mark.skipif(not shutil.which("g++"), reason="there is no g++")
def test_the_header_is_for_c_plus_plus_too(tmp_path):
    write(tmp_path, child_of("eight bits").trained.simplified())
    (tmp_path / "user.cc").write_text(
        '#include "network.h"\n'
        "#if NETWORK_CLASSES < 2\n#error a size that is unknown here\n#endif\n"
        "static uint8_t image[NETWORK_HEIGHT * NETWORK_WIDTH * NETWORK_CHANNELS];\n"
        "int main() { float logits[NETWORK_CLASSES]; predict(image, logits); }\n"
    )
    for command in ("gcc -O0 -c network.c", "g++ -Wall -Werror user.cc network.o -lm"):
        subprocess.run(command.split(), cwd=tmp_path, check=True)


@pytest.mark.parametrize("flag", ["-ffast-math", "-funsafe-math-optimizations"])
def test_unsafe_arithmetic_is_refused(flag, tmp_path):
    write(tmp_path, child_of("eight bits").trained.simplified())
    command = ["gcc", "-O2", flag, "-c", "network.c"]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert process.returncode and "without -ffast-math" in process.stderr


FORMS = [BINARY, TERNARY, *map(fixed, (2, 3, 4, 5, 8))]
HARNESS = """
#include "network.c"
#include <stdio.h>
#include <stdlib.h>
static void (*const ACTIVATIONS[])(const struct real *, uint8_t *restrict, int) = {$};
int main(int count, char **words)
{
    uint8_t x[32];
    while (count == 2 && fread(x, 1, sizeof x, stdin) == sizeof x) {
        const struct real in = {x, 1, 1, 8, 0, 1.0f, 0};
        uint8_t out[8] = {0};
        ACTIVATIONS[atoi(words[1])](&in, out, 0);
        fwrite(out, 1, sizeof out, stdout);
    }
    return 0;
}
"""


@pytest.mark.parametrize("flags", [("-O0",), ("-O3", "-march=native")], ids=" ".join)
def test_activations_at_their_ties_and_bounds(flags, tmp_path):
    steps = [Image((), 8, 8, 1), Normalize((0,))]
    sums = []
    for form in FORMS:
        last = len(steps)
        steps += [Activate((1,), form), Convolve((last,), 1, 8, form, ROWS)]
        sums.append(len(steps))
        steps += [Norm((last + 1,), FUSED)]
    for one in sums[1:]:
        steps.append(Add((sums[0] if one == sums[1] else len(steps) - 1, one)))
    last = len(steps)
    steps += [Activate((last - 1,), BINARY), GlobalAverage((last,))]
    write(tmp_path, random_network(*steps, Dense((last + 1,), 2, 1)))
    names = ", ".join(f"activate_{form}" for form in FORMS)
    (tmp_path / "main.c").write_text(HARNESS.replace("$", names))
    command = ["gcc", *flags, "-o", "network", "main.c", "-lm"]
    subprocess.run(command, cwd=tmp_path, check=True)
    for number, form in enumerate(FORMS):
        x = edges(form)
        x = np.append(x, np.zeros(-len(x) % 8, np.float32))
        out = run(str(tmp_path / "network"), x, str(number))
        codes = np.frombuffer(out, np.uint8)
        bits = np.unpackbits(codes.reshape(-1, 8), axis=1, bitorder="little")
        width = stored_bits(form)
        found = from_bits(bits[:, : 8 * width].ravel(), width)
        wanted = Activate((0,), form).run([x], [Value((1,))])
        np.testing.assert_array_equal(values_of(found, form), wanted)


@pytest.mark.parametrize(
    "changes, form", [({"scheme": "float"}, "real"), ({"bits": 12}, "fixed12")]
)
def test_a_format_without_kernels_is_one_message(changes, form, tmp_path):
    child = random_child(**({"scheme": "quantize"} | changes))
    with pytest.raises(InputError) as caught:
        c.write(str(tmp_path), child.trained)
    assert str(caught.value) == (
        "c cannot hold this network: C has no kernels for "
        f"{form} numbers; at most 8 bits"
    )
    assert not list(tmp_path.iterdir())
