"""Efficient neural architecture search over low-bit cells."""

import os

# OpenCV reads these when it is imported. It then prints nothing of its own, and refuses
# an image of more pixels than this, whatever size its file claims.
os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**26))
