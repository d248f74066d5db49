"""Where the reductions and the aux head are placed.

This is plain arithmetic, and must not import TensorFlow.
"""


def default_pool_layers(num_layers: int) -> tuple[int, ...]:
    """The reductions at p, 2p+1 and num_layers, where p = num_layers // 4.

    These are three layers, or two if num_layers is 1, where 2p+1 is num_layers.
    """
    p = num_layers // 4
    return tuple(sorted({p, 2 * p + 1, num_layers}))


def paper_pool_layers(num_layers: int) -> tuple[int, ...]:
    """The paper's two reductions, at p and 2p+1, where p = num_layers // 3."""
    p = num_layers // 3
    return (p, 2 * p + 1)


def parse_pool_layers(text: str, num_layers: int) -> tuple[int, ...]:
    """The reduction layers that `child_pool_layers` names, ascending.

    Args:
      text: empty for the default, 'paper', or layer numbers separated by commas or
        spaces.

    Raises:
      ValueError: a word is not a number, is out of range or is repeated; or the text
        names no layer.
    """
    if not text.strip():
        return default_pool_layers(num_layers)
    if text.strip() == "paper":
        return paper_pool_layers(num_layers)
    words = text.replace(",", " ").split()
    last = num_layers + 1
    if not words:
        raise ValueError(f"child_pool_layers is {text!r}, which names no layer")
    for word in words:
        if not (word.isascii() and word.isdigit() and int(word) <= last):
            raise ValueError(
                f"child_pool_layers has {word!r}; it must be empty, 'paper', or "
                f"numbers of layers from 0 to {last}"
            )
    layers = sorted(int(word) for word in words)
    if len(set(layers)) != len(layers):
        raise ValueError(f"child_pool_layers names a layer twice: {text!r}")
    return tuple(layers)


def aux_layer(pool_layers: tuple[int, ...], num_layers: int) -> int | None:
    """The layer whose output the aux head reads; None if there is no such layer.

    It is the layer after the second-to-last of three or more reductions, or after the
    last of fewer.
    """
    layer = (pool_layers[-2] if len(pool_layers) > 2 else pool_layers[-1]) + 1
    return layer if layer < num_layers + 2 else None
