"""Maps of indices that a growing network drew at the end of each phase, as grey pictures."""

import numpy

from foreframe.report.desk import Desk, Picture, Spec
from foreframe.report.figures.gallery import grid


class Settings(Spec):
    """`of` is the run of the network; every phase has a row, the first one at the top."""

    of: str


def draw(settings: Settings, desk: Desk) -> list[Picture]:
    """Return the maps, an index as a grey value."""
    found = desk.facts("training", settings.of)
    count = min(len(phase) for phase in found["drawn"] if phase)
    maps = numpy.array([phase[:count] for phase in found["drawn"] if phase])  # (P,N,H,W)
    grey = (maps / max(found["codebook_size"] - 1, 1) * 255).round().astype(numpy.uint8)
    frames = grey.reshape(-1, *grey.shape[2:])[..., None].repeat(3, axis=-1)
    return [Picture(grid(frames, len(maps)))]
