"""What schematics are drawn with: boxes with text, arrows between them, operators in circles.

Lengths are in inches from the lower left corner of the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle
from matplotlib.text import Text

from foreframe.report import style

TITLE = 7.5  # pt
DETAIL = 6.5
LINE = 0.125  # inches from one line of text to the next

FILLS = {
    "data": "#F2F2F2",
    "network": "#DCEAF5",
    "codes": "#F3E3F1",
    "operation": "#FFFFFF",
    "attention": "#FBEBD0",
    "condition": "#DDF1E8",
}


@dataclass(frozen=True)
class Box:
    """A drawn box; its sides are where arrows begin and end."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> tuple[float, float]:
        """Return the middle of the left side."""
        return self.x, self.y + self.height / 2

    @property
    def right(self) -> tuple[float, float]:
        """Return the middle of the right side."""
        return self.x + self.width, self.y + self.height / 2

    @property
    def top(self) -> tuple[float, float]:
        """Return the middle of the upper side."""
        return self.x + self.width / 2, self.y + self.height

    @property
    def bottom(self) -> tuple[float, float]:
        """Return the middle of the lower side."""
        return self.x + self.width / 2, self.y


@dataclass
class Diagram:
    """A picture of a given size that boxes and arrows are added to."""

    width: float
    height: float
    figure: Figure = field(init=False)
    axes: Axes = field(init=False)
    # Every box with the texts that must fit into it.
    contents: list[tuple[Box, list[Text]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.figure = Figure(figsize=(self.width, self.height))
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(0, self.width), ylim=(0, self.height))
        self.axes.axis("off")

    def box(
        self,
        x: float,
        y: float,
        width: float,
        title: str,
        details: Sequence[str] = (),
        fill: str = "network",
        height: float | None = None,
    ) -> Box:
        """Draw a box with its lower left corner at (x, y), as high as its lines unless told."""
        lines = ([title] if title else []) + list(details)
        box = Box(x, y, width, height or LINE * len(lines) + 0.12)
        self.axes.add_patch(
            FancyBboxPatch(
                (x, y),
                width,
                box.height,
                boxstyle="round,pad=0,rounding_size=0.05",
                facecolor=FILLS[fill],
                edgecolor=style.GREY,
                linewidth=0.7,
            )
        )
        middle, first = x + width / 2, y + box.height / 2 + LINE * (len(lines) - 1) / 2
        texts = [
            self.axes.text(
                middle,
                first - LINE * place,
                line,
                ha="center",
                va="center",
                fontsize=TITLE if title and place == 0 else DETAIL,
                color=style.INK if title and place == 0 else "#444444",
            )
            for place, line in enumerate(lines)
        ]
        self.contents.append((box, texts))
        return box

    def frame(self, x: float, y: float, width: float, height: float, title: str) -> Box:
        """Draw a dashed frame around things that repeat, its title inside at the upper left."""
        self.axes.add_patch(
            FancyBboxPatch(
                (x, y),
                width,
                height,
                boxstyle="round,pad=0,rounding_size=0.06",
                facecolor="none",
                edgecolor=style.GREY,
                linewidth=0.8,
                linestyle=(0, (4, 3)),
            )
        )
        text = self.note(x + 0.07, y + height - 0.1, title)
        box = Box(x, y, width, height)
        self.contents.append((box, [text]))
        return box

    def node(self, x: float, y: float, sign: str) -> Box:
        """Draw an operator, such as +, in a circle with its centre at (x, y)."""
        radius = 0.1
        self.axes.add_patch(
            Circle((x, y), radius, facecolor="white", edgecolor=style.GREY, linewidth=0.7)
        )
        self.axes.text(x, y, sign, ha="center", va="center_baseline", fontsize=8)
        return Box(x - radius, y - radius, 2 * radius, 2 * radius)

    def cell(self, x: float, y: float, side: float, text: str) -> None:
        """Draw a square with a number in it, its lower left corner at (x, y)."""
        self.axes.add_patch(
            Rectangle((x, y), side, side, facecolor="white", edgecolor=style.GREY, linewidth=0.6)
        )
        middle = (x + side / 2, y + side / 2)
        self.axes.text(*middle, text, ha="center", va="center", fontsize=DETAIL, color=style.INK)

    def arrow(
        self,
        *points: tuple[float, float],
        label: str = "",
        colour: str = style.GREY,
        dashed: bool = False,
        head: bool = True,
    ) -> None:
        """Draw a line through `points`, with a head at its end; the label is at its middle."""
        xs, ys = zip(*points[:-1], strict=True)
        line: dict[str, Any] = {
            "color": colour,
            "linewidth": 0.8,
            "linestyle": (0, (3, 2)) if dashed else "-",
        }
        if len(points) > 2:
            self.axes.plot(xs, ys, solid_joinstyle="miter", **line)
        shape = "-|>,head_width=0.12,head_length=0.22" if head else "-"
        arrow = {"arrowstyle": shape, "shrinkA": 0, "shrinkB": 0, **line}
        self.axes.annotate("", points[-1], points[-2], arrowprops=arrow)
        if label:
            x, y = ((points[0][axis] + points[1][axis]) / 2 for axis in (0, 1))
            self.note(x + 0.05, y + 0.07, label)

    def note(self, x: float, y: float, text: str, align: str = "left") -> Text:
        """Write small text beside a drawing."""
        return self.axes.text(x, y, text, ha=align, va="center", fontsize=DETAIL, color=style.GREY)


def size(grid: Sequence[int]) -> str:
    """Return a shape or kernel as in 4×8×8."""
    return "×".join(str(part) for part in grid)


def times(count: int, what: str) -> str:
    """Return a count of things, as in `2 residual layers`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
