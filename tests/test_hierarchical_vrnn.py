"""The study of the hierarchical VRNN: the thesis's sizes, and all its tables and figures."""

import functools
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML

from foreframe.config import study
from foreframe.data import splits
from foreframe.models import Shape
from foreframe.predictors import learned
from foreframe.predictors.learned import Given
from foreframe.sources import cityscapes
from foreframe.sources.recordings import Recording
from tests import smoke
from workflow import dag, preset

FOLDER = smoke.ROOT / "studies/hierarchical_vrnn"
TABLES = "4.1 4.2 4.3 4.4 4.5 4.6 4.7"
FIGURES = "4.1 4.2 4.3 4.4 4.5 4.6 4.7 4.8 4.9 4.10 4.11 4.12 4.13 4.14"
# Table 4.2's to the last printed digit; of table 4.1's decoders no layers are printed.
WITHIN = {"4.1": 0.07, "4.2": 0.0}
# A network of the authors' code that nothing uses, which their counts of these runs hold.
UNUSED = 6_300_672
WITH_UNUSED = ("levels_3", "levels_4", "dense")


@functools.cache
def sections(name: str) -> study.Resolved:
    """Return what a preset says, with its base."""
    base = preset.values(name, smoke.PRESETS)
    return study.resolve(preset.values(name, FOLDER / "presets"), name, base)


@functools.cache
def document() -> dict[str, Any]:
    """Return what the document states."""
    text = (FOLDER / "thesis.yaml").read_text(encoding="utf-8")
    return dict(YAML(typ="safe").load(text))


def stated() -> list[dict[str, Any]]:
    return list(document()["rows"])


@pytest.mark.parametrize(
    "row", [row for row in stated() if row["quantity"] == "parameters"], ids=lambda row: row["run"]
)
def test_the_thesis_preset_has_the_parameters_of_its_tables(row: dict[str, Any]) -> None:
    run = row["run"]
    settings = sections("thesis").study.predictors[run]
    with torch.device("meta"):
        given = Given(Shape(3, settings.view.frames, 64, 64), (), {})
        found = learned.ROLE.build(settings, given).trainable()
    found += UNUSED if run in WITH_UNUSED else 0
    assert round(found, -4) == pytest.approx(row["value"], rel=WITHIN[row["table"]])


def test_the_thesis_preset_has_the_settings_of_its_chapter() -> None:
    """What its report has a row of, and what stands in its section 4.5 and its code alone."""
    found = sections("thesis").sections["predictors"]["levels_3"]
    rows = {
        row["quantity"]: row["value"]
        for row in stated()
        if row["run"] == "levels_3" and row["table"] in ("4.4", "4.5", "4.6", "chapter 4")
    }
    latents = [("whole" if one["shrink"] == "whole" else f"1/{one['shrink']}", one["channels"])
               for one in found["latents"]]  # fmt: skip
    assert rows.pop("latents") == ", ".join(f"{size}: {channels}" for size, channels in latents)
    assert len(rows) == 6
    for key, value in rows.items():
        assert functools.reduce(lambda part, name: part[name], key.split("."), found) == value, key
    training = found["training"]
    (phase,), player = training["phases"], training["players"]["model"]
    epoch = 45_000 // phase["batch_size"] + 1
    assert (phase["batch_size"], phase["steps"]) == (128, 100 * epoch)
    assert (player["kind"], player["betas"], player["schedule"]) == ("adam", [0.5, 0.9], "constant")
    assert player["warmup_steps"] == 5 * epoch
    ramp = {"first": 0.0, "last": 1.0, "begin": 0, "steps": 20 * epoch, "of": "run"}
    assert found["kl_weight"] == ramp


@pytest.mark.parametrize(
    ("run", "latent", "backbone", "clip", "epochs"),
    [
        ("svg_digits", 10, "dcgan", (5, 10), 300),
        ("svg_colour", 64, "vgg", (2, 10), 300),
        ("svg_street", 64, "vgg", (2, 10), 100),
    ],
)
def test_the_thesis_preset_trains_svg_as_its_own_article_does(
    run: str, latent: int, backbone: str, clip: tuple[int, int], epochs: int
) -> None:
    """Denton and Fergus (2018), of 600 steps an epoch; on streets for the epochs of all models."""
    found = sections("thesis").sections["predictors"][run]
    assert (found["latent_dim"], found["backbone"]) == (latent, backbone)
    assert [found[key] for key in ("features", "hidden", "predictor_layers", "latent_layers")] == [
        128, 256, 2, 1
    ]  # fmt: skip
    context, horizon = clip
    assert (found["context"], found["view"]["frames"]) == (context, context + horizon)
    weight = found["kl_weight"]
    assert weight["first"] == weight["last"] == 1e-4
    (phase,), player = found["training"]["phases"], found["training"]["players"]["model"]
    assert (phase["batch_size"], phase["steps"]) == (100, epochs * 600)
    assert (player["learning_rate"], player["betas"]) == (2e-3, [0.9, 0.999])
    assert (player["schedule"], player["warmup_steps"]) == ("constant", 0)


def test_the_thesis_preset_has_prednet_of_its_own_article() -> None:
    """Lotter et al. (2017): four levels, ten frames; as many steps as levels of latents have."""
    found = sections("thesis").sections["predictors"]
    prednet = found["prednet_street"]
    assert (prednet["widths"], prednet["errors"]) == ([48, 96, 192], "pixels")
    assert prednet["view"]["frames"] == 10
    (phase,), player = prednet["training"]["phases"], prednet["training"]["players"]["model"]
    assert phase["steps"] == found["levels_3_street"]["training"]["phases"][0]["steps"]
    assert (player["learning_rate"], player["schedule"]["begin"]) == (1e-3, phase["steps"] // 2)


def test_the_thesis_preset_shares_out_cityscapes_as_the_document_counts() -> None:
    found, scale = sections("thesis").sections, document()["about"]["scale"]
    assert found["data"]["street"]["source"]["sets"] == "training_cities"
    count, frames = cityscapes.DATASET.published["train"], cityscapes.SNIPPET
    # Six cities have long drives: bochum, hamburg, hanover, krefeld, monchengladbach, strasbourg.
    long = 96 + 248 + 196 + 99 + 94 + 365
    names = [f"long_000000_{number:06}" for number in range(long)]
    names += [f"city_{number:06}_000019" for number in range(count - long)]
    every = [Recording(name, "train", Path()) for name in names]
    parts = [each.part for each in cityscapes.drawn(every, found["seed"])]
    episodes = [(frames * place, frames * (place + 1)) for place in range(count)]
    split = splits.cut(episodes, parts, sections("thesis").study.data["street"].split)
    assert (len(split.train), len(split.test)) == (scale["street_trained"], scale["street_tested"])
    assert found["protocols"]["street"]["futures"]["clips"] == scale["street_tested"]


@pytest.mark.parametrize(
    ("runs", "differs"),
    [
        (("levels_1", "levels_2", "levels_3", "levels_4"), {"latents"}),
        (("naive", "warm_up", "dense", "levels_3"), {"dense", "kl_weight"}),
        (("ladder_1", "ladder_3", "ladder_6", "ladder_wide"), {"decoder_cells", "state_widening"}),
    ],
)
@pytest.mark.parametrize("name", ["laptop", "smoke", "thesis"])
def test_rows_of_a_table_differ_in_what_it_is_about(
    name: str, runs: tuple[str, ...], differs: set[str]
) -> None:
    found = sections(name).sections["predictors"]
    first = found[runs[0]]
    assert {key for run in runs for key in first if found[run][key] != first[key]} == differs


@pytest.fixture(scope="module")
def finished(by_dvc: smoke.Clone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with this study, run whole at the scale of smoke."""
    clone = smoke.copy(
        by_dvc, tmp_path_factory.mktemp("hierarchical") / "project", "hierarchical_vrnn"
    )
    clone.run("snakemake", "--cores", "2", "hierarchical_vrnn")
    stages = [stage for stage in dag.read(clone.folder) if stage.study == "hierarchical_vrnn"]
    assert stages and not any(stage.due for stage in stages)
    return clone.folder


def captions_of(page: str) -> str:
    """Return the captions without the report's own numbers, which are no numbers of the thesis."""
    found = re.findall(r"<figcaption.*?</figcaption>", page, flags=re.DOTALL)
    words = [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", caption)).strip() for caption in found]
    return "\n".join(re.sub(r"^(Table|Figure) [A-Z0-9.]+: ", "", caption) for caption in words)


def named(captions: str, kind: str) -> set[str]:
    """Return the numbers after `Table`, `tables` and the like: 4.1, 4.5 and 4.9, or 4.4 to 4.7."""
    numbers = set()
    for listed in re.findall(rf"\b{kind}s? (4\.\d+(?:(?:, | and | to )4\.\d+)*)", captions, re.I):
        last = 0
        for joint, number in re.findall(r"(, | and | to |)4\.(\d+)", listed):
            first = last + 1 if joint == " to " else int(number)
            last = int(number)
            numbers |= {f"4.{each}" for each in range(first, last + 1)}
    return numbers


@pytest.mark.slow
def test_the_report_has_every_table_and_figure_of_the_thesis(finished: Path) -> None:
    page = (finished / "reports/hierarchical_vrnn/report.html").read_text(encoding="utf-8")
    captions = captions_of(page)
    assert set(TABLES.split()) - named(captions, "table") == set()
    assert set(FIGURES.split()) - named(captions, "figure") == set()
