"""Feature Flow (Mastropietro 2017, 6.3): features of the last frame flow apart, in a game of clips.

The generator makes each frame from the one before (`networks.flow_generator`). The first
`closed_frames` of a clip are given to it one after the other (the thesis's closed loop, or teacher
forcing); what it predicts of those among them pays a squared error. Then it goes on from its own
frames (open loop). The critic is shown whole clips: true ones, and those that go on from the closed
frames as they are made. Generator and critic move together, by the gradients of one forward pass,
as in algorithm 1 of the thesis: in turns the generator, most of the work, would run twice.

Shapes: N clips, B futures or rows of a batch, C channels of the view, T frames, t given ones, H
rows, W columns, h w those of the grid, F channels of a fixel, E values of a condition, Z of a
latent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from foreframe.config.training import Ramp
from foreframe.data import views
from foreframe.errors import UserError
from foreframe.networks import games
from foreframe.networks.clip_critics import ClipCritic, CriticSettings
from foreframe.networks.conv_lstm import Pair
from foreframe.networks.flow_generator import FlowGenerator, GeneratorSettings, Seen, halvings
from foreframe.networks.noise import Fresh, Noise
from foreframe.predictors.adversarial import CRITIC, GENERATOR, Latents
from foreframe.predictors.learned import Given
from foreframe.predictors.recurrent import FrameByFrame, RecurrentSettings
from foreframe.training.objective import Losses, Moment, Objective, Player, Turn

LATENT = "latent"


class Settings(RecurrentSettings):
    """The section of params.yaml; the players of `training` are `generator` and `critic`.

    The first form of the thesis has 1 closed frame of 5 and no error, the best one 5 of 10.
    """

    kind: Literal["feature_flow"]
    generator: GeneratorSettings
    critic: CriticSettings
    closed_frames: Annotated[
        int, Field(ge=1)
    ]  # true frames that the generator is given in training
    error_weight: Annotated[float, Field(ge=0)]  # of the mean squared error of those; 1
    generated_frames: (
        Ramp | None
    )  # how many frames are made in training; null: the rest of the clip

    @model_validator(mode="after")
    def _sees_what_it_makes(self) -> Self:
        views.require(self.view, self.kind, of="frames", scaling="symmetric", dequantise=False)
        lengths = {"view.frames": self.view.frames}
        for number, phase in enumerate(self.training.phases, 1):
            if phase.frames is not None:
                lengths[f"frames of phase {number}"] = phase.frames
        for name, frames in lengths.items():
            if frames <= self.closed_frames:
                raise ValueError(
                    f"{name} is {frames}, of which {self.closed_frames} are closed: none is left "
                    "to be made. Lower closed_frames, or let clips have more frames."
                )
        if self.closed_frames == 1 and self.error_weight:
            raise ValueError(
                "closed_frames is 1, but nothing predicts the first frame, so error_weight has "
                "nothing to weigh. Set it to 0.0, or raise closed_frames."
            )
        return self

    @model_validator(mode="after")
    def _makes_some_frames(self) -> Self:
        rest, ramp = self.view.frames - self.closed_frames, self.generated_frames
        if ramp is not None and not all(1 <= end <= rest for end in (ramp.first, ramp.last)):
            raise ValueError(
                f"generated_frames goes from {ramp.first} to {ramp.last}, but of the view's "
                f"{self.view.frames} frames 1 to {rest} can be made. Stay within these."
            )
        least = rest if ramp is None else round(min(ramp.first, ramp.last))
        lengths = [phase.frames for phase in self.training.phases if phase.frames is not None]
        shortest = min([self.closed_frames + least, *lengths])
        if shortest < self.critic.least:
            raise ValueError(
                f"The critic's volumes need clips of {self.critic.least} frames, and the shortest "
                f"have {shortest}. Set critic.pads_time to true, or let clips have more frames."
            )
        return self


class State(NamedTuple):
    """What futures (B) know of the frames so far.

    Attributes:
        last: the last one, as it was seen, of a single step.
        told: what the given frames but the last show, (B,t-1,E); none once the flow knows of it.
        seeing: the memory of E1 after the last frame; None: it has none.
        flowing: that of D1, to which the last frame is still to be told.
        z: the latent of the clip, (B,Z); Z is 0 unless a clip has one.
    """

    last: Seen
    told: Tensor
    seeing: Pair | None
    flowing: Pair | None
    z: Tensor


@dataclass(frozen=True)
class Played:
    """What a clip is to the two players.

    Attributes:
        true: the frames of the clip that are used, (B,C,T,H,W).
        closed: predictions of the closed frames but the first, (B,C,closed-1,H,W).
        open: the frames after the closed ones as they are made, (B,C,T-closed,H,W).
    """

    true: Tensor
    closed: Tensor
    open: Tensor

    def errors(self) -> dict[str, Tensor]:
        """Return the mean squared errors of predicted frames, scalars; closed ones if any."""
        split = self.true.shape[2] - self.open.shape[2]
        parts = {
            "closed_error": (self.closed, self.true[:, :, 1:split]),
            "open_error": (self.open, self.true[:, :, split:]),
        }
        return {
            name: (made - true).square().mean()
            for name, (made, true) in parts.items()
            if made.shape[2]
        }

    def made(self) -> Tensor:
        """Return the clips (B,C,T,H,W) that go on from the closed frames as they are made."""
        split = self.true.shape[2] - self.open.shape[2]
        return torch.cat([self.true[:, :, :split], self.open], dim=2)


def build(settings: Settings, given: Given) -> "FeatureFlow":
    """Return the predictor of these settings, not yet initialized.

    Raises:
        UserError: frames are not square, or cannot be halved as often as the settings say.
    """
    shape, generator = given.shape, settings.generator
    if shape.height != shape.width:
        raise UserError(
            f"The predictor {settings.kind} takes square frames, not {shape.height} x "
            f"{shape.width}. Change source.height and source.width."
        )
    most, levels = halvings(shape.height), len(settings.critic.levels)
    encoder, flow = len(generator.encoder), len(generator.flow)
    if encoder + flow != most:
        raise UserError(
            f"Frames of {shape.height} rows are halved {most} times until one place is left, but "
            f"generator.encoder has {encoder} widths and generator.flow {flow}. Let them have "
            f"{most} together."
        )
    if levels > most:
        raise UserError(
            f"Frames of {shape.height} rows are halved {most} times until one place is left, but "
            f"the critic has {levels} levels. Remove some."
        )
    return FeatureFlow(settings, given)


class FeatureFlow(FrameByFrame[State]):
    """Without latents nothing is drawn, and all futures of a clip are one.

    Of the widths named, for grey frames of 120 rows, the generator has 11,524,235 weights.
    """

    settings: Settings
    options = Latents

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__()
        self.settings, self.given = settings, given
        shape = given.shape
        self.generator = FlowGenerator(shape.channels, shape.height, settings.generator)
        self.critic = ClipCritic((shape.channels, shape.height, shape.width), settings.critic)

    def objective(self) -> "Game":
        """Return the game of both players."""
        return Game(self)

    def encode(self, x_NCtHW: Tensor) -> State:
        """Return what given frames tell; nothing has flowed yet."""
        seen, seeing = self.generator.seen(x_NCtHW.transpose(1, 2), None)
        last = Seen(*(each[:, -1:] for each in seen))
        return State(last, seen.told[:, :-1], seeing, None, x_NCtHW.new_zeros(len(x_NCtHW), 0))

    def start(self, seen: State, options: Latents, noise: Noise) -> State:
        """Return the state of futures, for which the flow after the given frames is drawn."""
        z_BZ, flowing = options.temperature * self._of_clip(noise, seen.z), None
        steps = seen.told.shape[1]
        if steps and self.settings.generator.recurrent_flow:
            z_BTZ = self._latents(noise, z_BZ, range(1, steps + 1), options.temperature)
            _, flowing = self.generator.directed(seen.told, z_BTZ, None)
        return seen._replace(told=seen.told[:, :0], flowing=flowing, z=z_BZ)

    def advance(
        self, state: State, time: int, options: Latents, noise: Noise
    ) -> tuple[Tensor, State]:
        """Return frame `time` (B,C,H,W) and the state after it."""
        z_B1Z = self._latents(noise, state.z, [time], options.temperature)
        frame_B1CHW, flowing = self.generator.made(state.last, z_B1Z, state.flowing)
        last, seeing = self.generator.seen(frame_B1CHW, state.seeing)
        return frame_B1CHW[:, 0], state._replace(last=last, seeing=seeing, flowing=flowing)

    def played(self, x_BCTHW: Tensor, noise: Noise) -> Played:
        """Return what the players are judged by, of true clips; see `Played`."""
        closed, frames = self.settings.closed_frames, x_BCTHW.shape[2]
        z_BTZ = self._latents(noise, self._of_clip(noise, x_BCTHW), range(1, frames), 1.0)
        seen, seeing = self.generator.seen(x_BCTHW[:, :, :closed].transpose(1, 2), None)
        made_BTCHW, flowing = self.generator.made(seen, z_BTZ[:, :closed], None)
        opened = [made_BTCHW[:, -1:]]
        for time in range(closed, frames - 1):
            seen, seeing = self.generator.seen(opened[-1], seeing)
            z_B1Z = z_BTZ[:, time : time + 1]
            made_B1CHW, flowing = self.generator.made(seen, z_B1Z, flowing)
            opened.append(made_B1CHW)
        of_closed, of_open = made_BTCHW[:, :-1], torch.cat(opened, dim=1)
        return Played(x_BCTHW, of_closed.transpose(1, 2), of_open.transpose(1, 2))

    def used(self, x_BCTHW: Tensor, moment: Moment) -> Tensor:
        """Return the frames (B,C,T,H,W) of clips that are shown now: closed ones and made ones."""
        ramp = self.settings.generated_frames
        if ramp is None:
            return x_BCTHW
        return x_BCTHW[:, :, : self.settings.closed_frames + round(moment.ramp(ramp))]

    def _of_clip(self, noise: Noise, like_B: Tensor) -> Tensor:
        """Return the latents (B,Z) of clips, with Z = 0 unless a clip has one."""
        generator = self.settings.generator
        if generator.latents == "each_clip":
            return noise.normal(LATENT, 0, (generator.latent_dim,))
        return like_B.new_zeros(len(like_B), 0)

    def _latents(
        self, noise: Noise, z_BZ: Tensor, times: Sequence[int], temperature: float
    ) -> Tensor:
        """Return the latents (B,T,Z) of frames: those of their clip, or drawn for each."""
        generator = self.settings.generator
        if generator.latents == "each_clip":
            return z_BZ[:, None].expand(-1, len(times), -1)
        drawn = [noise.normal(LATENT, time, (generator.latent_dim,)) for time in times]
        return temperature * torch.stack(drawn, dim=1)


class Game(Objective[Mapping[str, Any]]):
    """Both players move together, by cross-entropies that do not saturate."""

    turns = ((GENERATOR, CRITIC),)

    def __init__(self, model: FeatureFlow) -> None:
        self.model = self.predictor = model
        self.players = (Player(GENERATOR, (model.generator,)), Player(CRITIC, (model.critic,)))

    def losses(self, batch: Mapping[str, Any], moment: Moment, turn: Turn) -> Losses:
        """Return the loss of who moves; beside it errors, and what the critic knows."""
        played, real_B, fake_B = self._judged(batch, moment)
        adversarial, errors = games.generator_loss(fake_B), played.errors()
        loss = adversarial
        if self.predictor.settings.error_weight:
            loss = loss + self.predictor.settings.error_weight * errors["closed_error"]
        found = {
            GENERATOR: {"loss": loss, "adversarial": adversarial.detach(), **_still(errors)},
            CRITIC: {"loss": games.critic_loss(real_B, fake_B), **_knowledge(real_B, fake_B)},
        }
        return {name: found[name] for name in turn}

    def measure(self, batch: Mapping[str, Any], moment: Moment) -> Mapping[str, Tensor]:
        """Return errors, and what the critic knows, of a validation batch, scalars."""
        played, real_B, fake_B = self._judged(batch, moment)
        return {**played.errors(), **_knowledge(real_B, fake_B)}

    def _judged(self, batch: Mapping[str, Any], moment: Moment) -> tuple[Played, Tensor, Tensor]:
        x_BCTHW = self.predictor.used(batch["x"], moment)
        played = self.predictor.played(x_BCTHW, Fresh(moment.numbers, len(x_BCTHW), x_BCTHW.device))
        # One after the other: the way back to the generator then leads through made clips alone.
        critic = self.predictor.critic
        return played, critic(played.true), critic(played.made())


def _still(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.detach() for name, value in values.items()}


def _knowledge(real_B: Tensor, fake_B: Tensor) -> dict[str, Tensor]:
    real_B, fake_B = real_B.detach(), fake_B.detach()
    return {**games.known(real_B, fake_B), **games.believed(real_B, fake_B)}
