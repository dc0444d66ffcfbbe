"""Schematics carry the run's own numbers, and their text fits at every size."""

from collections.abc import Iterator
from typing import Any

import pytest

from foreframe.report import style
from foreframe.report.schematics import conditional_pixel_snail, pixel_snail, vqvae
from foreframe.report.schematics.diagram import Diagram, size, times
from tests import report_artefacts

THESIS = {
    "autoencoder": {
        "width": 128,
        "residual_width": 64,
        "residual_layers": 5,
        "code_dim": 64,
        "codebook_size": 512,
        "bottom_sees_top": True,
    },
    "top": {"channels": 256, "residual_layers": 8, "blocks": 5, "value_channels": 128},
    "bottom": {"channels": 256, "residual_layers": 2, "blocks": 5, "condition_layers": 15},
}
SCALES: dict[str, Any] = {
    "laptop": ({}, (16, 64, 64), {"top": (4, 8, 8), "bottom": (8, 16, 16)}),
    "thesis": (THESIS, (16, 256, 256), {"top": (4, 32, 32), "bottom": (8, 64, 64)}),
}


def diagrams(scale: str) -> Iterator[Diagram]:
    changes, clip, grids = SCALES[scale]
    parameters = report_artefacts.parameters()
    autoencoder = parameters["autoencoders"]["vqvae"] | changes.get("autoencoder", {})
    top = parameters["priors"]["top"] | changes.get("top", {})
    bottom = parameters["priors"]["bottom"] | changes.get("bottom", {})
    codes = autoencoder["codebook_size"]
    yield vqvae.overview(autoencoder, clip, grids)
    yield vqvae.stacks(autoencoder, clip, grids)
    yield pixel_snail.network(top, codes, grids["top"])
    yield pixel_snail.gated_layer(top["channels"], pixel_snail.KERNEL)
    yield pixel_snail.attention(top, grids["top"])
    for conditioning in ("input", "none"):
        settings = bottom | {"conditioning": conditioning}
        yield conditional_pixel_snail.network(settings, dict.fromkeys(grids, codes), grids)


def words(diagram: Diagram) -> str:
    return " ".join(text.get_text() for text in diagram.axes.texts)


@pytest.mark.parametrize("scale", SCALES)
def test_text_fits_into_its_box(scale: str) -> None:
    with style.drawing():
        for diagram in diagrams(scale):
            for box, texts in diagram.contents:
                for text in texts:
                    extent = text.get_window_extent()
                    inches = extent.transformed(diagram.axes.transData.inverted())
                    where = text.get_text()
                    assert box.x <= inches.x0 and inches.x1 <= box.x + box.width, where
                    assert box.y <= inches.y0 and inches.y1 <= box.y + box.height, where


@pytest.mark.parametrize("scale", SCALES)
def test_everything_is_inside_the_picture(scale: str) -> None:
    with style.drawing():
        for diagram in diagrams(scale):
            for box, _ in diagram.contents:
                assert box.x >= 0 and box.x + box.width <= diagram.width
                assert box.y >= 0 and box.y + box.height <= diagram.height


def test_the_numbers_are_those_of_the_settings() -> None:
    with style.drawing():
        overview, stacks, network, gated, attention, bottom, _ = map(words, diagrams("thesis"))
    assert "512 codes in 64-D" in overview and "codes 4×32×32" in overview
    assert "3→128" in stacks and "128→64" in stacks and "5 residual layers" in stacks
    assert "8 gated residual layers" in network and "512×4×32×32" in network
    assert "256→512" in gated
    assert "4096×4096" in attention and "515→128" in attention
    assert "15 gated layers" in bottom and "512×8×64×64" in bottom


def test_a_condition_that_is_left_out_is_drawn_so() -> None:
    with style.drawing():
        *_, joined, apart = map(words, diagrams("laptop"))
    assert "left out" not in joined
    assert "left out" in apart


def test_shapes_and_counts_in_words() -> None:
    assert size((4, 8, 8)) == "4×8×8"
    assert times(1, "block") == "1 block"
    assert times(2, "block") == "2 blocks"
