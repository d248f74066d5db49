"""README.md and the pages of docs/: links lead somewhere, and commands can be typed.

A check takes the pages and returns what is wrong with them, a line each.
"""

import importlib
import importlib.util
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
MOST_LINES = 200
SCRIPTS = ("search_arc_mnist", "search_arc_cifar", "train_arc_mnist", "train_arc_cifar")
# A script and what follows it on its line, or within its backticks.
COMMAND = re.compile(rf"\b({'|'.join(SCRIPTS)})\.py([^`\n]*)")
FLAG = re.compile(r"(?<=\s)--?([A-Za-z]\w*)")
# This page names flags of other programs.
OLDER_CODES = "older_codes.md"

Pages = dict[Path, str]


def read_pages() -> Pages:
    """The text of every page, by its path."""
    paths = [README, *sorted((ROOT / "docs").glob("*.md"))]
    return {path: path.read_text(encoding="utf-8") for path in paths}


def without_blocks(text: str) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives to the headings of a page."""
    seen: Counter[str] = Counter()
    found = set()
    for heading in re.findall(r"^#{1,6} +(.+)$", without_blocks(text), re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)  # of links their text
        slug = re.sub(r"[^\w\- ]", "", words.strip().lower()).replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def length(pages: Pages) -> list[str]:
    """The README is short."""
    lines = len(pages[README].splitlines())
    return [f"README.md has {lines} lines"] if lines > MOST_LINES else []


def pages_unlinked(pages: Pages) -> list[str]:
    """The README links to every page."""
    return [
        f"README.md has no link to docs/{path.name}"
        for path in pages
        if path != README and f"](docs/{path.name})" not in pages[README]
    ]


def links(pages: Pages) -> list[str]:
    """Links lead to files of the project, and anchors to headings."""
    wrong = []
    for page, text in pages.items():
        prose = re.sub(r"`[^`\n]*`", "", without_blocks(text))
        for target in re.findall(r"\]\(([^)\s]+)", prose):
            if re.match(r"[a-z]+:", target):  # of another site
                continue
            path, _, anchor = target.partition("#")
            file = (page.parent / path).resolve() if path else page
            if not (file.exists() and file.is_relative_to(ROOT)):
                wrong.append(f"{page.name}: {target} is no file of the project")
            elif anchor and anchor not in anchors(pages.get(file, "")):
                wrong.append(f"{page.name}: {target} is no heading")
    return wrong


def is_module(name: str) -> bool:
    """Whether `python -m name` would find it; packages around it are imported."""
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def modules(pages: Pages) -> list[str]:
    """Modules in commands exist."""
    return [
        f"{page.name}: there is no module {name}"
        for page, text in pages.items()
        for name in re.findall(r"\bpython3? -m (\w+(?:\.\w+)*)", text)
        if not is_module(name)
    ]


def scripts(pages: Pages) -> list[str]:
    """Scripts in commands exist."""
    started = r"(?:\bpython3? |(?<=\./))([\w/]+\.(?:py|sh))\b"
    named = r"\b((?:search|train)_arc_\w+\.py)\b"
    return [
        f"{page.name}: there is no script {name}"
        for page, text in pages.items()
        for name in map("".join, re.findall(f"{started}|{named}", text))
        if not (ROOT / name).is_file()
    ]


def flags_of(script: str) -> set[str]:
    """The flags of a script by its name without .py, with their other names."""
    flags = {"help", "resume", *importlib.import_module(script).CONSTANTS}
    return flags | {"child_fixed_arc"} if "fixed_arc" in flags else flags


def flags(pages: Pages) -> list[str]:
    """Scripts have the flags that commands pass to them; a flag of child or controller
    that stands alone is one of some script."""
    wrong: list[str] = []
    known: set[str] = set().union(*map(flags_of, SCRIPTS))
    for page, text in pages.items():
        text = text.replace("\\\n", " ")  # a command over several lines
        for script, rest in COMMAND.findall(text):
            given = set(FLAG.findall(rest.partition(" #")[0]))
            for name in sorted(given - flags_of(script)):
                wrong.append(f"{page.name}: {script}.py has no flag {name}")
        if page.name != OLDER_CODES:
            alone = set(re.findall(r"(?<=`)--((?:child|controller)_\w+)", text))
            for name in sorted(alone - known):
                wrong.append(f"{page.name}: no script has a flag {name}")
    return wrong


CHECKS = (length, pages_unlinked, links, modules, scripts, flags)


@pytest.mark.parametrize("check", CHECKS)
def test_pages(check):
    assert check(read_pages()) == []


def test_anchors():
    text = "# Why, or `not_so`?\n## A\n```sh\n# no heading\n```\n## [A](b.md)\n"
    assert anchors(text) == {"why-or-not_so", "a", "a-1"}


@pytest.mark.parametrize(
    ("check", "addition"),
    [
        (length, "\n" * MOST_LINES),
        (links, "[a](docs/nowhere.md)"),
        (links, "![a](docs/nowhere.png)"),
        (links, "[a](..)"),
        (links, "[a](#nowhere)"),
        (links, "[a](docs/log.md#nowhere)"),
        (modules, "`enas_env/bin/python -m enas.nowhere`"),
        (modules, "`enas_env\\Scripts\\python -m nowhere.at_all`"),
        (scripts, "`python nowhere.py`"),
        (scripts, "`./nowhere.sh`"),
        (scripts, "`train_arc_nowhere.py`"),
        (flags, "`search_arc_mnist.py --nowhere=1 >> log.txt`"),
        (flags, "`search_arc_mnist.py -fixed_arc`"),
        (flags, '    python train_arc_cifar.py -fixed_arc "…" \\\n        --nowhere=1'),
        (flags, "add `--child_nowhere=1`"),
    ],
)
def test_checks_find_what_is_wrong(check, addition):
    pages = read_pages()
    before = check(pages)
    pages[README] += f"\n{addition}\n"
    assert len(check(pages)) == len(before) + 1


def test_a_page_without_a_link_is_found():
    pages = read_pages() | {ROOT / "docs" / "nowhere.md": "# Nowhere\n"}
    assert len(pages_unlinked(pages)) == 1
