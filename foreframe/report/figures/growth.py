"""How a pair of networks grows: both players in every phase of their training, side by side.

A phase has a column: on its left the generator, from noise upwards through its scales to a map, on
its right the critic, downwards from the map to a score. The scale that a phase adds stands out.
"""

import itertools
from collections.abc import Mapping
from typing import Any

from foreframe.report import style
from foreframe.report.desk import Desk, Picture, Spec
from foreframe.report.schematics.diagram import Box, Diagram, times

WIDTH = 6.3  # inches
FIRST = 4  # side of the first scale
ROW, HIGH = 0.38, 0.27  # inches from box to box, and of a box
BOTTOM, HEAD = 0.4, 0.36  # inches below the boxes and above them, for words
GAP = 0.09  # inches between columns and between the players of one


class Settings(Spec):
    """`of` is the run of the pair."""

    of: str


def draw(settings: Settings, desk: Desk) -> list[Picture]:
    """Return the drawing."""
    desk.note("training", settings.of)
    return [Picture(drawing(settings, desk).figure)]


def drawing(settings: Settings, desk: Desk) -> Diagram:
    """Return the drawing with its boxes."""
    run = desk.run(settings.of)
    network, phases = run["network"], run["training"]["phases"]
    found = Diagram(WIDTH, BOTTOM + (len(phases) + 2) * ROW + HEAD)
    step = (WIDTH + GAP) / len(phases)
    for place, phase in enumerate(phases):
        left = place * step
        _column(found, network, place, left, step - GAP)
        of = f"phase {place + 1}: {phase['steps']:,} steps".replace(",", "\u202f")
        for line, text in enumerate((of, f"of {phase['batch_size']} maps")):
            found.note(left + (step - GAP) / 2, found.height - 0.1 - 0.13 * line, text, "center")
    layers = times(network["residual_layers"], "residual layer")
    group = network["deviation_group"]
    seen = "" if group is None else f" The critic is told how much {group} maps differ."
    attended = network["attention"]
    there = "" if attended is None else f" Attention stands at {attended}×{attended}."
    each = f"A scale has its side, its channels and {layers}."
    fades = f"A new one (blue) fades in over {run['fade']:g} of its phase."
    found.note(0.05, 0.3, f"Left the generator, right the critic. {each}")
    found.note(0.05, 0.14, f"{fades}{there}{seen}")
    return found


def _column(
    found: Diagram, network: Mapping[str, Any], phase: int, left: float, width: float
) -> None:
    """Draw both players of a phase, counted from 0, into a column."""
    each = (width - GAP) / 2
    players = [_player(found, network, phase, left + side * (each + GAP), each) for side in (0, 1)]
    for name, boxes in zip(("noise", "score"), players, strict=True):
        middle = boxes[0].bottom[0]
        found.note(middle, BOTTOM + HIGH / 2, name, "center")
        ends = ((middle, BOTTOM + HIGH - 0.04), boxes[0].bottom)
        found.arrow(*(ends if name == "noise" else ends[::-1]))
    y = BOTTOM + ROW * (phase + 2)
    codes = found.box(left, y, width, "map", fill="codes", height=HIGH)
    for boxes, up in zip(players, (True, False), strict=True):
        ways = [(one.top, other.bottom) for one, other in itertools.pairwise(boxes)]
        ways.append((boxes[-1].top, (boxes[-1].top[0], codes.y)))
        for low, high in ways:
            found.arrow(*((low, high) if up else (high, low)))


def _player(
    found: Diagram, network: Mapping[str, Any], phase: int, x: float, width: float
) -> list[Box]:
    """Draw the scales of a player up to that of a phase; the first scale comes first."""
    boxes = []
    for scale, channels in enumerate(network["channels"][: phase + 1]):
        side = FIRST * 2**scale
        new = scale == phase and phase > 0
        fill = "attention" if side == network["attention"] else "network" if new else "operation"
        title = f"{side}×{side}" if width < 0.6 else f"{side}×{side}, {channels}"
        details = [] if width >= 0.6 else [str(channels)]
        y = BOTTOM + ROW * (scale + 1)
        boxes.append(found.box(x, y, width, title, details, fill, HIGH))
        if new:
            edge = found.axes.patches[-1]
            edge.set(edgecolor=style.BLUE, linewidth=1.2, linestyle=(0, (3, 1.5)))
    return boxes
