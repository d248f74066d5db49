"""Writes logs as a search would, without one: accuracy rises, noise falls."""

import math
import random

from enas.report.log import (
    architecture_lines,
    child_line,
    controller_line,
    eval_lines,
    flag_line,
    layer_line,
)
from enas.space.arc import numbers_of, random_arc
from search_arc_mnist import CONSTANTS
from train_arc_mnist import CONSTANTS as TRAIN_CONSTANTS

# Letter by letter as the format is specified, with its short rule.
SPECIFIED = """\
epoch = 181   ch_step = 77850  loss = 0.127491   lr = 0.0456   |g| = 0.2030   tr_acc = 108/128   mins = 549.07
Epoch 182: Training controller
ctrl_step = 5430   loss = 0.266   ent = 49.17   lr = 0.0035   |g| = 0.0002   acc = 0.9688   bl = 0.97   mins = 550.96
Here are 10 architectures
[0 2 1 4 1 3 0 1 1 0 1 0 1 2 0 4 0 0 0 1]
[1 3 1 4 0 1 1 1 1 2 1 4 3 2 0 2 1 1 0 3]
val_acc = 0.9688
---------------------------------------------------
Epoch 182: Eval
Eval at 78260
Valid Num examples:  5000
valid_accuracy: 0.9612
Eval at 78260
Test Num examples:  10000
test_accuracy: 0.9622
"""  # noqa: E501
# The same in the older codes' words: wrapped and padded arrays, no numbers of examples.
OLDER = """\
WARNING:tensorflow:From micro_child.py:88: calling l2_normalize is deprecated.
epoch=181   ch_step=77850  loss=0.127491 lr=0.0456   |g|=0.2030   tr_acc = 18 /160 mins=549.07
Epoch 182: Training controller
ctrl_step=5430   loss=0.266   ent=49.17 lr=0.0035 |g|=0.0002   acc=0.9688 bl=0.97  mins=550.96
Here are 10 architectures
[ 0  2  1  4  1  3  0  1  1  0
  1  0  1  2  0  4  0  0  0  1]
W tensorflow/core/framework/allocator.cc:122] Allocation exceeds 10% of memory.
[1 3 1 4 0 1 1 1 1 2 1 4
 3 2 0 2 1 1 0 3]
val_acc=0.9688
---------------------------------------------------
Epoch 182: Eval
Eval at 78260
valid_accuracy: 0.9612
Eval at 78260
test_accuracy: 0.9622
"""  # noqa: E501


def flag_lines(**changed) -> str:
    flags = CONSTANTS | changed
    return "".join(flag_line(name, value) + "\n" for name, value in flags.items())


def fact_lines(**changed) -> str:
    facts = {
        "train_images": 55000,
        "valid_images": 5000,
        "test_images": 10000,
        "classes": ", ".join(map(str, range(10))),
        "steps_per_epoch": 430,
    }
    shown = (facts | changed).items()
    return "".join(flag_line(name, value) + "\n" for name, value in shown)


def epoch_lines(
    number: int,
    rng: random.Random,
    *,
    cells: int = 5,
    steps: int = 430,
    controller: bool = True,
    evaluated: bool = True,
    log_every: int = 25,
) -> str:
    """One epoch of a search of, say, 40; number counts from 1. 0 cells show none."""
    lines, level = [], 0.1 + 0.86 / (1 + math.exp((20 - number) / 3))

    def accuracy(images: int) -> float:
        part = rng.gauss(level, math.sqrt(level * (1 - level) / images))
        return round(min(max(part, 0), 1) * images) / images

    for step in range((number - 1) * steps + 1, number * steps + 1):
        if step % log_every == 0:
            lines.append(
                child_line(
                    epoch=step // steps,
                    step=step,
                    loss=2.6 * (1.02 - level) * rng.lognormvariate(0, 0.25),
                    lr=0.05,
                    grad_norm=0.2,
                    correct=round(128 * accuracy(128)),
                    batch_size=128,
                    minutes=step / 30,
                )
            )
    if controller:
        lines.append(f"Epoch {number}: Training controller")
        for sample in range(0, 300, log_every):
            lines.append(
                controller_line(
                    step=(number - 1) * 30 + sample // 10,
                    loss=rng.gauss(0, 2),
                    entropy=57.2 - 8 * level + rng.gauss(0, 0.3),
                    lr=0.0035,
                    grad_norm=0.01,
                    accuracy=accuracy(128),
                    baseline=max(level - 0.02, 0),
                    minutes=number * 15,
                )
            )
    if cells:
        lines.append("Here are 10 architectures")
    for _ in range(10 if cells else 0):
        numbers = numbers_of(random_arc(cells, rng))
        half = 4 * cells
        lines.append(architecture_lines(numbers[:half], numbers[half:], accuracy(128)))
    if evaluated:
        lines.append(f"Epoch {number}: Eval")
        lines.append(eval_lines("valid", number * steps, 5000, accuracy(5000)))
        lines.append(eval_lines("test", number * steps, 10000, accuracy(10000)))
    return "\n".join(lines) + "\n"


def search_log(
    epochs: int,
    seed: int = 1,
    changed: dict | None = None,
    facts: dict | None = None,
    **options,
) -> str:
    """The log of a search, from its flags on; options as of `epoch_lines`.

    Args:
      facts: what differs from `fact_lines`; None for an older log, without facts.
    """
    rng = random.Random(seed)
    flags = dict(changed or {}, child_num_cells=options.get("cells", 5))
    head = flag_lines(**flags)
    head += fact_lines(**facts) if facts is not None else ""
    head += layer_line(0, 32, 20) + "\nModel has 9 params\n"
    return head + "".join(
        epoch_lines(number, rng, **options) for number in range(1, epochs + 1)
    )


def training_log(epochs: int, seed: int = 1) -> str:
    """The log of a training."""
    rng = random.Random(seed)
    return "".join(
        [
            *(flag_line(name, v) + "\n" for name, v in TRAIN_CONSTANTS.items()),
            *(
                epoch_lines(number, rng, cells=0, controller=False)
                for number in range(1, epochs + 1)
            ),
        ]
    )
