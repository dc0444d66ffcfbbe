"""What stands in artefacts, one reader for each schema, and a note of every artefact that was read.

When a stage writes something in another form, this is the only file of the report that changes.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy
import pandas
from numpy.typing import NDArray

from foreframe.artefacts import facts, hdf5, tables
from foreframe.config.split import SETS
from foreframe.evaluation import tables as evaluation
from foreframe.report.library import EXTERNAL, Artefact, Library
from foreframe.training import record
from foreframe.training.record import Training

SERIES = ("samples", "predictor", "quantity", "frame", "mean", "low", "high")


class Reader:
    """Reads artefacts of a library; `used` are those that were read, in this order."""

    def __init__(self, library: Library) -> None:
        """Begin with nothing read."""
        self.library = library
        self.used: dict[str, Artefact] = {}

    def note(self, schema: str, run: str, where: str = "") -> Artefact:
        """Return an artefact, and remember that it is read; see `Library.one` for the error."""
        artefact = self.library.one(schema, run, where)
        self.used[artefact.path] = artefact
        return artefact

    def facts(self, schema: str, run: str, where: str = "") -> dict[str, Any]:
        """Return facts of a schema.

        Raises:
            ArtefactError: the file is damaged.
            UserError: there is no such file.
        """
        found = facts.read(Path(self.note(schema, run, where).path), schema)
        del found["schema"], found["version"]
        return found

    @contextmanager
    def arrays(self, schema: str, run: str, where: str = "") -> Iterator[hdf5.Reader]:
        """Yield an open file of arrays; see `facts` for the errors."""
        path = Path(self.note(schema, run, where).path)
        with hdf5.opening(path, schema.removesuffix("_arrays")) as file:
            yield file

    def external(self, protocol: str, clips: int) -> dict[str, NDArray[numpy.uint8]]:
        """Return what other programs drew: their first futures of so many clips, (n,h,H,W,3)."""
        found = {}
        for artefact in self.library.of(EXTERNAL):
            if artefact.where == protocol:
                path = self.note(EXTERNAL, artefact.run, protocol).path
                with h5py.File(path, "r") as file:
                    found[artefact.run] = file["frames"][:clips, 0]
        return found

    def table(self, schema: str, name: str, run: str, where: str = "") -> pandas.DataFrame:
        """Return the table of this name that belongs to facts of a schema."""
        checksum = facts.read(Path(self.library.one(schema, run, where).path), schema)
        path = Path(self.note(f"{schema}_{name}", run, where).path)
        return tables.read(path, (), checksum[f"{name}_checksum"])

    def training(self, run: str) -> Training:
        """Return a training run; see `facts` for the errors."""
        return record.read(Path(self.note("training", run).path))

    def series(self, run: str, where: str = "") -> pandas.DataFrame:
        """Return what was measured by frame.

        That is of `findings`, of an evaluation, a run and its protocol, or of `analysis` and a run.
        Its columns are SERIES; the samples of an evaluation or an analysis are called as its run.
        """
        if run == "analysis":
            rows = self.facts(run, where)["series"]
            return pandas.DataFrame(rows, columns=list(SERIES)).assign(samples=where)
        if not where:
            return self.table(run, "series", run)[list(SERIES)]
        table = evaluation.table(self.facts("evaluation", run, where))
        ends = ("_low", "_high")
        names = [name for name in map(str, table) if not name.endswith(ends) and name not in SERIES]
        if not names:  # distances of whole sets have no frames
            return pandas.DataFrame(columns=list(SERIES))
        parts = [
            pandas.DataFrame(
                {
                    "samples": run,
                    "predictor": table["predictor"],
                    "quantity": name,
                    "frame": table["frame"],
                    "mean": table[name],
                    "low": table.get(f"{name}_low", float("nan")),
                    "high": table.get(f"{name}_high", float("nan")),
                }
            )
            for name in names
        ]
        return pandas.concat(parts, ignore_index=True)

    def labelled(self, data: str) -> dict[str, dict[str, dict[str, int]]]:
        """Return by label, class and set how many frames of a data set are of a class."""
        runs = self.facts("split", data)
        found: dict[str, dict[str, dict[str, int]]] = {}
        with self.arrays("frames", data) as file:
            known = json.loads(file.attrs.get("label_classes", "{}"))
            lengths_E = file["episode_length"][:]
            for label, classes in known.items():
                of_N = file[f"episode_label/{label}"][:].repeat(lengths_E)
                for name in SETS:
                    parts = [of_N[start:stop] for start, stop in runs[name]]
                    of_set = numpy.concatenate([of_N[:0], *parts])
                    counts = numpy.bincount(of_set, minlength=len(classes)).tolist()
                    for klass, count in zip(classes, counts, strict=True):
                        found.setdefault(label, {}).setdefault(klass, {})[name] = count
        return found

    def grids(self, data: str) -> dict[str, list[int]]:
        """Return code-frames, rows and columns of each level of a data set's latents."""
        with self.arrays("latents", data) as file:
            levels = json.loads(file.attrs["layout"])
            return {level: list(file["test"][level].shape[1:]) for level in levels}
