"""Efficient neural architecture search over low-bit cells.

For notebooks and other programs, `enas.search`, `enas.train`, `enas.read_log`,
`enas.parse_arc`, `enas.draw_arc` and `enas.keras_model` stand here; enas/library.py
says what they do.
"""

import importlib
import os
import platform
from typing import Any

_OFFERED = (
    "InputError",
    "UsageError",
    "draw_arc",
    "keras_model",
    "parse_arc",
    "read_log",
    "search",
    "train",
)

# OpenCV reads this when it is imported. It then prints nothing of its own.
os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
# So does TensorFlow. It leaves oneDNN, its fast kernels, off on processors without
# AVX-512 VNNI, where a step then takes twice as long.
if platform.machine() in ("x86_64", "AMD64"):
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")


def __getattr__(name: str) -> Any:
    """Loads what a notebook uses once it is used; a command loads only its own."""
    if name not in _OFFERED:
        raise AttributeError(f"module 'enas' has no attribute {name!r}")
    return getattr(importlib.import_module("enas.library"), name)
