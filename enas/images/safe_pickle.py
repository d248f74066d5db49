"""Reads pickles of byte arrays and plain containers without trusting them.

A pickle is a program for a small stack machine, and loading it imports and calls what
it names. Here the standard library's `pickletools` takes the program apart, which runs
nothing. A machine of our own then follows it. That machine knows only the three calls
that a pickled NumPy array of bytes makes, and it stands in for them without calling
anything. Containers must be neither hashed nor printed, so that however they are
nested, time and memory grow only with the file's size. (An `Unpickler` whose
`find_class` refuses all but NumPy's names is shorter. But it hashes what a pickle uses
as a key, and nested tuples of 432 bytes then keep it busy for ever.)
"""

import math
import pickletools
from collections.abc import Callable
from typing import Any

import numpy as np

MOST_OPCODES = 200_000  # a CIFAR-10 batch has about 30,000
MOST_BYTES = 2**26  # in a file, and in text that is turned into bytes

# Python 2 and 3, and NumPy 1 and 2, name the same things differently.
_NAMES = {
    "numpy ndarray": "ndarray",
    "numpy dtype": "dtype",
    "numpy.core.multiarray _reconstruct": "reconstruct",
    "numpy._core.multiarray _reconstruct": "reconstruct",
    "_codecs encode": "encode",
}


class HostilePickleError(ValueError):
    """The pickle asks for something that no byte array or plain container needs."""


class ByteArray:
    """An array in a pickle, empty until the pickle fills it.

    Attributes:
      values: uint8, of any shape with at most four axes.
    """

    def __init__(self):
        self.values = np.zeros(0, np.uint8)

    def fill(self, state: tuple) -> None:
        _, shape, dtype, by_columns, content = state
        if not isinstance(dtype, _ByteType):
            raise HostilePickleError("its array is not of bytes")
        if not all(type(size) is int and 0 <= size <= MOST_BYTES for size in shape):
            raise HostilePickleError("its array has no such shape")
        if len(shape) > 4 or len(_bytes(content)) != math.prod(shape):
            raise HostilePickleError("its array's bytes do not fill the array's shape")
        flat = np.frombuffer(content, np.uint8)
        self.values = flat.reshape(shape, order="F" if by_columns is True else "C")


class _ByteType:
    """Stands in for NumPy's dtype of bytes."""


class _Name:
    """One of _NAMES, which REDUCE may call."""

    def __init__(self, module_and_name: str):
        if module_and_name not in _NAMES:
            asked = module_and_name[:60].replace(" ", ".")
            raise HostilePickleError(f"it asks for {asked!r}")
        self.name = _NAMES[module_and_name]


def _bytes(value) -> bytes:
    if type(value) is not bytes:
        raise HostilePickleError("its array holds other than bytes")
    return value


def _text(value) -> str:
    """Returns a Python 3 string, or the text of a Python 2 string, which is bytes."""
    if type(value) is bytes:
        return value.decode("latin1")
    if type(value) is not str:
        raise HostilePickleError("its keys or names are no strings")
    return value


class _Machine:
    """A pickle's stack, the marks on it, and the memo of values that are used again."""

    def __init__(self) -> None:
        self.stack: list = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}
        self.bytes_left = MOST_BYTES

    def push(self, value) -> None:
        self.stack.append(value)

    def pop_to_mark(self) -> list:
        mark = self.marks.pop()
        items = self.stack[mark:]
        del self.stack[mark:]
        return items

    def pop(self, count: int) -> list:
        if count > len(self.stack):
            raise IndexError("the stack is empty")
        items = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return items

    def extend(self, items: list) -> None:
        """Adds items to the list on top."""
        if type(self.stack[-1]) is not list:
            raise HostilePickleError("it appends to what is no list")
        self.stack[-1].extend(items)

    def set_items(self, items: list) -> None:
        """Adds key, value, key, value … to the dict on top."""
        if type(self.stack[-1]) is not dict:
            raise HostilePickleError("it sets items of what is no dict")
        keys = [self._key(key) for key in items[0::2]]
        self.stack[-1].update(zip(keys, items[1::2], strict=True))

    def _key(self, value) -> str:
        """A key as a string; decoding one again and again uses up what is left."""
        if type(value) is bytes:
            self.spend(len(value))
        return _text(value)

    def spend(self, count: int) -> None:
        """Takes bytes from those that the pickle may make.

        Raises:
          HostilePickleError: it makes more than it has.
        """
        self.bytes_left -= count
        if self.bytes_left < 0:
            raise HostilePickleError("it makes more bytes than it has")

    def stack_global(self) -> None:
        module, name = self.pop(2)
        self.push(_Name(f"{_text(module)} {_text(name)}"))

    def reduce(self) -> None:
        """Stands in for a call of what is named, with a tuple of arguments."""
        function, arguments = self.pop(2)
        name = function.name if isinstance(function, _Name) else None
        if type(arguments) is not tuple or not arguments:
            raise HostilePickleError("it calls something without arguments")
        first = arguments[0]
        if name == "reconstruct" and getattr(first, "name", None) == "ndarray":
            self.push(ByteArray())
        elif name == "dtype" and first in ("u1", b"u1"):
            self.push(_ByteType())
        elif name == "encode" and arguments[1:] == ("latin1",):
            content = _text(first).encode("latin1")
            self.spend(len(content))
            self.push(content)
        else:
            raise HostilePickleError("it calls something, or an array not of bytes")

    def build(self) -> None:
        """Gives an object its state."""
        (state,) = self.pop(1)
        if isinstance(self.stack[-1], ByteArray):
            self.stack[-1].fill(state)
        elif not isinstance(self.stack[-1], _ByteType):
            raise HostilePickleError("it alters what is no array")


def _remember(machine: _Machine, number: int) -> None:
    machine.memo[number] = machine.stack[-1]


def _push_argument(machine: _Machine, argument) -> None:
    machine.push(argument)


def _push_bytes(machine: _Machine, argument: str) -> None:
    """Pushes a Python 2 string, which pickletools has turned into text."""
    machine.push(argument.encode("latin1"))


def _ignore(machine: _Machine, argument) -> None:
    pass


def _named(*names: str, do: Callable) -> dict[str, Callable]:
    return dict.fromkeys(names, do)


# What each opcode does to the machine, given its argument. Other opcodes are refused.
_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    **_named("PROTO", "FRAME", "STOP", do=_ignore),
    **_named("INT", "BININT", "BININT1", "BININT2", "LONG1", do=_push_argument),
    **_named("BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", do=_push_argument),
    **_named("BINBYTES", "SHORT_BINBYTES", do=_push_argument),
    **_named("BINSTRING", "SHORT_BINSTRING", do=_push_bytes),
    **_named("BINPUT", "LONG_BINPUT", do=_remember),
    **_named("BINGET", "LONG_BINGET", do=lambda m, number: m.push(m.memo[number])),
    "MEMOIZE": lambda m, _: _remember(m, len(m.memo)),
    "NONE": lambda m, _: m.push(None),
    "NEWTRUE": lambda m, _: m.push(True),
    "NEWFALSE": lambda m, _: m.push(False),
    "MARK": lambda m, _: m.marks.append(len(m.stack)),
    "EMPTY_LIST": lambda m, _: m.push([]),
    "APPEND": lambda m, _: m.extend(m.pop(1)),
    "APPENDS": lambda m, _: m.extend(m.pop_to_mark()),
    "EMPTY_TUPLE": lambda m, _: m.push(()),
    "TUPLE": lambda m, _: m.push(tuple(m.pop_to_mark())),
    "TUPLE1": lambda m, _: m.push(tuple(m.pop(1))),
    "TUPLE2": lambda m, _: m.push(tuple(m.pop(2))),
    "TUPLE3": lambda m, _: m.push(tuple(m.pop(3))),
    "EMPTY_DICT": lambda m, _: m.push({}),
    "SETITEM": lambda m, _: m.set_items(m.pop(2)),
    "SETITEMS": lambda m, _: m.set_items(m.pop_to_mark()),
    "GLOBAL": lambda m, name: m.push(_Name(name)),
    "STACK_GLOBAL": lambda m, _: m.stack_global(),
    "REDUCE": lambda m, _: m.reduce(),
    "BUILD": lambda m, _: m.build(),
}


def load(content: bytes) -> Any:
    """Returns the content of a pickle that Python 2 or 3 wrote by protocol 2 to 4.

    Returns:
      Numbers, booleans, strings, bytes, None, lists, tuples, dicts with string keys, or
      ByteArrays. Python 2 strings are returned as bytes, except for keys.

    Raises:
      HostilePickleError: it asks for anything else, or is far larger than a batch.
      ValueError: it is damaged.
    """
    if len(content) > MOST_BYTES:
        raise HostilePickleError(f"it is larger than {MOST_BYTES >> 20} MB")
    machine = _Machine()
    try:
        for count, (opcode, argument, _) in enumerate(pickletools.genops(content)):
            if count > MOST_OPCODES or opcode.name not in _ACTIONS:
                raise HostilePickleError(f"it uses {opcode.name}, as operation {count}")
            _ACTIONS[opcode.name](machine, argument)
        (value,) = machine.stack
    except HostilePickleError:
        raise
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError(f"it is damaged ({type(error).__name__})") from error
    return value
