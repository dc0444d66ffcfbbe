"""`foreframe contexts`: the frames that another program is to continue under a protocol.

What it makes of them goes into a file of the layout in docs/compare.md, whose attributes and clip
numbers are the same as here.
"""

from pathlib import Path

import numpy

from foreframe.artefacts import hdf5
from foreframe.config import params as schema
from foreframe.data.clips import Clips
from foreframe.errors import UserError
from foreframe.evaluation.scoring import Clipped
from workflow import protocols

STUDY = Path("data/driving")
SCHEMA = "contexts"


def run(name: str, out: Path, params: Path) -> None:
    """Write the contexts of the protocol `name` to the HDF5 file `out`.

    Raises:
        UserError: there is no such protocol, it gives nothing, or there are no frames and split.
    """
    clips = clipped(name, params)
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


def clipped(name: str, params: Path) -> Clipped:
    """Return the clips of a protocol of params.yaml, or of a ready-made one, of the driving study.

    Raises:
        UserError: there is no protocol of that name.
    """
    settings = protocols.find(name, schema.load(params))
    frames, split, probe = (
        STUDY / file for file in ("frames.h5", "split.json", "probe.safetensors")
    )
    return Clipped(frames, split, probe, name, settings)
