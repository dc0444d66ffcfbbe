"""The games of a cascade, one for each of its levels (Castrejon et al. 2022).

In a step the critics of a level move twice, then its generator, by the hinge loss over all scores
in one row. True clips are what the view shows, at the rate and the size of the level; a level above
the first sees windows of them, beside windows of what the levels below make. Those are still: no
gradient reaches them and no statistics of theirs move. They are normalised over the present rows,
as in their own training, since of whole clips no other statistics are known yet.

Shapes: B rows, C channels, T frames, t of the level below, k seen by themselves, S scores, H rows,
W columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from foreframe.networks import games, spectral
from foreframe.networks.noise import Fresh, Noise
from foreframe.networks.step_norms import by_batch
from foreframe.networks.video_critics import averaged, critic_loss, generator_loss, lowered
from foreframe.predictors.cascade_levels import players
from foreframe.training.objective import Losses, Moment, Objective, Player, Turn

if TYPE_CHECKING:
    from foreframe.predictors.cascade import Cascade

Batch = Mapping[str, Any]


class Games(Objective[Batch]):
    """All of them; the phases of a plan say which one is played."""

    def __init__(self, model: Cascade) -> None:
        self.model: Cascade = model
        names = [players(place) for place in range(len(model.generators))]
        nets = zip(model.generators, model.critics, strict=True)
        self.players = tuple(
            Player(name, (net,))
            for pair, both in zip(names, nets, strict=True)
            for name, net in zip(pair, both, strict=True)
        )
        turns = [((critic,), (critic,), (generator,)) for generator, critic in names]
        self.turns = tuple(turn for level in turns for turn in level)
        self._levels = {name: place for place, pair in enumerate(names) for name in pair}

    def losses(self, batch: Batch, moment: Moment, turn: Turn) -> Losses:
        """Return the hinge loss of who moves; of critics also mean scores and what they know."""
        (name,) = turn
        place = self._levels[name]
        generator, _ = players(place)
        noise, label_B = self._given(batch, moment)
        chosen_Bk = self._chosen(place, noise)
        critics = self.model.critics[place]
        if name == generator:
            spectral.advance(self.model.generators[place])
            made, low = self._made(place, label_B, noise)
            return {name: {"loss": generator_loss(critics(made, low, label_B, chosen_Bk))}}
        spectral.advance(critics)
        with torch.no_grad():
            made, low = self._made(place, label_B, noise)
        fake_BS = critics(made, low, label_B, chosen_Bk)
        true, true_low = self.true(batch["x"], place, noise)
        real_BS = critics(true, true_low, label_B, chosen_Bk)
        known = {f"{key}_{place + 1}": value for key, value in _known(real_BS, fake_BS).items()}
        return {name: {"loss": critic_loss(real_BS, fake_BS), **known}}

    def measure(self, batch: Batch, moment: Moment) -> Mapping[str, Tensor]:
        """Return mean scores and what the critics of the phase know of a batch, scalars.

        Also `mismatch`: by how much the matching critic scores true clips higher beside their own
        clip of the level below than beside that of the next row; a single one has no other.
        """
        place = self.model.settings.trained(moment.phase)
        noise, label_B = self._given(batch, moment)
        chosen_Bk = self._chosen(place, noise)
        critics: Any = self.model.critics[place]
        made, low = self._made(place, label_B, noise)
        true, true_low = self.true(batch["x"], place, noise)
        real_BS, fake_BS = (
            critics(*each, label_B, chosen_Bk) for each in ((true, true_low), (made, low))
        )
        found = _known(real_BS, fake_BS)
        if critics.matching is not None and true_low is not None and len(true) > 1:
            own, other = (
                critics.matched(true, each, label_B).mean()
                for each in (true_low, true_low.roll(1, dims=0))
            )
            found["mismatch"] = own - other
        return found

    def true(self, x_BCTHW: Tensor, place: int, noise: Noise) -> tuple[Tensor, Tensor | None]:
        """Return true examples (B,C,T,H,W) of a level, and (B,C,t,H,W) what is below them."""
        level, shape = self.model.settings.levels[place], self.model.shapes[place]
        clips = x_BCTHW[:, :, :: level.every]
        if place:
            clips = self.model.windows(clips, place, shape.times, noise)
        clips = averaged(clips, clips.shape[-1] // level.size)
        return clips, lowered(clips, shape.seen, shape.below) if place else None

    def _made(
        self, place: int, label_B: Tensor | None, noise: Noise
    ) -> tuple[Tensor, Tensor | None]:
        """Return examples as they are made, and what is below them."""
        model, low = self.model, None
        *below, z_BZ = model.latents(noise, place + 1)
        first = model.shapes[0].frames
        if place:
            with torch.no_grad(), by_batch(model.generators):
                low = model.windows(model.made(below, label_B, first), place, 1, noise)
        return model.raised(place, z_BZ, label_B, low, first), low

    def _given(self, batch: Batch, moment: Moment) -> tuple[Noise, Tensor | None]:
        x_BCTHW = batch["x"]
        noise = Fresh(moment.numbers, len(x_BCTHW), x_BCTHW.device)
        return noise, self.model.told(batch.get("labels", {}))

    def _chosen(self, place: int, noise: Noise) -> Tensor:
        """Return the places (B,k) of frames that are seen by themselves, all different."""
        shape, seen = self.model.shapes[place], self.model.settings.levels[place].critic.frames
        return noise.gumbel("frames", place, (shape.example,)).topk(seen, dim=1).indices


def _known(real_BS: Tensor, fake_BS: Tensor) -> dict[str, Tensor]:
    real_BS, fake_BS = real_BS.detach(), fake_BS.detach()
    return {"real": real_BS.mean(), "fake": fake_BS.mean(), **games.known(real_BS, fake_BS)}
