"""Laws of the stage finetune: files that load, a rate that falls, and the same bytes each time."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from foreframe import autoencoders, priors
from foreframe.config import reading
from foreframe.config.finetune import Finetune
from foreframe.data.normalization import Normalizer
from foreframe.errors import UserError
from foreframe.training import record
from foreframe.training.checkpoints import FOLDER
from stages import finetune
from tests.foreframe.autoencoders import small
from tests.foreframe.autoencoders.test_joint import LEVELS, SHAPE, priors_of
from tests.stages.autoencoder_study import COMPUTE, Study, make

SETTINGS: dict[str, Any] = {
    "train_every": 2,
    "rate_weight": 0.3,
    "temperature": 1.0,
    "training": {**small.TRAINING, "epochs": 3},
}
OUTPUTS = {
    "model": "joint.safetensors",
    "top_model": "joint_top.safetensors",
    "bottom_model": "joint_bottom.safetensors",
    "record": "joint.json",
}


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """A study with three networks, as they were drawn: what matters is what becomes of them."""
    monkeypatch.chdir(tmp_path)
    result = make(tmp_path)
    model = small.model(SHAPE)
    autoencoders.save(tmp_path / "autoencoder.safetensors", model)
    for level, prior in priors_of(model).items():
        priors.save(tmp_path / f"{level}.safetensors", prior)
    return result


def run(study: Study, **changes: Any) -> dict[str, bytes]:
    """Run the stage; return the bytes of each output."""
    settings: Finetune = reading.validate(Finetune, {**SETTINGS, **changes}, "finetune")
    outputs = {name: study.folder / file for name, file in OUTPUTS.items()}
    models = tuple(study.folder / f"{name}.safetensors" for name in ("autoencoder", *LEVELS))
    finetune.main(
        **study.inputs, models=models, finetune=settings, seed=0, compute=COMPUTE, **outputs
    )
    return {name: path.read_bytes() for name, path in outputs.items()}


def test_networks_of_the_same_kinds_with_what_became_of_them(study: Study) -> None:
    run(study)
    model = autoencoders.load(study.folder / OUTPUTS["model"])
    assert model.settings == small.model().settings
    for level in LEVELS:
        prior = priors.load(study.folder / OUTPUTS[f"{level}_model"], level)
        assert prior.settings == priors_of(small.model())[level].settings
    training = record.read(study.folder / OUTPUTS["record"])
    found = training.facts
    assert found["samples"] == 3 * 10  # every second of 19 clips, three times
    assert found["parameters"] == sum(found["parameters_of"].values())
    assert found["flops_per_clip"] > 1e6
    for part in ("validation", "test"):
        before, after = found["before"][part], found["after"][part]
        assert after["distortion"] < before["distortion"]
        assert after["rate"] < before["rate"]
    last = training.epochs.iloc[-1]
    for name in ("loss", "rate", "nll_top", "nll_bottom", "reconstruction"):
        assert last[f"validation_{name}"] == found["after"]["validation"][name]
    assert {"step", "rate"} <= {*training.curve}


def test_the_rate_falls_further_the_more_it_weighs(study: Study) -> None:
    rates = []
    for weight in (0.0, 1.0, 30.0):
        run(study, rate_weight=weight)
        found = record.read(study.folder / OUTPUTS["record"]).facts
        rates.append(found["after"]["validation"]["rate"])
    assert rates[0] > rates[1] > rates[2]


@pytest.mark.parametrize("calls", [4, 6, 13])
def test_a_stopped_run_ends_in_the_same_bytes(
    study: Study, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    """Stopped as it trains and as it validates; measuring before takes the first two calls."""
    straight = run(study)
    assert not list(FOLDER.iterdir())
    normalize, left = Normalizer.normalize, calls

    def stopping(self: Normalizer, frames_BTHWC: Tensor) -> Tensor:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGTERM)
        return normalize(self, frames_BTHWC)

    with monkeypatch.context() as patch:
        patch.setattr(Normalizer, "normalize", stopping)
        with pytest.raises(SystemExit):
            run(study)
    (kept,) = FOLDER.iterdir()
    assert list(kept.glob("step-*"))
    assert run(study) == straight


def test_a_divergence_cannot_be_recorded(study: Study) -> None:
    with pytest.raises(UserError, match=r"finetune: training\.diverging is record"):
        run(study, training={**small.TRAINING, "diverging": "record"})
