"""The study of modular dynamics: the document's sizes, what runs differ in, report and claims."""

import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML

from foreframe.config import study
from foreframe.models import Shape
from foreframe.predictors import learned
from foreframe.predictors.learned import Given
from foreframe.sources.random_walk import SIDE
from tests import smoke, turned
from workflow import dag, preset
from workflow.studies import Place

NAME = "modular_dynamics"
FOLDER = smoke.ROOT / "studies" / NAME
PRESETS = ("laptop", "smoke", "thesis", "full")
MODULES = {"modules_1": 1, "modules_2": 2, "modules_4": 4, "modules_5": 5, "modules_7": 7}
CLAIMS = 18
ASKED = ("atomic", "far", "five", "ten")
FIGURES = "8.1 8.2 8.3 8.4 8.5 8.6 8.7 8.8"


@functools.cache
def sections(name: str) -> study.Resolved:
    """Return what a preset says, with its base."""
    return preset.resolved(name, smoke.ROOT, Place(NAME))


@functools.cache
def document() -> dict[str, Any]:
    """Return what the document states."""
    text = (FOLDER / "thesis.yaml").read_text(encoding="utf-8")
    return dict(YAML(typ="safe").load(text))


def futures(found: Mapping[str, Any], protocol: str) -> dict[str, Any]:
    return dict(found["protocols"][protocol]["futures"])


def weights(name: str, run: str) -> int:
    settings = sections(name).study.predictors[run]
    with torch.device("meta"):
        given = Given(Shape(3, settings.view.frames, SIDE, SIDE), (), {})
        return learned.ROLE.build(settings, given).trainable()


def test_the_thesis_preset_has_the_numbers_of_its_tables() -> None:
    found = sections("thesis").sections["predictors"]
    rows = [row for row in document()["rows"] if row["quantity"] != "error"]
    assert {row["table"] for row in rows} >= {"8.1", "8.2", "8.3", "section 8.A", "section 8.5"}
    for row in rows:
        value = found[row["run"]]
        for key in row["quantity"].split("."):
            value = value[key]
        assert value == row["value"], row


def test_the_thesis_preset_grows_clips_as_the_document_does() -> None:
    scale, training = document()["about"]["scale"], None
    for run in (*MODULES, "twice", "scoff", "rim"):
        own = sections("thesis").sections["predictors"][run]["training"]
        assert own == (training or own)
        training = own
    assert training is not None
    slots, *growing = training["phases"]
    lengths = range(scale["first"], scale["longest"] + 1, scale["grows"])
    assert (slots["frames"], [phase["frames"] for phase in growing]) == (1, list(lengths))
    epoch = slots["steps"] // scale["slot_epochs"]
    assert {phase["steps"] for phase in growing} == {scale["every"] * epoch}
    source = sections("thesis").sections["data"]["atomic"]["source"]
    assert epoch * slots["batch_size"] == source["train_episodes"]
    assert (source["balls"], source["height"]) == (scale["balls"], scale["size"])
    player = training["players"]["model"]
    assert (player["learning_rate"], player["warmup_steps"]) == (4e-4, 10_000)
    assert player["schedule"] == {"factor": 0.5, "steps": 100_000}


@pytest.mark.parametrize("name", PRESETS)
def test_what_is_asked_is_as_long_as_in_the_document(name: str) -> None:
    scale, found = document()["about"]["scale"], sections(name).sections
    asked = {key: futures(found, key) for key in ASKED}
    lengths = {key: each["context"] + each["horizon"] for key, each in asked.items()}
    assert lengths["atomic"] == lengths["far"] == scale["test_frames"]
    assert lengths["five"] == scale["table_frames"]
    assert asked["ten"]["horizon"] == scale["averaged_steps"]
    assert found["analyses"]["far_multi"]["iterations"] == scale["iterations"]
    source = found["data"]["far"]["source"]
    assert (source["fewest_moves"], source["most_moves"]) == (1, scale["most_moves"])
    assert set(scale["ablation"]) <= set(MODULES.values())


@pytest.mark.parametrize("name", PRESETS)
def test_models_of_any_number_of_modules_have_as_many_weights(name: str) -> None:
    five = sections(name).sections["predictors"]["modules_5"]
    wanted = weights(name, "modules_5")
    for run, modules in MODULES.items():
        assert sections(name).sections["predictors"][run]["transition"]["modules"] == modules
        # A hidden unit has as many weights as it sees and makes numbers, and a bias.
        unit = five["transition"]["trunk"] + five["scene"]["dim"] + 1
        assert abs(weights(name, run) - wanted) <= modules * unit / 2


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize(
    ("run", "other", "differs"),
    [
        *((run, "modules_5", {"transition"}) for run in MODULES if run != "modules_5"),
        ("twice", "modules_5", {"iterations"}),
        ("rim", "scoff", {"schemata"}),
        ("scoff", "modules_5", {
            "kind", "schemata", "key", "transition", "iterations", "deviation", "kl_weight",
            "free_bits",
        }),
    ],
)  # fmt: skip
def test_runs_differ_in_what_they_are_about(
    name: str, run: str, other: str, differs: set[str]
) -> None:
    one, two = (sections(name).sections["predictors"][each] for each in (run, other))
    assert {key for key in one | two if one.get(key) != two.get(key)} == differs


@pytest.fixture(scope="module")
def finished(by_dvc: smoke.Clone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with this study, run whole at the scale of smoke."""
    clone = smoke.copy(by_dvc, tmp_path_factory.mktemp("modular") / "project", "modular_dynamics")
    clone.run("snakemake", "--cores", "2", NAME)
    stages = [stage for stage in dag.read(clone.folder) if stage.study == NAME]
    assert stages and not any(stage.due for stage in stages)
    return clone.folder


@pytest.mark.slow
def test_the_report_has_every_table_and_figure_of_the_chapter(finished: Path) -> None:
    page = (finished / "reports" / NAME / "report.html").read_text(encoding="utf-8")
    said = re.sub(r"<[^>]+>", "", page)
    # Tables 8.1 to 8.3 are named as a range.
    assert "Tables 8.1 to 8.3" in said and "Table 8.4" in said
    assert set(FIGURES.split()) <= set(re.findall(r"figure (8\.\d)", said))
    assert len(turned.table(page, "table-8-4")) == 1 + len(("RIM", "SCOFF", "VIM"))


# What is counted over picks or iterations, which has no interval, and is never open.
COUNTED = {
    "modules are moves: at least 90 % of moves have their module",
    "four of five modules are in use",
    "and of seven",
    "a module that is taken again and again is one direction",
    "VIM-2 finds single moves in pairs of them",
}


def claimed(sign: int) -> list[turned.Change]:
    """Return numbers that bear out what is claimed (1), the opposite (-1), or tell nothing (0)."""
    counted = 1 if sign > 0 else -1
    found: list[turned.Change] = [
        (f"picks/{run}", quantity, "", value, None)
        for run in ("modules_5", "modules_7", "twice")
        for quantity, value in (("agreement", 0.5 + 0.45 * counted), ("used", 4 if sign > 0 else 1))
    ]
    found += [("picks_once/twice", "agreement", "", 0.5 + 0.45 * counted, None)]
    found += [
        ("again/modules_5", f"modules.{number}.most", "", 0.5 + 0.45 * counted, None)
        for number in range(1, 6)
    ]
    for one, other, quantity, where in (
        ("modules_1", "modules_5", "error", "ten"),
        ("modules_1", "modules_4", "error", "ten"),
        ("modules_2", "modules_4", "error", "ten"),
        ("g_swm", "modules_5", "position", "far"),
        ("g_swm", "modules_5", "position", "far_multi"),
        ("scoff", "modules_5", "error", "five"),
        ("rim", "modules_5", "error", "five"),
        ("scoff/certain", "modules_5/sampled", "sharpness", "atomic"),
        ("rim/certain", "modules_5/sampled", "sharpness", "atomic"),
    ):
        found += [(one, f"over.{other}.{quantity}", where, 2.0 * sign, 1.0)]
    found += [
        ("ten/modules_1", "kl_latent", "", 5.0 + 2 * sign, 1.0),
        ("ten/modules_5", "kl_latent", "", 5.0 - 2 * sign, 1.0),
        ("far_multi/modules_5", "nearer", "", 2.0 * sign, 1.0),
        ("far_multi/modules_5", "beyond", "", 2.0 * sign, 1.0),
        ("far_multi/modules_5", "nearest", "", 4, None),
        ("far_multi/modules_5", "position", "", 5.0 - 2 * sign, 1.0),
        ("far/modules_5", "position", "", 5.0 + 2 * sign, 1.0),
        ("transfer/modules_5", "transferred", "", 1.5 - sign, 0.5),
    ]
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("sign", "verdict"), [(1, "yes"), (-1, "no"), (0, "open")])
def test_claims_hold_where_their_numbers_say_so(finished: Path, sign: int, verdict: str) -> None:
    page = turned.page(finished, NAME, claimed(sign))
    found = turned.claims(page)
    assert len(found) == CLAIMS and set(found) >= COUNTED
    assert found == {row: "no" if row in COUNTED and not sign else verdict for row in found}
    text = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    assert ("modules are moves, as in the document" in text) == (sign > 0)
    assert ("modules are not the moves" in text) == (sign < 1)
