"""Only dvc.yaml says which entries meet, so what fits nothing is refused, and what fits one not."""

import copy
import importlib
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from foreframe.config import reading, study
from foreframe.errors import UserError
from tests.smoke import ROOT
from tests.toys.run import PARAMS as TOYS

BASE = ROOT / "params.yaml"
STUDY = ROOT / "studies/driving_thesis/params.yaml"
CHOICES = {"drawn": {"share": 1.0}}


@pytest.fixture
def toys(tmp_path: Path) -> Iterator[None]:
    """The toys as kinds of their roles."""
    packages = []
    for role in ("autoencoder", "predictor"):
        package = importlib.import_module(f"foreframe.{role}s")
        (tmp_path / role).mkdir()
        shutil.copy(ROOT / f"tests/toys/{role}.py", tmp_path / role / "toy.py")
        package.__path__.append(str(tmp_path / role))
        packages.append(package)
    try:
        yield
    finally:
        for package in packages:
            package.__path__.pop()
            sys.modules.pop(f"{package.__name__}.toy", None)
            vars(package).pop("toy", None)


def sections() -> tuple[dict[str, Any], dict[str, Any]]:
    return reading.load(STUDY), reading.load(BASE)


def with_data(content: dict[str, Any], base: dict[str, Any], **sizes: Any) -> None:
    """Give a study data of its own, of another size than those of its base."""
    data = copy.deepcopy(base["data"]["driving"])
    data["source"].update(sizes)
    content.setdefault("data", {})["odd"] = data


def test_data_that_no_autoencoder_takes_are_refused_where_nothing_else_takes_frames() -> None:
    content, base = sections()
    with_data(content, base, height=72)
    study.resolve(content, "study", base)
    with_data(content, base, height=60, width=68)
    with pytest.raises(UserError) as caught:
        study.resolve(content, "study", base)
    assert str(caught.value).split("\n") == [
        "study: data.odd.source.height is 60; a vqvae autoencoder needs a multiple of 8.",
        "study: data.odd.source.width is 68; a vqvae autoencoder needs a multiple of 8.",
    ]


@pytest.mark.usefixtures("toys")
def test_data_may_be_for_a_predictor_and_an_autoencoder_for_its_bases_data() -> None:
    content, base = sections()
    with_data(content, base, height=60)
    content["predictors"] = {"pixels": TOYS["predictor"]}
    study.resolve(content, "study", base)
    # But an autoencoder that no data fit is a mistake, and all of them are named.
    base["data"]["driving"]["source"]["height"] = 60
    with pytest.raises(UserError, match=r"data\.odd\.source\.height is 60; a vqvae") as caught:
        study.resolve(content, "study", base)
    assert "data.driving.source.height is 60" in str(caught.value)


def pictures(size: int = 64) -> tuple[dict[str, Any], dict[str, Any]]:
    content = reading.load(ROOT / "studies/noisy_codes/params.yaml")
    content["data"]["objects"]["source"].update(height=size, width=size)
    return content, reading.load(BASE)


def test_data_may_be_for_one_autoencoder_of_several() -> None:
    # 72 suits all but the tight top, which is for the other pictures; 50 suits none.
    content, base = pictures(72)
    for name in [name for name in content["priors"] if "gan" in name]:
        del content["priors"][name]
    study.resolve(content, "study", base)
    content["data"]["roads"]["source"]["height"] = 72
    with pytest.raises(UserError) as caught:
        study.resolve(content, "study", base)
    assert {line.partition(";")[0] for line in str(caught.value).split("\n")} == {
        "study: data.objects.source.height is 72",
        "study: data.objects.source.width is 72",
        "study: data.roads.source.height is 72",
    }
    content, base = pictures(50)
    with pytest.raises(UserError, match=r"data\.objects\.source\.height is 50; a vqvae2 .* of 8\."):
        study.resolve(content, "study", base)


def grown(content: dict[str, Any], name: str, sides: int) -> None:
    """Let a game's players be of so many sides of maps, and its training have as many phases."""
    prior, changes = content["priors"][name], content["priors"][name].get("changes")
    place = prior if changes is None else changes
    if name.startswith("dcgan"):
        place["channels"] = [8] * (sides - 1)
        return
    place.setdefault("network", {}).update(channels=[8] * sides, attention=None)
    phase = {"steps": 1, "epochs": None, "batch_size": 4, "frames": None, "players": None}
    phases = [{**phase, "restart_optimizers": False}] * sides
    place.setdefault("training", {})["phases"] = phases


# At 64 x 64 the top has maps of 8 x 8 codes, the bottom of 16 x 16.
@pytest.mark.parametrize(
    ("name", "needed"),
    [("gan_top_s00", 2), ("gan_bottom_s00", 3), ("dcgan_top", 2), ("dcgan_bottom", 3)],
)
def test_a_game_that_does_not_reach_the_side_of_its_level_is_refused(
    name: str, needed: int
) -> None:
    content, base = pictures()
    grown(content, name, needed)
    study.resolve(content, "study", base)
    level, side = name.split("_")[1], 4 * 2 ** (needed - 1)
    for sides in {2, needed - 1, needed + 1} - {needed, 1}:
        grown(content, name, sides)
        with pytest.raises(UserError) as caught:
            study.resolve(content, "study", base)
        line = str(caught.value).split("\n")[0]
        place = f"study: priors.{name} does not fit the codes of autoencoders.s00 on data.objects: "
        assert line.startswith(place)
        assert f"the level {level} " in line
        assert f"but the level has {side} x {side}" in line


def test_a_game_may_be_for_one_autoencoder_of_several() -> None:
    # At 256 x 256 the tight top has maps of 8 x 8 codes, the other tops of 32 x 32.
    content, base = pictures(256)
    del content["data"]["roads"]
    for name in ("gan_top_s00", "gan_bottom_s00", "dcgan_top", "dcgan_bottom"):
        grown(content, name, 4 if "top" in name else 5)
    grown(content, "dcgan_top", 2)
    study.resolve(content, "study", base)
    del content["autoencoders"]["dead_top"]
    with pytest.raises(UserError, match=r"dcgan_top does not fit .* has 32 x 32"):
        study.resolve(content, "study", base)


@pytest.mark.usefixtures("toys")
def test_an_autoencoder_of_other_levels_needs_no_priors() -> None:
    content, base = sections()
    content["autoencoders"]["blocks"] = TOYS["autoencoder"]
    study.resolve(content, "study", base)
    # But some of its levels are not sampled without the others.
    del base["priors"]["bottom"]
    content["priors"] = {}
    with pytest.raises(UserError, match="the levels bottom have no prior"):
        study.resolve(content, "study", base)


@pytest.mark.usefixtures("toys")
def test_choices_and_contexts_are_those_of_priors_where_nothing_else_predicts() -> None:
    content, base = sections()
    content["sampling"] = {**base["sampling"], "choices": CHOICES, "means": {}}
    content["protocols"]["long"] = {"like": "driving", "changes": {"futures": {"context": 15}}}
    with pytest.raises(UserError, match=r"choices\.drawn\.mode is missing(.|\n)*at most 12"):
        study.resolve(content, "study", base)
    content["predictors"] = {"pixels": TOYS["predictor"]}
    assert study.resolve(content, "study", base).study.sampling.choices == CHOICES
