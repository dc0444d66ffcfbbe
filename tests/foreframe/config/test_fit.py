"""Only dvc.yaml says which entries meet, so what fits nothing is refused, and what fits one not."""

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


def test_data_may_be_for_one_autoencoder_of_several() -> None:
    content, base = sections()
    source = base["data"]["driving"]["source"]
    content.setdefault("data", {})["odd"] = {
        **base["data"]["driving"],
        "source": {**source, "height": 60},
    }
    study.resolve(content, "study", base)
    # An autoencoder that no data fit is a mistake, and all of them are named.
    base["data"]["driving"]["source"]["height"] = 60
    with pytest.raises(UserError, match=r"data\.odd\.source\.height is 60; a vqvae") as caught:
        study.resolve(content, "study", base)
    assert "data.driving.source.height is 60" in str(caught.value)


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
