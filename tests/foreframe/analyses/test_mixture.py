"""What a model makes of a mixture: modes, distances and points, by models that are known."""

from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from torch import Tensor

from foreframe.analyses import mixture
from foreframe.analyses.subject import Found
from foreframe.errors import UserError
from foreframe.predictors.adversarial import Latents
from foreframe.predictors.gan import build as build_gan
from foreframe.predictors.vae import VAE
from foreframe.randomness import Draws, numpy_generator
from foreframe.sources.gaussian_grid import MEANS, points
from tests.foreframe.analyses.asked import FIRST, analysed, told
from tests.foreframe.predictors import pairs, test_ali
from tests.foreframe.predictors.test_vae import lines

COUNT, DRAWN = 40, 300


def held_out() -> tuple[Tensor, Tensor]:
    found, components = points(COUNT, numpy_generator(0, "held out"))
    return torch.from_numpy(found).float(), torch.from_numpy(components)


def asked(
    path: Path, chosen: Any, temperature: float = 1.0, show: int = 0
) -> tuple[Found, dict[str, Any]]:
    x_N2 = held_out()[0]
    frames = torch.zeros(COUNT, 1, 1, 1, 3, dtype=torch.uint8)
    states = {"x": x_N2[:, :1], "y": x_N2[:, 1:]}
    asks = mixture.Settings(kind="mixture", clips=None, show=show, samples=DRAWN)
    options = Latents(temperature=temperature)
    return analysed(path, mixture, asks, chosen, frames, given=0, options=options, states=states)


def scaled(by: float, off: float) -> VAE:
    """Return a model that makes z -> by z, and takes x for (x - off) / by."""
    found: VAE = pairs.ready(lines())
    with torch.no_grad():
        for each in found.parameters():
            each.zero_()
        assert found.encoder is not None and found.encoder.outward.bias is not None
        eye = torch.eye(2)[:, :, None, None]
        found.decoder.outward.weight.copy_(by * eye)
        found.encoder.outward.weight[:2].copy_(eye / by)
        found.encoder.outward.bias.copy_(torch.tensor([-off / by, -off / by, -20, -20]))
    return found


def test_distances_and_points_are_those_of_the_model(tmp_path: Path) -> None:
    found, stored = asked(tmp_path / "a.h5", scaled(2.0, 0.3), show=15)
    x_N2, components = held_out()
    assert found.values["distance"]["mean"] == pytest.approx(0.3 * 2**0.5, rel=1e-4)
    assert found.values["distance"]["clips"] == COUNT
    assert torch.equal(torch.from_numpy(stored["components"]), components[:15])
    assert numpy.array_equal(stored["points"], x_N2[:15].numpy())
    numpy.testing.assert_allclose(stored["latents"], (x_N2[:15] - 0.3) / 2, atol=1e-5)
    numpy.testing.assert_allclose(stored["reconstructions"], x_N2[:15] - 0.3, atol=1e-5)
    wanted = Draws.first(0, range(15)).normal("mixture prior", (0,), (2,))
    assert numpy.array_equal(stored["prior"], wanted.numpy())
    numpy.testing.assert_allclose(stored["samples"], 2 * wanted, rtol=1e-6)


def test_modes_are_those_that_samples_are_nearest_to(tmp_path: Path) -> None:
    found, stored = asked(tmp_path / "a.h5", scaled(0.01, 0.0), show=DRAWN)
    assert found.values["modes"] == {"found": 1, "of": 25}
    assert found.values["far"]["mean"] == 0
    wide, stored = asked(tmp_path / "b.h5", scaled(0.1, 0.0), temperature=30.0, show=DRAWN)
    away = numpy.linalg.norm(stored["samples"][:, None] - MEANS, axis=2)
    assert wide.values["modes"]["found"] == len(set(away.argmin(axis=1))) > 15
    assert wide.values["far"]["mean"] == pytest.approx((away.min(axis=1) > 0.15).mean())
    assert wide.values["samples"] == DRAWN


def test_without_an_encoder_nothing_comes_back(tmp_path: Path) -> None:
    how = {"view": pairs.states(), "critic": pairs.LONE_POINT_CRITIC, **pairs.POINTS}
    plain = pairs.ready(build_gan(pairs.gan_settings(**how), pairs.PLANE))
    found, stored = asked(tmp_path / "a.h5", plain, show=5)
    assert "distance" not in found.values
    assert stored.keys() == {"points", "components", "prior", "samples"}


@pytest.mark.parametrize("make", [told, test_ali.model], ids=["frames", "pictures"])
def test_models_of_anything_else_are_refused(make: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no model of points in a plane"):
        asked(tmp_path / "a.h5", make())


def test_clips_are_counted_from_the_first(tmp_path: Path) -> None:
    """Latents are drawn by the numbers of clips: here of a model that says their noise."""
    noisy = scaled(1.0, 0.0)
    assert noisy.encoder is not None and noisy.encoder.outward.bias is not None
    with torch.no_grad():
        noisy.encoder.outward.bias.zero_()
    _, stored = asked(tmp_path / "a.h5", noisy, show=COUNT)
    draws = Draws.first(0, range(FIRST, FIRST + COUNT))
    eps = draws.normal("infer infer", (0,), (2,))
    numpy.testing.assert_allclose(stored["latents"], held_out()[0] + eps, atol=1e-5)
