"""Ranks a search's strings on the whole validation set.

`python -m enas.rank_arcs --help` says how; enas/loop/rank_command.py does it.
"""

from enas.loop.rank_command import main

if __name__ == "__main__":
    main()
