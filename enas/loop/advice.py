"""Says on stderr what a run reads, and which of its flags may not be what was meant."""

import math

from enas.base.program import visible
from enas.data_utils import DataReader
from enas.flags.table import Settings
from enas.report.budget import costs_of, told

MOST_NAMES = 20  # of classes
# A round that has this many times as many samples as child steps before it takes most
# of a run's time.
OUT_OF_PROPORTION = 8
# With fewer child steps, a search has not learnt much (docs/learning.md).
LEAST_STEPS = 250


def steps_per_epoch(settings: Settings, data: DataReader, workers: int = 1) -> int:
    """Returns the child steps in an epoch; the last batch is filled from the next.

    Args:
      workers: how many share the run; a step takes a batch of each.
    """
    return math.ceil(data.sizes["train"] / (settings.batch_size * workers))


def facts(
    settings: Settings, data: DataReader, workers: int = 1
) -> dict[str, int | str]:
    """Returns what the head of a log tells besides flags; see `enas.report.log.FACTS`.

    Training images are counted before copies are made of them.

    Args:
      workers: how many share the run; the log tells of several only.
    """
    found: dict[str, int | str]
    found = {f"{name}_images": count for name, count in data.sizes.items()}
    found["train_images"] = data.sizes["train"] // settings.n_aug_img
    names = [visible(name) for name in data.classes[:MOST_NAMES]]
    others = len(data.classes) - len(names)
    found["classes"] = ", ".join(names) + (f" and {others} others" if others else "")
    found["steps_per_epoch"] = steps_per_epoch(settings, data, workers)
    if workers > 1:
        found["workers"] = workers
    return found


def facts_line(settings: Settings, data: DataReader, workers: int = 1) -> str:
    """Returns the same as a sentence."""
    found = facts(settings, data, workers)
    sets = [
        f"{found[f'{name}_images']} {word}"
        for name, word in (("train", "training"), ("valid", "validation"))
        if f"{name}_images" in found
    ]
    copies = f", {settings.n_aug_img} copies of each" if settings.n_aug_img > 1 else ""
    return (
        f"{' + '.join(sets)} + {found['test_images']} test images of "
        f"{len(data.classes)} classes ({found['classes']}); an epoch has "
        f"{found['steps_per_epoch']} steps of {settings.batch_size * workers} images"
        f"{copies}"
    )


def about_budget(settings: Settings, data: DataReader) -> str:
    """Returns a sentence on how many strings fit a search's budget; empty without one.

    Raises:
      UsageError: no string fits.
    """
    if not settings.has_budget:  # so that nothing is read for it
        return ""
    return told(settings, costs_of(settings, data.shape[2], data.classes))


def advice(settings: Settings, steps: int) -> list[str]:
    """Returns a line for each thing that a person may not have meant.

    Args:
      steps: child steps in an epoch.
    """
    lines = [_about_rate(settings)]
    if "fixed_arc" not in settings.names:
        lines += [_about_steps(settings, steps), _about_rounds(settings, steps)]
    return [line for line in lines if line]


def _about_rate(settings: Settings) -> str:
    epochs = settings.num_epochs
    if not settings.child_lr_cosine or epochs < 2:
        return ""
    part = _part_of_rate(epochs - 1, settings.child_lr_T_0, settings.child_lr_T_mul)
    if part <= 0.5 + 1e-9:
        return ""
    low, high = settings.child_lr_min, settings.child_lr_max
    return (
        f"the learning rate is still {low + part * (high - low):.4g} in the last of "
        f"{epochs} epochs; with --child_lr_T_0={epochs} it falls by then"
    )


def _part_of_rate(epoch: int, period: int, factor: int) -> float:
    """Returns where the cosine schedule is in an epoch: 1 is its top, 0 its bottom.

    Args:
      epoch: epochs done before it.
      period: epochs before the first restart.
      factor: how many times as long each period is as the one before.
    """
    while epoch >= period:
        epoch -= period
        period *= factor
    return 0.5 * (1.0 + math.cos(math.pi * epoch / period))


def _about_steps(settings: Settings, steps: int) -> str:
    total = settings.num_epochs * steps
    if total >= LEAST_STEPS or not settings.num_epochs:
        return ""
    return (
        f"{total} child steps are few, and strings may still be near chance; "
        f"--num_epochs={math.ceil(LEAST_STEPS / steps)} makes {LEAST_STEPS} of them "
        f"(docs/learning.md)"
    )


def _about_rounds(settings: Settings, steps: int) -> str:
    if not settings.controller_training or not settings.num_epochs:
        return ""
    samples = settings.controller_train_steps * settings.controller_num_aggregate
    before = steps * settings.controller_train_every
    if samples <= OUT_OF_PROPORTION * before:
        return ""
    every = math.ceil(samples / steps)
    return (
        f"a round of the controller samples {samples} strings after every {before} "
        f"child steps; with --controller_train_every={every} "
        f"--eval_every_epochs={every} most of the time goes into child steps"
    )
