"""Tiny artefacts of the study of the hierarchical VRNN, of numbers that a test chooses.

Means have wide intervals and differences clip by clip narrow ones: what is read off the wrong ones
settles nothing.
"""

import json
import re
import shutil
from collections.abc import Mapping
from contextlib import chdir
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy
from PIL import Image

from foreframe.artefacts import facts, hdf5
from foreframe.config import study as study_settings
from foreframe.report import desk
from foreframe.report.compile import compile_html
from foreframe.report.desk import Desk, Picture
from stages import report
from tests import report_numbers as numbers
from tests.smoke import ROOT
from workflow import preset

NAME = "hierarchical_vrnn"
DATA = Path("data") / NAME
LADDER = ("ladder_1", "ladder_3", "ladder_6", "ladder_wide")
LEVELS = ("levels_1", "levels_2", "levels_3", "levels_4")
BOUNDS = (*LADDER, *LEVELS, "naive", "warm_up", "dense")
DOMAINS = ("digits", "colour", "street")
SVG, ONE, THREE, PREDNET = "svg", "levels_1", "levels_3", "prednet"
FRAMES = 10  # that are predicted
FAR = 50.0  # the half width of a mean's interval over clips that differ

Row = dict[str, Any]


@dataclass(frozen=True)
class World:
    """Numbers of all runs.

    Attributes:
        bounds: nats of a predicted frame, in training and test alike, in the order of BOUNDS.
        active: channels in use of three levels, naive and with both, from the top level.
        predicted: set of clips -> model -> metric -> value; `motion` and `sharpness` are what is
            left of the true ones in the first and the last frame, `ssim_ends` those frames' SSIM.
        width: half of an interval that a verdict should follow; None if there are none.
        preset: of the settings, which a test may take from the document.
        distance: what measures whole sets of clips.
    """

    bounds: tuple[float, ...]
    active: Mapping[str, tuple[int, int, int]]
    predicted: Mapping[str, Mapping[str, Row]]
    width: float | None = 0.001
    preset: str = "laptop"
    distance: str = "random_video_distance"

    def other(self, **changes: Any) -> "World":
        """Return the world with changes."""
        return replace(self, **changes)


def page(folder: Path, world: World) -> str:
    """Return the report on a world as HTML, its pictures blank."""
    _write(folder / DATA, world, settings_of(folder, NAME, world.preset))
    return compiled(folder, NAME, "hierarchical.bib")


def compiled(folder: Path, study: str, bibliography: str) -> str:
    """Return the report of a study, from artefacts and settings in a folder, its pictures blank."""
    build, home, data = folder / "page", ROOT / "studies" / study, Path("data") / study
    build.mkdir()
    reports = ROOT / "reports"
    shared = (*sorted(reports.glob("*.typ")), reports / "chapters")
    sources = [*shared, home / "report.typ", home / bibliography]
    report.gather(build, sources)
    parameters = Path("params.yaml")
    files = (parameters, Path("studies") / study / parameters, data / "settings.json")
    with chdir(folder), mock.patch.object(desk, "draw", _blank):
        report.describe(build, (data,), files, (home / "figures.yaml",), (home / "thesis.yaml",))
    return compile_html(build / "report.typ").decode()


def words(html: str) -> str:
    """Return what a page says."""
    text = re.sub(r"<(style|script).*?</\1>", "", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub("<.*?>", "", text))


def _blank(_name: str, raw: Mapping[str, Any], _there: Desk) -> list[Picture]:
    image = Image.new("RGB", (8, 8))
    return [Picture(image, number=1 if raw["kind"] == "side_by_side" else None)]


def settings_of(folder: Path, study: str, name: str) -> dict[str, Any]:
    """Write a study's parameters as a preset has them, and the whole settings; return these."""
    shutil.copyfile(ROOT / "params.yaml", folder / "params.yaml")
    own = folder / "studies" / study / "params.yaml"
    own.parent.mkdir(parents=True)
    found = preset.values(name, ROOT / "studies" / study / "presets")
    own.write_text(json.dumps(found), encoding="utf-8")
    resolved = study_settings.load(own)
    path = folder / "data" / study / "settings.json"
    content = {**resolved.sections, "like": resolved.like, "code": {}}
    write(path, "settings", content)
    return dict(resolved.sections)


def _write(data: Path, world: World, settings: Mapping[str, Any]) -> None:
    for name in DOMAINS:
        source = settings["data"][name]["source"]
        _frames(data / name, int(source["height"]))
    size = int(settings["data"]["colour"]["source"]["height"])
    bounds = dict(zip(BOUNDS, world.bounds, strict=True))
    for run in settings["predictors"]:
        _training(data / "predictors", run, bounds.get(run, 1.0), size, world.preset)
    for run, bound in bounds.items():
        whole = ends(_nats(bound, size), None if world.width is None else FAR)
        model = {"error": bound - 0.5, "kl_latent_1": ends(0.5, None), "bound": whole}
        write(data / f"analyses/bound/{run}.json", "analysis", {"model": model, "series": []})
    values = {run: {"bound": FRAMES * bound} for run, bound in bounds.items()}
    content = {"name": "bound", "clips": 3, "differences": apart(values, world.width)}
    write(data / "pairs/bound.json", "pairs", content)
    for run, active in world.active.items():
        levels = zip((1, 4, 16), active, strict=True)
        latent = {
            str(rows): {"channels": 8, "active": count, "full": 0, "largest": 0.02 * count + 0.001}
            for rows, count in levels
        }
        write(data / f"analyses/channels/{run}.json", "analysis", {"latent": latent, "series": []})
    for domain, models in world.predicted.items():
        _predicted(data, domain, models, world)


def _predicted(data: Path, domain: str, models: Mapping[str, Row], world: World) -> None:
    for model, values in models.items():
        run, way = called(model, domain)
        found = _evaluation(domain, way, values, world)
        write(data / f"evaluations/{run}/{domain}.json", "evaluation", found)
    values = {"/".join(called(model, domain)): _values(row) for model, row in models.items()}
    differences = apart({**values, "copy_last_frame": _values(LAST)}, world.width)
    content = {"name": domain, "clips": 3, "differences": differences}
    write(data / f"pairs/{domain}.json", "pairs", content)


def called(model: str, domain: str) -> tuple[str, str]:
    """Return the run of a model on a set of clips, and how its futures are drawn."""
    plain = domain == "colour" and model in (ONE, THREE)
    return model if plain else f"{model}_{domain}", "certain" if model == PREDNET else "sampled"


def write(path: Path, schema: str, content: Mapping[str, Any]) -> None:
    """Write facts, into a new folder if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    facts.write(path, schema, dict(content))


def ends(mean: float, width: float | None) -> Row:
    """Return a mean and the ends of its interval, half as wide; without one where there is none."""
    if width is None:
        return {"mean": mean, "low": None, "high": None}
    return {"mean": mean, "low": mean - width, "high": mean + width}


def _frames(folder: Path, rows: int) -> None:
    folder.mkdir()
    attributes = {"frame_interval": 0.1, "source_kind": "made", "action_names": "[]"}
    with hdf5.creating(folder / "frames.h5", "frames", attributes) as file:
        shape = (2, rows, rows, 3)
        hdf5.store(file, "frames", numpy.zeros(shape, numpy.uint8), shape)
        hdf5.store(file, "episode_length", numpy.array([2]))


def _nats(bound: float, rows: int) -> float:
    """Return a clip's bound with the constant of absolute errors, log 2 for each value."""
    return FRAMES * bound + FRAMES * 3 * rows * rows * float(numpy.log(2))


def _training(folder: Path, run: str, bound: float, rows: int, name: str) -> None:
    loss = _nats(bound, rows)
    known = name == "thesis"
    course = {"epoch": 1, "step": 10, "samples": 10**9 if known else 40}
    content = {
        "parameters": 240_000_000 if known else 1000,
        "steps": course["step"],
        "samples": course["samples"],
        "environment": numbers.ENVIRONMENT,
        "final": {"train_loss": loss},
        "windows": {"train": 290, "validation": 4, "test": 4},
        "curve": [{**course, "loss": loss}],
        "epochs": {
            key: [value]
            for key, value in {**course, "train_loss": loss, "validation_loss": loss}.items()
        },
    }
    write(folder / f"{run}.json", "training", content)


def _evaluation(domain: str, way: str, row: Row, world: World) -> Row:
    known = world.width is not None
    predictors = {
        name: {
            metric: {**ends(one[metric], FAR if known else None), "std": 0.25}
            for metric in ("psnr", "ssim", *(["lpips_alex"] if world.distance == "fvd" else []))
        }
        for name, one in ((way, row), ("copy_last_frame", LAST), ("mean_frame", LAST))
    }
    predictors[way][world.distance] = _distance(row["distance"], world)
    table: Row = {"predictor": [], "frame": []}
    for name in predictors:
        for place in (0, 1):
            one = row if name == way else LAST
            ssim = ends(one["ssim_ends"][place], world.width)
            cells = {"predictor": name, "frame": place + 1, "ssim": ssim["mean"]}
            cells |= {"ssim_low": ssim["low"], "ssim_high": ssim["high"]}
            cells |= {f"{kind}_ratio": one[kind][place] for kind in ("motion", "sharpness")}
            for key, value in cells.items():
                table.setdefault(key, []).append(value)
    found = numbers.evaluation()
    del found["likelihood"]
    metrics = {"psnr": {"better": "higher", "unit": "dB"}}
    changes = {"predictors": predictors, "differences": {}, "states": {}, "per_frame": table}
    return found | changes | {"name": domain, "metrics": metrics, "reference": {}}


def _distance(value: float, world: World) -> Row:
    """Return the distance of a set: with an interval, or FVD as the mean of five."""
    if world.distance == "fvd":
        return {**ends(value, None), "std": world.width, "repeats": 5, "few": False}
    return {**ends(value, world.width), "std": None, "repeats": 1, "few": False}


def _values(row: Row) -> dict[str, float]:
    """Return what is compared clip by clip; of motion and sharpness what is left, in octaves."""
    left = {kind: float(numpy.log2(row[kind]).mean()) for kind in ("motion", "sharpness")}
    return {
        "psnr": row["psnr"],
        "ssim": row["ssim"],
        **{kind: -each for kind, each in left.items()},
    }


def apart(rows: Mapping[str, Mapping[str, float]], width: float | None) -> dict[str, Any]:
    """Return the differences of every two rows."""
    return {
        one: {
            other: {name: ends(mine[name] - theirs[name], width) for name in mine}
            for other, theirs in rows.items()
            if other != one
        }
        for one, mine in rows.items()
    }


def row(
    distance: float,
    ssim: float,
    *,
    motion: tuple[float, float] = (0.9, 0.8),
    sharpness: tuple[float, float] = (0.9, 0.8),
    ends: tuple[float, float] = (0.9, 0.1),
) -> Row:
    """Return what a model's futures are worth; their PSNR is that of the last given frame."""
    return {
        "distance": distance, "ssim": ssim, "psnr": 20.0, "lpips_alex": 0.1,
        "motion": motion, "sharpness": sharpness, "ssim_ends": ends,
    }  # fmt: skip


LAST = row(500.0, 0.5)
