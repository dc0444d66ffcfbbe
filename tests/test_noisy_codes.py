"""The study of noisy codes: the thesis's sizes and settings, and all its tables and figures."""

import functools
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML
from torch import nn

from foreframe import autoencoders, priors
from foreframe.config import study
from foreframe.models import Shape
from foreframe.networks import growing
from foreframe.networks.adversarial import Convolution
from foreframe.networks.attention import CausalHeads
from foreframe.networks.causal import CausalConv3d
from foreframe.priors import Codes, progressive_gan
from foreframe.priors.progressive_gan import ProgressiveGan
from foreframe.randomness import generator
from tests import noisy_numbers, smoke, turned
from workflow import dag, preset

FOLDER = smoke.ROOT / "studies/noisy_codes"
TABLES = "6.1 6.2 6.3 6.4 6.5"
FIGURES = "3.1 3.2 3.3 3.4 3.5 4.1 4.2 4.3 4.4 4.5 4.6 4.7 4.8 4.9 4.10 4.11 4.12"


@functools.cache
def sections(name: str) -> study.Resolved:
    """Return what a preset says, with its base."""
    base = preset.values(name, smoke.PRESETS)
    return study.resolve(preset.values(name, FOLDER / "presets"), name, base)


def stated() -> dict[str, Any]:
    """Return what the document says."""
    return dict(YAML(typ="safe").load((FOLDER / "thesis.yaml").read_text(encoding="utf-8")))


def size() -> list[int]:
    """Return rows and columns of the pictures."""
    source: Any = sections("thesis").study.data["objects"].source
    return [source.height, source.width]


@functools.cache
def networks() -> Mapping[str, nn.Module]:
    """Return the networks of tables 6.1 to 6.3 at the thesis's sizes, without numbers."""
    settings = sections("thesis").study
    with torch.device("meta"):
        shape = Shape(3, 1, *size())
        found: dict[str, Any] = {"s00": autoencoders.build(settings.autoencoders["s00"], shape)}
        grids = found["s00"].grids()
        codes = {level: Codes(grids[level], 512) for level in found["s00"].levels}
        for run in ("top_s00", "bottom_s00", "gan_top_s00", "gan_bottom_s00", "dcgan_top"):
            chosen = settings.priors[run]
            given = {level: codes[level] for level in chosen.condition_on}
            found[run] = priors.build(chosen, codes[chosen.level], given)
    return found


def convolutions(network: nn.Module, *starts: str) -> list[nn.Conv3d | nn.ConvTranspose3d]:
    """Return the convolutions of parts of a network, by the beginning of their names."""
    return [
        module
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv3d | nn.ConvTranspose3d) and name.startswith(starts)
    ]


def kernels(layers: list[nn.Conv3d | nn.ConvTranspose3d], strided: bool) -> list[int]:
    """Return which sides kernels have, but for the single places that join channels."""
    sides = {each.kernel_size[-1] for each in layers if (each.stride[-1] > 1) == strided}
    return sorted(sides - {1})


ENCODER = ("bottom_encoder", "top_encoder", "top_projection", "top_decoder", "bottom_projection")
DECODER = ("top_upsampling", "decoder")


def phases(key: str) -> Callable[[Any], list[int]]:
    return lambda network: [getattr(each, key) for each in network.settings.training.phases]


# What no setting says, of the networks at the thesis's sizes.
FACTS: dict[str, Callable[[Any], Any]] = {
    "s00.input": lambda _: size(),
    "s00.grid.top": lambda it: list(it.grids()["top"]),
    "s00.grid.bottom": lambda it: list(it.grids()["bottom"]),
    "s00.convolutions.block": lambda it: len(convolutions(it, "decoder.1.0.")),
    "s00.convolutions.encoder": lambda it: len(convolutions(it, *ENCODER)),
    "s00.convolutions.decoder": lambda it: len(convolutions(it, *DECODER)),
    "s00.kernel.encoder": lambda it: kernels(convolutions(it, *ENCODER), False)[0],
    "s00.kernel.decoder": lambda it: kernels(convolutions(it, *DECODER), True)[0],
    "input": lambda it: list(it.grid),
    "convolutions.block": lambda it: sum(
        isinstance(each, CausalConv3d) for each in it.trunk.blocks[0].layers[0].modules()
    ),
    "attention_layers": lambda it: (
        int(it.generator.attention is not None)
        if isinstance(it, ProgressiveGan)
        else sum(isinstance(each, CausalHeads) for each in it.modules())
    ),
    "scales": lambda it: len(it.settings.network.sides),
    "steps_by_scale": phases("steps"),
    "batch_by_scale": phases("batch_size"),
    "condition_blocks": lambda it: len(it.generator.reader.layers) if it.generator.reader else 0,
    "kernel": lambda it: max(
        each.weight.shape[-1] for each in it.modules() if isinstance(each, Convolution)
    ),
}


@pytest.mark.parametrize("row", stated()["rows"], ids=lambda row: f"{row['run']}.{row['quantity']}")
def test_the_thesis_preset_has_the_settings_of_its_tables(row: dict[str, Any]) -> None:
    run, quantity = row["run"], row["quantity"]
    fact = FACTS.get(f"{run}.{quantity}", FACTS.get(quantity) if row.get("cited") else None)
    if fact is not None:
        assert fact(networks()[run]) == row["value"]
        return
    if row.get("cited"):
        # What a growing pair is by its kind: `test_progressive_gan` has its losses.
        assert (quantity, row["value"]) in (("loss", "WGAN-GP"), ("output", "linear"))
        assert isinstance(networks()[run], ProgressiveGan)
        return
    found = sections("thesis").sections
    runs = found["autoencoders"] | found["priors"]
    value = functools.reduce(lambda part, name: part[name], quantity.split("."), runs[run])
    assert value == row["value"]


def test_a_growing_pair_has_no_bound_on_what_it_draws() -> None:
    """Its output is linear: twice the last weights and biases are twice the map."""
    settings = sections("smoke").study.priors["gan_top_s00"]
    assert isinstance(settings, progressive_gan.Settings)
    prior = priors.build(settings, Codes((1, 8, 8), 16), {})
    assert isinstance(prior, ProgressiveGan)
    prior.initialize(generator(0, "weights"))
    noise, growth = generator(1).normal((3, settings.network.noise)), growing.Growth(1, 0.0)
    with torch.no_grad():
        first = prior.generator(noise, None, growth)
        for value in prior.generator.heads.parameters():
            value.mul_(2)
        torch.testing.assert_close(prior.generator(noise, None, growth), 2 * first)


def test_the_thesis_preset_has_the_sizes_that_the_document_leaves_to_be_counted() -> None:
    counts = {"s00": 1_553_347, "top_s00": 84_873_280, "bottom_s00": 89_762_816}
    for run, count in counts.items():
        network: Any = networks()[run]
        assert network.trainable() == count


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
        ("road_s00", "s00"),
        ("road_s10", "s10"),
    ):
        assert differs(run, other) == set()
    assert differs("from_none", "s10") == {"ema_initial_count"}
    assert differs("few_codes", "s10") == differs("many_codes", "s10") == {"codebook_sizes"}
    assert differs("separate", "s00") == {"kind"}
    assert differs("dead_top", "s00") == {"top_halvings", "codebook_sizes"}


def test_the_document_s_own_matrix_adds_up_as_it_was_read() -> None:
    about = stated()["about"]
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
    clone = smoke.copy(by_dvc, tmp_path_factory.mktemp("noisy") / "project", "noisy_codes")
    clone.run("snakemake", "--cores", "2", "noisy_codes")
    stages = [stage for stage in dag.read(clone.folder) if stage.study == "noisy_codes"]
    assert stages and not any(stage.due for stage in stages)
    return clone.folder


# First cells of rows that the tables of sizes and the summary have.
ROWS = """input, rows and columns|codes of the top|codes of the bottom|residual blocks, top
convolutions of a residual block|convolutions, side of the encoder|convolutions, side of the decoder
kernel, encoder|kernel, upsampling|weight of the commitment|pixel blocks|residual blocks of each
layers of the condition|attention layers|kernel|map|scales|steps by scale|batch by scale
channels by scale|numbers of noise|loss|residual layers of a scale|attention at side|output
step size, generator|step size, critic|classes told without noise|classes told, σ = 1
no more from σ on|compression of 8-bit colours|training of a prior, by code|a GAN's training takes
steps of a drawing, by code|codes of a level|decay of the codebook's averages"""


@pytest.mark.slow
def test_the_report_has_every_table_and_figure_of_the_thesis(finished: Path) -> None:
    page = (finished / "reports/noisy_codes/report.html").read_text(encoding="utf-8")
    for number in TABLES.split():
        assert f"Table {number}" in page
    named = set(re.findall(r"\d+\.\d+", " ".join(re.findall(r"[Ff]igures? ([\d., and]+\d)", page))))
    assert set(FIGURES.split()) <= named
    rows = turned.rows(page)
    assert {row.replace("'", "’") for row in re.split(r"[|\n]", ROWS)} <= rows


@pytest.mark.slow
@pytest.mark.parametrize(("sign", "verdict"), [(1, "yes"), (-1, "no"), (0, "open")])
def test_claims_hold_where_their_numbers_say_so(finished: Path, sign: int, verdict: str) -> None:
    page = turned.page(finished, "noisy_codes", noisy_numbers.claimed(sign))
    found = turned.claims(page)
    assert len(found) == 32 and set(found.values()) == {verdict}, found
    found = turned.claims(page, "restarts alone do it")
    assert len(found) == 7 and set(found.values()) == {verdict}, found
    said = {
        1: ("of 1 indices of the bottom get an order", "hardly suffers", "A GAN draws better"),
        0: ("of 1 it is open whether", "may or may not suffer", "was not shown to draw better"),
        -1: ("get no more order", "Reconstruction suffers", "does not draw better"),
    }
    words = " ".join(re.sub(r"<[^>]+>", " ", page).split())
    for each, sentences in said.items():
        for sentence in sentences:
            assert (sentence in words) == (each == sign), sentence


@pytest.mark.slow
def test_of_growing_pairs_all_trainings_count(finished: Path) -> None:
    """One training of three that draws as place by place leaves open what the others would say."""
    alone = ("gan_s05_second/drawn", "random_image_distance", "pictures", 95.0, 2.0)
    found = turned.claims(turned.page(finished, "noisy_codes", [*noisy_numbers.claimed(1), alone]))
    draws = {row: holds for row, holds in found.items() if "better from noisy codes" in row}
    assert draws.pop("it draws hardly better from noisy codes") == "yes"
    assert set(draws.values()) == {"open"}, found


@pytest.mark.slow
def test_restarts_that_do_less_than_noise_do_it_in_part(finished: Path) -> None:
    less = noisy_numbers.of_trainings({"s00": 0.0, "s10": 1.0, "restarts": 0.5})
    found = turned.claims(turned.page(finished, "noisy_codes", less), "restarts alone do it")
    assert set(found.values()) == {"in part"}
    none = noisy_numbers.of_trainings({"s00": 0.0, "s10": 1.0, "restarts": 0.0})
    found = turned.claims(turned.page(finished, "noisy_codes", none), "restarts alone do it")
    assert set(found.values()) == {"no"}


@pytest.mark.slow
def test_where_nothing_is_known_between_two_poses_the_report_says_so(finished: Path) -> None:
    assert turned.table(turned.page(finished, "noisy_codes", []), "pose-table")
    changes = noisy_numbers.without_truth("the source says `nothing` of it.")
    page = turned.page(finished, "noisy_codes", changes)
    assert "As the question says: the source says <code>nothing</code> of it." in page
    assert "pose-table" not in page
    verdicts = {row: found for row, found in turned.claims(page).items() if "two poses" in row}
    assert list(verdicts.values()) == ["–"]


@pytest.mark.slow
def test_lpips_has_a_column_or_a_reason(finished: Path) -> None:
    page = turned.page(finished, "noisy_codes", [])
    assert "LPIPS" not in turned.table(page, "reconstruction-table")[0]
    assert "LPIPS is not measured here." in page and "foreframe weights fetch alexnet" in page
    runs = ("s00", "s02", "s05", "s10", "s15", "s18", "restarts")
    changes = [(f"reconstruction/{run}", "lpips_alex", "test", 0.125, 0.01) for run in runs]
    page = turned.page(finished, "noisy_codes", changes)
    head, *rows = turned.table(page, "reconstruction-table")
    assert {row[head.index("LPIPS")] for row in rows} == {"0.125 0.115 to 0.135"}
    assert "LPIPS is not measured here." not in page
