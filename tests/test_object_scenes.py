"""The study of object scenes: the document's sizes, what runs differ in, report and claims."""

import functools
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML

from foreframe.config import study
from foreframe.models import Shape
from foreframe.predictors import learned
from foreframe.predictors.learned import Given
from tests import smoke, turned
from workflow import dag, preset
from workflow.studies import Place

NAME = "object_scenes"
FOLDER = smoke.ROOT / "studies" / NAME
PRESETS = ("laptop", "smoke", "thesis")
SCENES = ("inferno", "inferno_masks", "inferno_cups")
RENDERED = (*SCENES, "nerf_autoencoder")
SLOTS = {"inferno": "clevr2345", "inferno_masks": "clevr6", "inferno_cups": "cater"}
CLAIMS = 17
TABLES = ("10.1", "10.2", "10.3", "10.4")
FIGURES = "10.1 10.2 10.3 10.4 10.5 10.6 10.7 10.8"


@functools.cache
def sections(name: str) -> study.Resolved:
    """Return what a preset says, with its base."""
    return preset.resolved(name, smoke.ROOT, Place(NAME))


@functools.cache
def document() -> dict[str, Any]:
    """Return what the document states."""
    text = (FOLDER / "thesis.yaml").read_text(encoding="utf-8")
    return dict(YAML(typ="safe").load(text))


def predictor(name: str, run: str) -> dict[str, Any]:
    return dict(sections(name).sections["predictors"][run])


def weights(part: torch.nn.Module) -> int:
    return sum(each.numel() for each in part.parameters())


def built(run: str) -> Any:
    """Return a predictor of the thesis preset, without numbers."""
    settings = sections("thesis").study.predictors[run]
    side = 128 if run in ("inferno", "nerf_autoencoder", "giraffe") else 64
    with torch.device("meta"):
        return learned.ROLE.build(settings, Given(Shape(3, 1, side, side), (), {}))


@pytest.mark.parametrize("run", SCENES)
def test_the_thesis_preset_has_the_sizes_of_its_tables(run: str) -> None:
    found, scale = predictor("thesis", run), document()["about"]["scale"]
    encoder = found["encoder"]
    assert encoder["slots"] == scale["slots"][SLOTS[run]]
    assert encoder["convolutions"] == {"width": 64, "layers": 4, "kernel": 5, "scaled": 0}
    assert {encoder[each] for each in ("dim", "hidden", "shape", "appearance", "code_hidden")} == {
        128
    }
    assert (encoder["iterations"], encoder["pose_hidden"]) == (3, 7)
    objects, behind = found["object_field"], found["background_field"]
    assert (objects["layers"], objects["width"], objects["skip"]) == (8, 64, 4)
    assert (behind["layers"], behind["width"], behind["skip"]) == (4, 16, None)
    assert not objects["fades"] and found["masks_of"] == "attention"
    assert (found["upscaler"]["side"], found["upscaler"]["width"]) == (scale["small"], 64)
    player = found["training"]["players"]["model"]
    assert (player["learning_rate"], player["weight_decay"]) == (1e-4, 1e-6)
    steps = [phase["steps"] for phase in found["training"]["phases"]]
    assert steps[0] == scale["upscaled"]
    assert sum(steps) == scale["iterations"]
    assert {phase["batch_size"] for phase in found["training"]["phases"]} == {128}


def test_networks_of_the_thesis_preset_have_the_weights_of_their_tables() -> None:
    def linear(inputs: int, outputs: int) -> int:
        return inputs * outputs + outputs

    whole = built("inferno")
    assert weights(whole.encoder.pose) == linear(128, 7) + 2 * 7 + linear(7, 7)
    upscaler = linear(9 * 128, 64) + 2 * linear(9 * 64, 64) + linear(9 * 64, 3)
    assert weights(whole.upscaler) == upscaler
    assert weights(built("inferno_masks").upscaler) == upscaler - linear(9 * 64, 64)
    waves = whole.settings.object_field.point_waves, whole.settings.object_field.way_waves
    seen = linear(6 * waves[0], 64) + linear(128, 64)
    sent = linear(64, 64) + linear(128, 64) + linear(6 * waves[1], 64) + linear(64, 128)
    assert weights(whole.object_field) == 2 * seen + 7 * linear(64, 64) + linear(64, 1) + sent
    # One field for all has the objects' own sizes.
    assert weights(built("nerf_autoencoder").field) == weights(whole.object_field)
    giraffe = built("giraffe")
    assert (giraffe.settings.boxes, giraffe.settings.shape) == (5, 64)
    assert (giraffe.settings.background_shape, giraffe.settings.upscaler.side) == (32, 16)


@pytest.mark.parametrize("name", ["laptop", "smoke"])
def test_cameras_are_those_of_the_data(name: str) -> None:
    source = sections(name).sections["data"]["scenes"]["source"]
    assert source["elevation_jitter"] == source["azimuth_jitter"] == 0
    for run in ("inferno", "inferno_masks", "nerf_autoencoder", "giraffe"):
        camera = predictor(name, run)["camera"]
        assert (camera["elevation"], camera["distance"]) == (
            source["elevation"],
            source["distance"],
        )


@pytest.mark.parametrize("name", ["laptop", "smoke"])
def test_no_scene_has_more_objects_than_slots(name: str) -> None:
    found = sections(name).sections
    for run, data in (("inferno", "scenes"), ("inferno_masks", "masks")):
        assert (
            predictor(name, run)["encoder"]["slots"]
            >= found["data"][data]["source"]["most_objects"]
        )
    assert (
        predictor(name, "inferno_cups")["encoder"]["slots"]
        > found["data"]["cups"]["source"]["cups"]
    )


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize(
    ("run", "differs"),
    [
        ("snitch_plain", {"masked"}),
        ("snitch_random", {"start"}),
        ("snitch_slots", set()),
    ],
)
def test_classifiers_differ_in_what_they_are_about(name: str, run: str, differs: set[str]) -> None:
    found = sections(name).sections["classifiers"]
    one, two = found["snitch"], found[run]
    assert {key for key in one if one[key] != two[key]} == differs


@pytest.fixture(scope="module")
def finished(by_dvc: smoke.Clone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with this study, run whole at the scale of smoke."""
    clone = smoke.copy(by_dvc, tmp_path_factory.mktemp("scenes") / "project", "object_scenes")
    clone.run("snakemake", "--cores", "2", NAME)
    stages = [stage for stage in dag.read(clone.folder) if stage.study == NAME]
    assert stages and not any(stage.due for stage in stages)
    return clone.folder


@pytest.mark.slow
def test_the_report_has_every_table_and_figure_of_the_chapter(finished: Path) -> None:
    page = (finished / "reports" / NAME / "report.html").read_text(encoding="utf-8")
    said = re.sub(r"<[^>]+>", "", page)
    assert "Tables 10.5 to 10.9" in said
    assert all(f"Table {number}" in said for number in TABLES)
    assert set(FIGURES.split()) <= set(re.findall(r"(?:figure|figures|and) (10\.\d)", said))
    # Other authors' methods, four of ours, and three that need no training.
    assert len(turned.table(page, "table-10-4")) == 1 + 5 + 4 + 3


# Distances of whole sets have no interval, and neither has what is no better than chance.
COUNTED = {
    "what is made again is nearer to true pictures than what GIRAFFE makes up",
    "an object added, too",
    "an object exchanged, too",
    "objects removed are further than any of these",
    "an encoder that was not trained before is no better than chance",
}


def claimed(sign: int) -> list[turned.Change]:
    """Return numbers that bear out what is claimed (1), the opposite (-1), or tell nothing (0)."""
    near, nearer = document()["about"]["gate"]["moved"], 1.0 if sign > 0 else 3.0
    found: list[turned.Change] = [
        ("masks/inferno_masks", "fg_ari", "", 0.8 + 0.1 * sign, 0.05),
        ("masks/slots_masks", "fg_ari", "", 0.8 + 0.3 * sign, 0.05),
        ("nerf_autoencoder/again", "over.inferno/again.mse", "pictures", 2.0 * sign, 1.0),
        ("giraffe/drawn", "random_image_distance", "pictures", 2.0, None),
        ("edits/inferno", "remove.distance.value", "", 3.0 if sign > 0 else 1.0, None),
        ("cups/snitch", "told.test.top_1", "", 0.5 + 0.3 * sign, 0.05),
        ("cups/snitch", "last_seen.test.top_1", "", 0.5, 0.05),
        ("cups/snitch", "chance.test.top_1", "", 0.5, None),
        ("cups/snitch_random", "told.test.top_1", "", 0.5 if sign > 0 else 0.8, 0.05),
    ]
    found += [
        ("edits/inferno", f"{name}.distance.value", "", nearer, None)
        for name in ("again", "add", "swap")
    ]
    found += [
        ("edits/inferno", f"{name}.changed", "", near * (1 + 0.5 * sign), 0.2 * near)
        for name in ("right", "forward")
    ]
    found += [
        ("views/inferno", f"{view}.{quantity}", "", 0.5 + side * 0.2 * sign, 0.1)
        for view in ("right", "left")
        for quantity, side in (("stay", 1), ("mse", -1))
    ]
    found += [
        (other, "over.snitch.error", "cups", 2.0 * sign, 1.0)
        for other in ("snitch_random", "snitch_plain", "snitch_slots")
    ]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("sign", "verdict"), [(1, "yes"), (-1, "no"), (0, "open")])
def test_claims_hold_where_their_numbers_say_so(finished: Path, sign: int, verdict: str) -> None:
    page = turned.page(finished, NAME, claimed(sign))
    found = turned.claims(page)
    assert len(found) == CLAIMS and set(found) >= COUNTED
    assert found == {row: "no" if row in COUNTED and not sign else verdict for row in found}
