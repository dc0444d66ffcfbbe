"""What all predictors that go frame by frame share, by a model that can be worked out by hand."""

import math
from dataclasses import replace
from typing import Any, Literal

import pytest
import torch
from torch import Tensor, nn

from foreframe.config.training import Ramp
from foreframe.data.normalization import Normalizer
from foreframe.data.scaling import Scaling
from foreframe.data.views import View
from foreframe.errors import UserError
from foreframe.metrics import bits_per_dimension
from foreframe.models import Shape
from foreframe.networks.gaussian import Gaussian, total
from foreframe.networks.noise import Fresh, Noise
from foreframe.predictors import Context
from foreframe.predictors.learned import Given
from foreframe.predictors.recurrent import WIDTH, Terms, joined, part
from foreframe.predictors.variational import LatentOptions, Variational, VariationalSettings
from foreframe.randomness import Draws, generator
from foreframe.training.objective import Moment
from tests.foreframe.training.games import plan

SIDE, NOISE, SHARED = 3, 0.05, 0.2
DRAWN = LatentOptions(latents="sample", temperature=1.0, frames="sample")
MEAN = LatentOptions(latents="mean", temperature=1.0, frames="mean")


class Settings(VariationalSettings):
    kind: Literal["toy"]


class Brightness(Variational[Tensor]):
    """A frame is the one before, brightened as a whole by z ~ N(0, 1), and noisy pixel by pixel.

    The posterior is exact, but for `error`, which is added to its mean.
    """

    options = LatentOptions
    likelihood_kind = "elbo"

    def __init__(self, settings: Settings, error: float = 0.0) -> None:
        super().__init__()
        self.settings = settings
        self.given = Given(Shape(1, settings.view.frames, SIDE, SIDE), (), {})
        self.scaling = Scaling(settings.view, Normalizer((0.5,) * 3, (0.2,) * 3))
        self.gain = nn.Parameter(torch.tensor(SHARED))
        self.error = error

    def draw(self, numbers: Any) -> None:
        self.gain.fill_(SHARED)

    def encode(self, x_NCtHW: Tensor) -> Tensor:
        return x_NCtHW[:, :, -1]

    def start(self, seen: Tensor, options: LatentOptions, noise: Noise) -> Tensor:
        return seen

    def advance(
        self, state: Tensor, time: int, options: LatentOptions, noise: Noise
    ) -> tuple[Tensor, Tensor]:
        z = options.scale * noise.normal("z", time, (1, 1, 1))
        spread = NOISE if options.frames == "sample" else 0.0
        frame = state + self.gain * z + spread * noise.normal("frame", time, state.shape[1:])
        return frame, frame

    def terms(self, x_BCTHW: Tensor, given: int, noise: Noise) -> Terms:
        nll, kl, ratio = [], [], []
        prior = Gaussian(torch.zeros(len(x_BCTHW), 1), torch.ones(len(x_BCTHW), 1))
        for time in range(given, x_BCTHW.shape[2]):
            change = x_BCTHW[:, :, time] - x_BCTHW[:, :, time - 1]
            pixels = change[0].numel()
            precision = 1 + pixels * self.gain**2 / NOISE**2
            mean = self.gain * change.flatten(1).sum(dim=1, keepdim=True) / NOISE**2 / precision
            posterior = Gaussian(mean + self.error, (1 / precision).sqrt().expand_as(mean))
            z = posterior.sample(noise.normal("z", time, (1,)))
            pixel = Gaussian(self.gain * z[..., None, None].expand_as(change), torch.tensor(NOISE))
            nll.append(-total(pixel.log_prob(change)))
            kl.append(total(posterior.divergence(prior)))
            ratio.append(total(prior.log_prob(z) - posterior.log_prob(z)))
        return Terms(torch.stack(nll, 1), {"z": torch.stack(kl, 1)}, torch.stack(ratio, 1))


def view(**changes: Any) -> View:
    known: dict[str, Any] = {
        "of": "frames",
        "frames": 4,
        "train_stride": 1,
        "evaluation_stride": 1,
        "channels": "grey",
        "scaling": "unit",
        "bits": 8,
        "dequantise": False,
    }
    return View(**(known | changes))


def settings(**changes: Any) -> Settings:
    known: dict[str, Any] = {
        "kind": "toy",
        "view": view(),
        "actions": "none",
        "labels": (),
        "kl_weight": Ramp(first=0.0, last=1.0, begin=0, steps=10, of="run"),
        "free_bits": 0.0,
        "training": plan(),
    }
    return Settings(**(known | changes))


def clips(count: int, frames: int) -> Tensor:
    grey = generator(0, "clips").integers(80, 180, (count, frames, SIDE, SIDE, 1))
    return grey.to(torch.uint8).expand(-1, -1, -1, -1, 3).contiguous()


def context(count: int = 2, given: int = 2) -> Context:
    return Context(clips(count, given), list(range(10, 10 + count)))


class Crowded(Brightness):
    """What it says depends on how many rows it is given, as last bits of a convolution may."""

    def advance(
        self, state: Tensor, time: int, options: LatentOptions, noise: Noise
    ) -> tuple[Tensor, Tensor]:
        frame, _ = super().advance(state, time, options, noise)
        frame = frame + 0.01 * len(frame)
        return frame, frame

    def terms(self, x_BCTHW: Tensor, given: int, noise: Noise) -> Terms:
        found = super().terms(x_BCTHW, given, noise)
        return replace(found, nll=found.nll + len(x_BCTHW))


def test_what_a_future_costs_does_not_depend_on_how_many_are_scored() -> None:
    model, known = Crowded(settings()), context(1)
    future = clips(1, 5)[:, 2:]
    several = Draws.each(0, known.numbers, range(WIDTH + 1))
    together = model.likelihood(known, future, several).values
    for row in (0, WIDTH):
        assert torch.equal(
            model.likelihood(known, future, several.of([row])).values, together[row : row + 1]
        )


def test_a_future_does_not_depend_on_what_else_is_asked_for() -> None:
    model, known = Crowded(settings()), context()
    draws = Draws.each(0, known.numbers, range(WIDTH + 1))
    together = model.predict(known, 3, DRAWN, draws).frames
    for rows in ([3], [WIDTH + 4, 0], list(reversed(range(len(draws))))):
        alone = model.predict(known, 3, DRAWN, draws.of(rows)).frames
        assert torch.equal(alone, together[rows])


def test_a_longer_future_begins_as_the_shorter_one() -> None:
    model, known = Brightness(settings()), context()
    draws = Draws.first(0, known.numbers)
    longer = model.predict(known, 5, DRAWN, draws).frames
    assert torch.equal(model.predict(known, 2, DRAWN, draws).frames, longer[:, :2])
    assert not torch.equal(longer[:, 0], longer[:, 1])


def test_nothing_is_drawn_of_means() -> None:
    model, known = Brightness(settings()), context()
    assert not MEAN.random
    one, other = model.predict(known, 2, MEAN, Draws.each(0, known.numbers[:1], range(2))).frames
    assert torch.equal(one, other)
    assert torch.equal(one, known.frames[:1, -1].expand(2, -1, -1, -1))


def exact(model: Brightness, x_NCTHW: Tensor, given: int) -> Tensor:
    """Return log p (N,) of the frames from `given` on, whose changes are jointly Gaussian."""
    changes = x_NCTHW.diff(dim=2)[:, 0, given - 1 :].flatten(2).double()
    pixels = changes.shape[-1]
    covariance = (NOISE**2 * torch.eye(pixels) + SHARED**2).double()
    normal = torch.distributions.MultivariateNormal(covariance.new_zeros(pixels), covariance)
    return normal.log_prob(changes).sum(dim=1)


def test_with_the_true_posterior_every_sample_weighs_the_exact_likelihood() -> None:
    model, known, future = Brightness(settings()), context(3, 2), clips(3, 4)[:, 2:]
    draws = Draws.each(0, known.numbers, range(5))
    found = model.likelihood(known, future, draws)
    x_NCTHW = model.scaling.inward(torch.cat([known.frames, future], 1), None)
    wanted = exact(model, x_NCTHW, 2).double()
    torch.testing.assert_close(found.values, wanted.expand(5, -1), rtol=1e-4, atol=0)
    assert found.dimensions == 2 * SIDE * SIDE
    assert found.grey_level == 1 / 255


def test_another_posterior_gives_a_bound_that_closes_with_its_samples() -> None:
    model, known, future = Brightness(settings(), error=0.2), context(1, 2), clips(1, 4)[:, 2:]
    x_NCTHW = model.scaling.inward(torch.cat([known.frames, future], 1), None)
    values = model.likelihood(known, future, Draws.each(0, known.numbers, range(512))).values
    # Nats of bounds of 1, 8 and 64 samples each, as means over the same 512.
    wanted = exact(model, x_NCTHW, 2)
    gaps = [
        (bits_per_dimension.importance_weighted_nats(values.reshape(k, -1)) + wanted).mean().item()
        for k in (1, 8, 64)
    ]
    assert gaps[0] > gaps[1] > gaps[2] > -0.05


def test_each_sample_of_a_likelihood_dequantises_anew() -> None:
    model = Brightness(settings(view=view(dequantise=True)))
    known, future = context(1, 2), clips(1, 4)[:, 2:]
    values = model.likelihood(known, future, Draws.each(0, known.numbers, range(2))).values
    # The posterior is exact: nothing but the noise of the levels differs.
    assert values[0] != values[1]


def test_the_loss_weighs_the_divergence_by_the_ramp_and_not_below_free_bits() -> None:
    batch = {"x": Brightness(settings()).scaling.inward(clips(2, 4), None)}

    def losses(step: int, **changes: Any) -> dict[str, float]:
        moment = Moment(step, 20, 0, step, 20, generator(0, "step"))
        found = Brightness(settings(**changes)).loss(batch, moment)
        return {name: value.item() for name, value in found.items()}

    start, middle, end = (losses(step) for step in (0, 5, 10))
    values = 3 * SIDE * SIDE
    assert start["loss"] == pytest.approx(values * start["nll"], rel=1e-5)
    assert middle["loss"] == pytest.approx(values * (start["nll"] + 0.5 * start["kl_z"]), rel=1e-5)
    assert end["kl_weight"] == 1
    assert start["bound"] == middle["bound"] == end["bound"] == pytest.approx(end["loss"], rel=1e-5)
    freed = losses(10, free_bits=1e6)
    assert freed["loss"] == pytest.approx(values * start["nll"] + 3e6, rel=1e-5)


def test_training_noise_is_that_of_its_step() -> None:
    noise = [Fresh(generator(0, "step", 1), 2, torch.device("cpu")) for _ in range(2)]
    assert torch.equal(noise[0].normal("z", 0, (3,)), noise[1].normal("z", 5, (3,)))
    assert noise[0].gumbel("z", 0, (4000,)).mean().item() == pytest.approx(0.5772, abs=0.05)
    assert noise[1].gumbel("z", 0, (4000,)).var().item() == pytest.approx(math.pi**2 / 6, abs=0.1)


def test_rows_of_states_are_taken_and_joined() -> None:
    state: Any = {"h": (torch.arange(4.0), None), "skips": [torch.arange(8).view(4, 2)]}
    again = joined([part(state, torch.tensor([row])) for row in range(4)])
    assert torch.equal(again["h"][0], state["h"][0])
    assert again["h"][1] is None
    assert torch.equal(again["skips"][0], state["skips"][0])


class Demanding(Brightness):
    needs = 3


def test_too_short_a_context_is_refused() -> None:
    known = context(given=2)
    with pytest.raises(UserError, match=r"Demanding is given 2 frames and needs 3"):
        Demanding(settings()).predict(known, 1, MEAN, Draws.first(0, known.numbers))


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"actions": "input"}, "frames alone"), ({"labels": ("digit",)}, "frames alone")],
)
def test_inputs_that_are_not_taken_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        settings(**changes)


@pytest.mark.parametrize("temperature", [0.0, -1.0])
def test_a_temperature_is_above_0(temperature: float) -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        LatentOptions(latents="sample", temperature=temperature, frames="mean")


def test_means_know_no_temperature() -> None:
    with pytest.raises(ValueError, match="uses no temperature"):
        LatentOptions(latents="mean", temperature=0.5, frames="mean")
