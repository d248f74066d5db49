"""Efficient neural architecture search over low-bit cells."""

import os

# OpenCV reads this when it is imported. It then prints nothing of its own.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
