"""Stage locate: how often classifiers of places are right, on every set, beside what needs none.

Several classifiers are taken as one, whose log-probabilities are the means of theirs. Controls are
chance, the most frequent place, and the one where the object was last seen, if the data's states
say so (`cell`, and `visible_1` of the first solid, which it is).

Shapes: N clips of a set, K classes, T frames.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy
import torch
from torch import Tensor

from foreframe import classifiers
from foreframe.analyses import SCHEMA
from foreframe.artefacts import facts, hdf5
from foreframe.artefacts.digest import digest
from foreframe.classifiers import Classifier
from foreframe.config.compute import Compute
from foreframe.config.split import SETS
from foreframe.data import frames as frames_file
from foreframe.data import labels
from foreframe.data.clips import Clips, SplitRuns, load_split
from foreframe.data.scaling import Scaling
from foreframe.errors import UserError
from foreframe.evaluation import classes, locating, statistics
from foreframe.probing import confusion
from foreframe.running import stage
from foreframe.running.compute import environment, prepare
from foreframe.running.stage import PATHS

SHOWN = "test"  # the set whose table is drawn, and whose clips are compared one by one
LABEL, SHARE = "cell", "visible_1"


@dataclass(frozen=True)
class Data:
    """What classifiers are asked about."""

    path: Path
    file: h5py.File
    runs: SplitRuns

    def clips(self, model: Classifier, set_name: str) -> Clips:
        """Return the clips of a set, to be opened."""
        view = model.settings.view
        return view.clips(self.path, self.runs, set_name, stride=view.evaluation_stride)

    def actual(self, model: Classifier, set_name: str) -> Tensor:
        """Return the classes (N,) of the clips of a set."""
        name = model.settings.label
        found: Tensor = labels.of_clips(self.file, [name], self.clips(model, set_name).starts)[name]
        return found

    def seen(self, model: Classifier, set_name: str) -> Sequence[Tensor] | None:
        """Return cells and shares (N,T) of the object in clips, or None where no state says so."""
        names = json.loads(self.file.attrs["state_names"])
        if not {LABEL, SHARE} <= set(names) or model.settings.label != LABEL:
            return None
        starts, length = self.clips(model, set_name).starts, model.settings.view.frames
        rows = numpy.stack([self.file["states"][start : start + length] for start in starts])
        return [torch.from_numpy(rows[..., names.index(name)]) for name in (LABEL, SHARE)]


@contextmanager
def opening(frames: Path, split: Path) -> Iterator[Data]:
    """Yield the data."""
    with frames_file.opening(frames) as file:
        yield Data(frames, file, load_split(split))


def check(models: Sequence[Classifier], paths: PATHS, data: Data) -> None:
    """Refuse classifiers of other data, of something else than places, or of different things.

    Raises:
        UserError: names what does not fit.
    """
    first = models[0]
    label, known = first.settings.label, labels.classes(data.file)
    for path, model in zip(paths, models, strict=True):
        same = (model.settings.label, model.given) == (label, first.given)
        if not same or model.settings.view != first.settings.view:
            raise UserError(
                f"{paths[0]} and {path} do not tell the same of the same clips. Give classifiers "
                "of one label, one view and one data set."
            )
    if known.get(label) != first.given.classes:
        raise UserError(
            f"{paths[0]} knows other classes of {label} than {data.path} has. Give the frames that "
            "it was trained on."
        )


def last_seen(
    states: Sequence[Tensor] | None, actual_N: Tensor, seed: int, set_name: str
) -> dict[str, Any] | None:
    """Return how often an object is where it was last seen; None where nobody knows."""
    if states is None:
        return None
    right_N = (locating.last_seen(*states) == actual_N).double()
    return {"top_1": asdict(statistics.interval(right_N, seed, set_name, "last seen"))}


def main(
    *,
    frames: Path,
    split: Path,
    normalization: Path,
    models: PATHS,
    seed: int,
    compute: Compute,
    found: Path,
    arrays: Path,
) -> None:
    """Write how often places are told, how far guesses are off, and which are taken for which.

    Raises:
        UserError: classifiers do not fit each other or the data.
    """
    device = prepare(compute)
    loaded = [classifiers.ROLE.load(path) for path in models]
    values: dict[str, Any] = {name: {} for name in ("told", "last_seen", "chance", "frequent")}
    with opening(frames, split) as data:
        check(loaded, models, data)
        first = loaded[0]
        scaling, count = Scaling.load(first.settings.view, normalization), len(first.given.classes)
        train_N = data.actual(first, "train")
        for name in SETS:
            scores = []
            for model in loaded:
                with data.clips(model, name) as clips:
                    moved = model.to(device)
                    scores.append(classes.log_probabilities(moved, scaling, clips, device))
            log_NK, actual_N = classes.fused(scores), data.actual(first, name)
            values["told"][name] = locating.told(log_NK, actual_N, seed, name)
            values["last_seen"][name] = last_seen(data.seen(first, name), actual_N, seed, name)
            for control, each in locating.without(train_N, actual_N, count).items():
                values[control][name] = each
            if name == SHOWN:
                chosen_N = log_NK.argmax(dim=1)
                table_KK = confusion.table(chosen_N, actual_N, count)
                wrong_N = classes.wrong(chosen_N, actual_N)
                starts = data.clips(first, name).starts.tolist()
    with hdf5.creating(arrays, SCHEMA, {}) as stored:
        hdf5.store(stored, "confusion", table_KK.tolist())
        hdf5.store(stored, "classes", list(first.given.classes))
    about = {
        "clips": len(starts),
        "of": {"frames": digest(frames), "split": digest(split), "starts": starts},
        "classes": list(first.given.classes),
        "environment": environment(device, compute),
    }
    values |= {"series": [], "per_clip": {"error": wrong_N.tolist()}, "about": about}
    facts.write(found, SCHEMA, values)


if __name__ == "__main__":
    stage.run(main)
