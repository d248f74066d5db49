"""Compares every export of a trained network with the graph that trained it.

    enas_env/bin/python -m benchmarks.exports OUTPUT_DIR [--images=N]

OUTPUT_DIR is of a training. All test images are classified by the TensorFlow graph, in
batches of 100 as after each epoch, and by each export. A row tells on how many images
the class differs, on how many the classifier's input does (where the export tells it),
and how far apart the logits are where it does not. It needs gcc, and what
requirements-test.txt lists.
"""

import argparse
import os
import tempfile

import numpy as np

from benchmarks.inference import c_network, onnx_session, write_c
from enas.base.text_table import text_table
from enas.flags.datasets import open_data
from enas.loop.kept_run import settings_of
from enas.loop.trained import opened
from enas.session.output_dir import plain_path

BATCH = 100


def batches(images):
    return [images[start : start + BATCH] for start in range(0, len(images), BATCH)]


def of_graph(child, images):
    """The logits and the classifier's inputs."""
    logits = child.outputs.logits
    fetches = (logits, logits.op.inputs[0])
    found = [
        child.session.run(fetches, {child.raw: batch}) for batch in batches(images)
    ]
    return tuple(np.concatenate(part) for part in zip(*found, strict=True))


def of_numpy(network, images):
    head = len(network.steps) - 2
    found = [network.outputs(batch, [head]) for batch in batches(images)]
    heads, logits = (np.concatenate(part) for part in zip(*found, strict=True))
    return logits, heads


def of_onnx(folder, trained, images):
    from enas.export import onnx

    onnx.write(folder, trained)
    run = onnx_session(os.path.join(folder, onnx.FILE), threads=0)
    return np.concatenate([run(batch) for batch in batches(images)])


def of_keras(folder, trained, images):
    import keras

    import enas.export.keras_layers  # noqa: F401, the layers in the file
    from enas.export import keras as writer

    writer.write(folder, trained)
    model = keras.saving.load_model(os.path.join(folder, "network.keras"))
    return np.concatenate([np.asarray(model(batch)) for batch in batches(images)])


def row(name, found, graph, heads=None):
    logits, graph_heads = graph
    classes = (found.argmax(1) != logits.argmax(1)).sum()
    apart = np.abs(found - logits).max(axis=1)
    if heads is None:
        return name, str(classes), "", f"{apart.max():.1e}"
    differ = (heads != graph_heads).any(axis=1)
    return name, str(classes), str(differ.sum()), f"{apart[~differ].max():.1e}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("output_dir")
    parser.add_argument("--images", type=int, default=0)
    options = parser.parse_args()
    settings = settings_of(plain_path(options.output_dir), "train")
    test = open_data(settings)().test
    images = test.images[: options.images or None]
    labels = test.labels[: len(images)]
    with opened(settings) as child:
        graph = of_graph(child, images)
        trained = child.network(settings)
    network = trained.simplified()
    numpy_logits, heads = of_numpy(network, images)
    rows = [("runtime", "other class", "other input", "most between logits")]
    rows.append(row("NumPy", numpy_logits, graph, heads))
    with tempfile.TemporaryDirectory() as folder:
        write_c(network, folder)
        for flags in ("-O3", "-O3 -march=native"):
            predict = c_network(folder, "gcc", flags, len(network.classes))
            logits = np.stack([predict(image) for image in images])
            rows.append(row(f"C {flags}", logits, graph, heads))
            same = np.array_equal(logits, numpy_logits)
            print(f"C {flags} = NumPy, all logits, bit for bit: {same}")
        rows.append(row("ONNX", of_onnx(folder, trained, images), graph))
        rows.append(row("Keras", of_keras(folder, trained, images), graph))
    accuracy = (graph[0].argmax(1) == labels).mean()
    print(f"{len(images)} test images; the graph's accuracy on them is {accuracy:.4f}")
    print(text_table(rows, left=[0]))


if __name__ == "__main__":
    main()
