"""Ranks a search's strings on the whole validation set.

`python -m enas.rank_arcs --help` says how; the code is in enas.many.rank_command.py.
"""

from enas.many.rank_command import main

if __name__ == "__main__":
    main()
