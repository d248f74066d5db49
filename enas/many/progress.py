"""Shows on stderr how far each training is: a bar each, or a line when one changes."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress

from tqdm import tqdm

from enas.base.files import open_regular
from enas.base.program import note
from enas.base.text_table import terminal_width
from enas.flags.table import Settings
from enas.many.trainings import RUNNING, Training
from enas.session.output_dir import LOG_FILE

_STEP = re.compile(rb"ch_step = (\d{1,9}) ")
_EPOCH_STEPS = re.compile(rb"^steps_per_epoch\.{3,}(\d{1,9})$", re.MULTILINE)
_ACCURACY = re.compile(rb"^(?:valid|test)_accuracy: [01]\.\d{4}$", re.MULTILINE)
PART = 2**14  # bytes of a log's head, and of its end, that are looked at


class Progress:
    """The bars or lines of all trainings.

    Args:
      above: the folder of all trainings.
      settings: of one of them.
    """

    def __init__(self, above: str, settings: Settings):
        self._above, self._epochs = above, settings.num_epochs
        self._has_bars = terminal_width(sys.stderr) is not None
        self._bars: dict[str, tqdm] = {}

    def changed(self, training: Training, words: str) -> None:
        """Tells what has become of a training."""
        if training.state == RUNNING:
            if self._has_bars and training.name not in self._bars:
                self._bars[training.name] = tqdm(desc=training.name, leave=False)
                return
        elif bar := self._bars.pop(training.name, None):
            bar.close()
        if result := training.result:
            words += f", {result.split}_accuracy {result.accuracy:.4f}"
        if training.reason:
            words += f": {training.reason}"
        with tqdm.external_write_mode(sys.stderr):
            note(f"{training.name}: {words}")

    def look(self) -> None:
        """Looks how far the trainings are, and moves their bars."""
        for name, bar in self._bars.items():
            path = os.path.join(self._above, name, LOG_FILE)
            with suppress(OSError), open_regular(path, "rb") as log:
                head = log.read(PART)
                log.seek(max(0, os.fstat(log.fileno()).st_size - PART))
                end = log.read(PART)
                if of_epoch := _EPOCH_STEPS.search(head):
                    bar.total = int(of_epoch[1]) * self._epochs
                if steps := _STEP.findall(end):
                    bar.n = int(steps[-1])
                if told := _ACCURACY.findall(end):
                    bar.set_postfix_str(told[-1].decode(), refresh=False)
            bar.refresh()

    def close(self) -> None:
        for bar in self._bars.values():
            bar.close()
        self._bars = {}
