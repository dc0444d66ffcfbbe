"""Stage classify_clips: how often trained classifiers err, on every set, beside what needs none.

Several classifiers are taken as one, whose scores are the means of theirs; each sees the clips in
its own file of frames, such as one of flow. A control takes a clip for what that training clip is
whose middle frame is nearest to its own.

Shapes: N clips of a set, M of the training set, F numbers of a frame that is made small.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
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
from foreframe.config.classification import Classification
from foreframe.config.compute import Compute
from foreframe.config.split import SETS
from foreframe.data import frames as frames_file
from foreframe.data import labels
from foreframe.data.clips import Clips, SplitRuns, load_split
from foreframe.data.scaling import Scaling
from foreframe.errors import UserError
from foreframe.evaluation import classes
from foreframe.randomness import permutation
from foreframe.running import stage
from foreframe.running.compute import environment, prepare
from foreframe.running.stage import PATHS

SHOWN = "validation"  # the set whose table is drawn, and whose clips are compared one by one
BLOCK = 256  # frames read at once


@dataclass(frozen=True)
class Part:
    """One classifier, the frames that it sees, and how many training clips it is asked about."""

    path: Path
    model: Classifier
    frames: Path
    file: h5py.File
    runs: SplitRuns
    scaling: Scaling
    asked: int | None
    seed: int

    @property
    def label(self) -> str:
        """What it tells."""
        return self.model.settings.label

    def clips(self, set_name: str) -> Clips:
        """Return the clips of a set, to be opened; those of the training set lie as the others.

        Raises:
            UserError: the set has none, or an episode is shorter than one.
        """
        view = self.model.settings.view
        return view.clips(self.frames, self.runs, set_name, stride=view.evaluation_stride)

    def told(self, set_name: str) -> Clips:
        """Return the clips of a set that are told, to be opened: of training clips some may be.

        Raises:
            UserError: the training set has fewer.
        """
        clips = self.clips(set_name)
        if set_name == "train" and self.asked is not None:
            if self.asked > len(clips):
                raise UserError(
                    f"The training set has {len(clips)} clips, so not {self.asked} of them can be "
                    "told. Set train_clips to null for all."
                )
            rows_M = permutation(len(clips), self.seed, "told")[: self.asked]
            clips.starts = clips.starts[rows_M.sort().values]
        return clips

    def labels(self, name: str, clips: Clips) -> Tensor:
        """Return the classes (N,) of clips.

        Raises:
            UserError: the data have no such label.
        """
        return labels.of_clips(self.file, [name], clips.starts)[name]

    def origins(self, set_name: str) -> list[str]:
        """Return which episode each clip of a set is of."""
        begins = self.file["episode_start"][:]
        places = numpy.searchsorted(begins, self.clips(set_name).starts, side="right") - 1
        return list(self.file["episode_origin"].asstr()[:][places])

    def middles(self, set_name: str, side: int) -> Tensor:
        """Return the middle frame of each clip of a set, made small, (N,F).

        Raises:
            UserError: frames cannot be made that small.
        """
        starts = self.clips(set_name).starts + (self.model.settings.view.frames - 1) // 2
        with Clips(self.frames, starts, 1) as clips:
            blocks = torch.arange(len(clips)).split(BLOCK)
            return torch.cat([classes.shrunk(clips.read(rows)[:, 0], side) for rows in blocks])


@contextmanager
def opening(
    models: PATHS, frames: PATHS, split: PATHS, normalization: PATHS, asked: int | None, seed: int
) -> Iterator[list[Part]]:
    """Yield the classifiers with what they see.

    Raises:
        ArtefactError: a file is missing or damaged.
        UserError: the numbers of files do not fit.
    """
    files = {"frames": frames, "split": split, "normalization": normalization}
    columns = [many(paths, len(models), name) for name, paths in files.items()]
    with ExitStack() as stack:
        parts = []
        for path, seen, runs, colours in zip(models, *columns, strict=True):
            model = classifiers.ROLE.load(path)
            file = stack.enter_context(frames_file.opening(seen))
            scaling = Scaling.load(model.settings.view, colours)
            parts.append(Part(path, model, seen, file, load_split(runs), scaling, asked, seed))
        yield parts


def many(paths: PATHS, count: int, name: str) -> PATHS:
    """Return a path for each of `count` classifiers; a single one is that of all.

    Raises:
        UserError: there are some, but not as many.
    """
    if len(paths) not in (1, count):
        raise UserError(
            f"There are {count} classifiers and {len(paths)} files of {name}. Give each its own, "
            "or one for all."
        )
    return paths if len(paths) == count else paths * count


def check(parts: Sequence[Part]) -> None:
    """Refuse classifiers of other data, and such as cannot be taken as one.

    Raises:
        UserError: names what does not fit.
    """
    first = parts[0]
    for part in parts:
        given, clips = part.model.given, part.clips(SHOWN)
        part.labels(part.label, clips)
        if labels.classes(part.file)[part.label] != given.classes:
            raise UserError(
                f"{part.path} knows other classes of {part.label} than {part.frames} has. Give the "
                "frames that it was trained on."
            )
        size, shape = part.file["frames"].shape[1:3], given.shape
        if size != (shape.height, shape.width):
            raise UserError(
                f"{part.path} sees frames of {shape.height} x {shape.width} pixels, but those of "
                f"{part.frames} have {size[0]} x {size[1]}. Give the frames that it was trained on."
            )
        if part.label != first.label:
            raise UserError(
                f"{first.path} tells the {first.label}, but {part.path} the {part.label}. Give "
                "classifiers of one label."
            )
        if any(part.origins(name) != first.origins(name) for name in SETS):
            raise UserError(
                f"The clips of {first.path} and {part.path} are not of the same episodes in the "
                "same order. Derive their frames from one file, split them alike, and let their "
                "views have as many clips of an episode (view.frames, view.evaluation_stride)."
            )


@dataclass(frozen=True)
class Taken:
    """What the clips of some sets are taken for, and what they are: classes (N,) of one label."""

    names: tuple[str, ...]
    chosen: Mapping[str, Tensor]
    actual: Mapping[str, Tensor]

    def measured(self, seed: int, purpose: str) -> dict[str, Any]:
        """Return errors, with intervals, errors by class, and tables, each of them by set."""
        found = {
            name: classes.measured(
                self.chosen[name], self.actual[name], self.names, seed, purpose, name
            )
            for name in self.chosen
        }
        return {key: {name: each[key] for name, each in found.items()} for key in found[SHOWN]}


def told(parts: Sequence[Part], device: torch.device) -> Taken:
    """Return what the classifiers say of the clips of all sets."""
    chosen = {}
    for name in SETS:
        scores = []
        for part in parts:
            with part.told(name) as clips:
                model = part.model.to(device)
                scores.append(classes.log_probabilities(model, part.scaling, clips, device))
        chosen[name] = classes.fused(scores).argmax(dim=1)
    first = parts[0]
    actual = {name: first.labels(first.label, first.told(name)) for name in SETS}
    return Taken(first.model.given.classes, chosen, actual)


def merged(taken: Taken, part: Part, label: str) -> Taken:
    """Return the same by another label, whose classes are made of several of theirs.

    Raises:
        UserError: they are not, or the data have no such label.
    """
    actual = {name: part.labels(label, part.told(name)) for name in SETS}
    own, other = (torch.cat(list(each.values())) for each in (taken.actual, actual))
    map_K = classes.merging(own, other, taken.names, label)
    chosen = {name: map_K[values] for name, values in taken.chosen.items()}
    return Taken(labels.classes(part.file)[label], chosen, actual)


def nearest(taken: Taken, part: Part, side: int) -> Taken:
    """Return what the nearest middle frames say; of training clips it would be their own."""
    known, sets = part.middles("train", side), SETS[1:]
    classes_M = part.labels(part.label, part.clips("train"))
    places = {name: classes.nearest(part.middles(name, side), known) for name in sets}
    chosen = {name: classes_M[places[name]] for name in sets}
    return Taken(taken.names, chosen, {name: taken.actual[name] for name in sets})


def main(
    *,
    frames: PATHS,
    split: PATHS,
    normalization: PATHS,
    models: PATHS,
    classification: Classification,
    seed: int,
    compute: Compute,
    found: Path,
    arrays: Path,
) -> None:
    """Write how often clips are taken for another class, and the table of what was taken for what.

    Frames, splits and normalizations are one for all classifiers, or one for each.

    Raises:
        UserError: classifiers and data do not fit each other, or a label takes no classes together.
    """
    device = prepare(compute)
    asked = classification.train_clips
    with opening(models, frames, split, normalization, asked, seed) as parts:
        check(parts)
        taken, starts = told(parts, device), parts[0].clips(SHOWN).starts.tolist()
        others = {name: merged(taken, parts[0], name) for name in classification.merged}
        values = taken.measured(seed, "told")
        values["merged"] = {name: each.measured(seed, name) for name, each in others.items()}
        if classification.nearest is not None:
            control = nearest(taken, parts[0], classification.nearest)
            values["nearest"] = control.measured(seed, "nearest")
    with hdf5.creating(arrays, SCHEMA, {}) as stored:
        hdf5.store(stored, "confusion", values["confusion"][SHOWN])
        hdf5.store(stored, "classes", list(taken.names))
    wrong_N = classes.wrong(taken.chosen[SHOWN], taken.actual[SHOWN])
    about = {
        "clips": len(starts),
        "of": {"frames": digest(frames[0]), "split": digest(split[0]), "starts": starts},
        "classes": list(taken.names),  # in their order, which names in facts lose
        "settings": classification.model_dump(mode="json"),
        "environment": environment(device, compute),
    }
    values |= {"series": [], "per_clip": {"error": wrong_N.tolist()}, "about": about}
    facts.write(found, SCHEMA, values)


if __name__ == "__main__":
    stage.run(main)
