"""From one clip's motion to another's in equal steps, both from one first frame.

State and latents of every step are those of two true clips, mixed along a line, and the frames that
they say (Glissov and Konradsen 2021, figure 10.3). If what lies between is motion, pictures between
move between; the tested number is how evenly.

Shapes: P clips on the way, T frames, H rows, W columns.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.stepping import inward, predictor
from foreframe.analyses.subject import Found, Subject
from foreframe.errors import UserError
from foreframe.evaluation import columns
from foreframe.networks.noise import Drawn, Noise, Shared
from foreframe.predictors.rfn import RecurrentFlow, Temperatures
from foreframe.randomness import Draws


class Settings(AnalysisSettings):
    """`between`: how many clips are made between the two; `clips` are the pairs."""

    kind: Literal["sequence_interpolation"]
    between: Annotated[int, Field(ge=1)]


def analyse(subject: Subject, settings: Settings) -> Found:
    """Store (P,T,H,W,3) of the first pair of clips; return how evenly every pair's are apart.

    Raises:
        UserError: the predictor cannot be led so, there are no two clips, or they do not begin with
            one frame.
    """
    model, options = predictor(subject), subject.options
    if not isinstance(model, RecurrentFlow) or not isinstance(options, Temperatures):
        raise UserError(
            f"{model.name} cannot be led along the states of two clips. Give a recurrent flow."
        )
    if len(subject) < 2:
        raise UserError("the analysis has 1 clip, and mixes two. Raise clips, or the protocol's.")
    shares = torch.linspace(0, 1, settings.between + 2).tolist()
    found: dict[str, list[float]] = {"largest_step": [], "from_fade": []}
    for place in range(0, len(subject) - 1, 2):
        numbers = [subject.numbers[place], subject.numbers[place + 1]]
        pair = _pair(subject, place)
        x_BCTHW = inward(subject, pair, numbers)
        draws = Draws.first(subject.futures.seed, numbers)
        noise = Drawn(draws, "interpolation", x_BCTHW.device)
        made = model.scaling.outward(between(model, x_BCTHW, shares, options, noise)).cpu()
        if not place:
            first = pair[:1, :1].expand(len(made), -1, -1, -1, -1)
            subject.store("between", torch.cat([first, made], dim=1))
            subject.store("ends", pair)
        for name, value in _measured(made).items():
            found[name].append(value)
    values = {name: columns.mean(torch.tensor(each).double()) for name, each in found.items()}
    even = {"even_step": 1 / (settings.between + 1), "pairs": len(subject) // 2}
    return Found({**values, **even})


def between(
    model: RecurrentFlow,
    x_BCTHW: Tensor,
    shares: Sequence[float],
    options: Temperatures,
    noise: Noise,
) -> Tensor:
    """Return frames (P,C,T-1,H,W) on the way from the first clip of two to the second.

    State and latent of every step are those of true frames, mixed along a line with each of P
    `shares` of the second clip. The frame before the first is that of the first clip; those that
    follow see the frames made so far.
    """
    assert len(x_BCTHW) == 2, len(x_BCTHW)
    _, h_BSFHW, found = model.infer(x_BCTHW, 1, noise)
    weights = torch.tensor(shares, device=h_BSFHW.device)[:, None, None, None, None]
    h_PSFHW, z_PSFHW = (
        (1 - weights) * ends[:1] + weights * ends[1:] for ends in (h_BSFHW, found.latents)
    )
    features = model.extractor(x_BCTHW[:1, :, 0].expand(len(shares), -1, -1, -1))
    pictures = []
    # Clips of one noise, so that what differs between them is what was mixed.
    same = Shared(noise, len(shares))
    for step in range(h_PSFHW.shape[1]):
        here = (h_PSFHW[:, step], z_PSFHW[:, step])
        x_PCHW = model.picture(*here, features, 1 + step, options, same)
        features = model.extractor(x_PCHW)
        pictures.append(x_PCHW)
    return torch.stack(pictures, dim=2)


def _pair(subject: Subject, place: int) -> Tensor:
    pair = subject.clips.read([place, place + 1])
    if not torch.equal(pair[0, 0], pair[1, 0]):
        raise UserError(
            "clips to mix must begin with one frame. Give data whose episodes do, such as "
            "moving_digits with shared: first_frame, and clips that begin where these begin."
        )
    return pair


def _measured(made_PTHWC: Tensor) -> dict[str, float]:
    """Return the share of the way that the largest step takes, and how far from a fade it is.

    A fade's middle lies evenly between its ends; this one's distance from there is in shares of
    half the ends' own.
    """
    grey, half = made_PTHWC.double(), len(made_PTHWC) // 2
    steps = (grey[1:] - grey[:-1]).abs().flatten(1).mean(dim=1)
    apart = float((grey[-1] - grey[0]).abs().mean()) / 2
    fade = grey[0].lerp(grey[-1], half / (len(grey) - 1))
    middle = float((grey[half] - fade).abs().mean())
    whole = float(steps.sum())
    return {
        "largest_step": float(steps.max()) / whole if whole else 0.0,
        "from_fade": middle / apart if apart else 0.0,
    }
