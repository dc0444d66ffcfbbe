"""The settings of the studies that a report is about: by section, and of every run as a whole."""

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foreframe.config import reading
from foreframe.config.report import Report
from foreframe.config.sampling import Sampling
from foreframe.errors import UserError

Section = Mapping[str, Any]
RUNS = ("autoencoders", "priors", "predictors", "classifiers")  # sections whose entries are runs
# Sources whose frames are of driving; a report about any other one speaks of video.
DRIVING = ("car_racing", "carla", "bdd100k", "cityscapes", "kitti_caltech")
TITLES = {True: "A Learned Driving Simulator", False: "A Learned Model of Video"}


@dataclass(frozen=True)
class Settings:
    """What the files of parameters say.

    Attributes:
        files: the sections of each file, by its path; of facts with the whole study too.
        runs: the whole settings of each run.
        bases: the run that a variant is like, by run.
        report: the title page, as the last file has it.
    """

    files: Mapping[str, Section]
    runs: Mapping[str, Section]
    bases: Mapping[str, str]
    report: Report

    @property
    def driving(self) -> bool:
        """Whether all data are of driving, as far as their sources tell."""
        data = [each for file in self.files.values() for each in file.get("data", {}).values()]
        kinds = [each["source"]["kind"] for each in data if "kind" in each.get("source", {})]
        return bool(kinds) and all(kind in DRIVING for kind in kinds)

    @property
    def title(self) -> str:
        """The title that the study has, or one that its data allow."""
        return self.report.title or TITLES[self.driving]

    @property
    def drawn(self) -> list[str]:
        """The rows that every sampling gives, choices and means, each name once."""
        every: list[Section] = []
        for sections in self.files.values():
            every += [sections["sampling"]] if "sampling" in sections else []
            every += [raw for raw in sections.get("samplings", {}).values() if "like" not in raw]
        names = [name for raw in every for name in Sampling.model_validate(raw).names]
        return list(dict.fromkeys(names))

    def section(self, key: str) -> Any:
        """Return what stands under a dotted key: of a run, or of the first file that has it.

        Raises:
            UserError: no file does.
        """
        if key in self.runs:
            return self.runs[key]
        for path, sections in self.files.items():
            # A base has sections of the same names, with entries of its own.
            with contextlib.suppress(UserError):
                return reading.select(sections, key, Path(path))
        raise UserError(f"no file of settings has {key}. There are: {', '.join(self.files)}.")

    def names(self) -> set[str]:
        """Return what results may be called after: runs, variants of sections, their data."""
        named = ("data", "latents", "protocols", "analyses", "questions", "probes")
        found = [sections.get(name, {}) for sections in self.files.values() for name in named]
        variants = (name for each in found for name in each if isinstance(each[name], Mapping))
        return {*self.runs, *variants}

    def changes(self, run: str) -> dict[str, str]:
        """Return the values in which a run differs from the one that it, or its base, is like."""
        first = run
        while first in self.bases:
            first = self.bases[first]
        base = dict(as_rows(self.runs[first])) if run in self.bases else {}
        rows = as_rows(self.runs[run])
        return {key: value for key, value in rows if base and base.get(key) != value}


def load(paths: Iterable[Path]) -> Settings:
    """Read files of parameters (YAML), or of resolved ones (JSON).

    Raises:
        UserError: a file is missing or wrong, or none says what stands on the title page.
    """
    files = {path.as_posix(): reading.load(path) for path in paths}
    runs: dict[str, Section] = {}
    bases: dict[str, str] = {}
    for sections in files.values():
        for section in RUNS:
            entries = sections.get(section, {})
            runs |= {name: entry for name, entry in entries.items() if "like" not in entry}
            bases |= {name: entry["like"] for name, entry in entries.items() if "like" in entry}
    titled = [sections["report"] for sections in files.values() if "report" in sections]
    if not titled:
        raise UserError(f"{', '.join(files)}: the section report is missing. Add it.")
    report: Report = reading.validate(Report, titled[-1], "report")
    return Settings(files, runs, bases, report)


def as_rows(value: Any, key: str = "") -> list[list[str]]:
    """Return a section's settings as rows of dotted key and value, in the order of the file."""
    if not isinstance(value, Mapping):
        return [[key, word(value)]]
    rows = []
    for name, part in value.items():
        rows += as_rows(part, f"{key}.{name}" if key else name)
    return rows


def word(value: Any) -> str:
    """Return a value as a report writes it."""
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)
