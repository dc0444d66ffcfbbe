"""Which components of a mixture of 25 Gaussians does a model of its points make?

Of points drawn from the model: how many components have one, and how many points lie where none is;
of held-out points: how far they come back from where they were (Mastropietro 2017, 4.4.5). Points,
latents, what is made of them, and points drawn from the prior are stored as figure 4.8 shows them,
with the component of each.

Shapes: N held-out points, R drawn ones, Z latents, M components.
"""

from typing import Annotated, Any, Literal

import torch
from pydantic import Field

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.subject import Found, Subject
from foreframe.errors import UserError
from foreframe.evaluation import columns
from foreframe.metrics.modes import modes
from foreframe.networks.noise import Drawn
from foreframe.predictors.adversarial import Latents
from foreframe.predictors.single_frames import SingleFrames
from foreframe.randomness import Draws
from foreframe.roots import root
from foreframe.sources.gaussian_grid import DEVIATION, MEANS


class Settings(AnalysisSettings):
    """How many points are drawn; of `show` of them and of the held-out ones arrays are stored."""

    kind: Literal["mixture"]
    samples: Annotated[int, Field(ge=1)]  # R, 10,000


def analyse(subject: Subject, settings: Settings) -> Found:
    """Return the components found, and the distance of points from what they come back as.

    `far` is the share of drawn points that are further than three deviations from every mean.
    Without an encoder there are no latents, and nothing comes back.

    Raises:
        UserError: the predictor is of no points in a plane, or makes some that are not finite.
    """
    model, options = subject.predictor, subject.options
    plane = subject.states.shape[2] == MEANS.shape[1]
    if not isinstance(model, SingleFrames) or model.sees_frames or not plane:
        raise UserError(
            f"{model.name} is no model of points in a plane. Give an ali, a gan or a vae of the "
            "states of the source gaussian_grid."
        )
    assert isinstance(options, Latents)
    device, seed = next(model.parameters()).device, subject.futures.seed
    means_M2 = torch.from_numpy(MEANS)
    noise = Drawn(Draws.first(seed, range(settings.samples)), "mixture", device)
    prior_RZ = options.temperature * model.drawn(noise)
    samples_R2 = model.remade(prior_RZ, {})[:, 0].cpu()
    made = modes(samples_R2, means_M2, DEVIATION)
    values: dict[str, Any] = {
        "modes": {"found": made.found, "of": len(MEANS)},
        "far": columns.share(made.far),
        "samples": settings.samples,
    }
    points_N2 = subject.states[:, subject.futures.context]
    components_N = modes(points_N2, means_M2, DEVIATION).component
    shown = {"points": points_N2, "components": components_N, "prior": prior_RZ}
    if model.encoder is not None:
        latents_NZ = model.inferred(points_N2[:, None].to(device), subject.numbers, seed)
        again_N2 = model.remade(latents_NZ, {})[:, 0].cpu()
        distance_N = root((again_N2.double() - points_N2.double()).square().sum(dim=1))
        values["distance"] = columns.mean(distance_N)
        shown |= {"latents": latents_NZ, "reconstructions": again_N2}
    for name, rows in {**shown, "samples": samples_R2}.items():
        subject.store(name, rows[: settings.show])
    return Found(values)
