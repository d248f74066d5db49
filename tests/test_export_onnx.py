"""The ONNX and QONNX files against the NumPy definition, bit by bit."""

import json
import sys
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enas.base.errors import InputError
from enas.export import writers
from enas.export.walk import Trained
from enas.network.formats import BINARY, REAL, TERNARY, fixed
from enas.network.steps import (
    COLUMNS,
    FOLDED,
    FUSED,
    ROWS,
    SEPARATE,
    Activate,
    Convolve,
    Depthwise,
    Norm,
    Reduce,
    Value,
    float_type,
)
from enas.space.arc import arc_from_numbers
from enas.space.operations import CLASSIC, TABLES
from tests.networks import ABOUT, MIXED_NUMBERS, NUMBERS, random_child

if sys.version_info < (3, 11):
    reason = "for Python 3.10 there is no onnxruntime that knows these files"
    pytest.skip(reason, allow_module_level=True)

import onnx
import onnxruntime
from onnx.helper import make_tensor_value_info, np_dtype_to_tensor_dtype
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.transformation.infer_shapes import InferShapes

from enas.export.onnx import Standard, narrowest_type
from enas.export.onnx import write as write_onnx
from enas.export.qonnx import Quantized


@cache
def trained(scheme, bits=4, numbers=NUMBERS, **changes) -> Trained:
    """A child with random weights and batch norms, as the export takes it."""
    first = None if scheme == "float" else ("quantize", bits)
    small = {"num_layers": 1, "pool_layers": (0,)} | changes
    arc = arc_from_numbers(numbers, changes.get("operations", CLASSIC))
    return random_child(scheme, bits, arc, first=first, **small).trained


def images_for(network, count=8):
    shape = (count, *network.image.value().shape)
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


def defined(network, images):
    """The input of the classifier, and the logits, as NumPy defines them."""
    return network.outputs(images, [len(network.steps) - 2])


def last_input(model):
    """The name of the classifier's input."""
    return next(n for n in model.graph.node if n.name.startswith("dense")).input[0]


def run_standard(model, feed, kept):
    onnx.checker.check_model(model, full_check=True)
    known = {value.name for value in model.graph.output}
    new = [onnx.ValueInfoProto(name=name) for name in kept if name not in known]
    model.graph.output.extend(new)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    ).run(list(kept), feed)


def check_standard(network, exact=True):
    images = images_for(network)
    model = Standard().model(network)
    found, logits = run_standard(
        model, {"images": images}, [last_input(model), "logits"]
    )
    wanted, wanted_logits = defined(network, images)
    if exact:
        np.testing.assert_array_equal(found, wanted)
    np.testing.assert_allclose(logits, wanted_logits, rtol=0, atol=1e-5)
    assert len(np.unique(logits)) > 2


CASES = [
    ("ternarize", {"channels": 3, "out_filters": 6}),
    ("binarize", {"out_filters": 6, "shortcut": True, "node_mean": False}),
    ("quantize", {"channels": 3, "op_shortcut": False}),
    ("quantize", {"bits": 3, "out_filters": 6, "size": 9}),
    ("quantize", {"bits": 12}),  # needs sums in float64
    ("ternarize", {"head": 8}),
    ("binarize", {"fold_norms": True, "out_filters": 6}),
]
TABLED = [
    ("ternarize", {"operations": TABLES["mixed"], "numbers": MIXED_NUMBERS}),
    ("binarize", {"operations": TABLES["plain"]}),
]


@pytest.mark.parametrize(("scheme", "changes"), CASES + TABLED)
def test_onnxruntime_equals_the_definition(scheme, changes):
    check_standard(trained(scheme, **changes).simplified())


@pytest.mark.parametrize("channels", [1, 3])
def test_a_float_network_is_as_near_as_sums_are(channels):
    check_standard(
        trained("float", channels=channels, out_filters=6).simplified(), exact=False
    )


ARCS = st.tuples(
    *(st.integers(0, 4 if place % 2 else 1 + (place // 4) % 2) for place in range(16))
)


@settings(max_examples=3, deadline=None)
@given(ARCS, st.sampled_from(["ternarize", "binarize", "quantize"]))
def test_any_string_is_exact(numbers, scheme):
    check_standard(trained(scheme, numbers=numbers).simplified())


class Several(Quantized):
    """Of several images, since the executor is slow."""

    batch = 4


@pytest.mark.parametrize(
    ("scheme", "changes"),
    [("ternarize", {"head": 4}), ("binarize", {}), ("quantize", {"bits": 3}), *TABLED],
)
def test_the_qonnx_executor_equals_the_definition(scheme, changes):
    network = trained(scheme, **changes).network
    images = images_for(network, Several.batch)
    model = Several().model(network)
    onnx.checker.check_model(model)
    made = execute_onnx(ModelWrapper(model), {"images": images}, True)
    wanted, logits = defined(network, images)
    np.testing.assert_array_equal(made[last_input(model)], wanted)
    np.testing.assert_allclose(made["logits"], logits, rtol=0, atol=1e-5)


def edges():
    """Numbers at the ties and bounds of every format, and their neighbours."""
    x = np.arange(-40, 41, dtype=np.float32) / 16
    x = np.concatenate([x, [-0.0, 1e30, -1e30]]).astype(np.float32)
    return np.concatenate([np.nextafter(x, np.float32(s)) for s in (-9, 9)] + [x])


LOW_BIT = (BINARY, TERNARY, fixed(2), fixed(4))


def model_of(writer, end, x, shape, kind=np.float32):
    """What a writer added, as a model from an array x to y of some shape and type."""
    types = [np_dtype_to_tensor_dtype(np.dtype(one)) for one in (x.dtype, kind)]
    read = make_tensor_value_info("x", types[0], x.shape)
    made = make_tensor_value_info("y", types[1], shape)
    return writer.model_of(end, read, made, {})


@pytest.mark.parametrize("form", [*LOW_BIT, REAL])
def test_activations_at_their_ties(form):
    x, writer = edges(), Standard()
    model = model_of(writer, writer.activate("x", form), x, x.shape)
    (found,) = run_standard(model, {"x": x}, ["y"])
    np.testing.assert_array_equal(found, activated(x, form))


@pytest.mark.parametrize("form", LOW_BIT)
def test_activations_at_their_ties_in_qonnx(form):
    x, writer = edges(), Quantized()
    model = model_of(writer, writer.activate("x", form), x, x.shape)
    wrapped = ModelWrapper(model).transform(InferShapes())
    found = execute_onnx(wrapped, {"x": x})["y"]
    np.testing.assert_array_equal(found, activated(x, form))


def activated(x, form):
    unit = 2.0 ** -(form.integers.shift if form.integers else 0)
    return Activate((0,), form).run([x], [Value((1,))]) * unit


def check_step(step, value, x, *tensors):
    """One step through its nodes, on x [N, H, W, C] as integers or real numbers."""
    writer = Standard()
    end = writer.step(step, ["x"], [value], *tensors)
    wanted, made = step.run([x], [value], *tensors), step.value(value).integers
    wanted = wanted * 2.0 ** -(made.shift if made else 0)
    x = x * 2.0 ** -(value.integers.shift if value.integers else 0)
    kind = float_type(value.integers)
    x = np.ascontiguousarray(x.transpose(0, 3, 1, 2), kind)
    model = model_of(writer, end, x, [None] * 4, float_type(made))
    (found,) = run_standard(model, {"x": x}, ["y"])
    np.testing.assert_array_equal(found, wanted.transpose(0, 3, 1, 2))


def kernel_of(form, *shape):
    low, high = form.integers.lowest, form.integers.highest
    return np.random.default_rng(2).integers(low, high + 1, shape)


def real_numbers(*shape):
    return np.random.default_rng(3).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("order", [ROWS, COLUMNS])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_the_stem_adds_in_its_order(order, channels):
    step = Convolve((0,), 3, 7, fixed(4), order)
    kernel = kernel_of(fixed(4), 3, 3, channels, 7)
    x = real_numbers(2, 9, 9, channels)
    check_step(step, Value(x.shape[1:]), x, kernel)


@pytest.mark.parametrize("form", [TERNARY, fixed(4)])
@pytest.mark.parametrize(("channels", "half"), [(5, 3), (160, 80), (300, 70)])
def test_a_reduction_adds_real_numbers_in_order(form, channels, half):
    kernels = kernel_of(form, 2, channels, half)
    x = real_numbers(1, 31, 32, channels)  # of few pixels, longer sums keep theirs
    check_step(Reduce((0,), 2 * half, form), Value(x.shape[1:]), x, *kernels)


@pytest.mark.parametrize("step", ["conv", "wide conv", "depthwise", "reduce"])
@pytest.mark.parametrize("bits", [4, 16])
def test_sums_of_integers_are_exact(step, bits):
    form = fixed(bits)
    x = kernel_of(form, 2, 7, 7, 5)
    step, shape = {
        "conv": (Convolve((0,), 1, 3, form, ROWS), (1, 1, 5, 3)),
        "wide conv": (Convolve((0,), 3, 3, form, COLUMNS), (3, 3, 5, 3)),
        "depthwise": (Depthwise((0,), 3, 2, form), (3, 3, 5)),
        "reduce": (Reduce((0,), 6, form), (5, 3)),
    }[step]
    value = Value(x.shape[1:], form.integers)
    kernels = [kernel_of(form, *shape) for _ in step.stores(value)]
    check_step(step, value, x.astype(np.float32), *kernels)


@pytest.mark.parametrize("roundings", [SEPARATE, FUSED, FOLDED])
def test_a_batch_norm_rounds_as_it_says(roundings):
    x = real_numbers(4, 8, 8, 5)
    count = 2 if roundings == FOLDED else 4
    tensors = np.random.default_rng(4).normal(size=(count, 5)).astype(np.float32)
    check_step(Norm((0,), roundings), Value(x.shape[1:]), x, *tensors)


def test_kernels_take_few_bits():
    model = Standard().model(trained("ternarize").simplified())
    types = {t.data_type for t in model.graph.initializer}
    assert {onnx.TensorProto.INT2, onnx.TensorProto.INT4} <= types
    sizes = [2, 4, 8, 16, 32]
    for bits in sizes:
        ends = np.array([-(2 ** (bits - 1)), 2 ** (bits - 1) - 1])
        assert str(np.dtype(narrowest_type(ends))) == f"int{bits}"
        if bits < sizes[-1]:
            assert str(np.dtype(narrowest_type(ends + 1))) == f"int{2 * bits}"


def test_the_file_tells_the_classes_and_the_string(tmp_path):
    child = trained("ternarize")
    (line,) = write_onnx(str(tmp_path), child)
    path = tmp_path / "network.onnx"
    assert line == (
        "network.onnx: for onnxruntime and others, opset 25, "
        f"{path.stat().st_size:,} bytes"
    )
    session = onnxruntime.InferenceSession(str(path))
    properties = session.get_modelmeta().custom_metadata_map
    assert json.loads(properties["classes"]) == list(child.network.classes)
    assert properties["arc"] == ABOUT["arc"]
    (inputs,), (outputs,) = session.get_inputs(), session.get_outputs()
    assert (inputs.name, inputs.type) == ("images", "tensor(uint8)")
    assert inputs.shape == ["N", 8, 8, 1]
    assert (outputs.name, outputs.shape) == ("logits", ["N", 3])


@pytest.mark.parametrize("name", ["onnx", "qonnx"])
def test_a_missing_package_is_named(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=rf"^{name} needs the package onnx, which"):
        writers.check([name], is_float=False)


def test_qonnx_takes_no_float_network():
    with pytest.raises(InputError, match="qonnx is for low-bit networks"):
        writers.check(["qonnx"], is_float=True)
