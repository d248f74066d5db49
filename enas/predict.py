"""Predicts the classes of images with a packed network.

`python -m enas.predict --help` says how; the code is in enas/loop/predict_command.py.
"""

from enas.loop.predict_command import main

if __name__ == "__main__":
    main()
