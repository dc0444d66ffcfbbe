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
    clone = smoke.copy(by_dvc, tmp_path_factory.mktemp("noisy") / "project")
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


TRAININGS = {run: (run, f"{run}_second", f"{run}_third") for run in ("s00", "s10", "restarts")}
PLAIN, NOISY = TRAININGS["s00"], TRAININGS["s10"]
LEVELS = ("top", "bottom")
Changes = list[turned.Change]


def of_trainings(by: Mapping[str, float]) -> Changes:
    """Return what three kinds of training find, by how far they are ahead of what is usual."""
    found: Changes = []
    for run, x in ((name, by[kind]) for kind, names in TRAININGS.items() for name in names):
        for level in LEVELS:
            found += [
                (f"order/{run}", f"{level}.used.adjacency", "", 0.8 - 0.2 * x, 0.0),
                (f"order/{run}", f"{level}.usage", "test", 0.5 + 0.2 * x, 0.0),
                (f"order/{run}", f"{level}.outputs", "", 1 - 0.2 * x, 0.0),
                (f"classes_{level}/{run}", "accuracy", "", 0.5 + 0.2 * x, 0.1),
            ]
        found += [(f"reconstruction/{run}", "psnr.test", "", 20.0 + x, 0.1)]
        if run not in TRAININGS["restarts"]:
            found += [(f"brittleness/{run}", "indices.width_1.share_1", "", 20.0 + x, 0.1)]
    return found


def of_codes(sign: int) -> Changes:
    """Return what is found of codes: what the document says (1), the opposite (-1), or neither."""
    found: Changes = [(f"order/{run}", "top.all.at_origin", "", 50 * abs(sign), 0) for run in PLAIN]
    found += [(f"order/{run}", "top.all.at_origin", "", 5 if sign < 0 else 0, 0) for run in NOISY]
    far = {1: 0.0, 0: 0.05, -1: 0.2}[sign]
    found += [
        (run, f"over.{other}.error", f"classes_{level}", far, 0.01)
        for run in ("s15", "s18")
        for other in NOISY
        for level in LEVELS
    ]
    found += [
        ("few_codes", "over.s10.mse", "reconstruction", 0.01 * sign, 0.001),
        ("s10", "over.many_codes.mse", "reconstruction", 0.01 * sign, 0.001),
        ("few_codes", "over.many_codes.error", "classes_bottom", -0.05 * sign, 0.01),
    ]
    return found


def of_pictures(sign: int) -> Changes:
    """Return what is found of reconstructions, of what lies between two, and of levels."""
    errors = {1: (0.1, 0.1, 0.105), 0: (0.105, 0.11, 0.12), -1: (0.2, 0.2, 0.2)}[sign]
    found: Changes = [(f"reconstruction/{run}", "mse.test", "", 0.1, 0.01) for run in PLAIN]
    noisy = zip(NOISY, errors, strict=True)
    found += [(f"reconstruction/{run}", "mse.test", "", mse, 0.01) for run, mse in noisy]
    found += [("s18", f"over.{run}.mse", "reconstruction", 0.01 * sign, 0.001) for run in NOISY]
    for what in ("to_real", "to_blend"):
        found += [(f"interpolation/{run}", f"indices.{what}", "", 0.2, 0.01) for run in PLAIN]
        found += [("interpolation/s05", f"indices.{what}", "", 0.2 - 0.1 * sign, 0.01)]
    tight, wide = {1: (0.005, 0.2), 0: (0.01, 0.01), -1: (0.1, 0.05)}[sign]
    found += [("dead/dead_top", "top.share", "", tight, 0.0)]
    found += [("dead/dead_top", "top.change", "", 1.0, 0.1)]
    found += [("dead/dead_top", "top.perplexity", "", 3.0, 0.0)]
    found += [(f"dead/{run}", "top.share", "", wide, 0.0) for run in PLAIN]
    found += [(f"dead/{run}", "top.psnr_lost", "", float(sign), 0.5) for run in PLAIN]
    return found


def of_priors(sign: int) -> Changes:
    """Return what is found of priors, whose draws stand between 0 and 100."""
    draws = {
        1: {"pixels_s00": 20.0, "pixels_s05": 20.0, "gan_s00": 95.0, "gan_s05": 50.0},
        0: {"pixels_s00": 100.0, "pixels_s05": 90.0, "gan_s00": 90.0, "gan_s05": 90.0},
        -1: {"pixels_s00": 150.0, "pixels_s05": 120.0, "gan_s00": 30.0, "gan_s05": 95.0},
    }[sign]
    found: Changes = [
        (f"{run}/drawn", "random_image_distance", "pictures", value, 2.0)
        for run, value in draws.items()
    ]
    for run in ("s00", "s05"):
        found += [(f"floor/{run}", "scattered", "", 100.0, 1.0)]
        found += [(f"floor/{run}", "decoded", "", 0.0, 1.0)]
        for level, mixed in zip(LEVELS, (1, -1), strict=True):
            by = sign or mixed  # neither: one level is as it should be
            found += [(f"pixels_{run}/{level}", "nll", "test", 2.0 - by, 0.0)]
            found += [(f"pixels_{run}/{level}", "baselines.unigram", "test", 2.0, 0.0)]
            for player in ("generator", "critic"):
                gamma = 0.5 if by > 0 else 0.01
                found += [(f"gan_{level}_{run}", f"{player}_gamma", "train", -gamma, 0.0)]
    for level, run, mixed in (("top", "s00", 1), ("bottom", "s05", -1)):
        by = sign or mixed
        found += [(f"dcgan_{level}", "accuracy_fake", "train", 1.0 if by > 0 else 0.5, 0.0)]
        found += [(f"gan_bottom_{run}", "mismatch", "validation", 0.5 * by, 0.0)]
        work = "training.operations"
        found += [("gan_s05/cost", f"{level}.{work}", "", 20.0 if by > 0 else 50.0, 0.0)]
        found += [("pixels_s05/cost", f"{level}.{work}", "", 100.0, 0.0)]
    return found


def claimed(sign: int) -> Changes:
    """Return numbers that bear out every claim of the thesis (1), none (-1), or tell nothing (0).

    Restarts without noise do what noise does.
    """
    by = {"s00": 0.0, "s10": float(sign), "restarts": float(sign)}
    return [*of_trainings(by), *of_codes(sign), *of_pictures(sign), *of_priors(sign)]


@pytest.mark.slow
@pytest.mark.parametrize(("sign", "verdict"), [(1, "yes"), (-1, "no"), (0, "open")])
def test_claims_hold_where_their_numbers_say_so(finished: Path, sign: int, verdict: str) -> None:
    page = turned.page(finished, "noisy_codes", claimed(sign))
    found = turned.claims(page)
    assert len(found) == 31 and set(found.values()) == {verdict}, found
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
def test_restarts_that_do_less_than_noise_do_it_in_part(finished: Path) -> None:
    less = of_trainings({"s00": 0.0, "s10": 1.0, "restarts": 0.5})
    found = turned.claims(turned.page(finished, "noisy_codes", less), "restarts alone do it")
    assert set(found.values()) == {"in part"}
    none = of_trainings({"s00": 0.0, "s10": 1.0, "restarts": 0.0})
    found = turned.claims(turned.page(finished, "noisy_codes", none), "restarts alone do it")
    assert set(found.values()) == {"no"}
