"""How far into the future what was seen still tells: the bits of frames that are ever later.

After the given frames state and latents are held, and every later frame is scored under the one
distribution of the next frame that they say (Glissov and Konradsen 2021, figure 10.5): an average
over `samples` draws of the latents, E[-log p(x_t | z, h)].

Shapes: N clips, S frames after the given ones.
"""

from typing import Annotated, Literal

import torch
from pydantic import Field

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.stepping import batches, bits, predictor
from foreframe.analyses.subject import Found, Subject
from foreframe.evaluation import columns

NAME = "future_nll"


class Settings(AnalysisSettings):
    """`samples` of the latents for each clip."""

    kind: Literal["future_nll"]
    samples: Annotated[int, Field(ge=1)]


def analyse(subject: Subject, settings: Settings) -> Found:
    """Return bits per dimension by frame, and of the first and last of them.

    Raises:
        UserError: the predictor has no latents or no likelihood.
    """
    model, given = predictor(subject), subject.futures.context
    draws = []
    for sample in range(settings.samples):
        parts = []
        for batch in batches(subject, NAME, sample):
            seen = model.encode(batch.x[:, :, :given])
            state = model.start(seen, subject.options, batch.noise)
            nats = [
                # One time for all, so that latents are one draw.
                model.surprisal(state, x_BCHW, given, subject.options, batch.noise)
                for x_BCHW in batch.x[:, :, given:].unbind(dim=2)
            ]
            parts.append(bits(subject, torch.stack(nats, dim=1), batch.x))
        draws.append(torch.cat(parts))
    bits_NS = torch.stack(draws).mean(dim=0)
    series = columns.rows(bits_NS, samples="model", predictor=NAME, quantity="bits")
    found = {
        "first": columns.mean(bits_NS[:, 0]),
        "last": columns.mean(bits_NS[:, -1]),
        "growth": columns.difference(bits_NS[:, -1], bits_NS[:, 0]),
    }
    return Found({"bits": found}, series)
