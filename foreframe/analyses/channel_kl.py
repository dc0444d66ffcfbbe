"""Which channels of which latents carry anything: the mean KL of each, and how many are in use.

Of latents that are maps the mean is over their places too (Castrejon 2022, figure 4.4): a channel
is active above 0.01 nats and full above 0.15 there.

Shapes: N clips, B of a batch, S frames, Z channels of a latent.
"""

from typing import Annotated, Literal

import torch
from pydantic import Field

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.stepping import batches, predictor
from foreframe.analyses.subject import Found, Subject
from foreframe.errors import UserError

PREFIX = "channels_"  # of what `Terms.about` has of each channel


class Settings(AnalysisSettings):
    """Nats above which a channel counts as active, and as full."""

    kind: Literal["channel_kl"]
    active: Annotated[float, Field(gt=0)]
    full: Annotated[float, Field(gt=0)]


def analyse(subject: Subject, settings: Settings) -> Found:
    """Return by latent how many channels there are, are active and are full; store their KL.

    Raises:
        UserError: the predictor has no latents with channels.
    """
    model, given = predictor(subject), subject.futures.context
    sums: dict[str, torch.Tensor] = {}
    for batch in batches(subject, "channel KL"):
        about = model.terms(batch.x, given, batch.noise).about
        for name, kl_BSZ in about.items():
            if name.startswith(PREFIX):
                total_Z = kl_BSZ.double().cpu().mean(dim=1).sum(dim=0)
                sums[name] = sums.get(name, torch.zeros_like(total_Z)) + total_Z
    if not sums:
        raise UserError(f"{model.name} has no latents with channels. Give another predictor.")
    found = {}
    for name, total_Z in sums.items():
        mean_Z = total_Z / len(subject)
        subject.store(name, mean_Z.float())
        found[name.removeprefix(PREFIX)] = {
            "channels": len(mean_Z),
            "active": int((mean_Z > settings.active).sum()),
            "full": int((mean_Z > settings.full).sum()),
            "largest": float(mean_Z.max()),
        }
    return Found({"latent": found})
