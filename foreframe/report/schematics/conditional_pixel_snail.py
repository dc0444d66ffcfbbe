"""The prior of the bottom codes given the top codes (Xu 2022, 4.3.2), without attention."""

from collections.abc import Mapping
from typing import Any

from foreframe.report.schematics.diagram import Diagram, size, times

Settings = Mapping[str, Any]
INPUT_KERNEL = "2×2×2"
Grids = Mapping[str, tuple[int, int, int]]


def network(settings: Settings, codebook_sizes: Mapping[str, int], grids: Grids) -> Diagram:
    """Return the causal network below and, above it, how the top codes reach its input."""
    diagram = Diagram(6.3, 2.2)
    join = diagram.node(3.05, 0.45, "+")
    _condition(diagram, settings, codebook_sizes["top"], grids, join.top)
    channels, codebook = settings["channels"], codebook_sizes["bottom"]
    kernel, codes = size(settings["kernel"]), f"{codebook}×{size(grids['bottom'])}"
    y, height = 0.2, 0.5
    source = diagram.box(0.03, y, 1.1, "bottom codes", [codes], "codes", height)
    first = diagram.box(
        1.35,
        y,
        1.35,
        f"convolution {codebook}→{channels}",
        [f"{INPUT_KERNEL}, mask A"],
        height=height,
    )
    layers = times(settings["residual_layers"], "gated layer")
    body = diagram.box(
        3.4,
        y,
        1.3,
        times(settings["blocks"], "block"),
        [f"of {layers}", f"{channels}, {kernel}, mask B"],
        height=height,
    )
    result = diagram.box(
        4.95, y, 1.32, "log-softmax", [f"1×1×1, {channels}→{codebook}"], "data", height
    )
    for start, stop in ((source, first), (first, join), (join, body), (body, result)):
        diagram.arrow(start.right, stop.left)
    return diagram


def _condition(
    diagram: Diagram,
    settings: Settings,
    codebook: int,
    grids: Grids,
    join: tuple[float, float],
) -> None:
    wide, channels = settings["condition_channels"], settings["channels"]
    y, height = 1.25, 0.75
    source = diagram.box(
        0.03, y, 1.1, "top codes", [f"{codebook}×{size(grids['top'])}"], "codes", height
    )
    lift = diagram.box(
        1.35,
        y,
        1.6,
        f"upsampling {codebook}→{wide}",
        ["transposed 4×3×3, / 2×1×1", "transposed 3×4×4, / 1×2×2", "transposed 3×3×3"],
        "condition",
        height,
    )
    body = diagram.box(
        3.2,
        y,
        1.6,
        times(settings["condition_layers"], "gated layer"),
        [f"{wide}, {size(settings['condition_kernel'])}", "not masked"],
        "condition",
        height,
    )
    last = diagram.box(5.05, y, 1.15, f"conv. {wide}→{channels}", ["1×1×1"], "condition", height)
    for start, stop in ((source, lift), (lift, body), (body, last)):
        diagram.arrow(start.right, stop.left)
    diagram.frame(1.25, 1.08, 5.02, 1.1, "conditioning stack, computed once for a clip")
    if settings["conditioning"] == "none":
        diagram.note(3.2, 0.86, "left out in this run (conditioning: none)")
        return
    diagram.arrow((last.bottom[0], y), (last.bottom[0], 0.88), (join[0], 0.88), join)
