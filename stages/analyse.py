"""Stage analyse: one question to a trained predictor; each is a kind of foreframe/analyses.

What is asked of it is asked of clips that a protocol continues; futures, where a question draws
any, are drawn as the first choice of a sampling that reports show.
"""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import h5py
import torch

from foreframe import kinds
from foreframe.analyses import PACKAGE, SCHEMA, AnalysisSettings
from foreframe.analyses.subject import Subject
from foreframe.artefacts import facts, hdf5
from foreframe.artefacts.digest import digest
from foreframe.config.compute import Compute
from foreframe.config.futures import FutureSettings
from foreframe.config.sampling import Sampling, shown
from foreframe.data import frames as frames_file
from foreframe.data import labels
from foreframe.data.clips import Clips, load_split
from foreframe.evaluation.contexts import Continued, choose, evenly
from foreframe.kinds import Kind
from foreframe.predictors import loading
from foreframe.running import stage
from foreframe.running.compute import environment, prepare


def some(chosen: Continued, wanted: int | None) -> Continued:
    """Return at most `wanted` of a protocol's clips, evenly spread over them; None: all."""
    count = len(chosen.numbers)
    places = evenly(count, count if wanted is None else min(wanted, count))
    return Continued(chosen.numbers[places], chosen.starts[places])


def states(file: h5py.File, chosen: Continued, frames: int) -> torch.Tensor:
    """Return what the source says of every frame of the clips, float32 (N,T,S); S may be 0."""
    if "states" not in file:
        return torch.zeros(len(chosen.starts), frames, 0)
    rows = file["states"]
    found = [torch.from_numpy(rows[start : start + frames]) for start in chosen.starts]
    return torch.stack(found)


def main(
    *,
    frames: Path,
    split: Path,
    normalization: Path,
    models: tuple[Path, ...],
    sampling: Sampling,
    futures: FutureSettings,
    analysis: Annotated[AnalysisSettings, Kind(PACKAGE)],
    compute: Compute,
    found: Path,
    arrays: Path,
) -> None:
    """Write the answer: its numbers, its rows by frame, and the arrays that figures show."""
    device = prepare(compute)
    predictor = loading.load(models, normalization, device)
    drawings = sampling.drawings(predictor.options)
    runs, protocol = load_split(split), found.parent.name
    chosen = some(choose(runs, futures, protocol), analysis.clips)
    with ExitStack() as stack:
        file = stack.enter_context(frames_file.opening(frames))
        stored = stack.enter_context(hdf5.creating(arrays, SCHEMA, {}))

        def about_clips(asked: FutureSettings, chosen: Continued) -> Subject:
            return Subject(
                predictor,
                drawings[shown(drawings)].options,
                asked,
                chosen.numbers.tolist(),
                stack.enter_context(Clips(frames, chosen.starts, asked.frames)),
                states(file, chosen, asked.frames),
                json.loads(file.attrs["state_names"]),
                labels.of_clips(file, list(labels.classes(file)), chosen.starts),
                stored,
                other,
            )

        def other(name: str) -> Subject:
            asked = futures.model_copy(update={"set": name, "clips": None})
            return about_clips(asked, choose(runs, asked, protocol))

        subject = about_clips(futures, chosen)
        with torch.no_grad():
            answer = kinds.find(PACKAGE, analysis.kind).analyse(subject, analysis)
    about = {
        "clips": len(subject),
        "context": futures.context,
        "horizon": futures.horizon,
        "of": {
            "frames": digest(frames),
            "split": digest(split),
            "starts": chosen.starts.tolist(),
        },
        "settings": analysis.model_dump(mode="json"),
        "environment": environment(device, compute),
    }
    per_clip = {name: values_N.tolist() for name, values_N in answer.per_clip.items()}
    known = {"series": list(answer.series), "per_clip": per_clip, "about": about}
    facts.write(found, SCHEMA, {**answer.values, **known})


if __name__ == "__main__":
    stage.run(main)
