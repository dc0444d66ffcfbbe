"""Autoencoders are compared on the same clips, each under the normalisation it was trained with."""

import shutil
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from foreframe import autoencoders
from foreframe.artefacts import facts
from foreframe.config.evaluation import Evaluation
from foreframe.data import normalization
from foreframe.data.clips import load_split
from foreframe.data.normalization import Normalizer
from foreframe.metrics.psnr import psnr
from stages import compare_autoencoders
from tests.stages.autoencoder_study import COMPUTE, Study, make


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = make(tmp_path_factory.mktemp("study"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(study.folder)
        study.train()
    shutil.copy(study.outputs["model"], study.folder / "twin.safetensors")
    return study


def compare(study: Study, normalization_of_twin: Path, size: int = 2) -> dict[str, Any]:
    out = study.folder / "compared.json"
    compare_autoencoders.main(
        frames=study.inputs["frames"],
        split=study.inputs["split"],
        models=(study.outputs["model"], study.folder / "twin.safetensors"),
        normalizations=(study.inputs["normalization"], normalization_of_twin),
        evaluation=Evaluation(batch_size=size),
        seed=0,
        compute=COMPUTE,
        out=out,
    )
    found = facts.read(out, "autoencoders")["autoencoders"]
    return {Path(path).stem: values for path, values in found.items()}


def test_equal_models_score_equally_and_batches_change_nothing(study: Study) -> None:
    own = study.inputs["normalization"]
    found = compare(study, own)
    one, twin = found["autoencoder"], found["twin"]
    assert one == {**twin, "digest": one["digest"]}
    other = compare(study, own, size=5)["autoencoder"]
    for name in ("validation", "test"):
        for metric in ("mse", "psnr", "psnr_top_only", "psnr_bottom_only"):
            assert other[name][metric]["mean"] == pytest.approx(one[name][metric]["mean"], rel=1e-6)


def test_the_psnr_is_that_of_the_reconstruction(study: Study) -> None:
    found = compare(study, study.inputs["normalization"])["autoencoder"]["test"]
    model = autoencoders.load(study.outputs["model"])
    normalizer = Normalizer.load(study.inputs["normalization"])
    runs = load_split(study.inputs["split"])
    with model.settings.view.clips(study.inputs["frames"], runs, "test") as clips:
        real = clips.read(numpy.arange(len(clips)))
    with torch.inference_mode():
        decoded = normalizer.denormalize(model.reconstruct(normalizer.normalize(real)))
    assert found["psnr"]["mean"] == pytest.approx(float(psnr(real, decoded).mean()), rel=1e-6)
    for level in ("top", "bottom"):
        assert found[f"psnr_{level}_only"]["mean"] <= found["psnr"]["mean"] + 1
        assert 0 < found["codebook"][level]["usage"] <= 1


def test_another_normalisation_is_the_others_own(study: Study) -> None:
    other = study.folder / "other.json"
    grey = numpy.linspace(0, 120, 8 * 16 * 16 * 3).astype(numpy.uint8).reshape(8, 16, 16, 3)
    normalization.save(other, normalization.measure([grey]))
    found = compare(study, other)
    assert found["twin"]["test"]["psnr"] != found["autoencoder"]["test"]["psnr"]
    assert found["autoencoder"] == compare(study, study.inputs["normalization"])["autoencoder"]
