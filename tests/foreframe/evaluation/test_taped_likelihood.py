"""A likelihood that shares have asked for is the one of all clips at once, to the last bit."""

from pathlib import Path

import pytest

from foreframe.artefacts import hdf5
from foreframe.config.protocols import LikelihoodSettings
from foreframe.data.clips import Clips
from foreframe.evaluation import likelihood, taped_likelihood
from foreframe.evaluation.drawing import Task
from foreframe.evaluation.shares import Share
from foreframe.predictors import Predictor
from foreframe.predictors.copy_last_frame import CopyLastFrame
from tests.foreframe.predictors.toy import Histogram, Mixture, learned
from tests.stages import evaluation_study as tiny

STARTS = list(range(68, 89, 2))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tiny.Study:
    study = tiny.Study(tmp_path_factory.mktemp("study"))
    tiny.make_data(study)
    return study


def predictors(clips: Clips) -> dict[str, Predictor]:
    halves = clips.read([0, len(STARTS) - 1])
    tables = [learned(half_THWC, count=0.05) for half_THWC in halves]
    return {"exact": Histogram(tables[1]), "elbo": Mixture(tables), "none": CopyLastFrame()}


# Two clips a batch, one, all; and for an exact one, which takes no samples, all.
@pytest.mark.parametrize("samples", [1, 20, 40])
@pytest.mark.parametrize("kind", ["exact", "elbo", "none"])
def test_the_numbers_are_those_of_all_clips_at_once(
    kind: str, samples: int, study: tiny.Study, tmp_path: Path
) -> None:
    asked = LikelihoodSettings(samples=samples, given=None, frames=None)
    protocol = tiny.protocol(context=2, horizon=6, likelihood=asked)
    with Clips(study.path("frames"), STARTS, 8) as clips:
        predictor = predictors(clips)[kind]
        task = Task(predictor, protocol.futures, list(range(len(STARTS))), None)
        whole = likelihood.stated(task, clips, asked)
        for count in (1, 2, 3, 20):
            files = {}
            for number in range(count):
                share = Share(number, count)
                path = tmp_path / f"{count}_{number}.h5"
                with hdf5.creating(path, "likelihood", {}) as file:
                    taped_likelihood.record(file, task, clips, asked, share)
                files[share] = hdf5.Reader(path)
            of = (protocol, len(STARTS), predictor.likelihood_kind)
            assert taped_likelihood.replay(files, *of) == whole
            for read in files.values():
                read.close()
