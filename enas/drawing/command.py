"""Draws the two cells of an arc string, and the network that they make.

    python -m enas.vis_cell "0 2 1 4 …" [--output=cell] [--network] [--flag=value …]

It writes cell.png and cell.svg, and with --network also cell_network.png and .svg. It
overwrites earlier pictures with these names, and nothing else. The number of blocks
follows from the number of integers. The string's table, child_ops, and the flags that
shape the network are those of the train scripts, with train_arc_mnist.py's defaults;
`--help` lists them. It must not import TensorFlow.
"""

import dataclasses
import sys

from enas.base.errors import UsageError
from enas.base.program import one_line_errors, show
from enas.drawing.cell_plot import cells_picture
from enas.drawing.network_plot import Network, layers_of, network_picture
from enas.drawing.picture import Picture, draw, save
from enas.flags.parse import checked, help_text, read
from enas.flags.table import Settings
from enas.space.arc import CELLS, NUMBERS, words_of
from enas.space.layer_plan import aux_layer, parse_pool_layers

CONSTANTS = {
    # The architecture
    "fixed_arc": "",
    # Pictures
    "output": "cell",
    "network": False,
    # Images
    "channel": 1,
    "img_size": 32,
    # Child: shape
    "child_num_layers": 6,
    "child_ops": "classic",
    "child_out_filters": 16,
    "child_pool_layers": "",
    "child_use_aux_heads": True,
}
FORMATS = ("png", "svg")  # those that are written
# Pictures of more blocks or layers are too large to be drawn, or to be of use.
MOST_BLOCKS = 20
MOST_LAYERS = 100


def read_settings(argv: list[str]) -> Settings:
    """Reads a command line; `child_num_cells` follows from its arc string.

    Raises:
      UsageError: a flag or the arc string is wrong, or there is too much to draw.
    """
    settings, words = read(argv, CONSTANTS)
    text, output = " ".join([settings.fixed_arc, *words]), settings.output
    num_cells = max(1, round(len(words_of(text)) / (CELLS * NUMBERS)))
    for kind in FORMATS:
        output = output.removesuffix(f".{kind}")
    settings = checked(
        dataclasses.replace(
            settings, fixed_arc=text, child_num_cells=num_cells, output=output
        )
    )
    for name, most in (
        ("child_num_cells", MOST_BLOCKS),
        ("child_num_layers", MOST_LAYERS),
    ):
        if getattr(settings, name) > most:
            raise UsageError(
                f"{name} is {getattr(settings, name)}; at most {most} are drawn"
            )
    return settings


def pictures(settings: Settings) -> dict[str, Picture]:
    """Makes the pictures that the settings ask for, by file name without the ending."""
    arc = settings.parse_arc(settings.fixed_arc)
    drawn = {settings.output: cells_picture(arc, settings.operations)}
    if settings.network:
        num_layers = settings.child_num_layers
        pools = parse_pool_layers(settings.child_pool_layers, num_layers)
        size, filters = settings.img_size, settings.child_out_filters
        layers = layers_of(arc, num_layers, pools, size, filters)
        aux = aux_layer(pools, num_layers) if settings.child_use_aux_heads else None
        network = Network(size, settings.channel, filters, layers, aux)
        drawn[f"{settings.output}_network"] = network_picture(network)
    return drawn


def main(argv: list[str] | None = None) -> None:
    """Runs the command."""
    argv = sys.argv if argv is None else argv
    with one_line_errors("vis_cell"):
        if any(word.lstrip("-") in ("help", "h") for word in argv[1:]):
            usage = 'usage: python -m enas.vis_cell "0 2 1 4 …" [--flag=value …]'
            show(f"{usage}\n{help_text(CONSTANTS)}")
            return
        for name, picture in pictures(read_settings(argv)).items():
            figure = draw(picture)
            for kind in FORMATS:
                path = f"{name}.{kind}"
                save(figure, path)
                show(path)
