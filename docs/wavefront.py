"""Draws docs/wavefront.svg: `python -m docs.wavefront`, from the schedule that sampling uses."""

from pathlib import Path

from foreframe.artefacts import atomic
from foreframe.networks import causal
from foreframe.networks.causal import Offset
from foreframe.priors import Grid
from foreframe.priors.engines import schedule

GRID: Grid = (3, 7, 10)
WAVE = 36  # drawn dark: all of its codes are sampled at once
WATCHED = (1, 4, 4)  # a position of that wave; what one layer sees from it is framed
CELL, GAP, TOP = 26, 30, 26
INK, PAPER = "#1f2933", "#ffffff"


def offsets() -> tuple[Offset, ...]:
    """Return what a bottom prior with 3x7x7 kernels depends on."""
    layers = (causal.code_input(1, 1, (2, 2, 2)), causal.centred(1, 1, (3, 7, 7)))
    return tuple(sorted({step for layer in layers for step in layer.offsets()} - {(0, 0, 0)}))


def colour(level: int, last: int) -> str:
    """Return a shade: early waves light, late waves darker; the chosen one stands out."""
    if level == WAVE:
        return "#d1495b"
    share = level / last
    red, green, blue = (round(light + share * (dark - light)) for light, dark in SHADES)
    return f"#{red:02x}{green:02x}{blue:02x}"


SHADES = ((236, 92), (243, 141), (247, 176))  # red, green, blue: first wave, last wave


def cell(place: Offset, level: int, last: int, seen: set[Offset]) -> str:
    """Return one square with the number of its wave."""
    t, y, x = place
    left = t * (GRID[2] * CELL + GAP) + x * CELL + 1
    top = TOP + y * CELL
    frame = 2.5 if place in seen else 0.5
    strong = level == WAVE
    edge = INK if place in seen else "#9aa5b1"
    inset = frame / 2
    return (
        f'<rect x="{left + inset}" y="{top + inset}" width="{CELL - frame}" '
        f'height="{CELL - frame}" fill="{colour(level, last)}" stroke="{edge}" '
        f'stroke-width="{frame}"/>'
        f'<text x="{left + CELL / 2}" y="{top + CELL / 2 + 4}" text-anchor="middle" '
        f'fill="{PAPER if strong else INK}">{level}</text>'
    )


def draw() -> str:
    """Return the picture: three code-frames, each position with the number of its wave."""
    steps = offsets()
    levels = schedule.levels(GRID, steps).reshape(GRID)
    t, y, x = WATCHED
    assert levels[WATCHED] == WAVE
    seen = {(t + dt, y + dy, x + dx) for dt, dy, dx in steps}
    frames, rows, columns = GRID
    width = frames * columns * CELL + (frames - 1) * GAP + 2
    height = TOP + rows * CELL + 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="Helvetica, Arial, sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="{PAPER}"/>',
    ]
    for frame in range(frames):
        left = frame * (columns * CELL + GAP) + 1
        parts.append(
            f'<text x="{left}" y="16" fill="{INK}" font-size="13">code-frame {frame}</text>'
        )
        parts += [
            cell((frame, row, column), int(levels[frame, row, column]), int(levels.max()), seen)
            for row in range(rows)
            for column in range(columns)
        ]
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    atomic.write_text(Path(__file__).with_suffix(".svg"), draw())
