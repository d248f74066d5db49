"""Draws the cells of an arc string, and its network.

`python -m enas.vis_cell --help` says how; enas/drawing/command.py does it.
"""

from enas.drawing.command import main

if __name__ == "__main__":
    main()
