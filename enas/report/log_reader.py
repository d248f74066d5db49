"""Reads the log of a search or of a training back into numbers.

It understands what `enas/report/log.py` writes and what older codes wrote. It skips all
other lines, so a log may still be growing, end in the middle of a line, be damaged, or
have other output between its lines. It must not write to a log or import TensorFlow.
"""

import codecs
import os
import re
from collections.abc import Iterable
from functools import partial

from enas.base.errors import InputError
from enas.flags.table import FLAGS
from enas.report.log import FACTS, FLAG_WIDTH
from enas.report.log_records import (
    Architecture,
    ChildStep,
    ControllerSample,
    Evaluation,
    Run,
    continues,
    joined,
    with_epochs,
)
from enas.space.arc import CELLS, NUMBERS, Arc, arc_from_numbers
from enas.space.operations import CLASSIC, TABLES, Operations

LOG_FILE = "log.txt"  # in an output folder
MOST_RUNS = 100  # of a log, among which the one is sought that another continues
LONGEST_LINE = 10_000  # letters; what is longer is read in parts, which say nothing


def read_log(path: str) -> list[Run]:
    """Returns the runs of a log that tell at least one number, in the log's order.

    A run that continues an earlier one of the log, from its output folder, is joined
    with it. All runs of an output folder's own log are of that folder, which may have
    been moved in between.

    Args:
      path: the log, or the output folder that holds it.

    Raises:
      InputError: the file cannot be read, or has no line of a search's log.
    """
    of_one_folder, path = os.path.isdir(path), log_of(path)
    if not os.path.exists(path):
        raise InputError(f"there is no file {path}; name the log of a search")
    if not os.path.isfile(path):
        raise InputError(f"{path} is no ordinary file; name the log of a search")
    try:
        with open(path, encoding=_encoding(path), errors="replace") as stream:
            lines = iter(partial(stream.readline, LONGEST_LINE), "")
            runs = parse_log(lines, of_one_folder)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    if not runs:
        kind = "has no line of a search's log" if os.path.getsize(path) else "is empty"
        raise InputError(
            f"{path} {kind}; name the file that the output of search_arc_mnist.py or "
            f"search_arc_cifar.py goes to, once its first step is logged"
        )
    return runs


def log_of(path: str) -> str:
    """Returns a log's path, which may be given as the output folder that holds it.

    Raises:
      InputError: the folder holds no log.
    """
    if not os.path.isdir(path):
        return path
    log = os.path.join(path, LOG_FILE)
    if not os.path.lexists(log):
        raise InputError(f"the folder {path} has no {LOG_FILE}; name the log of a run")
    return log


def _encoding(path: str) -> str:
    """Returns the encoding of a log; in Windows PowerShell, `>>` writes UTF-16."""
    with open(path, "rb") as stream:
        start = stream.read(2)
    utf16 = start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    return "utf-16" if utf16 else "utf-8-sig"


def parse_log(lines: Iterable[str], of_one_folder: bool = False) -> list[Run]:
    """Returns the runs in a log's lines; none if no line is understood.

    Args:
      of_one_folder: whether all runs had the same output folder, whatever it was named.
    """
    parser = _Parser()
    for line in lines:
        parser.read(line.rstrip("\r\n"))
    runs: list[Run] = []
    for run in parser.runs:
        if run.is_empty():
            continue
        run = with_epochs(run)
        for number in reversed(range(max(0, len(runs) - MOST_RUNS), len(runs))):
            if continues(run, runs[number], of_one_folder):
                run = joined(runs.pop(number), run)
                break
        runs.append(run)
    return runs


_INT = r"([0-9]{1,9})"
_FLOAT = r"(-?[0-9]{1,12}\.[0-9]{1,12})"
_PART = r"([01]\.[0-9]{4})(?![0-9])"  # four digits, so a cut-off number does not match
_ANY = r"\S+"
_MINUTES = re.compile(r"[0-9]{1,9}\.[0-9]{2}")  # two digits, for the same reason


def _pattern(**fields: str) -> re.Pattern:
    """Matches `name = value   name = value …`; the field `g` is called |g| in a log."""
    names = {"g": r"\|g\|"}
    return re.compile(
        r"\s+".join(rf"{names.get(name, name)}\s*=\s*{fields[name]}" for name in fields)
    )


_FLAG = re.compile(r"([A-Za-z_0-9]+)\.{3}(.*)")
_NUMBERS = re.compile(r"\[?[0-9\s]*\]?", re.ASCII)


class _Parser:
    """Reads a log line by line.

    Attributes:
      runs: the runs so far; an epoch that no line has told is 0.
    """

    def __init__(self):
        self.runs = [Run({}, {}, [], [], [], [])]
        self._epoch = 0  # that of the last headline; 0 once the child is trained again
        self._evaluates = False  # whether that headline was of an evaluation
        self._step = 0  # the child's step
        self._images = None  # of the split that is evaluated
        self._cells = []  # numbers, as text, of each cell since the last accuracy
        self._open = None  # numbers of a cell whose closing bracket is yet to come
        self._costs_follow = False  # whether the last string's may be told

    def read(self, line: str) -> None:
        """Reads one line, which comes without its line end."""
        if self._read_flag(line):
            return
        line = line.strip()
        if self._read_cell(line):
            return
        for pattern, take in self._LINES:
            if match := pattern.match(line):
                take(self, *match.groups())
                return

    def _new_run(self, flags: dict[str, str], facts: dict[str, str]) -> None:
        self.runs.append(Run(flags, facts, [], [], [], []))
        self._epoch = self._step = 0

    def _read_cell(self, line: str) -> bool:
        """Reads a cell in brackets, which NumPy may have wrapped over several lines."""
        if not line or not _NUMBERS.fullmatch(line):
            return False
        if line.startswith("["):
            self._open = []
        elif self._open is None:
            return False
        self._open += line.strip("[]").split()
        if line.endswith("]"):
            self._cells.append(self._open)
            self._open = None
        return True

    def _read_flag(self, line: str) -> bool:
        match = _FLAG.fullmatch(line)
        if not match or len(line) < FLAG_WIDTH:
            return False
        name, value = match.groups()
        if name not in FLAGS and name not in FACTS:
            return False
        run = self.runs[-1]
        if not run.is_empty() or name in run.flags or name in run.facts:
            self._new_run({}, {})
        if len(line) == FLAG_WIDTH:
            value = value.lstrip(".")
        run = self.runs[-1]
        (run.flags if name in FLAGS else run.facts)[name] = value
        return True

    def _child_step(self, epoch, step, loss, correct, batch_size, minutes) -> None:
        if int(batch_size) == 0:
            return
        run = self.runs[-1]
        if run.child_steps and int(step) <= run.child_steps[-1].step:
            self._new_run(run.flags, run.facts)
        self._epoch, self._step = 0, int(step)
        self.runs[-1].child_steps.append(
            ChildStep(
                int(epoch),
                self._step,
                float(loss),
                int(correct),
                int(batch_size),
                float(minutes) if _MINUTES.fullmatch(minutes) else None,
            )
        )

    def _headline(self, epoch, what) -> None:
        self._epoch = int(epoch)
        # The strings before an evaluation are of its epoch, too, unless the headline of
        # a round told their epoch.
        if what == "Eval" and self._epoch:
            shown = self.runs[-1].architectures
            for number in reversed(range(len(shown))):
                if shown[number].epoch or shown[number].step != shown[-1].step:
                    break
                shown[number] = shown[number]._replace(epoch=self._epoch)
        self._evaluates = what == "Eval"

    def _shows_strings(self) -> None:
        if self._evaluates:  # they are of the next epoch, of which no step was logged
            self._epoch = 0
        self._no_cells()

    def _controller_sample(self, updates, entropy, accuracy, baseline) -> None:
        numbers = (float(entropy), float(accuracy), float(baseline), int(updates))
        sample = ControllerSample(self._epoch, self._step, *numbers)
        self.runs[-1].controller_samples.append(sample)

    def _no_cells(self) -> None:
        self._cells, self._open = [], None

    def _ends_string(self) -> None:
        self._costs_follow = False
        self._no_cells()

    def _architecture(self, accuracy) -> None:
        # A log whose flags do not name the table, or only in part, is of the first one.
        table = self.runs[-1].flags.get("child_ops", "")
        arc = _arc(self._cells, TABLES.get(table, CLASSIC))
        if arc is not None:
            self.runs[-1].architectures.append(
                Architecture(self._epoch, self._step, arc, float(accuracy))
            )
            self._costs_follow = True
        self._no_cells()

    def _cost(self, size, mult_adds) -> None:
        shown = self.runs[-1].architectures
        if shown and self._costs_follow:
            shown[-1] = shown[-1]._replace(bytes=int(size), mult_adds=int(mult_adds))
        self._costs_follow = False

    def _evaluated_step(self, step) -> None:
        self._step = int(step)
        self._images = None

    def _evaluated_images(self, count) -> None:
        self._images = int(count) or None

    def _evaluation(self, split, accuracy) -> None:
        self.runs[-1].evaluations.append(
            Evaluation(self._epoch, self._step, split, float(accuracy), self._images)
        )
        self._images = None

    _LINES = (
        (
            _pattern(
                epoch=_INT,
                ch_step=_INT,
                loss=_FLOAT,
                lr=_ANY,
                g=_ANY,
                tr_acc=rf"{_INT}\s*/\s*{_INT}",
                mins=r"(\S+)",
            ),
            _child_step,
        ),
        (
            _pattern(
                ctrl_step=_INT,
                loss=_ANY,
                ent=_FLOAT,
                lr=_ANY,
                g=_ANY,
                acc=_PART,
                bl=_FLOAT,
                mins=_ANY,
            ),
            _controller_sample,
        ),
        (re.compile(rf"Epoch {_INT}: (Training controller|Eval)"), _headline),
        (re.compile(r"Here are"), _shows_strings),
        (re.compile(r"-{5}"), _ends_string),
        (_pattern(bytes=_INT, mult_adds=r"([0-9]{1,12})"), _cost),
        (re.compile(rf"val_acc\s*=\s*{_PART}"), _architecture),
        (re.compile(rf"Eval at {_INT}"), _evaluated_step),
        (re.compile(rf"(?:Valid|Test) Num examples:\s+{_INT}$"), _evaluated_images),
        (re.compile(rf"(valid|test)_accuracy\s*:\s*{_PART}"), _evaluation),
    )


def _arc(cells: list[list[str]], operations: Operations) -> Arc | None:
    """Returns the string of two cells; None if they make none, as in a damaged log."""
    sizes = [len(cell) for cell in cells]
    if (
        len(sizes) != CELLS
        or sizes[0] != sizes[1]
        or not sizes[0]
        or sizes[0] % NUMBERS
    ):
        return None
    try:
        return arc_from_numbers(cells[0] + cells[1], operations)
    except ValueError:
        return None
