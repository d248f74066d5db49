"""Times a trained network on one image at a time, on one thread.

    enas_env/bin/python -m benchmarks.inference OUTPUT_DIR [--rounds=N] [--compiler=CC]

OUTPUT_DIR is of a training. The TensorFlow graph, onnxruntime, the C export and the
NumPy runtime classify the same images in turn, so that a change of the machine's speed
meets all of them. Medians are printed, and the memory of the C network beside that of
float32 maps, one for each step, whose places are used again. It needs a C compiler, and
what requirements-test.txt lists.

onnxruntime runs the exported file, which is exact, and the same network as a user of
float networks would export it: float kernels, and batch norms that onnxruntime folds
into the convolutions.
"""

import argparse
import ctypes
import os
import statistics
import subprocess
import tempfile
import time

import numpy as np

FLAGS = ("-O3", "-O3 -mavx2", "-O3 -march=native")
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


def write_c(network, folder):
    """Writes the C files of a network; returns the bytes of its static memory."""
    from enas.export import c

    files, memory, _ = c.sources(network)
    for name, text in files.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as stream:
            stream.write(text)
    return memory


def c_network(folder, compiler, flags, classes):
    """Compiles the C files in a folder; returns a function from an image to logits."""
    path = os.path.join(folder, f"network{flags.replace(' ', '')}.so")
    command = f"{compiler} {flags} -std=c99 -ffp-contract=off -shared -fPIC -o {path}"
    subprocess.run([*command.split(), os.path.join(folder, "network.c")], check=True)
    library = ctypes.CDLL(path)

    def predict(image):
        logits = np.empty(classes, np.float32)
        places = (array.ctypes.data_as(ctypes.c_void_p) for array in (image, logits))
        library.predict(*places)
        return logits

    return predict


def onnx_session(path, threads=1):
    """Returns a function from images to logits that runs an ONNX file."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        path, options, providers=["CPUExecutionProvider"]
    )
    return lambda images: session.run(None, {"images": images})[0]


def float_model(network):
    """The ONNX model of a network with float kernels and plain batch norms."""
    from enas.export.onnx import Standard

    class Float(Standard):
        def kernel(self, integers, form, scale):
            return self.constant(integers * scale)

        def keeps_order(self, step, x):
            return False

        def norm(self, step, inputs, values, mean, r, scale, offset):
            tensors = (r * scale, offset, mean, np.ones_like(mean))
            names = map(self.constant, tensors)
            return self.add("BatchNormalization", *inputs, *names, epsilon=0.0)

    return Float().model(network)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("output_dir")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--compiler", default="gcc")
    options = parser.parse_args()
    for name in _THREADS:  # before TensorFlow is loaded
        os.environ[name] = "1"
    from enas.export import onnx
    from enas.export.c_plan import float_bytes
    from enas.loop.kept_run import settings_of
    from enas.loop.trained import opened
    from enas.session.output_dir import plain_path

    settings = settings_of(plain_path(options.output_dir), "train")
    with opened(settings) as child, tempfile.TemporaryDirectory() as folder:
        trained = child.network(settings)
        network = trained.simplified()
        memory = write_c(network, folder)
        onnx.write(folder, trained)
        plain = os.path.join(folder, "float.onnx")
        with open(plain, "wb") as stream:
            stream.write(float_model(trained.network).SerializeToString())
        exported, plain = map(onnx_session, (os.path.join(folder, onnx.FILE), plain))
        logits = child.outputs.logits
        tried = {
            "TensorFlow graph": lambda image: child.session.run(
                logits, {child.raw: image[None]}
            ),
            "onnxruntime, float": lambda image: plain(image[None]),
            "onnxruntime, as exported": lambda image: exported(image[None]),
        }
        for flags in FLAGS:
            tried[f"C {flags}"] = c_network(
                folder, options.compiler, flags, len(network.classes)
            )
        tried["NumPy"] = lambda image: network.logits(image[None])
        times = _times(tried, network.image, options.rounds)
    print(f"memory: {memory:,} bytes in C, {float_bytes(network):,} of float32 maps")
    first, *_ = times.values()
    for name, median in times.items():
        print(
            f"{name:24s} {1000 * median:6.2f} ms, {first / median:5.2f} times as fast"
        )


def _times(tried, image, rounds):
    """The median seconds of each, which take turns."""
    shape = (rounds, image.height, image.width, image.channels)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    times = {name: [] for name in tried}
    for one in images:
        for name, run in tried.items():
            start = time.perf_counter()
            run(one)
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken) for name, taken in times.items()}


if __name__ == "__main__":
    main()
