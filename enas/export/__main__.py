"""Exports the network of a training, to use it without TensorFlow.

`python -m enas.export --help` says how; the code is in enas/loop/export_command.py.
"""

from enas.loop.export_command import main

if __name__ == "__main__":
    main()
