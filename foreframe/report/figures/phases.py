"""Maps of indices that a growing network drew at the end of each phase, as grey pictures."""

import numpy

from foreframe.report.desk import Desk, Picture, Spec
from foreframe.report.figures.gallery import grid

WHITE = 255


class Settings(Spec):
    """`of` is the run of the network; every phase has a row, the first one at the top.

    The row of a phase that the training did not come to is empty, and so are the places of maps
    that others have more of.
    """

    of: str


def draw(settings: Settings, desk: Desk) -> list[Picture]:
    """Return the maps, an index as a grey value."""
    found = desk.facts("training", settings.of)
    last = max(found["codebook_size"] - 1, 1)
    phases, count = found["drawn"], max(1, *map(len, found["drawn"]))
    shape = (len(phases), count, *found["grid"][1:])
    grey = numpy.full(shape, WHITE, numpy.uint8)  # (P,N,H,W)
    for place, maps in enumerate(phases):
        if maps:
            grey[place, : len(maps)] = (numpy.array(maps) / last * WHITE).round()
    frames = grey.reshape(-1, *shape[2:])[..., None].repeat(3, axis=-1)
    return [Picture(grid(frames, len(phases)))]
