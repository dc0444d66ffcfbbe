"""The VRNN and SRNN of sequences of patches: what depends on what, and what their loss is."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from torch import Tensor

from foreframe.config.split import Split
from foreframe.config.training import Plateau
from foreframe.errors import UserError
from foreframe.models import Shape
from foreframe.networks.gaussian import Gaussian
from foreframe.networks.noise import Fresh
from foreframe.predictors import Context
from foreframe.predictors.learned import ROLE, Given
from foreframe.predictors.sequence_vae import SequenceVAE, Settings, build
from foreframe.predictors.variational import LatentOptions
from foreframe.randomness import Draws, generator, numpy_generator
from foreframe.sources import sinusoid
from foreframe.training.checkpoints import Checkpoints
from foreframe.training.loop import fit
from foreframe.training.objective import Moment
from foreframe.training.samples import Samples
from stages import collect, measure_colours, split, train_predictor
from tests.foreframe.data.seen import STATES, view
from tests.foreframe.networks.latent_sequences import (
    GRAPHS,
    HIDDEN,
    LATENT,
    PATCHES,
    POINTS,
    WIDTH,
    every,
    lengths,
    lively,
    noise,
    sequences,
)
from tests.foreframe.training import runs
from tests.foreframe.training.games import adam, phase, plan

DRAWN = LatentOptions(latents="sample", temperature=1.0, frames="sample")
MEAN = LatentOptions(latents="mean", temperature=1.0, frames="mean")


def settings(**changes: Any) -> Settings:
    known: dict[str, Any] = {
        "kind": "sequence_vae",
        "view": view(**STATES, frames=PATCHES),
        "actions": "none",
        "labels": (),
        "graph": "srnn",
        "smoothing": False,
        "residual_posterior": False,
        "learned_start": False,
        "prior_chain": "posterior",
        "hidden": HIDDEN,
        "latent": LATENT,
        "width": WIDTH,
        "training": plan(),
    }
    return Settings(**(known | changes))


def made(points: int = POINTS, **changes: Any) -> SequenceVAE:
    """Return one with its starting weights."""
    found = build(settings(**changes), Given(Shape(points, PATCHES, 1, 1), (), {}))
    found.initialize(generator(0, "weights"))
    return found


def model(**changes: Any) -> SequenceVAE:
    """Return one in which everything matters."""
    found = made(**changes)
    lively(found.network)
    return found


def moment() -> Moment:
    return Moment(0, 1, 0, 0, 1, generator(0, "step"))


@every
def test_the_network_is_that_of_the_settings(changes: dict[str, Any]) -> None:
    chosen = settings(**changes)
    found = build(chosen, Given(Shape(POINTS, PATCHES, 1, 1), (), {}))
    assert asdict(found.network.design).items() <= {**dict(chosen), "points": POINTS}.items()


@pytest.mark.parametrize("given", [0, 2])
@every
def test_what_is_drawn_is_scored_as_it_was_drawn(changes: dict[str, Any], given: int) -> None:
    found, x_BtS = model(**changes), sequences(patches=given)
    drawn = noise(2)
    future = found.extend(x_BtS, PATCHES - given, DRAWN, drawn)

    def latent(time: int, prior: Gaussian, posterior: Gaussian) -> Tensor:
        if time < given:
            return before.latents[:, time]
        return prior.sample(drawn.normal("latent", time, (LATENT,)))

    if given:
        before = found.network.score(
            x_BtS, lambda time, _, q: q.sample(drawn.normal("latent", time, (LATENT,)))
        )
    scored = found.network.score(torch.cat([x_BtS, future], dim=1), latent)
    noises = [drawn.normal("patch", time, (POINTS,)) for time in range(given, PATCHES)]
    again = scored.patches.sample(torch.stack(list(torch.zeros(given, 2, POINTS)) + noises, 1))
    torch.testing.assert_close(again[:, given:], future, rtol=1e-4, atol=1e-5)


def test_means_are_drawn_without_noise_and_begin_as_longer_ones() -> None:
    found, x_BtS = model(), sequences(patches=0)
    longer = found.extend(x_BtS, 3, MEAN, noise(2, "one"))
    assert torch.equal(found.extend(x_BtS, 2, MEAN, noise(2, "other")), longer[:, :2])
    cooler = LatentOptions(latents="sample", temperature=0.5, frames="mean")
    assert not torch.equal(found.extend(x_BtS, 3, cooler, noise(2)), longer)


@pytest.mark.parametrize("graph", GRAPHS)
def test_the_divergence_is_the_mean_of_the_log_ratio(graph: str) -> None:
    found, count = model(graph=graph, residual_posterior=True), 20_000
    x_BTS = sequences(1).expand(count, -1, -1)
    with torch.no_grad():
        terms = found.terms(x_BTS, Fresh(generator(0, "noise"), count, x_BTS.device))
    assert terms.log_ratio is not None
    gaps_BT = -terms.log_ratio - terms.kl["latent"]
    errors_T = gaps_BT.std(dim=0) / count**0.5
    assert (gaps_BT.mean(dim=0).abs() < 4 * errors_T).all()
    assert (terms.kl["latent"].mean(dim=0) > 20 * errors_T).all()


@pytest.mark.parametrize("graph", GRAPHS)
def test_the_loss_of_constant_networks_is_in_closed_form(graph: str) -> None:
    found, x_BTS = made(graph=graph, learned_start=True), sequences(3)
    with torch.no_grad():
        for length in lengths(found):
            length.zero_()
    of = {
        name: Gaussian.of(getattr(found.network, name)[-1].bias, dim=0)
        for name in ("prior", "posterior", "decoder")
    }
    normal = {
        name: torch.distributions.Normal(each.mean, each.deviation) for name, each in of.items()
    }
    kl = PATCHES * torch.distributions.kl_divergence(normal["posterior"], normal["prior"]).sum()
    nll = -normal["decoder"].log_prob(x_BTS).sum() / 3
    loss = found.loss({"x": x_BTS}, moment())
    torch.testing.assert_close(loss["loss"], nll + kl)
    torch.testing.assert_close(loss["bound"], (nll + kl).detach())
    torch.testing.assert_close(loss["nll"], nll.detach() / (PATCHES * POINTS))
    torch.testing.assert_close(loss["kl_latent"], kl.detach() / (PATCHES * POINTS))


def test_a_chain_of_its_own_follows_what_the_prior_drew() -> None:
    found, x_BTS = model(prior_chain="self", smoothing=True), sequences()
    terms = found.terms(x_BTS, noise(2))
    own, bound = terms.about["kl_self"], terms.kl["latent"]
    assert torch.equal(own[:, 0], bound[:, 0])
    assert (own[:, 1:] != bound[:, 1:]).all()
    # Given what the posterior drew it is the bound's prior.
    scored = found.network.score(x_BTS, lambda _, prior, posterior: posterior.mean)
    again = found.network.own_chain(scored.hidden, lambda time, _: scored.latents[:, time])
    torch.testing.assert_close(again.mean, scored.prior.mean)
    torch.testing.assert_close(again.deviation, scored.prior.deviation)


def test_the_loss_takes_the_chain_of_its_setting_and_the_bound_never_does() -> None:
    x_BTS = sequences()
    terms = model(prior_chain="self").terms(x_BTS, Fresh(moment().numbers, 2, x_BTS.device))
    own, proper = (
        {
            name: value.item()
            for name, value in model(prior_chain=chain).loss({"x": x_BTS}, moment()).items()
        }
        for chain in ("self", "posterior")
    )
    assert proper["loss"] == proper["bound"] == own["bound"]
    gap = (terms.about["kl_self"] - terms.kl["latent"]).sum(dim=1).mean().item()
    assert own["loss"] - own["bound"] == pytest.approx(gap, rel=1e-4)
    assert abs(gap) > 0.1


def source(patches: int, points: int) -> sinusoid.Settings:
    return sinusoid.Settings(
        kind="sinusoid", height=8, width=8, frame_interval=0.05, train_episodes=12,
        test_episodes=4, frames_per_episode=patches, frequency=2.0, points=points,
    )  # fmt: skip


def waves(count: int, seed: int, patches: int, points: int) -> Tensor:
    chosen = source(patches, points)
    drawn = [sinusoid.wave(chosen, numpy_generator(seed, "waves", n)) for n in range(count)]
    return torch.from_numpy(numpy.stack(drawn)).float()


@pytest.mark.parametrize("graph", GRAPHS)
def test_it_learns_more_of_a_wave_than_how_its_values_spread(graph: str, tmp_path: Path) -> None:
    shape = (6, 10)
    train, validation = waves(128, 0, *shape), waves(32, 1, *shape)
    chosen = plan(
        phases=(phase(steps=100, batch_size=32),),
        players={"model": adam(learning_rate=3e-3, schedule=Plateau(factor=0.5, patience=2))},
        validate_every=25,
        judge="loss",
    )
    found = made(10, graph=graph, smoothing=True, width=24, hidden=16)
    result = fit(
        found.objective(),
        lambda _: Samples(len(train), lambda rows: {"x": train[rows]}),
        lambda _: Samples(len(validation), lambda rows: {"x": validation[rows]}),
        chosen,
        runs.setting(Checkpoints(tmp_path, seconds=math.inf)),
    )
    spread = torch.distributions.Normal(train.mean(), train.std())
    alone = -spread.log_prob(validation).sum(dim=(1, 2)).mean().item()
    assert result.epochs["validation_loss"].iloc[-1] < alone - 20


def test_the_stages_train_it_on_the_states_of_a_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("videos").mkdir()
    data = {name: Path(name) for name in ("frames", "split", "normalization")}
    collect.main(
        videos=Path("videos"), source=source(PATCHES, POINTS), seed=0, workers=1, out=data["frames"]
    )
    shares = Split(by="official", train=0.8, validation=0.1, test=0.1)
    split.main(frames=data["frames"], split=shares, out=data["split"])
    measure_colours.main(frames=data["frames"], split=data["split"], out=data["normalization"])
    train_predictor.main(
        **data, predictor=settings(), seed=0, compute=runs.COMPUTE, model=Path("m"),
        record=Path("r"),
    )  # fmt: skip
    found = ROLE.load(Path("m"))
    assert isinstance(found, SequenceVAE)
    assert found.given.shape == Shape(POINTS, PATCHES, 1, 1)
    assert found.extend(sequences(), 2, MEAN, noise(2)).shape == (2, 2, POINTS)


def test_frames_are_refused() -> None:
    found, frames = model(), torch.zeros(1, 2, 4, 4, 3, dtype=torch.uint8)
    draws = Draws.first(0, [0])
    with pytest.raises(UserError, match=r"models the states of a source.*predictor of frames"):
        found.predict(Context(frames, [0]), 1, MEAN, draws)
    with pytest.raises(UserError, match=r"models the states of a source.*predictor of frames"):
        found.likelihood(Context(frames, [0]), frames, draws)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"view": view()}, "view.of is frames, but sequence_vae is built for states"),
        ({"actions": "input"}, "states alone"),
        ({"labels": ("digit",)}, "states alone"),
        ({"prior_chain": "self", "graph": "vrnn"}, "Set it to posterior"),
        ({"prior_chain": "self", "residual_posterior": True}, "Set it to posterior"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        settings(**changes)
