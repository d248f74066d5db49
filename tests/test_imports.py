"""Which way imports point: from the commands down to the base, and in no circle."""

import ast
import glob
import os
from graphlib import TopologicalSorter

from enas.loop import joining
from tests.runs import ROOT

# Each floor of the house may import from those below it, and from within its own room.
FLOORS = (
    {"quantize"},
    {"binarize", "ternarize"},
    {"enas.base"},
    {"enas.network"},
    {"enas.space", "enas.images"},
    {"enas"},  # the modules of the paper
    {"enas.flags"},
    {"enas.export"},
    {"enas.session", "enas.report", "enas.drawing"},
    {"enas.loop"},
    {"enas.many"},
    {"commands"},
)
COMMANDS = {
    "analyze_log",
    "rank_arcs",
    "train_arcs",
    "vis_cell",
    "download_cifar",
    "predict",
    "library",  # what notebooks use
}
SCRIPTS = {
    f"{task}_arc_{data}" for task in ("search", "train") for data in ("mnist", "cifar")
}


def room_of(module):
    *folders, name = module.split(".")
    is_command = folders == ["enas"] and name in COMMANDS
    if module in SCRIPTS or is_command or name == "__main__":
        return "commands"
    return ".".join(folders) or module


def modules():
    """The file of each module."""
    paths = [f"{script}.py" for script in SCRIPTS]
    for package in ("enas", "quantize", "binarize", "ternarize"):
        paths += glob.glob(f"{package}/**/*.py", root_dir=ROOT, recursive=True)
    names = (path.removesuffix(".py").replace(os.sep, ".") for path in paths)
    return {
        name: path
        for name, path in zip(names, paths, strict=True)
        if not name.endswith("__init__")
    }


def imports_of(path, known):
    """The modules of ours that a file imports, wherever in it."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as stream:
        tree = ast.parse(stream.read())
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found & known.keys()


def upward(graph):
    """The imports that point up, or across to another room of the same floor."""
    floor_of = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
    wrong = []
    for module, imported in graph.items():
        room = room_of(module)
        for other in imported:
            same_room = room_of(other) == room
            if not same_room and floor_of[room_of(other)] >= floor_of[room]:
                wrong.append((module, other))
    return wrong


def test_imports_point_one_way():
    known = modules()
    graph = {module: imports_of(path, known) for module, path in known.items()}
    assert len(graph) > 60 and "enas.space.arc" in graph["enas.fixed_child"]
    assert upward(graph) == []
    TopologicalSorter(graph).prepare()  # raises CycleError
    # The low-bit packages know no other, and of each other only the base.
    for module in graph:
        if module.startswith(("binarize.", "ternarize.")):
            own = module.partition(".")[0] + "."
            shared = {"quantize.base_ops", "quantize.base_layers"}
            assert {m for m in graph[module] if not m.startswith(own)} <= shared


def test_an_import_that_points_up_is_found():
    graph = {
        "enas.space.arc": {"enas.loop.main"},
        "enas.report.log": {"enas.session.x"},
    }
    assert upward(graph) == [
        ("enas.space.arc", "enas.loop.main"),
        ("enas.report.log", "enas.session.x"),
    ]


def test_workers_compare_all_packages():
    packages = {name.partition(".")[0] for name in modules() if "." in name}
    assert set(joining._PACKAGES) == packages
