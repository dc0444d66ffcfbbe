"""Predictors that draw latents frame by frame, and minimise a bound on the likelihood.

Shapes: B clips, C channels of the view, T frames, S scored ones, H rows, W columns.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from foreframe.config.sampling import Options
from foreframe.config.training import Ramp
from foreframe.errors import UserError
from foreframe.networks.noise import Fresh, Noise
from foreframe.predictors.recurrent import Recurrent, RecurrentSettings, State
from foreframe.training.objective import Moment


class VariationalSettings(RecurrentSettings):
    """What the settings of every such kind have: it minimises -log p + weight x KL.

    `kl_weight` is that weight and its warm-up (Bowman et al. 2016); below `free_bits` nats a step
    and latent the KL costs no more and no less (Kingma et al. 2016), 0 turns this off.
    """

    kl_weight: Ramp
    free_bits: Annotated[float, Field(ge=0)]


class LatentOptions(Options):
    """How the latents of a future are drawn, and the frame that they say.

    `latents: mean` takes the mean of the prior, `sample` draws with `temperature` times its
    deviation. `frames` says the same of the distribution of a frame; a kind may know its mean only.
    """

    latents: Literal["mean", "sample"]
    temperature: Annotated[float, Field(gt=0)]
    frames: Literal["mean", "sample"]

    @property
    def random(self) -> bool:
        """Whether anything is drawn."""
        return "sample" in (self.latents, self.frames)

    @property
    def scale(self) -> float:
        """What the deviation of the prior is multiplied by."""
        return self.temperature if self.latents == "sample" else 0.0

    @model_validator(mode="after")
    def _mean_has_no_temperature(self) -> Self:
        if self.latents == "mean" and self.temperature != 1:
            raise ValueError("latents: mean uses no temperature. Set it to 1.0, or draw them.")
        return self


class Variational(Recurrent[State]):
    """A learned predictor that goes frame by frame and draws latents."""

    settings: VariationalSettings

    def surprisal(
        self, state: State, x_BCHW: Tensor, time: int, options: Any, noise: Noise
    ) -> Tensor:
        """Return -log p(x | z) (B,) of frames `time`, in nats, as `Terms.nll` counts it.

        The latents z are those that the prior draws after `state`, whatever the frames are.

        Raises:
            UserError: the predictor has no likelihood.
        """
        raise UserError(f"{self.name} has no likelihood of a frame. Give a predictor that has one.")

    def replay(self, x_BCTHW: Tensor, given: int, options: Any, noise: Noise) -> Tensor:
        """Return the frames (B,C,S,H,W) from `given` on as latents of the posterior say them.

        Each is told the true frames before it.

        Raises:
            UserError: the predictor cannot.
        """
        raise UserError(f"{self.name} cannot show what its posterior sees. Give another predictor.")

    def loss(self, batch: Mapping[str, Any], moment: Moment) -> dict[str, Tensor]:
        """Return scalars: nats of a clip, -log p + weight x KL, the mean over the batch.

        Beside it the same unweighted, which can be judged while the weight grows, -log p and each
        latent's KL for each value of a frame, and the weight.
        """
        x_BCTHW = batch["x"]
        terms = self.terms(
            x_BCTHW, self.trained_from, Fresh(moment.numbers, len(x_BCTHW), x_BCTHW.device)
        )
        weight = moment.ramp(self.settings.kl_weight)
        loss = terms.nll.sum(dim=1).mean()
        for kl in terms.kl.values():
            loss = loss + weight * kl.clamp_min(self.settings.free_bits).sum(dim=1).mean()
        values = terms.nll.shape[1] * x_BCTHW[0, :, 0].numel()
        found = {name: kl.sum(dim=1).mean() / values for name, kl in terms.kl.items()}
        return {
            "loss": loss,
            "bound": sum(terms.kl.values(), terms.nll).sum(dim=1).mean().detach(),
            "nll": (terms.nll.sum(dim=1).mean() / values).detach(),
            **{f"kl_{name}": value.detach() for name, value in found.items()},
            "kl_weight": torch.tensor(weight),
        }
