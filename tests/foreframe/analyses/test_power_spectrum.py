"""Spectra of frames: waves and points by hand, sets of clips, and a model that blurs by a rule."""

import math
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from torch import Tensor

from foreframe.analyses import power_spectrum
from foreframe.analyses.power_spectrum import FLOOR, spectrum
from foreframe.config.sampling import Options
from foreframe.errors import UserError
from foreframe.predictors import Context, Prediction, Predictor
from foreframe.randomness import Draws, generator
from tests.foreframe.analyses.asked import FIRST, analysed

SIDE, FRAMES = 16, 4


def grey(values_BPHW: Tensor) -> Tensor:
    """Return frames, uint8 (B,P,H,W,3), of values from 0 to 1."""
    levels = (255 * values_BPHW).round().to(torch.uint8)
    return levels[..., None].expand(*levels.shape, 3)


def wave(waves: int, amplitude: float, side: int = SIDE) -> Tensor:
    """Return a frame (1,1,H,W) of waves from left to right."""
    places = torch.arange(side)
    row = 0.5 + amplitude * (2 * math.pi * waves * places / side).cos()
    return row.expand(1, 1, side, side)


@pytest.mark.parametrize("waves", [1, 3, 7])
@pytest.mark.parametrize("upright", [False, True])
def test_a_wave_has_its_power_at_its_number(waves: int, upright: bool) -> None:
    x = wave(waves, 0.25)
    power_K = spectrum(grey(x.transpose(2, 3) if upright else x))[0, 0]
    assert power_K.shape == (SIDE // 2 + 1,)
    # Two of the frequencies of the ring have a^2 H W / 4 each.
    places = torch.fft.fftfreq(SIDE) * SIDE
    ring = (places[:, None].square() + places.square()).sqrt().round() == waves
    wanted = 2 * 0.25**2 * SIDE**2 / 4 / ring.sum().item()
    assert power_K[waves].item() == pytest.approx(wanted, rel=0.01)
    assert power_K[0].item() == pytest.approx(0.5**2 * SIDE**2, rel=0.01)
    others = [k for k in range(1, SIDE // 2 + 1) if k != waves]
    assert power_K[others].max() < 1e-3 * wanted


@pytest.mark.parametrize(("height", "width"), [(16, 16), (8, 20)])
def test_a_point_has_the_same_power_everywhere(height: int, width: int) -> None:
    x = torch.zeros(1, 2, height, width)
    x[0, 0, 3, 5] = 1
    power_PK = spectrum(grey(x))[0]
    wanted = torch.tensor([1 / (height * width), 0.0]).double()
    torch.testing.assert_close(power_PK, wanted[:, None].expand(2, min(height, width) // 2 + 1))


def test_colours_count_by_their_luma() -> None:
    x = grey(wave(3, 0.25)).clone()
    whole = spectrum(x)[..., 3]
    x[..., 1:] = 0
    torch.testing.assert_close(spectrum(x)[..., 3], 0.299**2 * whole)


class Blurring(Predictor):
    """Makes waves of a clip's amplitude, in each frame those of half the amplitude before."""

    generates = True

    def __init__(self, amplitudes: list[float]) -> None:
        self.amplitudes = amplitudes

    def _predict(self, context: Context, horizon: int, options: Any, draws: Draws) -> Prediction:
        assert list(draws.clips) == list(context.numbers) and not any(draws.futures)
        clips = [
            torch.cat(
                [wave(6, self.amplitudes[number - FIRST] / 2**time) for time in range(horizon)]
            )
            for number in draws.clips
        ]
        return Prediction(grey(torch.stack(clips)[:, :, 0]))


def settings(**changes: Any) -> power_spectrum.Settings:
    known: dict[str, Any] = {"kind": "power_spectrum", "clips": None, "show": 0}
    return power_spectrum.Settings(**(known | {"frames": (1, 3), "sets": 3} | changes))


def asked(folder: Path, count: int = 12, **changes: Any) -> Any:
    """Return what is found of clips whose sets, in turn, are of three amplitudes."""
    amplitudes = [(0.1, 0.2, 0.4)[clip % 3] for clip in range(count)]
    true = grey(wave(6, 0.2).expand(count, FRAMES, SIDE, SIDE))
    more: dict[str, Any] = {"given": 0, "options": Options()}
    model = Blurring(amplitudes)
    return analysed(folder / "a.h5", power_spectrum, settings(**changes), model, true, **more)


def test_curves_are_means_over_clips_and_sets_with_the_deviation_of_sets(tmp_path: Path) -> None:
    found, arrays = asked(tmp_path)
    one = spectrum(grey(wave(6, 0.2)))[0, 0].numpy()
    numpy.testing.assert_allclose(arrays["real_mean"], [one, one])
    numpy.testing.assert_allclose(arrays["real_deviation"], 0, atol=1e-12)
    for place, factor in enumerate((1, 16)):  # of power, after two frames
        powers = one[6] * numpy.array([0.25, 1, 4]) / factor
        assert arrays["model_mean"][place, 6] == pytest.approx(powers.mean(), rel=0.05)
        assert arrays["model_deviation"][place, 6] == pytest.approx(powers.std(ddof=1), rel=0.05)
    assert arrays["frames"].tolist() == [1, 3]
    assert arrays["frequencies"].tolist() == [k / SIDE for k in range(SIDE // 2 + 1)]
    assert found.values.keys() == {"frame_1", "frame_3"}


@pytest.mark.parametrize(("frame", "factor"), [(1, 1), (3, 4)])
def test_what_is_blurred_is_told_in_octaves_of_what_is_fine(
    frame: int, factor: int, tmp_path: Path
) -> None:
    found = asked(tmp_path)[0].values[f"frame_{frame}"]
    real, *made = (
        spectrum(grey(wave(6, each)))[0, 0] + FLOOR
        for each in (0.2, *(each / factor for each in (0.1, 0.2, 0.4)))
    )
    octaves_MK = torch.stack([(each / real).log2() for each in made])
    expected = torch.tensor([-2.0, 0.0, 2.0]) - 2 * math.log2(factor)
    torch.testing.assert_close(octaves_MK[:, 6].float(), expected, atol=0.05, rtol=0)
    fine, apart = octaves_MK[:, 4:].mean(dim=1), octaves_MK[:, 1:].abs().mean(dim=1)
    for name, each in (("fine", fine), ("apart", apart)):
        assert found[name]["mean"] == pytest.approx(each.mean().item())
        assert found[name]["deviation"] == pytest.approx(each.std().item())


def test_true_clips_are_nothing_apart(tmp_path: Path) -> None:
    count = 6
    true = generator(0, "x").integers(0, 256, (count, FRAMES, SIDE, SIDE, 3)).to(torch.uint8)

    class Same(Predictor):
        generates = True

        def _predict(
            self, context: Context, horizon: int, options: Any, draws: Draws
        ) -> Prediction:
            return Prediction(true[[number - FIRST for number in draws.clips], -horizon:])

    for given in (0, 1):
        more: dict[str, Any] = {"given": given, "options": Options()}
        chosen = settings(sets=2)
        path = tmp_path / f"{given}.h5"
        found, arrays = analysed(path, power_spectrum, chosen, Same(), true, **more)
        for values in found.values.values():
            assert values["apart"] == values["fine"] == {"mean": 0.0, "deviation": 0.0}
        wanted = spectrum(true[:, [given, given + 2]]).mean(dim=0)
        numpy.testing.assert_allclose(arrays["real_mean"], wanted)


@pytest.mark.parametrize(
    ("changes", "count", "words"),
    [
        (
            {"frames": (1, 5)},
            12,
            r"frames names 5, but the protocol predicts 4 .* raise its horizon",
        ),
        ({}, 2, r"There are 2 clips for 3 sets\. Take more clips, or fewer"),
    ],
)
def test_what_is_not_there_is_refused(
    changes: dict[str, Any], count: int, words: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=words):
        asked(tmp_path, count, **changes)


def test_no_clip_is_shown() -> None:
    with pytest.raises(ValueError, match=r"show is 2, but curves are shown, and no clip\. Set it"):
        settings(show=2)
