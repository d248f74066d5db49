"""Makes pictures of boxes and arrows; matplotlib draws them, and writes any figure.

Lengths are in inches, with x to the right and y downwards; type sizes are in points. A
picture is plain data until `draw` makes a figure of it, so that layouts can be tested.
pyplot and its global state must not be used.
"""

import io
import logging
import warnings
from itertools import pairwise
from typing import Any, NamedTuple

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path
from matplotlib.textpath import text_to_path

from enas.base.picture_files import ending_of, write_picture

INK = "#222222"
FAMILY = ["DejaVu Sans", "sans-serif"]  # the first comes with matplotlib
NOTE_SIZE = 0.8  # type size of a box's second line, as a part of the first line's
LINE = 1.5  # distance of two lines of text, as a multiple of the type size
DPI = 110


class Box(NamedTuple):
    """A rounded rectangle or a circle with one or two lines of text in its middle.

    Attributes:
      note: the second line, in smaller type.
      fill, frame: the colours of the area and of the outline. If `fill` is empty,
        neither is drawn, and there is only the text.
      ink: the colour of the text.
      size: the type size of the text.
    """

    left: float
    top: float
    width: float
    height: float
    text: str
    note: str = ""
    fill: str = ""
    ink: str = INK
    frame: str = INK
    size: float = 9.0
    circle: bool = False
    bold: bool = False

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height

    @property
    def middle(self) -> float:
        """The y of its centre."""
        return self.top + self.height / 2

    @property
    def centre(self) -> float:
        """The x of its centre."""
        return self.left + self.width / 2


class Edge(NamedTuple):
    """A line of cubic Bézier curves: a start, then three points for each curve.

    Attributes:
      group: edges of one group run into one another. Where edges of two groups cross,
        that of the higher group is drawn over a gap in the other.
    """

    points: tuple[tuple[float, float], ...]
    colour: str = INK
    arrow: bool = True
    dashed: bool = False
    group: int = 0


class Picture(NamedTuple):
    """Boxes and edges in an area of `width` × `height` inches."""

    width: float
    height: float
    boxes: list[Box]
    edges: list[Edge]


def text_width(text: str, size: float, bold: bool = False) -> float:
    """Returns the width of a line of text, in inches."""
    extent = text_to_path.get_text_width_height_descent(text, _font(size, bold), False)
    return extent[0] / 72


def label(left: float, top: float, text: str, size: float = 9.0, bold=False) -> Box:
    """Makes text without a box around it."""
    width, height = text_width(text, size, bold), LINE * size / 72
    return Box(left, top, width, height, text, size=size, bold=bold)


def curve(*points: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    """Returns the points of an Edge that passes through `points` horizontally."""
    path = [points[0]]
    for (x0, y0), (x1, y1) in pairwise(points):
        middle = (x0 + x1) / 2
        path += [(middle, y0), (middle, y1), (x1, y1)]
    return tuple(path)


def stack(pictures: list[Picture], gap: float) -> Picture:
    """Puts pictures one below the other."""
    boxes, edges, top = [], [], 0.0
    for picture in pictures:
        boxes += [box._replace(top=box.top + top) for box in picture.boxes]
        for edge in picture.edges:
            points = tuple((x, y + top) for x, y in edge.points)
            edges.append(edge._replace(points=points))
        top += picture.height + gap
    width = max(picture.width for picture in pictures)
    return Picture(width, top - gap, boxes, edges)


def draw(picture: Picture, margin: float = 0.15) -> Figure:
    """Draws a picture as a matplotlib figure, with a margin of `margin` inches."""
    size = (picture.width + 2 * margin, picture.height + 2 * margin)
    figure = Figure(figsize=size, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(-margin, picture.width + margin)
    axes.set_ylim(picture.height + margin, -margin)
    for edge in picture.edges:
        _draw_edge(axes, edge)
    for box in picture.boxes:
        _draw_box(axes, box)
    return figure


def save(figure: Figure, path: str) -> None:
    """Writes a figure in the format of the ending of `path`: .png, .svg or .pdf.

    Text stays text in an SVG, and the same figure always makes the same file.

    Raises:
      InputError: the file cannot be written, or would replace something other than a
        picture.
    """
    options: dict[str, dict[str, Any]] = {
        ".png": {"dpi": DPI, "pil_kwargs": {"optimize": True}},
        ".svg": {"metadata": {"Date": None}},
        ".pdf": {"metadata": {"CreationDate": None}},
    }
    ending = ending_of(path)
    # Matplotlib's warnings, such as that a font lacks a letter, help nobody here.
    logging.getLogger("matplotlib").setLevel(logging.CRITICAL)
    style: dict[str, Any] = {"svg.fonttype": "none", "svg.hashsalt": "enas"}
    content = io.BytesIO()
    with matplotlib.rc_context(style), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        figure.savefig(content, format=ending[1:], **options[ending])
    write_picture(path, content.getvalue())


def _font(size: float, bold: bool) -> FontProperties:
    weight = "bold" if bold else "normal"
    return FontProperties(family=FAMILY, size=size, weight=weight)


def _draw_edge(axes, edge: Edge) -> None:
    path = Path(edge.points, [Path.MOVETO] + [Path.CURVE4] * (len(edge.points) - 1))
    arrow = "-|>,head_length=4,head_width=1.8" if edge.arrow else "-"
    common: dict[str, Any] = {"path": path, "fill": edge.arrow, "capstyle": "butt"}
    gap = FancyArrowPatch(
        arrowstyle="-", color="white", linewidth=3.5, zorder=edge.group + 0.1, **common
    )
    line = FancyArrowPatch(
        arrowstyle=arrow,
        color=edge.colour,
        linewidth=1.2,
        linestyle="--" if edge.dashed else "-",
        zorder=edge.group + 0.2,
        mutation_scale=1,
        **common,
    )
    for patch in (gap, line):
        axes.add_patch(patch)


def _draw_box(axes, box: Box) -> None:
    over = 1e6  # above every edge
    if box.fill:
        style = "circle,pad=0" if box.circle else "round,pad=0,rounding_size=0.05"
        patch = FancyBboxPatch(
            (box.left, box.top), box.width, box.height, boxstyle=style, zorder=over
        )
        patch.set(facecolor=box.fill, edgecolor=box.frame, linewidth=0.8)
        axes.add_patch(patch)
    lines = [(box.text, box.size, box.bold)]
    if box.note:
        lines.append((box.note, box.size * NOTE_SIZE, False))
    step = LINE * box.size * (1 + NOTE_SIZE) / 2 / 72
    top = box.middle - step * (len(lines) - 1) / 2
    for number, (text, size, bold) in enumerate(lines):
        axes.text(
            box.centre,
            top + number * step,
            text,
            fontproperties=_font(size, bold),
            color=box.ink,
            ha="center",
            va="center_baseline",
            parse_math=False,
            zorder=over + 1,
        )
