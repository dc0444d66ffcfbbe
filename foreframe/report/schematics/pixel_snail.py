"""The prior of the top codes (Xu 2022, figures 4.4 to 4.6): blocks, gated layers and attention."""

import math
from collections.abc import Mapping
from typing import Any

from foreframe.report.schematics.diagram import Box, Diagram, size, times

Settings = Mapping[str, Any]

KERNEL = "2×2×2"
POSITIONS = 3  # channels that say where a code stands: time, row, column
MIX = "ELU, 1×1×1, ELU"


def network(settings: Settings, codebook_size: int, grid: tuple[int, int, int]) -> Diagram:
    """Return the network on the left and the inside of one of its blocks on the right."""
    channels, blocks = settings["channels"], settings["blocks"]
    diagram = Diagram(6.3, 3.15)
    codes = f"{codebook_size}×{size(grid)}"
    source = diagram.box(0.3, 2.75, 1.5, "codes, one-hot", [codes], "codes")
    first = diagram.box(
        0.3, 2.05, 1.5, f"convolution {codebook_size}→{channels}", [f"{KERNEL}, mask A"]
    )
    block = diagram.box(0.3, 1.3, 1.5, times(blocks, "block"), [f"{channels} channels"])
    last = diagram.box(0.3, 0.7, 1.5, f"convolution {channels}→{codebook_size}", ["1×1×1"])
    result = diagram.box(0.3, 0.1, 1.5, "log-softmax", [codes], "data")
    for upper, lower in ((source, first), (first, block), (block, last), (last, result)):
        diagram.arrow(upper.bottom, lower.top)
    diagram.note(1.12, 1.86, "$x_0$")
    _skip(diagram, block)
    _block(diagram, settings)
    for start, stop in ((block.top[1] - 0.02, 2.98), (block.bottom[1] + 0.02, 0.12)):
        diagram.axes.plot((1.83, 2.2), (start, stop), ":", color="#999999", linewidth=0.8)
    return diagram


def _skip(diagram: Diagram, block: Box) -> None:
    x, above, below = block.top[0], block.top[1] + 0.12, block.y - 0.12
    diagram.arrow((x, above), (0.12, above), (0.12, below), (x - 0.02, below))
    diagram.note(0.16, block.y + 0.2, "+")


def _block(diagram: Diagram, settings: Settings) -> None:
    channels, values = settings["channels"], settings["value_channels"]
    diagram.frame(2.22, 0.05, 4.03, 3.02, f"one of {times(settings['blocks'], 'block')}")
    layers = times(settings["residual_layers"], "gated residual layer")
    residual = diagram.box(2.4, 2.2, 1.62, layers, [f"{channels}→{channels}, {KERNEL}"])
    extra = diagram.box(
        4.4, 2.2, 1.65, "$x_0$ and positions", [f"{channels} + {POSITIONS}"], "data"
    )
    attention = diagram.box(
        4.4,
        1.4,
        1.65,
        "causal attention",
        [f"query, key {settings['key_channels']}; value {values}"],
        "attention",
    )
    direct = diagram.box(2.4, 0.88, 1.62, MIX, [f"{channels}→{channels}"])
    attended = diagram.box(4.4, 0.88, 1.65, MIX, [f"{values}→{channels}"])
    plus = diagram.node(3.21, 0.67, "+")
    out = diagram.box(2.4, 0.12, 1.62, MIX, [f"{channels}→{channels}"])
    diagram.arrow((3.21, 2.86), residual.top, label="$x$")
    diagram.arrow(residual.bottom, direct.top)
    diagram.arrow((3.21, 1.75), (4.2, 1.75), (4.2, 1.6), (4.4, 1.6))
    diagram.arrow(extra.bottom, attention.top, label="concatenate")
    diagram.arrow(attention.bottom, attended.top)
    diagram.arrow(direct.bottom, plus.top)
    diagram.arrow((5.22, attended.y), (5.22, 0.67), plus.right)
    diagram.arrow(plus.bottom, out.top)
    diagram.arrow(out.right, (4.5, out.right[1]))
    diagram.note(4.55, out.right[1], "added to $x$")


def gated_layer(channels: int, kernel: str) -> Diagram:
    """Return one gated residual layer of `channels`, whose causal convolutions have `kernel`."""
    diagram = Diagram(6.3, 1.02)
    y, height = 0.42, 0.4
    source = diagram.box(0.03, y, 0.75, "input", [f"{channels}"], "data", height)
    first = diagram.box(
        1.0, y, 1.2, f"ELU, conv. {channels}→{channels}", [f"{kernel}, mask B"], height=height
    )
    second = diagram.box(
        2.42, y, 1.25, f"ELU, conv. {channels}→{2 * channels}", [f"{kernel}, mask B"], height=height
    )
    gate = diagram.box(3.95, y, 1.05, "gate", ["a · sigmoid(b)"], "attention", height)
    plus = diagram.node(5.3, y + height / 2, "+")
    diagram.arrow(source.right, first.left)
    diagram.arrow(first.right, second.left)
    diagram.arrow(second.right, gate.left)
    diagram.note(3.81, y + height / 2 + 0.1, "a, b", "center")
    diagram.arrow(gate.right, plus.left)
    diagram.arrow(source.bottom, (source.bottom[0], 0.15), (5.3, 0.15), plus.bottom)
    result = diagram.box(5.55, y, 0.72, "output", [f"{channels}"], "data", height)
    diagram.arrow(plus.right, result.left)
    return diagram


def attention(settings: Settings, grid: tuple[int, int, int]) -> Diagram:
    """Return the attention of a block: every code looks only at codes before it."""
    inputs = 2 * settings["channels"] + POSITIONS
    keys, values, count = settings["key_channels"], settings["value_channels"], math.prod(grid)
    root = keys if settings["attention_scale"] == "key" else 2 * settings["channels"]
    diagram = Diagram(6.3, 1.85)
    source = diagram.box(0.03, 0.72, 0.95, "input", [f"{inputs} channels"], "data")
    parts = [
        diagram.box(1.3, y, 1.25, name, [f"1×1×1, {inputs}→{width}"])
        for name, width, y in (("query", keys, 1.37), ("key", keys, 0.72), ("value", values, 0.07))
    ]
    scores = diagram.box(
        2.95,
        1.0,
        1.55,
        "scores",
        [f"{count}×{count}, / √{root}", "mask: earlier codes only"],
        "attention",
    )
    soft = diagram.box(4.75, 1.06, 0.65, "softmax", [], "attention", 0.37)
    product = diagram.node(5.07, 0.255, "×")
    result = diagram.box(5.42, 0.07, 0.85, "output", [f"{values}×{size(grid)}"], "data")
    for part in parts:
        diagram.arrow(source.right, (1.14, source.right[1]), (1.14, part.left[1]), part.left)
    for part in parts[:2]:
        bend = 2.75
        diagram.arrow(part.right, (bend, part.right[1]), (bend, scores.left[1]), scores.left)
    diagram.arrow(scores.right, soft.left)
    diagram.arrow((5.07, soft.y), product.top)
    diagram.arrow(parts[2].right, product.left)
    diagram.arrow(product.right, result.left)
    return diagram
