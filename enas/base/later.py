"""Puts off the loading of modules that a package loads but hardly ever needs."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


class _Later(ModuleType):
    """Stands for a module, and loads it when something of it is first asked for."""

    def __getattr__(self, name: str):
        if name.startswith("__"):  # import looks for these
            raise AttributeError(name)
        _give_way()
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def put_off(*names: str) -> Iterator[None]:
    """Within it, modules are not loaded when they are imported, but when they are used.

    After it, an import loads them as ever.

    Args:
      names: the modules, a package before the modules in it. One that is loaded by now
        stays, and those in it are loaded.
    """
    puts_off = not any(name in sys.modules for name in names)
    stand_ins = {name: _Later(name) for name in names if puts_off}
    for name, module in stand_ins.items():
        package, _, inner = name.rpartition(".")
        if package in stand_ins:
            setattr(stand_ins[package], inner, module)
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        _give_way()


def _give_way() -> None:
    """Lets the next import of each module load it."""
    for name, module in list(sys.modules.items()):
        if isinstance(module, _Later):
            del sys.modules[name]
