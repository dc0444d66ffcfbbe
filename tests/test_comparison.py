"""The study of all predictors: budgets are equal, and every predictor has its row."""

import functools
from typing import Any

import pytest
import torch
from ruamel.yaml import YAML

from foreframe import autoencoders, kinds
from foreframe.config import study
from foreframe.config.training import Training
from foreframe.data import splits
from foreframe.data.clips import Run, windows
from foreframe.models import Shape
from foreframe.predictors import learned
from foreframe.predictors.learned import Given
from foreframe.priors import Codes
from foreframe.priors.actions import Actions
from stages import train_predictor, train_prior
from tests import smoke, turned
from workflow import dag, preset, runs

FOLDER = smoke.ROOT / "studies/comparison"
CHANNELS = {"road": 3, "digits": 1}
# Kinds that predict no frames of a road: waves are states, some make single pictures or clips of
# nothing, and some see a scene as a few objects.
ELSEWHERE = {
    *("sequence_vae", "ali", "gan", "vae", "rali", "cascade", "cascade_of_classes"),
    *("vim", "scoff", "g_swm", "slot_autoencoder", "nerf_autoencoder", "inferno", "giraffe"),
}


@functools.cache
def settings(name: str) -> Any:
    """Return the settings of a preset."""
    base = preset.values(name, smoke.PRESETS)
    return study.resolve(preset.values(name, FOLDER / "presets"), name, base).study


def data_of(run: str) -> str:
    return "digits" if run.endswith("_digits") else "road"


def shape(name: str, run: str, frames: int) -> Shape:
    source = settings(name).data[data_of(run)].source
    return Shape(CHANNELS[data_of(run)], frames, source.height, source.width)


@functools.cache
def budget(name: str, run: str) -> float:
    """Return the forward operations of a predictor's training."""
    wanted = settings(name).predictors[run]
    with torch.device("meta"):
        given = Given(shape(name, run, wanted.view.frames), (), {})
        network = learned.ROLE.build(wanted, given)
    (phase,) = wanted.training.phases
    clips = phase.steps * phase.batch_size
    return float(train_predictor.cost(network)["flops_per_clip"] * clips)


@functools.cache
def training_runs(name: str, data: str) -> tuple[Run, ...]:
    """Return the frames that train, of episodes that are as long as their source makes them."""
    found = settings(name).data[data]
    source, length = found.source, found.source.frames_per_episode
    if data == "road":
        parts = [""] * source.episodes
    else:
        parts = ["train"] * source.train_episodes + ["test"] * source.test_episodes
    episodes = [(length * place, length * (place + 1)) for place in range(len(parts))]
    return splits.cut(episodes, parts, found.split).train


def budget_of_codes(name: str, data: str, ends: str) -> float:
    """Return the forward operations of an autoencoder and of its priors TOPends and BOTTOMends."""
    every, runs = settings(name), training_runs(name, data)
    wanted = every.autoencoders[f"vqvae_{data}"]
    with torch.device("meta"):
        found = autoencoders.build(wanted, shape(name, f"_{data}", wanted.view.frames))
    training = found.settings.training
    assert isinstance(training, Training)
    frames = wanted.view.frames
    clips = len(windows(runs, frames, wanted.view.train_stride))
    total = autoencoders.operations(found) * clips * training.epochs
    clips = len(windows(runs, frames, every.latents[data].train_stride))
    sizes, grids = found.codebook_sizes, found.grids()
    codes = {level: Codes(grids[level], sizes[level]) for level in sizes}
    actions = Actions(("steer", "gas", "brake"), frames, (0.0,) * 3, (1.0,) * 3)
    for level in sizes:
        chosen = every.priors[f"{level}_{ends}"]
        with torch.device("meta"):
            prior = train_prior.new(chosen, codes, actions)
        per_clip = train_prior.facts_of(prior)["flops_per_clip"]
        total += per_clip * clips * chosen.training.epochs
    return float(total)


@pytest.mark.parametrize("data", ["road", "digits"])
@pytest.mark.parametrize("name", ["laptop", "thesis"])
def test_predictors_of_a_data_set_have_equal_operations(name: str, data: str) -> None:
    runs = [run for run in settings(name).predictors if data_of(run) == data]
    budgets = {run: budget(name, run) for run in runs}
    assert len(budgets) == 9
    assert max(budgets.values()) / min(budgets.values()) == pytest.approx(1.0, abs=0.01), budgets


@pytest.mark.parametrize(
    ("data", "ends"),
    [
        ("road", "road"), ("road", "actions"), ("road", "transformer"), ("digits", "digits"),
        ("digits", "transformer_digits"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["laptop", "thesis"])
def test_models_of_codes_have_them_too(name: str, data: str, ends: str) -> None:
    wanted = budget(name, "srnn" if data == "road" else "srnn_digits")
    assert budget_of_codes(name, data, ends) == pytest.approx(wanted, rel=0.01)


def test_every_kind_of_predictor_has_a_row() -> None:
    rows = {each.kind for each in settings("laptop").predictors.values()}
    known = set(kinds.available("foreframe.predictors"))
    assert rows == known - ELSEWHERE


def test_predict_finds_the_models_of_every_row() -> None:
    """`foreframe predict --study comparison --run NAME` reads what the stage `sample` reads."""
    priors = {
        "codes": "road", "codes_actions": "actions", "transformer": "transformer",
        "codes_digits": "digits", "transformer_digits": "transformer_digits",
    }  # fmt: skip
    for run in (*settings("laptop").predictors, *priors):
        given = runs.paths(smoke.ROOT, "comparison", "sample", run)
        models = [f"predictors/{run}"]
        if run in priors:
            models = [f"priors/{level}_{priors[run]}" for level in ("top", "bottom")]
            models = [f"autoencoders/vqvae_{data_of(run)}", *models]
        expected = [f"data/comparison/{name}.safetensors" for name in models]
        assert [path.as_posix() for path in given["models"]] == expected


@pytest.fixture(scope="module")
def clone(by_dvc: smoke.Clone, tmp_path_factory: pytest.TempPathFactory) -> smoke.Clone:
    """The study, run whole at the scale of smoke."""
    clone = smoke.copy(by_dvc, tmp_path_factory.mktemp("comparison") / "project", "comparison")
    clone.run("snakemake", "--cores", "2", "comparison")
    return clone


@pytest.mark.slow
def test_every_row_is_in_every_table_of_the_report(clone: smoke.Clone) -> None:
    stages = [stage for stage in dag.read(clone.folder) if stage.study == "comparison"]
    assert stages and not any(stage.due for stage in stages)
    page = (clone.folder / "reports/comparison/report.html").read_text(encoding="utf-8")
    figures = YAML(typ="safe").load((FOLDER / "figures.yaml").read_text(encoding="utf-8"))
    assert {"lead_road", "lead_digits"} <= set(figures["figures"])
    for data in ("road", "digits"):
        for name in ("budget", "futures", "forecasts", "states"):
            if name == "states" and f'id="states-{data}"' not in page:
                continue  # a source that knows no states
            text = " ".join(row[0] for row in turned.table(page, f"{name}-{data}"))
            for row in ("PixelSNAIL", "transformer", "ConvLSTM", "PredNet", "SRNN", "VRNN", "RFN",
                        "SVG-LP", "H-VRNN", "Glow"):  # fmt: skip
                assert row in text, (name, data, row)
