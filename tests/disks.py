"""Searches on a small file system of their own that is full, or read-only.

    unshare --map-root-user --mount python -m tests.disks [quick]

mounts it in memory where nobody else sees it. What fails must fail with one line and
status 1, the last checkpoint must be whole, and when there is room again the run must
go on to what an undisturbed one ends with.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable

import numpy as np

from tests.kills import start, variables

ROOMY = 2**24  # bytes; a checkpoint of the small search has a hundred thousand
# Room for nothing, for flags, for a log, for a part of a checkpoint, for some of them.
SIZES = (4, 8, 12, 20, 40, 100, 200, 300, 400, 500, 600, 700)  # in KiB
# Lines of a log at which the file system fills up.
MOMENTS = ("epoch = 0", "epoch = 1", "ctrl_step", "Here are", "Eval at", "val_acc")


def _mount(folder: str, options: str) -> None:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
    subprocess.run(command, check=True)


def _remount(folder: str, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", folder], check=True)


def _watch(
    path: str, moment: str | None, then: Callable, *flags: str
) -> tuple[int, str, bool]:
    """Runs a search to its end, and does something at a line that starts so.

    Returns its status, its last line on stderr, and whether that held a traceback."""
    process = start(path, *flags, stderr=subprocess.PIPE)
    for line in process.stdout:
        if moment is not None and line.startswith(moment):
            then()
            break
    _, stderr = process.communicate()
    lines = stderr.splitlines()
    return process.returncode, lines[-1] if lines else "", "Traceback" in stderr


def _check(what: str, result: tuple, path: str) -> list[str]:
    """What is wrong with the end of a run that had no room."""
    status, line, traceback = result
    right = re.match(r"search_arc_mnist\.py: .*(space|[Rr]ead-only|quota)", line)
    if status != 1 or traceback or not right:
        return [f"{what}: status {status}, {line!r}"]
    if os.path.exists(os.path.join(path, "checkpoint")):
        variables(path)  # raises if it is not whole
    return []


def _goes_on(what: str, path: str, expected: dict) -> list[str]:
    status, line, _ = _watch(path, None, lambda: None, "--reset_output_dir=False")
    if status != 0:
        return [f"{what}, continued: status {status}, {line!r}"]
    found = variables(path)
    differ = [n for n in expected if not np.array_equal(found.get(n), expected[n])]
    return [f"{what}, continued: {differ[0]} differs"] if differ else []


def _fill(folder: str) -> None:
    """Leaves no room for another byte."""
    with open(os.path.join(folder, "filler"), "wb", buffering=0) as stream:
        for size in (2**16, 1):
            try:
                while stream.write(bytes(size)):
                    pass
            except OSError:
                continue


def run(folder: str, quick: bool) -> tuple[int, list[str]]:
    """(how many runs there were that failed, what was wrong); quick: one of them."""
    path = os.path.join(folder, "out")
    _mount(folder, f"size={ROOMY}")
    status, line, _ = _watch(os.path.join(folder, "whole"), None, lambda: None)
    assert status == 0, line
    expected = variables(os.path.join(folder, "whole"))
    count, wrong = 0, []

    def attempt(what, moment: str | None, spoil: Callable, mend: Callable, *flags):
        nonlocal count
        count += 1
        result = _watch(path, moment, spoil, *flags)
        mend()
        if result[0] == 0:
            wrong.append(f"{what}: it did not fail")
            return
        wrong.extend(_check(what, result, path) or _goes_on(what, path, expected))
        print(f"{what}: {result[1]}", file=sys.stderr)
        subprocess.run(["rm", "-rf", path], check=True)

    def unfill():
        os.remove(os.path.join(folder, "filler"))

    for moment in MOMENTS[:1] if quick else MOMENTS:
        attempt(f"full at {moment!r}", moment, lambda: _fill(folder), unfill)
    if quick:
        return count, wrong
    for what in ("a new run", "a run to be continued"):
        if what != "a new run":
            shutil.copytree(os.path.join(folder, "whole"), path)
        _remount(folder, "ro")
        attempt(
            f"read-only, {what}",
            None,
            lambda: None,
            lambda: _remount(folder, "rw"),
            *() if what == "a new run" else ("--reset_output_dir=False",),
        )
    subprocess.run(["umount", folder], check=True)
    for size in SIZES:
        _mount(folder, f"size={size}k")
        attempt(
            f"{size} KiB",
            None,
            lambda: None,
            lambda: _remount(folder, f"size={ROOMY}"),
        )
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
