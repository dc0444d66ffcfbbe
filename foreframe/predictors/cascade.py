"""Kind `cascade`: cascaded video generation (Castrejon et al. 2022), and with one level DVD-GAN.

    p(x^1 ... x^L) = p(x^1) prod_l p(x^l | x^(l-1))

Level 1 makes a clip of few, small frames from noise; each further level makes of a clip one of more
and larger frames. All are one model, trained greedily: a phase moves one level, and those below
make what it is shown. A level may be trained on windows of the clip below, so that its cost does
not grow with clips, and makes whole clips afterwards. One level is the DVD-GAN of Clark et al.
2019; the ablations are settings (`temporal`, `critic.matching`, `window`).

Statistics of its normalisations belong to a length (`networks.step_norms`). Where a clip is longer
than a training example they are measured once, by passes whose random numbers are their own and no
prediction's, so that a prediction stays a function of weights, seed and clip.

Shapes: B rows, L levels, C channels, T frames of the level in question, t of the one below it, Z
numbers of noise, H rows, W columns.
"""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from foreframe.config.base import Strict
from foreframe.data import views
from foreframe.errors import UserError
from foreframe.networks.noise import Drawn, Fresh, Noise
from foreframe.networks.step_norms import forget, knows, recalibrate
from foreframe.networks.video_critics import ClipCritics
from foreframe.networks.video_gan import Generator
from foreframe.predictors import Context, Prediction
from foreframe.predictors.adversarial import AdversarialSettings, Labels, Latents
from foreframe.predictors.cascade_game import Games
from foreframe.predictors.cascade_levels import Level, check, players, shapes
from foreframe.predictors.learned import Given, LearnedPredictor
from foreframe.predictors.recurrent import filled
from foreframe.predictors.single_frames import require_players
from foreframe.predictors.told import require_labels
from foreframe.randomness import Draws, generator

SEED = 0  # of the passes that measure statistics

Count = Annotated[int, Field(ge=1)]


class Recalibration(Strict):
    """How statistics of another length are measured."""

    passes: Count  # 200
    rows: Annotated[int, Field(ge=2)]  # of each pass


class Settings(AdversarialSettings):
    """The section of params.yaml; players of `training` are `generator_1`, `critic_1`, and so on.

    A phase moves the two of one level; the levels come in turn. The paper has Adam with rates of
    1e-4 and 5e-4, betas as of BigGAN (0, 0.999), batches of 512, and no averaged weights.
    """

    kind: Literal["cascade"]
    noise: Count  # Z of each level, 128
    class_width: Count | None  # what a class is mapped to, 128; null without labels
    levels: Annotated[tuple[Level, ...], Field(min_length=1)]
    recalibration: Recalibration

    @model_validator(mode="after")
    def _fits(self) -> Self:
        views.require(self.view, self.kind, of="frames", scaling="symmetric", dequantise=False)
        if len(self.labels) > 1:
            raise ValueError(
                f"labels are {', '.join(self.labels)}, but a cascade is told one class. Name one "
                "label."
            )
        if bool(self.labels) != (self.class_width is not None):
            raise ValueError(
                f"class_width is {self.class_width}, and labels is "
                f"{', '.join(self.labels) or '[]'}. Give both, or null and []."
            )
        if any(phase.frames is not None for phase in self.training.phases):
            raise ValueError(
                "A cascade says itself which windows of clips its levels see. Set frames of every "
                "phase to null."
            )
        check(self.levels, self.view.frames)
        groups = [players(place) for place in range(len(self.levels))]
        require_players(self.training, self.kind, *groups)
        return self

    def trained(self, phase: int) -> int:
        """Return the place of the level that a phase moves."""
        names, places = self.training.phases[phase].players, range(len(self.levels))
        return next(place for place in places if names is None or players(place)[0] in names)


class Clips(Latents):
    """How clips are made: `whole`, or as in training.

    `window`: the last level is shown a window of the clip below, at a random place, as in training;
    with one level, or without windows, the two are the same.
    """

    clips: Literal["whole", "window"]


def build(settings: Settings, given: Given) -> "Cascade":
    """Return the predictor of these settings, not yet initialized.

    Raises:
        UserError: frames are not of the last level's size, or there are no classes to be told.
    """
    shape, size = given.shape, settings.levels[-1].size
    if (shape.height, shape.width) != (size, size):
        raise UserError(
            f"The last level of the cascade makes frames of {size} x {size}, but those of the data "
            f"are {shape.height} x {shape.width}. Change its size, or source.height and "
            "source.width."
        )
    for name in settings.labels:
        if len(given.labels.get(name, ())) < 2:
            raise UserError(
                f"The label {name} has less than two classes and tells nothing apart. Take data "
                "with more, or set labels to [] and class_width to null."
            )
    return Cascade(settings, given)


class Cascade(LearnedPredictor):
    """The generators and critics of all levels; it makes clips from nothing.

    Of the sizes named for Kinetics-600 the generators have 287,885,059 and 192,284,803 weights,
    and all nets together 1,061,658,379.
    """

    settings: Settings
    options = Clips
    generates = True

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__()
        self.settings, self.given = settings, given
        self.shapes = shapes(settings.levels, settings.view.frames)
        colours = given.shape.channels
        classes = len(given.labels[settings.labels[0]]) if settings.labels else 0
        self.generators, self.critics = nn.ModuleList(), nn.ModuleList()
        for level, shape in zip(settings.levels, self.shapes, strict=True):
            net = Generator(
                level.generator,
                level.size,
                shape.example,
                colours=colours,
                noise=settings.noise,
                classes=classes,
                class_width=settings.class_width or 0,
                below=shape.below,
            )
            self.generators.append(net)
            critics = ClipCritics(
                level.critic, level.size, colours=colours, below=shape.below, classes=classes
            )
            self.critics.append(critics)

    def train(self, mode: bool = True) -> Self:
        """Set the mode; what was measured with the weights is forgotten before they move."""
        if mode:
            forget(self)
        return super().train(mode)

    def objective(self) -> Games:
        """Return the games of all levels."""
        return Games(self)

    def told(self, labels: Labels) -> Tensor | None:
        """Return the classes (B,) among some labels; None: it is told none."""
        return labels[self.settings.labels[0]] if self.settings.labels else None

    def latents(self, noise: Noise, levels: int) -> list[Tensor]:
        """Return noise (B,Z) of the first levels, from N(0, I)."""
        return [noise.normal("latent", place, (self.settings.noise,)) for place in range(levels)]

    def made(self, latents: Sequence[Tensor], label_B: Tensor | None, frames: int) -> Tensor:
        """Return clips (B,C,T,H,W) of the last level that latents are given of.

        `frames` are those of the first level; of so many statistics are known, or in training mode
        those of the batch are taken.
        """
        low_BCtHW: Tensor | None = None
        for place, z_BZ in enumerate(latents):
            low_BCtHW = self.raised(place, z_BZ, label_B, low_BCtHW, frames)
        assert low_BCtHW is not None
        return low_BCtHW

    def raised(
        self,
        place: int,
        z_BZ: Tensor,
        label_B: Tensor | None,
        low_BCtHW: Tensor | None,
        first: int,
    ) -> Tensor:
        """Return clips (B,C,T,H,W) of the level at a place, of those below; the first has none."""
        frames = first if low_BCtHW is None else low_BCtHW.shape[2] * self.shapes[place].times
        clips_BCTHW: Tensor = self.generators[place](z_BZ, label_B, frames, low_BCtHW)
        return clips_BCTHW

    def windows(self, clips_BCTHW: Tensor, place: int, times: int, noise: Noise) -> Tensor:
        """Return the windows that a training example of a level has of clips, (B,C,...,H,W).

        Clips are those of the level below, or of more frames by a factor. Windows begin at any
        frame of the level below, each row's by itself.
        """
        seen = self.shapes[place].seen * times
        free = (clips_BCTHW.shape[2] - seen) // times + 1
        starts = (times * noise.gumbel("window", place, (free,)).argmax(dim=1)).tolist()
        rows = zip(clips_BCTHW, starts, strict=True)
        return torch.stack([row[:, start : start + seen] for row, start in rows])

    def ready(self, frames: int, levels: int) -> None:
        """Let the first levels know the statistics of clips of which the first has such frames."""
        for place in range(levels):
            own = frames * self.settings.levels[0].every // self.settings.levels[place].every
            net = self.generators[place]
            if not knows(net, own):
                passes = self.settings.recalibration.passes
                recalibrate(net, own, passes, partial(self._try, place, frames))

    def _try(self, place: int, frames: int, number: int) -> None:
        """Make clips that nobody sees, of all classes alike; levels below are ready."""
        numbers = generator(SEED, "recalibration", place, frames, number)
        rows, device = self.settings.recalibration.rows, next(self.parameters()).device
        label_B = None
        if self.settings.labels:
            classes = len(self.given.labels[self.settings.labels[0]])
            label_B = numbers.integers(0, classes, (rows,)).to(device)
        noise = Fresh(numbers, rows, device)
        self.made(self.latents(noise, place + 1), label_B, frames)

    @torch.no_grad()
    def _predict(self, context: Context, horizon: int, options: Any, draws: Draws) -> Prediction:
        self._check_context(context)
        last = len(self.generators) - 1
        by_window = options.clips == "window" and self.shapes[last].seen > 0
        frames = self._frames(horizon, by_window=by_window)
        self.ready(frames, last if by_window else last + 1)
        places, device = context.places(draws), next(self.parameters()).device
        found = []
        for chosen in filled(len(draws)):
            noise = Drawn(draws.of(chosen), "predict", device)
            rows = places[chosen]
            label_B = self.told({name: each[rows] for name, each in context.labels.items()})
            label_B = None if label_B is None else label_B.to(device)
            z = [options.temperature * each for each in self.latents(noise, last + 1)]
            if by_window:
                low_BCtHW = self.windows(self.made(z[:last], label_B, frames), last, 1, noise)
                x_BCTHW = self.raised(last, z[last], label_B, low_BCtHW, frames)
            else:
                x_BCTHW = self.made(z, label_B, frames)
            found.append(self.scaling.outward(x_BCTHW).cpu())
        return Prediction(torch.cat(found)[: len(draws), :horizon])

    def _frames(self, horizon: int, *, by_window: bool) -> int:
        """Return how many frames the first level makes for a horizon."""
        whole, first = self.settings.view.frames, self.settings.levels[0]
        longest = self.shapes[-1].example if by_window else whole
        if horizon <= longest:
            return self.shapes[0].frames
        if by_window:
            raise UserError(
                f"A window of {self.name} has {longest} frames, not {horizon}. Lower the "
                "protocol's horizon, or let clips be whole."
            )
        if first.generator.temporal != "gru":
            raise UserError(
                f"{self.name} makes clips of {whole} frames, not of {horizon}: its first level has "
                "no recurrence that could go on. Lower the protocol's horizon."
            )
        if horizon % first.every:
            raise UserError(
                f"{self.name} goes on by {first.every} frames at a time, and {horizon} is no "
                "multiple of that. Change the protocol's horizon."
            )
        return horizon // first.every

    def _check_context(self, context: Context) -> None:
        if context.given:
            raise UserError(
                f"{self.name} is given {context.given} frames and would ignore them: it makes "
                "clips from nothing. Set the protocol's context to 0."
            )
        require_labels(self, context)
