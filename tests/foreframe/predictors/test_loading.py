"""A predictor's files are found out by what they say; those that do not fit are named."""

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from foreframe import autoencoders, priors
from foreframe.artefacts import tensors
from foreframe.errors import ArtefactError, UserError
from foreframe.models import Shape
from foreframe.predictors import loading
from foreframe.predictors.latent import Latent
from foreframe.priors import Codes, Prior
from tests.foreframe.priors import tiny as tiny_priors
from tests.stages import evaluation_models
from tests.stages import evaluation_study as tiny


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tiny.Study:
    study = tiny.Study(tmp_path_factory.mktemp("study"))
    tiny.make_data(study)
    tiny.make_models(study)
    return study


def load(study: tiny.Study, *paths: Path) -> Latent:
    return loading.latent(paths, study.path("normalization"), torch.device("cpu"))


def test_models_come_in_any_order(study: tiny.Study) -> None:
    for order in itertools.permutations(study.models):
        found = load(study, *order)
        assert list(found.priors) == ["top", "bottom"]


def level(name: str, *above: str) -> Prior:
    """Return a prior of a level that is given another, or none."""
    make = tiny_priors.bottom_settings if above else tiny_priors.top_settings
    given = {each: Codes((2, 2, 2), 3) for each in above}
    return priors.build(make(level=name, condition_on=above), Codes((4, 4, 4), 3), given)


def test_levels_are_sampled_after_those_they_are_given() -> None:
    levels = {"c": level("c", "b"), "b": level("b", "a"), "a": level("a", "d"), "d": level("d")}
    assert list(loading.ordered(levels)) == ["d", "a", "b", "c"]
    with pytest.raises(UserError, match=r"wait for one another or for none: .*'a': \['d'\]"):
        loading.ordered({name: levels[name] for name in ("a", "b")})
    circle = {"a": level("a", "b"), "b": level("b", "a")}
    with pytest.raises(UserError, match=r"wait for one another"):
        loading.ordered(circle)


def renamed(study: tiny.Study, folder: Path) -> list[Path]:
    return [study.path("autoencoder"), study.path("top")]


def twice(study: tiny.Study, folder: Path) -> list[Path]:
    return [*study.models, study.path("top")]


def two_autoencoders(study: tiny.Study, folder: Path) -> list[Path]:
    return [*study.models, study.path("autoencoder")]


def no_autoencoder(study: tiny.Study, folder: Path) -> list[Path]:
    return [study.path("top"), study.path("bottom")]


def no_model(study: tiny.Study, folder: Path) -> list[Path]:
    tensors.write(folder / "probe.safetensors", {"x": torch.zeros(1)}, "state_probe", {})
    return [*study.models, folder / "probe.safetensors"]


def fewer_codes(study: tiny.Study, folder: Path) -> list[Path]:
    """Give an autoencoder of a smaller codebook."""
    settings = evaluation_models.autoencoder_settings().model_copy(update={"codebook_size": 5})
    model = autoencoders.build(settings, Shape(3, tiny.FRAMES, tiny.SIZE, tiny.SIZE))
    autoencoders.save(folder / "other.safetensors", model)
    return [folder / "other.safetensors", study.path("top"), study.path("bottom")]


def other_window(study: tiny.Study, folder: Path) -> list[Path]:
    """Give a top of longer clips than the bottom's."""
    old = priors.load(study.path("top"), "top")
    longer = Codes((old.grid[0] + 1, *old.grid[1:]), old.codebook_size)
    priors.save(folder / "top.safetensors", priors.build(old.settings, longer, {}))
    return [study.path("autoencoder"), folder / "top.safetensors", study.path("bottom")]


def other_condition(study: tiny.Study, folder: Path) -> list[Path]:
    """Give a bottom that expects another top."""
    old = priors.load(study.path("bottom"), "bottom")
    above = {"top": Codes(old.conditions["top"].grid, 7)}
    priors.save(folder / "bottom.safetensors", priors.build(old.settings, old.codes, above))
    return [study.path("autoencoder"), study.path("top"), folder / "bottom.safetensors"]


MISTAKES: list[tuple[Callable[[tiny.Study, Path], list[Path]], str]] = [
    (renamed, r"the levels bottom, top, the priors top\."),
    (twice, r"top\.safetensors is a second prior of the level top"),
    (two_autoencoders, r"2 of the models are autoencoders"),
    (no_autoencoder, r"0 of the models are autoencoders"),
    (no_model, r"is no autoencoder and no prior \(state_probe\)"),
    (fewer_codes, r"models 12 codes, and the autoencoder has 5"),
    (other_window, r"model clips of different shapes"),
    (other_condition, r"bottom is given other codes of the level top"),
]


@pytest.mark.parametrize(("models", "message"), MISTAKES)
def test_models_that_do_not_fit_are_named(
    study: tiny.Study,
    models: Callable[[tiny.Study, Path], list[Path]],
    message: str,
    tmp_path: Path,
) -> None:
    with pytest.raises(UserError, match=rf"{message}.*Give an autoencoder and the priors"):
        load(study, *models(study, tmp_path))


def test_a_missing_and_a_foreign_file_are_named(study: tiny.Study, tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"absent\.safetensors does not exist"):
        load(study, tmp_path / "absent.safetensors")
    (tmp_path / "text").write_text("no model")
    with pytest.raises(ArtefactError, match="text is no trained model"):
        load(study, tmp_path / "text")
