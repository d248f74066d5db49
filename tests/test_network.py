"""A network as plain data: formats, steps, thresholds, and its file."""

import json
import os
import re
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from enas.base.errors import InputError
from enas.network import file
from enas.network.formats import (
    BINARY,
    FORMATS,
    MOST_BITS,
    REAL,
    TERNARY,
    Integers,
    codes_of,
    fixed,
    format_named,
    from_bits,
    to_bits,
    values_of,
)
from enas.network.header import header_of, step_of
from enas.network.network import MOST_STEPS, Network, stored_by
from enas.network.simplify import cuts_of
from enas.network.steps import (
    COLUMNS,
    FOLDED,
    FUSED,
    KINDS,
    ROWS,
    SEPARATE,
    Activate,
    AveragePool,
    Concatenate,
    Convolve,
    Dense,
    Depthwise,
    GlobalAverage,
    Image,
    MaxPool,
    Norm,
    Normalize,
    Reduce,
    Threshold,
    Value,
    normalized,
    real,
)
from enas.space.schemes import make_scheme
from tests.damaged_networks import json_header, of_version_1
from tests.networks import edges, levels_of, random_tensor
from tests.runs import ROOT

LOW_BIT = [BINARY, TERNARY, *map(fixed, range(2, MOST_BITS + 1))]
NORM_FORMATS = [BINARY, TERNARY, fixed(2), fixed(3)]


# Formats


@pytest.mark.parametrize("form", LOW_BIT, ids=str)
def test_each_number_of_a_format_has_a_code(form):
    numbers = levels_of(form)
    assert list(codes_of(numbers, form)) == list(range(form.levels))
    assert (numbers.min(), numbers.max()) == form.integers[:2]
    assert form.levels <= 2**form.bits
    assert format_named(str(form)) == form
    for other in (form.integers.lowest - 1, form.integers.highest + 1):
        with pytest.raises(ValueError, match=f"a number is not {form}"):
            codes_of(np.array([other]), form)


def test_a_format_has_no_other_numbers():
    with pytest.raises(ValueError, match="a number is not binary"):
        codes_of(np.array([0]), BINARY)
    with pytest.raises(ValueError, match="a stored number is not ternary"):
        values_of(np.array([3]), TERNARY)
    for name in ("fixed1", "fixed17", "float", "", None, ["real"]):
        with pytest.raises(ValueError, match="is no number format"):
            format_named(name)


@given(st.integers(1, 32), st.lists(st.integers(0, 2**32 - 1)))
def test_bits_give_codes_back(width, numbers):
    codes = np.array(numbers, np.uint64) & (2**width - 1)
    bits = to_bits(codes, width)
    assert len(bits) == width * len(codes)
    assert list(from_bits(bits, width)) == list(codes)


# Activations


@pytest.mark.parametrize(
    "scheme, bits",
    [("binarize", 1), ("ternarize", 2), *(("quantize", n) for n in (2, 3, 4, 8, 16))],
)
def test_activations_at_their_ties_and_bounds(scheme, bits):
    made = make_scheme(scheme, bits)
    x = edges(made.format)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        expected = session.run(made.activation(tf.constant(x)))
    step = Activate((0,), made.format)
    found = step.run([x], [Value((1,))])
    assert set(found) <= set(levels_of(made.format))
    assert len(set(found)) == made.format.levels
    np.testing.assert_array_equal(found * 2.0**-made.format.integers.shift, expected)


# Thresholds


def assert_cuts(form, integers, roundings, mean, r, scale, offset):
    """Compares the thresholds of a batch norm with it, at all integers."""
    tensors = [np.asarray(t, np.float32) for t in (mean, r, scale, offset)]
    if roundings == FOLDED:
        factor = tensors[1] * tensors[2]
        tensors = [factor, tensors[3] - tensors[0] * factor]
    value = Value((1, 1, len(mean)), integers)
    falls, cuts = cuts_of(value, form, roundings, *tensors)
    x = np.arange(-integers.most, integers.most + 1, dtype=np.float32)
    x = np.repeat(x[:, None], len(mean), axis=1)
    y = normalized(real(x, value), roundings, *tensors)
    expected = Activate((0,), form).run([y], [Value(value.shape)])
    found = Threshold((0,), form).run([x], [value], falls, cuts)
    np.testing.assert_array_equal(found, expected)
    assert (np.diff(cuts, axis=1) >= 0).all()
    assert np.abs(cuts - 0.5).max() <= integers.most + 0.5
    return found


SHIFTS = {BINARY: 0, TERNARY: 0, fixed(2): 2, fixed(3): 4}


@pytest.mark.parametrize("roundings", [SEPARATE, FUSED, FOLDED])
@pytest.mark.parametrize("form", NORM_FORMATS, ids=str)
def test_thresholds_equal_their_batch_norm(form, roundings):
    rng, channels = np.random.default_rng(0), 400
    integers = Integers(-200, 200, SHIFTS[form])
    unit = 2.0**-integers.shift
    scale = rng.normal(0, 1.5, channels)
    scale[:20] = 0.0
    scale[20:40] *= 1e-3  # some levels are never reached
    offset = rng.normal(0, 1, channels)
    offset[::7] = rng.choice([-1, -0.5, 0, 0.5, 0.25, 1], len(offset[::7]))
    mean = np.round(rng.normal(0, 60, channels)) * unit  # ties at integers
    r = 1 / (unit * rng.choice([10, 16, 32.5, 64], channels))
    found = assert_cuts(form, integers, roundings, mean, r, scale, offset)
    steps = np.diff(found, axis=0)
    assert (steps[:, :20] == 0).all()
    assert (steps > 0).any() and (steps < 0).any()
    assert set(found.ravel()) == set(levels_of(form))


@pytest.mark.parametrize("roundings", [SEPARATE, FUSED])
def test_thresholds_of_tiny_scales(roundings):
    """The product of r and scale is zero in float32, but no output is."""
    tensors = [[0.0, 0.0], [1e-20, 1e-20], [-1e-28, 1e-28], [0.0, 0.0]]
    integers = Integers(-(2**17), 2**17, 0)
    found = assert_cuts(BINARY, integers, roundings, *tensors)
    assert (found[0] == [1, -1]).all() and (found[-1] == [-1, 1]).all()


# The file

SOME_FORMATS = st.sampled_from([BINARY, TERNARY, *map(fixed, (2, 3, 5, 8, 13, 16))])


def network_of(form, height, width, channels, filters, classes, cuts=True):
    """One with every step that stores numbers, most of them of one format."""
    first, even = fixed(4), 2 * filters
    shape = [
        Image((), height, width, channels),
        Normalize((0,)),
        Convolve((1,), 3, filters, first, COLUMNS),
        Norm((2,), FUSED),
        Activate((3,), form),
        Depthwise((4,), 3, 2, form),
        Convolve((5,), 1, filters, form, ROWS),
        *([Threshold((6,), form)] if cuts else [Norm((6,), SEPARATE)]),
        *([] if cuts else [Activate((7,), form)]),
    ]
    last = len(shape) - 1
    shape += [
        Reduce((last,), even, form),
        Norm((last + 1,), SEPARATE if cuts else FOLDED),
        MaxPool((last + 2,), 2, 2),
        AveragePool((last + 2,), 3, 2),
        Activate((last + 3,), form),
        Activate((last + 4,), form),
        Concatenate((last + 5, last + 6)),
        GlobalAverage((last + 7,)),
        Dense((last + 8,), classes, 1, REAL if cuts else form),
    ]
    rng = np.random.default_rng(0)
    tensors = tuple(
        tuple(random_tensor(stored, rng) for stored in row) for row in stored_by(shape)
    )
    names = tuple(f"class {n}" for n in range(classes))
    return Network(tuple(shape), tensors, names, (), {"arc": "0 1", "ä": '"\\\n'})


@settings(max_examples=40)
@given(
    SOME_FORMATS,
    *(st.integers(1, 7) for _ in range(5)),
)
def test_a_file_gives_its_network_back(form, height, width, channels, filters, classes):
    cuts = form.bits <= 3
    network = network_of(form, height, width, channels, filters, classes, cuts)
    content = file.pack(network)
    assert len(content) == file.file_bytes(network)
    assert len(content) == file.file_bytes(network._replace(tensors=()))
    again = file.unpack(content)
    assert again._replace(tensors=()) == network._replace(tensors=())
    for row, found in zip(network.tensors, again.tensors, strict=True):
        for one, other in zip(row, found, strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.shape == other.shape and other.dtype.itemsize in (4, 8)
    assert file.pack(again) == content
    if cuts:  # So does one that an earlier version wrote, with a real classifier.
        older = of_version_1(network)
        assert len(older) > len(content)
        assert file.pack(file.unpack(older)) == content


def test_odd_sizes_take_no_more_than_their_bits():
    network = network_of(TERNARY, 5, 5, 1, 3, 3)
    low = real_numbers = 0
    for row in stored_by(network.steps):
        for stored in row:
            if stored.format == REAL:
                real_numbers += stored.numbers
            else:
                low += stored.bits
    assert low % 8  # the last byte is not full
    rest = len(file.pack(network)) - len(header_of(network))
    assert rest == 8 + 4 + 4 + (low + 7) // 8 + 4 * real_numbers + 4


def test_the_header_is_that_of_the_docs():
    with open(os.path.join(ROOT, "docs", "packed_file.md"), encoding="utf-8") as page:
        text = page.read()
    steps = (
        Image((), 32, 32, 1),
        Normalize((0,)),
        Convolve((1,), 3, 48, fixed(4), COLUMNS),
        Norm((2,), FUSED),
        Activate((3,), TERNARY),
    )
    for number, step in enumerate(steps):
        assert f"\n{step_of(step, number).hex(' ')}  " in text
    rows = re.findall(r"^\| ([\d, ]+) \| (`\w+`[^|]*) \|", text, re.M)
    names = {
        int(number): name.strip("`")
        for numbers, row in rows
        for number, name in zip(numbers.split(", "), row.split(", "), strict=True)
        if name.strip("`") in KINDS
    }
    assert [names[n] for n in range(len(KINDS))] == list(KINDS)
    forms = {name.strip("`"): number for number, name in rows}
    for form in (REAL, BINARY, TERNARY):
        assert forms[str(form)] == str(FORMATS.index(form))
    assert [FORMATS[n + 1] for n in range(2, MOST_BITS + 1)] == LOW_BIT[2:]


SMALL = network_of(BINARY, 4, 4, 1, 1, 2)


def sealed(content):
    """A file with the right checksum."""
    return content + struct.pack("<I", zlib.crc32(content))


def packed(header, body=b"", size=None, magic=file.MAGIC, version=1):
    """A file, of version 1 unless another is named."""
    if not isinstance(header, bytes):
        header = json.dumps(header).encode()
    size = len(header) if size is None else size
    return sealed(struct.pack("<8sII", magic, version, size) + header + body)


def header(**changes):
    return json.loads(json_header(SMALL)) | changes


def body():
    content = file.pack(SMALL)
    return content[16 + len(header_of(SMALL)) : -4]


def with_step(number, *row):
    """The header of SMALL with another step."""
    steps = header()["steps"]
    steps[number] = list(row)
    return header(steps=steps)


def with_parameter(number, *parameters):
    kind, inputs, *_ = header()["steps"][number]
    return with_step(number, kind, inputs, *parameters)


LINE, STEPS = header_of(SMALL).split(b"\n", 1)
LINE += b"\n"
NORMALIZE, ACTIVATE, CONCAT = map(list(KINDS).index, ("normalize", "act", "concat"))
IMAGE = STEPS[:4]  # its kind, height, width and channels


def newer(*steps, line=LINE):
    """A file of version 2 with other bytes for its steps."""
    return packed(line + b"".join(map(bytes, steps)), body(), version=2)


CONTENT = file.pack(SMALL)
NEST = b"[" * 100_000
DAMAGES = {
    "empty": (b"", "does not begin as one"),
    "magic": (CONTENT.replace(b"\r\n", b"\n", 1), "does not begin as one"),
    "too short": (CONTENT[:19], "does not begin as one"),
    "version": (packed(header(), body(), version=3), "is 3; this .* reads 1 and 2"),
    "checksum": (CONTENT[:-1] + bytes([CONTENT[-1] ^ 1]), "checksum is wrong"),
    "one bit": (CONTENT[:60] + bytes([CONTENT[60] ^ 4]) + CONTENT[61:], "checksum"),
    "cut off": (CONTENT[:-5], "checksum is wrong; it was damaged or cut off"),
    "longer": (CONTENT + b"\0", "checksum is wrong"),
    "header too long": (packed(header(), size=2**31), "header is longer than"),
    "header not all there": (packed(header(), b"", size=10**4), "longer than the file"),
    "no JSON": (packed(b"{"), "header is damaged"),
    "no text": (packed(b"\xff"), "header is damaged"),
    "a deep header": (packed(NEST), "header is damaged"),
    "a list": (packed([]), "names nothing"),
    "no steps": (packed(header(steps=None)), "lists no steps"),
    "no names": (packed(header(classes=None)), "names no classes"),
    "no facts": (packed(header(about=[])), "names no classes"),
    "odd names": (packed(header(classes=["a", 1])), "is no text"),
    "odd facts": (packed(header(about={"arc": 1})), "is no text"),
    "other classes": (packed(header(classes=["a"])), "1 classes and 2 logits"),
    "few bytes": (packed(header(), body()[:-1]), "not as many bytes as its header"),
    "many bytes": (packed(header(), body() + b"\0"), "not as many bytes"),
    "steps: none": (packed(header(steps=[])), "first .* must be its image"),
    "steps: no image": (packed(with_step(0, "normalize", [0])), "must be its image"),
    "steps: two": (packed(with_step(1, "image", [], 1, 1, 1)), "has two images"),
    "steps: unknown": (packed(with_step(1, "run", [0])), "is no step"),
    "steps: no list": (packed(header(steps=["image"])), "is no step"),
    "steps: unhashable": (packed(with_step(1, [], [0])), "is no step"),
    "steps: itself": (packed(with_step(1, "normalize", [1])), "not before it"),
    "steps: below": (packed(with_step(1, "normalize", [-1])), "not before it"),
    "steps: true": (packed(with_step(1, "normalize", [False])), "no numbers of steps"),
    "steps: inputs": (packed(with_step(1, "normalize", [0, 0])), "has 2 inputs"),
    "steps: missing": (packed(with_parameter(2, 3)), "not the parameters of a conv"),
    "steps: more": (packed(with_parameter(1, 3)), "not the parameters of a norm"),
    "steps: format": (packed(with_parameter(4, "fixed99")), "no number format"),
    "steps: swapped": (packed(with_parameter(2, 3, "real", 1, 1)), "wrong kind"),
    "steps: zero": (packed(with_parameter(0, 0, 4, 1)), "height of step 0 is 0"),
    "steps: boolean": (packed(with_parameter(0, True, 4, 1)), "no number format"),
    "steps: fraction": (packed(with_parameter(0, 4.0, 4, 1)), "no number format"),
    "steps: order": (packed(with_parameter(2, 3, 1, "fixed4", 3)), "odd order"),
    "steps: norm": (packed(with_parameter(3, 5)), "rounds oddly"),
    "steps: odd": (packed(with_parameter(8, 3, "binary")), "odd number of filters"),
    "steps: pool": (packed(with_step(10, "max_pool", [4], 2, 2)), "reads integers"),
    "steps: threshold": (
        packed(with_step(7, "threshold", [1], "binary")),
        "threshold reads real numbers",
    ),
    "steps: no logits": (packed(header(steps=header()["steps"][:-2])), "no logits"),
    "large image": (packed(with_parameter(0, 65536, 65536, 1)), "too large an image"),
    "large number": (packed(with_parameter(0, 65537, 1, 1)), "of step 0 is 65537"),
    "large tensor": (
        packed(with_parameter(2, 1800, 10, "fixed4", 1)),
        "stores too large a tensor",
    ),
    "large window": (packed(with_parameter(11, 65536, 2)), "window of step 11 is too"),
    "2: no line": (packed(b"{}", version=2), "has no line of names"),
    "2: no JSON": (newer(STEPS, line=b"{\n"), "header is damaged"),
    "2: a list": (newer(STEPS, line=b"[]\n"), "names nothing"),
    "2: no names": (newer(STEPS, line=b"{}\n"), "names no classes"),
    "2: no steps": (newer(), "first .* must be its image"),
    "2: kind": (newer([99]), "has a step 99, which there is not"),
    "2: format": (newer(IMAGE, [ACTIVATE, 1, 99]), "has a format 99, which"),
    "2: cut off": (newer(STEPS[:-1]), "ends within a step"),
    "2: long": (newer([0, 255, 255, 255, 1]), "number in its header is too long"),
    "2: zeros": (newer([0, 132, 0, 1, 1]), "number in its header is too long"),
    "2: itself": (newer(IMAGE, [NORMALIZE, 0]), "not before it"),
    "2: below": (newer(IMAGE, [NORMALIZE, 2]), "not before it"),
    "2: inputs": (newer(IMAGE, [CONCAT, 2, 1, 1]), "step 1 reads 2 steps"),
    "2: zero": (newer([0, 0, 4, 1], [NORMALIZE, 1]), "height of step 0 is 0"),
    "2: many": (newer(IMAGE, [NORMALIZE, 1] * MOST_STEPS), f"more than {MOST_STEPS}"),
    "2: more": (newer(STEPS, [NORMALIZE, 1]), "reads an image where there is none"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_file_is_one_message(name, tmp_path):
    content, message = DAMAGES[name]
    with pytest.raises(ValueError, match=message):
        file.unpack(content)
    path = tmp_path / file.FILE
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        file.read(str(path))
    assert str(caught.value).startswith(f"{path} is no network that can be read: ")
    assert "\n" not in str(caught.value)


def test_a_code_out_of_range_is_told():
    network = network_of(TERNARY, 4, 4, 1, 1, 2)
    content = bytearray(file.pack(network)[:-4])
    start = 16 + len(header_of(network))
    bits = 9 * 4  # of the first convolution; then the depthwise kernel's 9 trits
    content[start + bits // 8 + 1] |= 0b11
    with pytest.raises(ValueError, match="a stored number is not ternary"):
        file.unpack(sealed(bytes(content)))


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_numbers_must_be_finite(number):
    tensors = list(SMALL.tensors)
    tensors[1] = (tensors[1][0], np.full_like(tensors[1][1], number))
    with pytest.raises(ValueError, match="a number of std is not finite"):
        file.unpack(file.pack(SMALL._replace(tensors=tuple(tensors))))


def test_a_file_that_is_not_there_or_no_file(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*: No such file"):
        file.read(str(tmp_path / "network.lbn"))
    with pytest.raises(InputError, match="cannot read"):
        file.read(str(tmp_path))


def test_refusing_takes_little_memory(tmp_path):
    """Neither what a header promises nor a large file is given room."""
    huge = [
        packed(with_parameter(2, 4000, 1, "binary", 1)),  # 2 MB of weights, if there
        packed(with_parameter(0, 4096, 4096, 1)),
        packed(with_parameter(16, 65536)),
    ]
    path = tmp_path / "large"
    with open(path, "wb") as stream:
        stream.write(CONTENT)
        stream.truncate(2**40)  # a hole, which takes no room on disk
    tracemalloc.start()
    try:
        for content in huge:
            with pytest.raises(ValueError):
                file.unpack(content)
        small = tracemalloc.get_traced_memory()[1]
        with pytest.raises(InputError, match="has more than 67108864 bytes"):
            file.read(str(path))
        large = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert small < 2**20
    assert large < 2.5 * file.MOST_BYTES
