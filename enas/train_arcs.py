"""Trains the strings of a search alone, several of them at once.

`python -m enas.train_arcs --help` says how; the code is in enas/many/train_command.py.
"""

from enas.many.train_command import main

if __name__ == "__main__":
    main()
