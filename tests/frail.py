"""What tests let a worker hold, instead of a search."""

import os

from enas.base.errors import InputError


class Frail:
    """What a worker holds; it can be made to die, or to fail."""

    def __init__(self, *arguments):
        self.arguments = arguments

    def checkpoint(self):
        return "model.ckpt-1-1"

    def pid(self):
        return os.getpid()

    def die(self):
        os._exit(7)

    def fail(self):
        raise InputError("no images")


class Moving(Frail):
    def checkpoint(self):
        return f"model.ckpt-{os.getpid()}-1"
