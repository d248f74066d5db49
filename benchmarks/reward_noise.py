"""Measures how much a search's rewards owe to strings, to batches and to chance.

    python -m benchmarks.reward_noise OUTPUT_DIR [--strings=40]

It judges uniformly drawn strings on the batches of the validation set, of 100 images
each, with the weights of the search's last checkpoint. It prints the mean accuracy, and
the standard deviations of a two-way analysis of variance. That between strings is the
signal for the controller. That between batches is shared by all strings on a batch. The
third is that of what is left.
"""

import argparse
import math

import numpy as np
from tqdm import tqdm

from enas.flags.datasets import open_data
from enas.loop.judging import SPLIT
from enas.loop.kept_run import settings_of
from enas.loop.search import opened
from enas.report.ranking import uniform_arcs
from enas.session.output_dir import plain_path


def components(accuracies: np.ndarray) -> tuple[float, float, float]:
    """Returns the standard deviations between strings, between batches, of the rest.

    One that the rest explains in full is 0.

    Args:
      accuracies: [strings, batches].
    """
    strings, batches = accuracies.shape
    of_string = accuracies.mean(axis=1, keepdims=True)
    of_batch = accuracies.mean(axis=0, keepdims=True)
    rest = accuracies - of_string - of_batch + accuracies.mean()
    left = np.sum(rest**2) / ((strings - 1) * (batches - 1))
    between = (
        np.var(of_string, ddof=1) - left / batches,
        np.var(of_batch, ddof=1) - left / strings,
    )
    return *(math.sqrt(max(0.0, variance)) for variance in between), math.sqrt(left)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("output_dir")
    parser.add_argument("--strings", type=int, default=40)
    options = parser.parse_args()
    settings = settings_of(plain_path(options.output_dir), "search")
    arcs = uniform_arcs(settings, options.strings)
    accuracies = []
    with opened(settings, open_data(settings)()) as (reader, sample, outputs):
        batches = range(reader.pipeline.eval_batches(SPLIT))
        fetches = (outputs.correct, reader.pipeline.labels)
        for arc in tqdm(arcs, "strings"):
            feeds = (reader.feed(SPLIT, batch) | sample.feed(arc) for batch in batches)
            judged = [reader.session.run(fetches, feed) for feed in feeds]
            accuracies.append([correct / len(labels) for correct, labels in judged])
    images = reader.pipeline.num_examples[SPLIT] // len(batches)
    accuracies = np.array(accuracies)
    strings, between_batches, rest = components(accuracies)
    print(f"mean accuracy {accuracies.mean():.4f}; standard deviation")
    print(f"between strings                {strings:.4f}")
    print(f"between batches of {images:<3d} images   {between_batches:.4f}")
    print(f"what is left                   {rest:.4f}")


if __name__ == "__main__":
    main()
