"""Reads logs from text, and runs analyze_log and the command that it prints."""

import shlex

import train_arc_cifar
import train_arc_mnist
from enas.flags.parse import parse
from enas.report.analysis import main
from enas.report.log_reader import parse_log
from enas.space.arc import parse_arc

ARC = parse_arc(
    "0 2 1 4 1 3 0 1 1 0 1 0 1 2 0 4 0 0 0 1 1 3 1 4 0 1 1 1 1 2 1 4 3 2 0 2 1 1 0 3", 5
)


def parsed(text):
    return parse_log(text.splitlines(keepends=True))


def only(text):
    (run,) = parsed(text)
    return run


def run_main(capsys, *arguments):
    """Status, stdout and stderr of the command."""
    status = 0
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as leaving:
        status = leaving.code
    return status, *capsys.readouterr()


def command_flags(command):
    """What the train script makes of a printed command, and the words that it has."""
    words = shlex.split(command)
    assert words[0] == "enas_env/bin/python" and words[-2] == ">>"
    script = {
        "train_arc_mnist.py": train_arc_mnist,
        "train_arc_cifar.py": train_arc_cifar,
    }
    return parse(words[1:-2], script[words[1]].CONSTANTS), words[4:-2]
