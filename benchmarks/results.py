"""Runs a command of docs/results.md again.

    enas_env/bin/python -m benchmarks.results [NUMBER]

Without a number it lists the commands, each under the heading that it stands under.
With one it runs that command in the project's folder, just as if it were pasted there:
log and output folder are those that the command names.
"""

import argparse
import re
import subprocess
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "results.md"


class Command(NamedTuple):
    """A line of a page's blocks that can be run, and the heading above it."""

    heading: str
    line: str


def commands(page: str) -> list[Command]:
    """Returns the commands of a page, in their order."""
    found, heading, inside = [], "", False
    for line in page.replace("\\\n", " ").splitlines():
        if line.startswith("```"):
            inside = line == "```sh"
        elif inside and line.strip():
            found.append(Command(heading, line))
        elif match := re.match(r"#+ +(.*)", line):
            heading = match[1]
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("number", type=int, nargs="?", help="which one; else list them")
    number = parser.parse_args(arguments).number
    found = commands(PAGE.read_text(encoding="utf-8"))
    if number is None:
        for place, command in enumerate(found, 1):
            print(f"{place:>3}  {command.heading}\n     {command.line}")
        return 0
    if not 1 <= number <= len(found):
        parser.error(f"there is no command {number}; they are 1 to {len(found)}")
    return subprocess.run(found[number - 1].line, shell=True, cwd=ROOT).returncode


if __name__ == "__main__":
    raise SystemExit(main())
