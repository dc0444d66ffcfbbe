"""Models of pairs: the tables of Dumoulin et al. 2017, and small ones that learn in seconds."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from foreframe.config.training import Phase, Plan
from foreframe.data.normalization import Normalizer
from foreframe.data.scaling import Scaling
from foreframe.models import Shape
from foreframe.networks.chains import Chain, ChainSettings, Layer, LeakyReLU, Maxout
from foreframe.networks.pair_networks import (
    CriticSettings,
    DecoderSettings,
    EncoderSettings,
    Head,
    PairCriticSettings,
)
from foreframe.predictors import Context, ali, gan, vae
from foreframe.predictors.adversarial import Latents
from foreframe.predictors.learned import Given
from foreframe.predictors.single_frames import SingleFrames
from foreframe.randomness import generator
from foreframe.training.checkpoints import Checkpoints
from foreframe.training.loop import fit
from foreframe.training.objective import Moment
from foreframe.training.result import Result
from foreframe.training.samples import Samples
from tests.foreframe.data import seen
from tests.foreframe.training import games, runs

SIDE, LATENTS = 8, 3
Row = tuple[int, int, int]  # kernel, stride, channels
PLAIN = Latents(temperature=1.0)
BLACK = torch.zeros(1, SIDE, SIDE, 3, dtype=torch.uint8)
DIGITS = {"digit": ("zero", "one", "two")}


def layers(*rows: Row, normalise: Any = "batch", drop: float = 0.0, up: bool = False) -> Any:
    return tuple(
        Layer(
            kernel=kernel, stride=stride, channels=channels, padding=0, transposed=up,
            normalise=normalise, drop=drop,
        )
        for kernel, stride, channels in rows
    )  # fmt: skip


def layer_of(chain: Chain, place: int) -> Any:
    """Return a layer, of which mypy would only know that it is a module."""
    return chain.layers[place]


def plain(slope: float) -> dict[str, Any]:
    return {"activation": LeakyReLU(kind="leaky_relu", slope=slope), "pooled": False}


def maxout(pieces: int) -> dict[str, Any]:
    return {"activation": Maxout(kind="maxout", pieces=pieces), "pooled": False}


def encoder(rows: Any, posterior: Any = "gaussian", **how: Any) -> EncoderSettings:
    return EncoderSettings(layers=rows, posterior=posterior, **how)


def pair_critic(
    pictures: Any, latents: Any, joint: Any, drop: float, normalise: Any = "none", **how: Any
) -> PairCriticSettings:
    return PairCriticSettings(
        pictures=ChainSettings(layers=pictures, **how),
        latents=ChainSettings(layers=latents, **how),
        joint=ChainSettings(layers=joint, **how),
        head=Head(normalise=normalise, drop=drop),
    )


def _paper(
    down: Sequence[Row], up: Any, last: Sequence[Row], slope: float, of_z: int, of_both: int
) -> dict[str, Any]:
    """Return nets whose critic sees pictures as the encoder does, the first layer without norm."""
    first = layers(down[0], normalise="none", drop=0.2)
    unnormed: dict[str, Any] = {"normalise": "none", "drop": 0.2}
    return {
        "latents": 256,
        "encoder": encoder(layers(*down, *last), **plain(slope)),
        "decoder": DecoderSettings(layers=up, **plain(slope)),
        "critic": pair_critic(
            (*first, *layers(*down[1:], drop=0.2)),
            layers((1, 1, of_z), (1, 1, of_z), **unnormed),
            layers((1, 1, of_both), (1, 1, of_both), **unnormed),
            0.2,
            **plain(slope),
        ),
    }


_DIGITS_DOWN = ((5, 1, 32), (4, 2, 64), (4, 1, 128), (4, 2, 256), (4, 1, 512))
_DIGITS_UP = (
    *layers((4, 1, 256), (4, 2, 128), (4, 1, 64), (4, 2, 32), (5, 1, 32), up=True),
    *layers((1, 1, 32)),
)
_FACES_DOWN = ((2, 1, 64), (7, 2, 128), (5, 2, 256), (7, 2, 256), (4, 1, 512))
_FACES_UP = layers((4, 1, 512), (7, 2, 256), (5, 2, 256), (7, 2, 128), (2, 1, 64), up=True)
_NATURAL_DOWN = ((4, 2, 64), (4, 1, 64), (4, 2, 128), (4, 1, 128), (4, 2, 256), (4, 1, 256))
_NATURAL_UP = (
    *layers((1, 1, 2048), (1, 1, 256)),
    *layers((4, 1, 256), (4, 2, 128), (4, 1, 128), (4, 2, 64), (4, 1, 64), (4, 2, 64), up=True),
)
_SVHN = _paper(_DIGITS_DOWN, _DIGITS_UP, ((1, 1, 512),), 0.01, 512, 1024)
_HALF: dict[str, Any] = {"normalise": "none", "drop": 0.5}
_FIFTH: dict[str, Any] = {"normalise": "none", "drop": 0.2}

# Of the appendix, by data set.
PAPER: Mapping[str, dict[str, Any]] = {
    "svhn": _SVHN,
    "cifar10": {
        "latents": 64,
        "encoder": encoder(_SVHN["encoder"].layers, **plain(0.1)),
        "decoder": DecoderSettings(layers=_DIGITS_UP, **plain(0.1)),
        "critic": pair_critic(
            (*layers(_DIGITS_DOWN[0], **_FIFTH), *layers(*_DIGITS_DOWN[1:], **_HALF)),
            (*layers((1, 1, 512), **_FIFTH), *layers((1, 1, 512), **_HALF)),
            layers((1, 1, 1024), (1, 1, 1024), **_HALF),
            0.5,
            **maxout(2),
        ),
    },
    "celeba": _paper(_FACES_DOWN, _FACES_UP, (), 0.02, 1024, 2048),
    "imagenet": _paper(
        _NATURAL_DOWN, _NATURAL_UP, ((1, 1, 2048), (1, 1, 2048)), 0.01, 2048, 4096
    ),
}  # fmt: skip
SIDES = {"svhn": 32, "cifar10": 32, "celeba": 64, "imagenet": 64}

_DENSE = ((1, 1, 400),) * 2
_PIECES = layers(*((1, 1, 1000),) * 3, normalise="none")
# Of the released script for points.
POINTS: dict[str, Any] = {
    "latents": 2,
    "deviation": 0.02,
    "decoder": DecoderSettings(layers=layers(*_DENSE * 2), **plain(0.0)),
}
POINT_ENCODER = encoder(layers(*_DENSE), "implicit", **plain(0.0))
POINT_CRITIC = pair_critic((), (), _PIECES, 0.0, **maxout(5))
LONE_POINT_CRITIC = CriticSettings(
    pictures=POINT_CRITIC.joint, head=Head(normalise="none", drop=0.0)
)


def frames(**changes: Any) -> Any:
    known = {"frames": 1, "channels": "grey", "scaling": "unit"}
    return seen.view(**(known | changes))


def states() -> Any:
    return seen.view(**seen.STATES, frames=1)


def plan(*phases: Phase, players: Sequence[str] = ("generator", "critic"), **changes: Any) -> Plan:
    rate = changes.pop("learning_rate", 0.002)
    moved = {name: games.adam(learning_rate=rate, betas=(0.5, 0.999)) for name in players}
    return games.plan(
        phases=phases or (games.phase(steps=4),), players=moved, log_every=1, **changes
    )


def _known(kind: str, changes: dict[str, Any]) -> dict[str, Any]:
    """Return settings of a small model of pictures of 8 x 8, or the points of the script."""
    known: dict[str, Any] = {"kind": kind, "view": frames(), "actions": "none", "labels": ()}
    down, up = ((5, 1, 8), (4, 1, 8)), ((4, 1, 8), (5, 1, 8))
    known |= {
        "training": plan(),
        "latents": LATENTS,
        "deviation": 0.1,
        "decoder": DecoderSettings(layers=layers(*up, up=True), **plain(0.1)),
    }
    if kind != "gan":
        known["encoder"] = encoder(layers(*down), **plain(0.1))
    return known | changes


def small_critic(drop: float = 0.2, pieces: int = 2) -> PairCriticSettings:
    how: dict[str, Any] = {"normalise": "none", "drop": drop}
    return pair_critic(
        layers((5, 1, 8), (4, 1, 8), **how), layers((1, 1, 8), **how), layers((1, 1, 12), **how),
        drop, **maxout(pieces),
    )  # fmt: skip


def lone_critic() -> CriticSettings:
    small = small_critic()
    return CriticSettings(pictures=small.pictures, head=small.head)


def ali_settings(**changes: Any) -> ali.Settings:
    known = {"critic": small_critic(), "label_width": None, "supervision": None}
    return ali.Settings(**_known("ali", known | changes))


def gan_settings(**changes: Any) -> gan.Settings:
    known = {"critic": lone_critic(), "inference": None}
    return gan.Settings(**_known("gan", known | changes))


def vae_settings(**changes: Any) -> vae.Settings:
    known = {"likelihood_deviation": 0.1, "training": plan(players=("model",))}
    return vae.Settings(**_known("vae", known | changes))


def told(**changes: Any) -> ali.Settings:
    """Return settings that are told a digit and whether it is slanted."""
    return ali_settings(labels=("digit", "slanted"), label_width=4, **changes)


TOLD = {**DIGITS, "slanted": ("no", "yes")}


def supervised(**changes: Any) -> ali.Settings:
    few: dict[str, Any] = {"label": "digit", "labelled": 2, "first": 0, "weight": 1.0} | changes
    return ali_settings(supervision=ali.Supervision(**few))


def given(
    channels: int = 1, side: int = SIDE, labels: Mapping[str, tuple[str, ...]] | None = None
) -> Given:
    return Given(Shape(channels, 1, side, side), (), dict(labels or {}))


PLANE = given(2, 1)  # what points tell


def ready(model: SingleFrames, *, lively: bool = True) -> Any:
    """Return a model with weights large enough to matter, and statistics of its own; in eval."""
    model.initialize(generator(0, "weights"))
    numbers = generator(0, "statistics")
    if lively:
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(0.5 * numbers.normal(parameter.shape))
        for name, buffer in model.named_buffers():
            if buffer.is_floating_point():
                low = 0.5 if name.endswith("running_var") else -0.5
                buffer.copy_(numbers.uniform(buffer.shape, low, low + 1))
    model.scaling = Scaling(model.settings.view, Normalizer((0.5,) * 3, (0.2,) * 3))
    return model.eval()


def pictures(count: int, name: str = "pictures", side: int = SIDE) -> tuple[Tensor, Tensor]:
    """Return x (N,1,1,8,8) of three classes, bright at another third, and the classes (N,)."""
    numbers = generator(0, name)
    label_N = torch.arange(count) % 3
    x_N = 0.2 * numbers.uniform((count, 1, 1, side, side))
    for row, label in enumerate(label_N.tolist()):
        x_N[row, :, :, 2 * label : 2 * label + 3] += 0.7
    return x_N, label_N


def batch(count: int = 6) -> dict[str, Any]:
    """Return a batch with partners, all other labels of which are never to be looked at."""
    x_B, _ = pictures(count)
    again, classes = pictures(count, "partners")
    return {"x": x_B, "partners": {"x": again, "labels": {"digit": classes}}}


def moment(step: int = 0) -> Moment:
    return Moment(step, 20, 0, step, 20, generator(0, "step", step))


def trained(model: Any, path: Path, train: Any, validation: Any = None) -> Result:
    """Fit a model with its starting weights to batches read by number, by its own plan."""
    model.initialize(generator(0, "weights"))
    read = train if isinstance(train, Samples) else Samples(len(train), lambda i: {"x": train[i]})
    with Checkpoints(path) as checkpoints:
        return fit(
            model.objective(),
            lambda _: read,
            None if validation is None else lambda _: validation,
            model.settings.training,
            runs.setting(checkpoints),
        )


def context(count: int, **labels: Tensor) -> Context:
    """Return clips of which nothing is given but labels."""
    nothing = torch.zeros(count, 0, SIDE, SIDE, 3, dtype=torch.uint8)
    return Context(nothing, list(range(20, 20 + count)), labels=labels)
