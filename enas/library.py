"""What a notebook or another program can use; `import enas` offers all of it.

Nothing here reads the command line. Wrong settings raise a UsageError, and files that
cannot be used an InputError, each with one line that says what to do.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, NamedTuple

from enas.base.errors import InputError as InputError
from enas.base.errors import UsageError as UsageError
from enas.flags.datasets import DATASETS, DataSet
from enas.flags.fit import fitted
from enas.flags.parse import parse
from enas.flags.table import Settings
from enas.report import log_reader
from enas.space.arc import CELLS, NUMBERS, Arc, words_of
from enas.space.arc import parse_arc as parse_checked_arc
from enas.space.operations import TABLES, Operations

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

    from enas.loop.history import Evaluation
    from enas.report.ranking import Ranked

# The kind of each list of records of a run, as `read_log` names it.
_KINDS = {
    "child_steps": "child step",
    "controller_samples": "controller sample",
    "architectures": "architecture",
    "evaluations": "evaluation",
}


class Searched(NamedTuple):
    """The result of a search.

    Attributes:
      folder: its output folder; None if it had no epochs to run.
      ranking: strings of the last round and uniform ones, best first. Each has its
        `arc`, its `source`, its `accuracy` on all validation images with the search's
        weights, and the accuracy's standard `error`. Of a search with a budget, it also
        has the `bytes` and `mult_adds` of its network, and whether that `fits`.
      evaluations: the accuracies after each epoch.
    """

    folder: str | None
    ranking: list[Ranked]
    evaluations: list[Evaluation]


class Trained(NamedTuple):
    """The result of a training.

    Attributes:
      folder: its output folder; None if it had no epochs to run.
      evaluations: the accuracies after each epoch: `epoch`, `step`, `valid` (None
        without validation images) and `test`.
    """

    folder: str | None
    evaluations: list[Evaluation]


def search(dataset: str = "mnist", **settings: Any) -> Searched:
    """Searches, as search_arc_mnist.py or search_arc_cifar.py does.

    Args:
      dataset: 'mnist', which reads images of one's own as well, or 'cifar'.
      settings: flags of the script by name, such as `num_epochs=5`.

    Raises:
      UsageError: a setting is wrong.
      InputError: files, the folder or the machine do not allow it.
      FloatingPointError: the loss or its gradient is not finite.
      enas.base.errors.Interrupted: Ctrl-C; the run was saved.
    """
    from enas.loop import history, main

    folder = main.run("search", _settings(_dataset(dataset).search, settings))
    if folder is None:
        return Searched(None, [], [])
    from enas.report import ranking

    return Searched(folder, ranking.read(folder), history.read(folder))


def train(arc: Arc | str, dataset: str = "mnist", **settings: Any) -> Trained:
    """Trains a string alone, as train_arc_mnist.py or train_arc_cifar.py does.

    Args, raises: as in `search`.
    """
    from enas.loop import history, main

    given = {"fixed_arc": str(arc)} | settings
    folder = main.run("train", _settings(_dataset(dataset).train, given))
    return Trained(folder, history.read(folder) if folder else [])


def parse_arc(text: str, child_ops: str = "classic") -> Arc:
    """Reads an arc string; `str` gives it back.

    Args:
      child_ops: the table of operations that the string is of.

    Raises:
      ValueError: it is none; the message says which number is wrong.
      UsageError: there is no such table.
    """
    cells = max(1, len(words_of(text)) // (CELLS * NUMBERS))
    return parse_checked_arc(text, cells, _table(child_ops))


def read_log(path: str) -> list[dict[str, Any]]:
    """Reads the log of a search or of a training, or that of an output folder.

    Returns:
      A dict for each record, in order, for `pandas.DataFrame` for instance. All have
      `run` (from 1), `kind` ('child step', 'controller sample', 'architecture' or
      'evaluation'), `epoch` and `step`; a string is in `arc`. Accuracies are parts of
      1.

    Raises:
      InputError: the file cannot be read, or has no line of a log.
    """
    found = []
    for number, run in enumerate(log_reader.read_log(path), start=1):
        for field, kind in _KINDS.items():
            for record in getattr(run, field):
                values = record._asdict()
                if "arc" in values:
                    values["arc"] = str(values["arc"])
                found.append({"run": number, "kind": kind} | values)
    return found


def draw_arc(arc: Arc | str, child_ops: str = "classic") -> Figure:
    """Draws the two cells of a string; a notebook shows the figure.

    Args, raises: as in `parse_arc`.
    """
    from enas.drawing.cell_plot import cells_picture
    from enas.drawing.picture import draw

    return draw(cells_picture(parse_arc(str(arc), child_ops), _table(child_ops)))


def keras_model(
    arc: Arc | str, classes: int = 10, dataset: str = "mnist", **settings: Any
) -> keras.Model:
    """Builds the network of a string as a Keras model with new weights.

    It maps images [N, H, W, C] of 0 … 255 to logits [N, classes], and `fit` trains it.
    It has neither aux head nor drop path.

    Args:
      classes: how many classes it tells apart.
      dataset, settings: as in `search`, with the flags of the train script.

    Raises:
      UsageError: a setting is wrong.
      NotImplementedError: Keras has no layer for a part of this network.
    """
    from enas.base.quiet import load_tensorflow

    given = {"fixed_arc": str(arc), "seed": 1} | settings
    checked = _settings(_dataset(dataset).train, given)
    load_tensorflow()
    import numpy as np

    from enas.export.keras import model_of
    from enas.loop.kept_images import Images
    from enas.loop.trained import untrained

    half = np.full(checked.channel if "channel" in checked.names else 3, 0.5)
    names = [str(number) for number in range(classes)]
    if checked.fit_kb:
        checked = fitted(checked, len(half), names)
    images = Images(half.astype(np.float32), half.astype(np.float32), names)
    return model_of(untrained(checked, images))


def _table(name: str) -> Operations:
    if name not in TABLES:
        names = ", ".join(map(repr, TABLES))
        raise UsageError(f"child_ops is {name!r}; it must be one of {names}")
    return TABLES[name]


def _dataset(name: str) -> DataSet:
    for dataset in DATASETS:
        if dataset.name == name:
            return dataset
    names = ", ".join(repr(dataset.name) for dataset in DATASETS)
    raise UsageError(f"dataset is {name!r}; it must be one of {names}")


def _settings(script: str, given: dict[str, Any]) -> Settings:
    """Returns the checked settings of a script, with some given by name."""
    constants = importlib.import_module(script).CONSTANTS
    words = [f"--{name}={value}" for name, value in given.items()]
    return parse([f"{script}.py", *words], constants)
