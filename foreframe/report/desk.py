"""Where figures are drawn: what a kind may read, what it returns, and how it is written.

A picture NAME is NAME.svg or NAME.png, with NAME.webp beside it where it also plays; NAME.json
holds its alternative text and its artefacts, and is where the Typst source reads both.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

from matplotlib.figure import Figure
from PIL import Image
from pydantic import Field

from foreframe import kinds
from foreframe.artefacts import atomic
from foreframe.config import reading as config
from foreframe.config.base import Strict
from foreframe.config.sampling import BASELINES, Sampling
from foreframe.errors import UserError
from foreframe.report import animations, strips, style
from foreframe.report.library import Library
from foreframe.report.opening import Opening
from foreframe.report.reading import Reader
from foreframe.report.results import Number, Results
from foreframe.report.settings import Section, Settings

PACKAGE = "foreframe.report.figures"
# In figures.yaml: each way of choosing codes, one after the other; and the first of them.
CHOICE, FIRST_CHOICE = "{choice}", "{first_choice}"


# The predictor that decodes the true codes: what the latents allow at best.
BOUND = "reconstruction"


class Spec(Strict):
    """What every kind is told: its name, and words for readers who cannot see it."""

    kind: str
    alt: Annotated[str, Field(min_length=20)]


class Chart(Spec):
    """A figure of numbers, as wide as the page or a share of that; its height is in inches."""

    height: float = 2.4
    width: float = 1.0


@dataclass(frozen=True)
class Picture:
    """One picture before it is written; `clip` are the same frames, playing.

    One of several pictures of a figure has a `number`, from 1, which becomes part of its name.
    """

    content: Figure | Image.Image
    clip: Sequence[Image.Image] = ()
    number: int | None = None


class Run(Strict):
    """What a study adds to a run: its title, whose settings it has, which run it is like."""

    title: str = ""
    settings: str = ""
    like: str = ""


class Figures(Strict):
    """A file `figures.yaml`, each figure still as plain values."""

    opening: Opening | None = None
    runs: dict[str, Run] = Field(default={})
    figures: dict[str, dict[str, Any]] = Field(default={})


class Desk(Reader):
    """A reader that also knows results and settings, all of one report."""

    def __init__(self, library: Library, results: Results, settings: Settings) -> None:
        """Begin with nothing read."""
        super().__init__(library)
        self.results = results
        self.settings = settings

    def number(self, run: str, quantity: str, where: str = "") -> Number:
        """Return a result; its artefact is noted."""
        found = self.results.of(run, quantity, where)
        self._note_path(found.artefact)
        return found

    def maybe(self, run: str, quantity: str, where: str = "") -> Number | None:
        """Return a result, or None where there is none."""
        found = self.results.find(run, quantity, where)
        if found is not None:
            self._note_path(found.artefact)
        return found

    def _note_path(self, path: str) -> None:
        for artefact in self.library.artefacts.values():
            if artefact.path == path:
                self.used[path] = artefact

    def run(self, name: str) -> Section:
        """Return the settings of a run.

        Raises:
            UserError: there is no such run; the message names those there are.
        """
        try:
            return self.settings.runs[name]
        except KeyError:
            known = ", ".join(sorted(self.settings.runs))
            raise UserError(f"there is no run {name}. Choose one of: {known}.") from None

    @property
    def choices(self) -> list[str]:
        """The ways in which futures are drawn; none in a study that draws none."""
        there = any("sampling" in sections for sections in self.settings.files.values())
        return Sampling.model_validate(self.settings.section("sampling")).names if there else []

    def each_choice(self, labels: Mapping[str, str]) -> dict[str, str]:
        """Return labels by key, those of `{choice}` once for each choice."""
        found = {}
        for key, label in labels.items():
            own = key.replace(FIRST_CHOICE, self.choices[0]) if FIRST_CHOICE in key else key
            for choice in self.choices if CHOICE in key else [""]:
                found[own.replace(CHOICE, choice)] = label.replace(CHOICE, plain(choice))
        return found


def ordered(predictors: Iterable[str], choices: Sequence[str]) -> list[str]:
    """Return predictors as tables have them: baselines, the study's choices, others, the bound."""
    found = set(predictors)
    every = (*BASELINES, *choices, *others(found, choices), BOUND)
    return [name for name in every if name in found]


def others(predictors: Iterable[str], choices: Sequence[str]) -> list[str]:
    """Return the predictors of other programs, in the order of tables."""
    return sorted({*predictors} - {*BASELINES, *choices, BOUND})


def plain(name: str) -> str:
    """Return how a name stands in a figure: in plain words."""
    return name.replace("_", " ")


def read(paths: Sequence[Path]) -> Figures:
    """Read one or several files of figures as one; of several openings the last one counts.

    Raises:
        UserError: a file is missing or wrong, or two declare the same figure.
    """
    runs: dict[str, Run] = {}
    figures: dict[str, dict[str, Any]] = {}
    opening = None
    for path in paths:
        found: Figures = config.validate(Figures, config.load(path), str(path))
        for name in found.figures.keys() & figures.keys():
            raise UserError(f"{path}: the figure {name} is declared twice. Rename one.")
        runs |= found.runs
        figures |= found.figures
        opening = found.opening or opening
    return Figures(opening=opening, runs=runs, figures=figures)


def whole_runs(declared: Mapping[str, Run], settings: Settings, library: Library) -> Settings:
    """Return the settings with those of runs that the study declares.

    A run has the settings of another, of a section, or those that an analysis found.

    Raises:
        UserError: a run is said to have settings that are nowhere.
    """
    runs = dict(settings.runs)
    for name, run in declared.items():
        schema, _, key = run.settings.partition(".")
        if key and library.of(schema):
            found = Reader(library).facts(schema, library.of(schema)[0].run)
            runs[name] = config.select(found, key, Path(library.of(schema)[0].path))
        elif run.settings:
            runs[name] = settings.section(run.settings)
    bases = {name: run.like for name, run in declared.items() if run.like}
    return replace(settings, runs=runs, bases={**settings.bases, **bases})


def draw(name: str, raw: Mapping[str, Any], desk: Desk) -> list[Picture]:
    """Return the pictures of one declared figure.

    Raises:
        UserError: its kind, a key, a run or a result does not exist; the message names the figure.
    """
    where = f"figures.{name}"
    schema = config.settings_of(PACKAGE, raw, where)
    spec = config.validate(schema, raw, where)
    kind = kinds.find(PACKAGE, raw["kind"])
    try:
        if isinstance(spec, Chart):
            canvas = style.figure(spec.width * style.WIDTH, spec.height)
            kind.fill(canvas, spec, desk)
            return [Picture(canvas)]
        pictures: list[Picture] = kind.draw(spec, desk)
        return pictures
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def write_all(
    figures: Mapping[str, Mapping[str, Any]],
    library: Library,
    results: Results,
    settings: Settings,
    folder: Path,
) -> list[str]:
    """Write every declared figure, and its description, into `folder`; return their names."""
    names = []
    with style.drawing():
        for name, raw in figures.items():
            desk = Desk(library, results, settings)
            for picture in draw(name, raw, desk):
                own = name if picture.number is None else f"{name}_{picture.number}"
                alt = raw["alt"].replace("{number}", str(picture.number))
                write(picture, own, alt, desk, folder)
                names.append(own)
    return names


def write(picture: Picture, name: str, alt: str, desk: Desk, folder: Path) -> None:
    """Write one picture and its description."""
    suffix = "svg" if isinstance(picture.content, Figure) else "png"
    path = folder / f"{name}.{suffix}"
    if isinstance(picture.content, Figure):
        style.save(picture.content, path)
    else:
        strips.save(picture.content, path)
    if picture.clip:
        animations.save(picture.clip, desk.library.frame_interval, path.with_suffix(".webp"))
    description = {
        "alt": alt,
        "file": path.name,
        "clip": path.with_suffix(".webp").name if picture.clip else None,
        "artefacts": [artefact.facts() for artefact in desk.used.values()],
    }
    atomic.write_text(path.with_suffix(".json"), as_json(description))


def as_json(values: Mapping[str, Any]) -> str:
    """Return JSON for Typst, in the order of the values; NaN and infinity are refused."""
    return json.dumps(values, indent=1, allow_nan=False, ensure_ascii=False)
