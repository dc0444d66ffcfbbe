"""Sizes of the hierarchical VRNN: those that are published, and those that are refused."""

from typing import Any

import pytest
import torch

from foreframe.errors import UserError
from tests.foreframe.predictors.hierarchical import LADDER, model, settings, view

TOP, EIGHTH = {"shrink": "whole", "channels": 512}, {"shrink": 8, "channels": 512}
QUARTER, HALF = {"shrink": 4, "channels": 256}, {"shrink": 2, "channels": 128}
PUBLISHED = {
    "width": 64,
    "latents": (TOP, EIGHTH, HALF),
    "decoder_cells": 6,
    "groups": 4,
    "state_groups": 16,
}
# The authors' network has a part that nothing uses: convolutions of one place, 2048 to 2048 and to
# 1024 channels, and their two normalisations. It counts in what is printed for two of the variants.
UNUSED = (2048 * 2048 + 2048 + 2 * 2048) + (2048 * 1024 + 1024 + 2 * 1024)


def weights(rows: int, **changes: Any) -> int:
    with torch.device("meta"):
        return model(rows, rows, **(PUBLISHED | changes)).trainable()


@pytest.mark.parametrize(
    ("latents", "dense", "unused", "printed"),
    [
        ((TOP,), True, 0, 166_548_035),
        ((TOP, EIGHTH), True, 0, 220_597_827),
        ((TOP, EIGHTH, HALF), True, UNUSED, 230_744_387),
        ((TOP, EIGHTH, QUARTER, HALF), True, UNUSED, 245_186_371),
        ((TOP, EIGHTH, HALF), False, 0, 224_181_571),
    ],
)
def test_weights_are_as_many_as_the_thesis_counts(
    latents: Any, dense: bool, unused: int, printed: int
) -> None:
    # Castrejon 2022, table 4.2, in full: it prints millions with two decimals.
    assert weights(64, latents=latents, dense=dense) + unused == printed


def test_at_64_rows_latents_have_the_thesis_s_shapes() -> None:
    with torch.device("meta"):
        published = model(64, 64, **PUBLISHED)
        x_BCTHW = torch.empty(1, 3, 4, 64, 64)
        scored = published.network.score(x_BCTHW, lambda _, distribution: distribution.mean)
    wanted = [(1, 2, 512, 1, 1), (1, 2, 512, 8, 8), (1, 2, 128, 32, 32)]
    for found in (scored.prior, scored.posterior):
        assert [tuple(each.mean.shape) for each in found.values()] == wanted
        assert [tuple(each.deviation.shape) for each in found.values()] == wanted
    assert scored.raw.shape == (1, 2, 3, 64, 64)


def test_at_128_rows_latents_stay_at_the_same_depth() -> None:
    with torch.device("meta"):
        large = model(128, 128, **(PUBLISHED | {"decoder_cells": 7}))
    assert list(large.network.latent_shapes.values()) == [
        (512, 1, 1),
        (512, 16, 16),
        (128, 64, 64),
    ]
    assert large.trainable() / 1e6 == pytest.approx(259, abs=0.5)


@pytest.mark.parametrize(
    ("cells", "widening", "built", "printed"),
    [(1, 1, 65.6, 62.22), (3, 1, 91.8, 86.64), (6, 1, 93.8, 93.81), (6, 2, 191.9, 194.15)],
)
def test_the_ladder_is_about_as_large_as_printed(
    cells: int, widening: int, built: float, printed: float
) -> None:
    # Table 4.1, whose layers are not printed: near, and equal for the third rung alone.
    found = weights(64, **LADDER, decoder_cells=cells, state_widening=widening) / 1e6
    assert found == pytest.approx(built, abs=0.05)
    assert found == pytest.approx(printed, rel=0.06)


@pytest.mark.parametrize(
    "changes", [{"groups": 2, "state_groups": 1}, {"groups": 1, "state_groups": 2}]
)
def test_states_may_be_narrower_than_the_colours_of_a_frame(changes: dict[str, int]) -> None:
    with torch.device("meta"):
        latents = ({"shrink": 1, "channels": 4},)
        narrow = model(encoder="strided", width=2, latents=latents, **changes)
        x_BCTHW = torch.empty(1, 3, 3, 16, 16)
        scored = narrow.network.score(x_BCTHW, lambda _, distribution: distribution.mean)
    assert scored.raw.shape == (1, 1, 3, 16, 16)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"view": view(scaling="symmetric")}, "scaling is symmetric"),
        ({"view": view(dequantise=True)}, "dequantise is True"),
        ({"view": view(frames=2)}, "nothing to predict after 2 frames"),
        ({"groups": 3}, "groups is 3, which does not divide width 4"),
        ({"state_groups": 3}, "state_groups is 3"),
        ({"latents": ({"shrink": 2, "channels": 3},)}, "3 channels are no multiple"),
        ({"latents": (HALF, TOP)}, "coarsest to the finest"),
        ({"latents": (HALF, HALF)}, "coarsest to the finest"),
        ({"latents": ()}, "at least 1 item"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(
    changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        settings(**changes)


@pytest.mark.parametrize(
    ("shape", "changes", "said"),
    [
        ((16, 32), {}, "square frames, not 16 x 32"),
        ((24, 24), {}, "24 rows, halved again and again, do not become 4"),
        ((4, 4), {}, "4 rows"),
        ((16, 16), {"decoder_cells": 5}, "16 rows have 4 resolutions"),
        ((16, 16), {"latents": (EIGHTH,)}, "8 times smaller. Choose whole or one of 1, 2, 4"),
        ((16, 16), {"latents": ({"shrink": 3, "channels": 4},)}, "3 times smaller"),
    ],
)
def test_frames_without_these_resolutions_are_refused(
    shape: tuple[int, int], changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        model(*shape, **changes)
