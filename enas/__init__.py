"""Efficient neural architecture search over low-bit cells."""

import os

# OpenCV reads these as it is imported: it says nothing of its own, and reads no image
# of more than so many pixels, whatever size a file claims.
os.environ.setdefault("OPENCV_LOG_LEVEL", "OFF")
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(2**26))
