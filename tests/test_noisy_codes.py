"""The study of noisy codes: the thesis's sizes and settings, and all its tables and figures."""

import functools
import math
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML

from foreframe import autoencoders, priors
from foreframe.config import study
from foreframe.models import Shape
from foreframe.priors import Codes
from tests import smoke, turned
from workflow import dag, preset

FOLDER = smoke.ROOT / "studies/noisy_codes"
TABLES = "6.1 6.2 6.3 6.4 6.5"
FIGURES = "3.1 3.2 3.3 3.4 3.5 4.1 4.2 4.3 4.4 4.5 4.6 4.7 4.8 4.9 4.10 4.11 4.12"


@functools.cache
def sections(name: str) -> study.Resolved:
    """Return what a preset says, with its base."""
    base = preset.values(name, smoke.PRESETS)
    return study.resolve(preset.values(name, FOLDER / "presets"), name, base)


def rows() -> list[dict[str, Any]]:
    loaded = YAML(typ="safe").load((FOLDER / "thesis.yaml").read_text(encoding="utf-8"))
    return list(loaded["rows"])


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row['run']}.{row['quantity']}")
def test_the_thesis_preset_has_the_settings_of_its_tables(row: dict[str, Any]) -> None:
    found = sections("thesis").sections
    runs = found["autoencoders"] | found["priors"]
    value = functools.reduce(
        lambda part, name: part[name], row["quantity"].split("."), runs[row["run"]]
    )
    assert value == row["value"]


def test_the_thesis_preset_grows_as_its_table_says() -> None:
    found = sections("thesis").sections["priors"]
    for run, steps, batches in (
        ("gan_top_s00", (48, 96, 96, 200), (256, 256, 128, 20)),
        ("gan_bottom_s00", (48, 48, 96, 96, 200), (256, 256, 128, 15, 15)),
    ):
        phases = found[run]["training"]["phases"]
        assert [phase["steps"] for phase in phases] == [1000 * count for count in steps]
        assert tuple(phase["batch_size"] for phase in phases) == batches


def test_the_thesis_preset_has_the_sizes_that_the_document_leaves_to_be_counted() -> None:
    settings = sections("thesis").study
    with torch.device("meta"):
        autoencoder = autoencoders.build(settings.autoencoders["s00"], Shape(3, 1, 256, 256))
        assert autoencoder.trainable() == 1_553_347
        grids = autoencoder.grids()
        codes = {level: Codes(grids[level], 512) for level in autoencoder.levels}
        assert codes["top"].grid == (1, 32, 32) and codes["bottom"].grid == (1, 64, 64)
        for run, count in (("top_s00", 84_873_280), ("bottom_s00", 89_762_816)):
            chosen = settings.priors[run]
            given = {level: codes[level] for level in chosen.condition_on}
            assert priors.build(chosen, codes[chosen.level], given).trainable() == count
        for run in ("gan_top_s00", "gan_bottom_s00", "dcgan_top", "dcgan_bottom"):
            chosen = settings.priors[run]
            given = {level: codes[level] for level in chosen.condition_on}
            priors.build(chosen, codes[chosen.level], given)


@pytest.mark.parametrize("name", ["laptop", "smoke", "thesis"])
def test_runs_differ_in_what_they_are_about(name: str) -> None:
    found = sections(name).sections["autoencoders"]

    def differs(run: str, other: str) -> set[str]:
        return {key for key in found[run] if found[run][key] != found[other][key]}

    for run in ("s02", "s05", "s10", "s15", "s18"):
        assert differs(run, "s00") == {"index_noise"}
    assert differs("restarts", "s00") == {"restart_threshold"}
    for run, other in (
        ("s00_second", "s00"),
        ("s10_third", "s10"),
        ("restarts_second", "restarts"),
    ):
        assert differs(run, other) == set()
    assert differs("few_codes", "s10") == differs("many_codes", "s10") == {"codebook_sizes"}
    assert differs("separate", "s00") == {"kind"}
    assert differs("dead_top", "s00") == {"top_halvings", "codebook_sizes"}


def test_the_document_s_own_matrix_adds_up_as_it_was_read() -> None:
    about = YAML(typ="safe").load((FOLDER / "thesis.yaml").read_text(encoding="utf-8"))["about"]
    table = torch.tensor(about["confusion"]["rows"])
    assert table.shape == (20, 20) and len(about["confusion"]["classes"]) == 20
    assert (int(table.sum()), int(table.diagonal().sum())) == (2198, 268)
    assert table.sum(dim=1).tolist()[11] == 912 and table.sum(dim=0).tolist()[:3] == [160, 84, 84]
    carbon = about["carbon"]
    kilograms = carbon["hours"] * carbon["kilowatts"] * carbon["intensity"]
    assert math.isclose(kilograms, carbon["kilograms"], abs_tol=0.005)


@pytest.fixture(scope="module")
def finished(by_dvc: smoke.Clone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with this study, run whole at the scale of smoke."""
    clone = smoke.copy(by_dvc, tmp_path_factory.mktemp("noisy") / "project")
    clone.run("snakemake", "--cores", "2", "noisy_codes")
    stages = [stage for stage in dag.read(clone.folder) if stage.study == "noisy_codes"]
    assert stages and not any(stage.due for stage in stages)
    return clone.folder


@pytest.mark.slow
def test_the_report_has_every_table_and_figure_of_the_thesis(finished: Path) -> None:
    page = (finished / "reports/noisy_codes/report.html").read_text(encoding="utf-8")
    for number in TABLES.split():
        assert f"Table {number}" in page
    named = set(re.findall(r"\d+\.\d+", " ".join(re.findall(r"[Ff]igures? ([\d., and]+\d)", page))))
    assert set(FIGURES.split()) <= named


TRAININGS = {run: (run, f"{run}_second", f"{run}_third") for run in ("s00", "s10", "restarts")}


def claimed(sign: float) -> list[turned.Change]:
    """Return numbers that bear out every claim of the thesis (1), or none of them (-1).

    Restarts without noise do as noise does where it is borne out.
    """
    trained = {"s00": 0.0, "s10": sign, "restarts": sign}  # how far from no noise
    runs = [(name, trained[kind]) for kind, names in TRAININGS.items() for name in names]
    return [
        *(
            change
            for run, better in runs
            for level in ("top", "bottom")
            for change in (
                (f"order/{run}", f"{level}.used.adjacency", "", 0.8 - 0.2 * better, 0.0),
                (f"order/{run}", f"{level}.usage", "test", 0.5 + 0.2 * better, 0.0),
                (f"classes_{level}/{run}", "accuracy", "", 0.5 + 0.2 * better, 0.1),
            )
        ),
        *((f"reconstruction/{run}", "psnr.test", "", 20.0 + by, 0.1) for run, by in runs),
        ("s10", "over.s00.mse", "reconstruction", -0.01 * sign, 0.001),
        ("s18", "over.s10.mse", "reconstruction", 0.01 * sign, 0.001),
        ("brittleness/s10", "indices.width_1.share_1", "", 20.0 + sign, 0.5),
        ("brittleness/s00", "indices.width_1.share_1", "", 20.0, 0.1),
        ("interpolation/s05", "indices.to_blend", "", 0.2 - 0.1 * sign, 0.01),
        ("interpolation/s00", "indices.to_blend", "", 0.2, 0.01),
        ("gan_s05/drawn", "random_image_distance", "pictures", 50.0 - 10 * sign, 1.0),
        ("gan_s00/drawn", "random_image_distance", "pictures", 50.0, 1.0),
        ("dead/dead_top", "top.dead", "", sign > 0, 0.0),
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("sign", "verdict"), [(1.0, "yes"), (-1.0, "no")])
def test_claims_hold_where_their_numbers_say_so(finished: Path, sign: float, verdict: str) -> None:
    found = turned.verdicts(finished, "noisy_codes", claimed(sign))
    assert len(found) == 12 and set(found.values()) == {verdict}, found
