"""`foreframe contexts`: the frames that another program is to continue under a protocol.

What it makes of them goes into a file of the layout in docs/compare.md, whose attributes and clip
numbers are the same as here.
"""

from pathlib import Path

import numpy

from foreframe.artefacts import facts, hdf5
from foreframe.config import study as schema
from foreframe.data.clips import Clips
from foreframe.errors import UserError
from foreframe.evaluation.scoring import Clipped
from workflow import protocols, runs, studies

SCHEMA = "contexts"


def run(name: str, out: Path, root: Path, study: str = studies.MAIN) -> None:
    """Write the contexts of the protocol `name` to the HDF5 file `out`.

    Raises:
        UserError: there is no such protocol, it gives nothing, or there are no frames and split.
    """
    clips = clipped(name, root, study)
    settings = clips.protocol.futures
    if settings.context == 0:
        raise UserError(f"The protocol {name} gives no frame, so there are no contexts to write.")
    attributes = {
        "protocol": name,
        "dataset": clips.dataset,
        "context": settings.context,
        "horizon": settings.horizon,
        "samples": settings.samples,
    }
    with (
        Clips(clips.frames, clips.starts, settings.context) as source,
        hdf5.creating(out, SCHEMA, attributes) as file,
    ):
        hdf5.store(file, "clip_start", clips.starts)
        count, *shape = source.shape
        given = hdf5.dataset(file, "context", (count, *shape), numpy.uint8, (1, *shape))
        for place in range(count):
            given[place] = source.read([place])[0].numpy()
    print(f"{out}: {len(clips.starts)} contexts of {settings.context} frames.")


def clipped(name: str, root: Path, study: str) -> Clipped:
    """Return the clips of a protocol of a study, or of a ready-made one.

    Raises:
        UserError: there is no such study, no protocol of that name, or no frames and split yet.
    """
    params = root / studies.named(root, study).params
    settings = protocols.find(name, schema.load(params).study)
    given = runs.given(root, study, "evaluate")
    for path in (given["frames"], given["split"]):
        if not path.exists():
            raise facts.missing(path)
    return Clipped(given["frames"], given["split"], given["probe"], name, settings)
