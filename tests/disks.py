"""Searches on a small file system of their own that is full, or read-only.

    unshare --map-root-user --mount python -m tests.disks [quick]

mounts it in memory where nobody else sees it; `quick` makes one short search fail. What
fails must fail with one line and status 1, the last checkpoint must be whole, and when
there is room again the run must go on to what an undisturbed one ends with.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from functools import partial

from enas.session.checkpoint_files import found_in
from tests.kills import FLAGS, SCRIPT
from tests.runs import CONTINUED, difference, variables, watch

# What runs this module, so that it may mount.
NAMESPACE = ("unshare", "--map-root-user", "--mount")
ROOMY = 2**24  # bytes; a checkpoint of the small search has a hundred thousand
# Of the search that `quick` makes.
SHORT = ("--train_limit=100", "--num_epochs=1", "--controller_train_steps=2")
# Room for nothing, for flags, for a log, for a part of a checkpoint, for some of them.
SIZES = (4, 8, 12, 20, 40, 100, 200, 300, 400, 500, 600, 700)  # in KiB
# Lines of a log at which the file system fills up.
MOMENTS = ("epoch = 0", "epoch = 1", "ctrl_step", "Here are", "Eval at", "val_acc")


def mount(folder: str, options: str) -> None:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
    subprocess.run(command, check=True)


def _remount(folder: str, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


def _check(what: str, status: int, stderr: list[str], path: str) -> list[str]:
    """What is wrong with the end of a run that had no room."""
    right = re.match(r"search_arc_mnist\.py: .*(space|[Rr]ead-only)", stderr[-1])
    if status != 1 or not right or any("Traceback" in line for line in stderr):
        return [f"{what}: status {status}, {stderr[-1]!r}"]
    if found_in(path):
        variables(path)  # raises if it is not whole
    return []


def _goes_on(what: str, flags: tuple, path: str, expected: dict) -> list[str]:
    status, _, stderr = watch(SCRIPT, *flags, f"--output_dir={path}", CONTINUED)
    if status != 0:
        return [f"{what}, continued: status {status}, {stderr[-1]!r}"]
    result = difference(variables(path), expected)
    return [f"{what}, continued: {result}"] if result else []


def fill(folder: str) -> str:
    """Leaves no room for another byte; returns the file that takes all of it."""
    filler = os.path.join(folder, "filler")
    with open(filler, "wb", buffering=0) as stream:
        for size in (2**16, 1):
            try:
                while stream.write(bytes(size)):
                    pass
            except OSError:
                continue
    return filler


def _fill_meanwhile(folder: str, process: subprocess.Popen) -> None:
    fill(folder)


def run(folder: str, quick: bool) -> tuple[int, list[str]]:
    """(how many runs there were that failed, what was wrong); quick: one of them."""
    path, search = os.path.join(folder, "out"), (*FLAGS, *(SHORT if quick else ()))
    mount(folder, f"size={ROOMY}")
    whole = os.path.join(folder, "whole")
    status, _, stderr = watch(SCRIPT, *search, f"--output_dir={whole}")
    assert status == 0, stderr[-1]
    expected = variables(whole)
    count, wrong = 0, []

    def attempt(what, mend, *flags, at=None, spoil=None):
        nonlocal count
        count += 1
        status, _, stderr = watch(
            SCRIPT, *search, f"--output_dir={path}", *flags, at=at, then=spoil
        )
        mend()
        if status == 0:
            wrong.append(f"{what}: it did not fail")
        else:
            bad = _check(what, status, stderr, path)
            wrong.extend(bad or _goes_on(what, search, path, expected))
            print(f"{what}: {stderr[-1]}", file=sys.stderr)
        subprocess.run(["rm", "-rf", path], check=True)

    def unfill():
        os.remove(os.path.join(folder, "filler"))

    for moment in MOMENTS[:1] if quick else MOMENTS:
        spoil = partial(_fill_meanwhile, folder)
        attempt(f"full at {moment!r}", unfill, at=moment, spoil=spoil)
    if quick:
        return count, wrong
    for what in ("a new run", "a run to be continued"):
        if what != "a new run":
            shutil.copytree(whole, path)
        _remount(folder, "ro")
        flags = () if what == "a new run" else (CONTINUED,)
        attempt(f"read-only, {what}", partial(_remount, folder, "rw"), *flags)
    subprocess.run(["umount", folder], check=True)
    for size in SIZES:
        mount(folder, f"size={size}k")
        attempt(f"{size} KiB", partial(_remount, folder, f"size={ROOMY}"))
        subprocess.run(["umount", folder], check=True)
    return count, wrong


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = os.path.join(folder, "place")
        os.mkdir(place)
        try:
            count, wrong = run(place, "quick" in sys.argv[1:])
        finally:
            subprocess.run(["umount", "--quiet", "--lazy", place], check=False)
    print("\n".join(wrong), file=sys.stderr)
    print(f"{count} {len(wrong)}")


if __name__ == "__main__":
    main()
