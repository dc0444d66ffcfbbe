"""The two-level autoencoder (Xu 2022, figures 4.2 and 4.3): data flow, stacks and a layer."""

import itertools
from collections.abc import Mapping
from typing import Any

from foreframe.report.schematics.diagram import Box, Diagram, size, times

Settings = Mapping[str, Any]
Grids = Mapping[str, tuple[int, int, int]]

STEM = "4×8×8, stride 2×4×4"
COLUMN = 1.52
LEFT = 0.03
DROP = 0.16  # inches between the boxes of a column


def overview(settings: Settings, clip: tuple[int, int, int], grids: Grids) -> Diagram:
    """Return how a clip becomes codes of two levels and a clip again.

    `clip` is frames, rows, columns; `grids` gives code-frames, rows, columns of each level.
    """
    width, top, bottom = settings["width"], size(grids["top"]), size(grids["bottom"])
    diagram = Diagram(6.3, 2.15)
    source = diagram.box(0.03, 0.25, 0.95, "clip", [f"3×{size(clip)}"], "data", 0.6)
    encoder = diagram.box(1.23, 0.25, 1.1, "bottom encoder", [f"{width}×{bottom}"], height=0.6)
    upper = diagram.box(1.23, 1.35, 1.1, "top encoder", [f"{width}×{top}"], height=0.6)
    low = _quantiser(diagram, 2.6, 0.25, settings, "bottom", bottom)
    high = _quantiser(diagram, 2.6, 1.35, settings, "top", top)
    lift = diagram.box(
        4.1, 1.35, 0.95, "upsample", [f"{settings['code_dim']}×{bottom}"], height=0.6
    )
    join = diagram.node(4.22, 0.55, "⊕")
    decoder = diagram.box(
        4.48, 0.25, 0.68, "decoder", [times(settings["residual_layers"], "layer")], height=0.6
    )
    result = diagram.box(5.33, 0.25, 0.94, "reconstruction", [f"3×{size(clip)}"], "data", 0.6)
    diagram.arrow(source.right, encoder.left)
    diagram.arrow(encoder.right, low.left)
    diagram.arrow(encoder.top, upper.bottom)
    diagram.arrow(upper.right, high.left)
    diagram.arrow(high.right, lift.left)
    diagram.arrow((4.22, lift.y), join.top, label="concatenate")
    diagram.arrow(low.right, join.left)
    diagram.arrow(join.right, decoder.left)
    diagram.arrow(decoder.right, result.left)
    if settings["bottom_sees_top"]:
        diagram.arrow((4.14, lift.y), (4.14, 1.08), (2.45, 1.08), (2.45, 0.65), (2.6, 0.65))
    return diagram


def _quantiser(
    diagram: Diagram, x: float, y: float, settings: Settings, level: str, grid: str
) -> Box:
    details = [f"{settings['codebook_size']} codes in {settings['code_dim']}-D", f"codes {grid}"]
    return diagram.box(x, y, 1.3, f"quantise {level}", details, "codes", 0.6)


def stacks(settings: Settings, clip: tuple[int, int, int], grids: Grids) -> Diagram:
    """Return the layers of both encoders, of the decoder, and of one residual layer."""
    width, code = settings["width"], settings["code_dim"]
    top, bottom = size(grids["top"]), size(grids["bottom"])
    layers = times(settings["residual_layers"], "residual layer")
    diagram = Diagram(6.3, 2.95)
    _column(
        diagram,
        0,
        "Bottom encoder",
        [
            ("clip", [f"3×{size(clip)}"], "data"),
            (f"convolution 3→{width}", [STEM], "network"),
            (layers, ["then ReLU"], "network"),
            (f"convolution {width}→{code}", ["1×1×1"], "network"),
            ("quantise", [f"{code}×{bottom}"], "codes"),
        ],
    )
    _column(
        diagram,
        1,
        "Top encoder",
        [
            ("bottom features", [f"{width}×{bottom}"], "data"),
            (f"convolution {width}→{width}", ["4×4×4, stride 2×2×2"], "network"),
            (layers, ["then ReLU"], "network"),
            (f"convolution {width}→{code}", ["1×1×1"], "network"),
            ("quantise", [f"{code}×{top}"], "codes"),
        ],
    )
    _column(
        diagram,
        2,
        "Decoder",
        [
            ("both levels", [f"{2 * code}×{bottom}"], "codes"),
            (f"convolution {2 * code}→{width}", ["3×3×3"], "network"),
            (layers, ["then ReLU"], "network"),
            (f"transposed conv. {width}→3", [STEM], "network"),
            ("reconstruction", [f"3×{size(clip)}"], "data"),
        ],
    )
    _residual_layer(diagram, settings)
    return diagram


def _column(
    diagram: Diagram,
    place: int,
    title: str,
    boxes: list[tuple[str, list[str], str]],
    inset: float = 0.0,
) -> list[Box]:
    x, y = LEFT + place * (COLUMN + 0.053) + inset, 2.63
    width = COLUMN - inset
    diagram.note(x + width / 2, 2.84, title, "center").set(fontsize=8, color="#222222")
    drawn: list[Box] = []
    for name, details, fill in boxes:
        height = 0.125 * (1 + len(details)) + 0.12
        y -= height
        drawn.append(diagram.box(x, y, width, name, details, fill))
        y -= DROP
    for upper, lower in itertools.pairwise(drawn):
        diagram.arrow(upper.bottom, lower.top)
    return drawn


def _residual_layer(diagram: Diagram, settings: Settings) -> None:
    width, inner = settings["width"], settings["residual_width"]
    drawn = _column(
        diagram,
        3,
        "Residual layer",
        [
            ("input", [f"{width} channels"], "data"),
            (f"ReLU, conv. {width}→{inner}", [size(settings["residual_kernel"])], "network"),
            (f"ReLU, conv. {inner}→{width}", ["1×1×1"], "network"),
        ],
        inset=0.17,
    )
    x, y = drawn[-1].bottom[0], drawn[-1].y - 0.32
    plus = diagram.node(x, y, "+")
    diagram.arrow(drawn[-1].bottom, plus.top)
    side = drawn[0].x - 0.1
    diagram.arrow(drawn[0].left, (side, drawn[0].left[1]), (side, y), plus.left)
    diagram.arrow(plus.bottom, (x, y - 0.36))
