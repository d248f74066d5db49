"""Trains one string to its end, with as many starts as that takes.

A training that died goes on from its last checkpoint. One that ended with a word of its
own is not started again, since it would say the same again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress

from enas.base.errors import InputError
from enas.base.files import open_regular
from enas.base.program import visible
from enas.many.engine import Engine
from enas.many.orders import Ended, Order
from enas.many.plan import Plan
from enas.many.trainings import (
    FAILED,
    FINISHED,
    PAUSED,
    RUNNING,
    Training,
    is_complete,
    last_checkpoint,
    result_of,
)
from enas.session.output_dir import FLAGS_FILE

MOST_DEATHS = 3  # in a row, with no new checkpoint between them
LONGEST = 2**16  # bytes of stderr, at whose end the reason is sought
ASKED = "it was asked to leave"


def train(
    training: Training,
    engine: Engine,
    order: Order,
    above: str,
    plan: Plan,
    changed: Callable[[str], None],
) -> None:
    """Trains a string, and writes into `training` how that went.

    Args:
      order: what to run; its words are those of any training.
      above: the folder of all trainings.
      changed: is called with a few words when it starts, dies or ends.
    """
    folder, deaths = training.folder(above), 0
    order = order._replace(errors=training.errors(above))
    training.state, training.reason = RUNNING, ""
    changed("goes on" if last_checkpoint(folder) else "starts")
    while True:
        before, began = last_checkpoint(folder), time.monotonic()
        said = _size(order.errors)
        try:
            ended = engine.run(order._replace(words=_words(training, folder, plan)))
        except OSError as error:
            training.state, training.reason = FAILED, f"it cannot be started: {error}"
            break
        training.minutes += (time.monotonic() - began) / 60.0
        deaths = deaths + 1 if last_checkpoint(folder) == before else 1
        if not ended.died() or ended.left or deaths > MOST_DEATHS:
            _settle(training, ended, folder, plan, order.errors, said)
            break
        changed(f"{ended.words()}; it goes on from its last checkpoint")
    training.result = result_of(folder)
    changed(training.state)


def _words(training: Training, folder: str, plan: Plan) -> tuple[str, ...]:
    """Returns the words of a training's command, after the name of Python."""
    words = [plan.script, f"--fixed_arc={training.arc}", *plan.words]
    if training.seed:
        words.append(f"--seed={training.seed}")
    words.append(f"--output_dir={folder}")
    if os.path.exists(os.path.join(folder, FLAGS_FILE)):
        words.append("--reset_output_dir=False")
    return tuple(words)


def _settle(
    training: Training, ended: Ended, folder: str, plan: Plan, errors: str, said: int
) -> None:
    """Writes down how a training ended.

    Args:
      said: the bytes of its stderr before its last start.
    """
    training.state, training.reason = FAILED, _last_line(errors, said)
    if ended.status == 0:
        settings = plan.settings
        try:
            complete = is_complete(folder, settings.num_epochs, settings.patience)
        except InputError as error:
            training.reason = str(error)
            return
        training.state = FINISHED if complete else PAUSED
        training.reason = "" if complete else "its max_minutes have passed"
    elif ended.left and ended.died():
        training.state, training.reason = PAUSED, ASKED
    elif ended.died():
        training.reason = (
            f"{ended.words()}, {MOST_DEATHS + 1} times without a new checkpoint; see "
            f"{errors}"
        )


def _size(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0


def _last_line(path: str, start: int) -> str:
    """Returns the last line of a file that has words, from byte `start` on."""
    with suppress(OSError), open_regular(path, "rb") as stream:
        stream.seek(max(start, _size(path) - LONGEST))
        lines = stream.read(LONGEST).decode(errors="replace").split("\n")
        for line in reversed(lines):
            if line.strip():
                return visible(line.strip())
    return "it gave no reason"
