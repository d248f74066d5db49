"""Reads the header of a packed file of version 1, which was JSON as a whole."""

from __future__ import annotations

from typing import Any

from enas.network.formats import Format, format_named
from enas.network.header import checked, names_of
from enas.network.network import Network
from enas.network.steps import KINDS, Step


def network_of(header: bytes) -> Network:
    """Returns the network of a header, without its tensors.

    Raises:
      ValueError: it is damaged.
    """
    content = names_of(header)
    if not isinstance(content.get("steps"), list):
        raise ValueError("its header lists no steps")
    steps = [_step_of(row) for row in content["steps"]]
    return checked(steps, content.get("about"), content.get("classes"))


def _step_of(row: Any) -> Step:
    if not isinstance(row, list) or len(row) < 2 or row[0] not in list(KINDS):
        raise ValueError(f"{str(row)[:40]!r} is no step")
    name, inputs, *parameters = row
    inputs = [inputs] if type(inputs) is int else inputs
    if not isinstance(inputs, list) or not all(type(i) is int for i in inputs):
        raise ValueError(f"the inputs of {str(row)[:40]!r} are no numbers of steps")
    values = [_parameter(value) for value in parameters]
    try:
        step = KINDS[name](tuple(inputs), *values)
    except TypeError:
        raise ValueError(
            f"{str(row)[:40]!r} has not the parameters of a {name}"
        ) from None
    for field, value in step.parameters().items():
        if isinstance(value, Format) is not (field == "format"):
            raise ValueError(f"{field} of {str(row)[:40]!r} is of the wrong kind")
    return step


def _parameter(value: Any) -> Any:
    if type(value) is int:
        return value
    return format_named(value)
