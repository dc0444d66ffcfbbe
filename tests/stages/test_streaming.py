"""How many futures are stored changes no score, and how many there are no memory."""

import json
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch

from foreframe import priors
from foreframe.errors import ArtefactError
from foreframe.evaluation import scoring, state_probe
from foreframe.evaluation.scoring import Entry
from tests.stages import evaluation_study as tiny

CHOICES = {"drawn": tiny.DRAWN, "greedy": tiny.ARGMAX}
PROTOCOL: dict[str, Any] = {
    "samples": 5,
    "best": "sequence",
    "metrics": ("psnr", "ssim", "sharpness"),
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tiny.Study:
    study = tiny.Study(tmp_path_factory.mktemp("study"))
    tiny.make_data(study)
    tiny.make_models(study)
    study.path("external_samples").mkdir()
    state_probe.EMPTY.save(study.path("probe"))
    return study


def test_all_kept_none_kept_and_some_kept_score_the_same(study: tiny.Study) -> None:
    found = {}
    for keep in (5, 0, 1, 3):
        study.sample(study.path("samples"), CHOICES, keep=keep, **PROTOCOL)
        study.evaluate(batch_size=2, keep=keep, **PROTOCOL)
        found[keep] = study.path("scores").read_bytes()
    assert len(set(found.values())) == 1
    # Five futures are not one: the best of them is better than the first.
    study.sample(study.path("samples"), CHOICES)
    study.evaluate(metrics=("psnr",))
    alone = study.scores()["predictors"]
    several = json.loads(found[5])["predictors"]
    assert several["drawn"]["psnr"]["mean"] > alone["drawn"]["psnr"]["mean"]
    assert several["greedy"]["psnr"]["mean"] == alone["greedy"]["psnr"]["mean"]


def test_samples_of_other_models_are_refused(study: tiny.Study, tmp_path: Path) -> None:
    other = tiny.Study(tmp_path)
    tiny.make_data(other)
    tiny.make_models(other)
    path = other.path("top")
    study.sample(study.path("samples"), CHOICES)
    for name in ("samples", "probe"):
        other.path(name).write_bytes(study.path(name).read_bytes())
    other.path("external_samples").mkdir()
    other.evaluate()  # the same models, though elsewhere
    priors.save(path, priors.load(path, "top").apply(_changed))
    with pytest.raises(ArtefactError, match=r"was drawn by other models than these"):
        other.evaluate()


def _changed(module: torch.nn.Module) -> None:
    for parameter in module.parameters(recurse=False):
        parameter.data.add_(1e-3)


@pytest.mark.parametrize("best", ["none", "sequence"])
def test_memory_does_not_grow_with_the_futures(study: tiny.Study, best: str) -> None:
    """Frames that are alive at once are counted: a few futures, however many are scored."""
    most = {}
    for samples in (8, 80):
        alive, peak = [0], [0]

        def read(
            _: int, futures: range, alive: list[int] = alive, peak: list[int] = peak
        ) -> torch.Tensor:
            frames = torch.zeros(len(futures), 4, tiny.SIZE, tiny.SIZE, 3, dtype=torch.uint8)
            alive[0] += len(futures)
            peak[0] = max(peak[0], alive[0])
            weakref.finalize(frames, lambda: alive.__setitem__(0, alive[0] - len(futures)))
            return frames

        protocol = tiny.protocol(samples=samples, best=best)
        clips = tiny.clipped(study, protocol)
        metrics = scoring.metrics(protocol, study.folder, torch.device("cpu"))
        scoring.score(clips, metrics, [Entry("zeros", samples, read)], 4)
        most[samples] = peak[0]
    assert most[8] == most[80] <= 2 * 4
