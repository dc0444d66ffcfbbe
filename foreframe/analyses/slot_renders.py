"""What is each slot? Every one alone before black, beside the picture that they make together.

For scenes also what the small map shows of which an upscaler makes a picture (Castrejon 2022,
figures 10.7 and 10.8). Shapes: N clips, H rows, W columns, C = 3 colours, K slots.
"""

from typing import Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor
from torch.nn import functional

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.subject import Found, Subject
from foreframe.errors import UserError
from foreframe.evaluation import columns
from foreframe.networks.radiance import COLOURS
from foreframe.predictors.rendering import RenderedScenes
from foreframe.predictors.slot_autoencoder import SlotAutoencoder

LARGEST = 255


class Settings(AnalysisSettings):
    """Nothing but how many are shown."""

    kind: Literal["slot_renders"]

    @model_validator(mode="after")
    def _shows_some(self) -> Self:
        if not self.show:
            raise ValueError("show is 0, but slots are to be looked at. Set it to 1 or more.")
        return self


def analyse(subject: Subject, settings: Settings) -> Found:
    """Return by slot how bright it is alone, a mean of values from 0 to 1; store what is shown.

    `frames` are (n,2+K,H,W,C): true, made again, and every slot; `small`, of what renders scenes,
    (3,n,H,W,C): true, made again, and the small map's colours, whose pixels are enlarged.

    Raises:
        UserError: the predictor shows no slots.
    """
    model = subject.predictor
    if not isinstance(model, RenderedScenes | SlotAutoencoder):
        raise UserError(f"{model.name} shows no slots. Give a predictor that has some.")
    bright, shown, small = [], [], []
    for place in range(len(subject)):
        real_1HWC = subject.clips.read([place])[:, 0]
        alone_KHWC = model.alone(real_1HWC)[0]
        bright.append(alone_KHWC.double().flatten(1).mean(dim=1) / LARGEST)
        if place < settings.show:
            again = model.reconstruct(real_1HWC[:, None], 0)
            both = [real_1HWC, again.frames[:, 0]]
            shown.append(torch.cat([*both, alone_KHWC]))
            if isinstance(model, RenderedScenes) and model.settings.upscaler is not None:
                small.append(torch.cat([*both, _small(model, real_1HWC)]))
    subject.store("frames", torch.stack(shown))
    if small:
        subject.store("small", torch.stack(small, dim=1))
    bright_NK = torch.stack(bright)
    found = {f"slot_{slot}": columns.mean(each) for slot, each in enumerate(bright_NK.T, start=1)}
    return Found({"bright": found})


def _small(model: RenderedScenes, real_1HWC: Tensor) -> Tensor:
    """Return the colours of the small map, uint8 (1,H,W,C)."""
    scene = model.found(model.pictures(real_1HWC), None).scene
    colours_1Chw = model.small(scene, model.settings.camera, None)[:, :COLOURS]
    return model.outward(functional.interpolate(colours_1Chw, real_1HWC.shape[1:3]))
