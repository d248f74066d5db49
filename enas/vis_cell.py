"""Draws the cells of an arc string, and its network.

`python -m enas.vis_cell --help` says how; the code is in enas/drawing/command.py.
"""

from enas.drawing.command import main

if __name__ == "__main__":
    main()
