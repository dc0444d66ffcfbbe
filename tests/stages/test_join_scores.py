"""The scores of shares are those that one stage finds, and shares that do not fit are refused."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy
import pytest

from foreframe.artefacts import hdf5
from foreframe.config.evaluation import Evaluation
from foreframe.config.protocols import LikelihoodSettings, ProtocolSettings
from foreframe.config.sampling import Average, Sampling
from foreframe.errors import ArtefactError
from foreframe.evaluation.taping import Recorder
from stages import evaluate, evaluate_share, join_scores, sample, survey_frames
from tests.foreframe.evaluation.test_scoring import PROBE, STATES
from tests.stages import evaluation_study as tiny
from tests.stages.evaluation_study import ARGMAX, COMPUTE, DRAWN, SIZE
from tests.stages.shards_study import NAMES, kept

NAME = "samples"  # of the protocol, too
SAMPLING = Sampling(
    show=2,
    choices={"drawn": DRAWN.model_dump(), "greedy": ARGMAX.model_dump()},
    means={"mean": Average(of="drawn", futures=2)},
)
FRAMES = ("psnr", "ssim", "sharpness")
SETS = ("random_image_distance", "random_video_distance", "random_recall")
# Some futures are kept and some drawn again, of one clip and of several at once.
FEW: dict[str, Any] = {"clips": None, "samples": 5, "keep": 2}
PROTOCOLS = {
    "frames": tiny.protocol(**FEW, metrics=FRAMES, best="sequence"),
    "sets of futures, resized": tiny.protocol(
        **FEW, metrics=("mse", *SETS[::2]), see="future", few="allow", repeats=3, resize=(20, 18)
    ),
    "sets of clips": tiny.protocol(
        clips=None, samples=1, keep=0, metrics=SETS, few="allow", resize=(20, 20)
    ),
    "weights that are missing": tiny.protocol(**FEW, metrics=("psnr", "fvd", "lpips_alex")),
    "likelihood that there is not": tiny.protocol(
        **FEW, metrics=("psnr",), likelihood=LikelihoodSettings(samples=2, given=None, frames=None)
    ),
}
BATCH = 4


@dataclass(frozen=True)
class Study:
    """The tiny study with a survey of its frames, samples of a protocol and another program's."""

    tiny: tiny.Study
    protocol: ProtocolSettings

    def given(self, **changes: Any) -> dict[str, Any]:
        """Return what `evaluate` is given."""
        names = ("frames", "split", "normalization", "probe", "external_samples", "weights")
        return {
            **{name: self.tiny.path(name) for name in names},
            "models": self.tiny.models,
            "samples": self.tiny.path(NAME),
            "protocol": self.protocol,
            "evaluation": Evaluation(batch_size=BATCH),
            "compute": COMPUTE,
            **changes,
        }

    def whole(self, folder: Path) -> Mapping[str, bytes]:
        """Return what one stage writes."""
        outs = outs_in(folder)
        evaluate.main(**self.given(), **outs)
        return contents(outs)

    def measure(self, folder: Path, count: int, name: str, **changes: Any) -> None:
        """Measure one of so many shares."""
        evaluate_share.main(
            **self.given(**changes),
            survey=self.tiny.path("survey"),
            shares=tuple(NAMES[:count]),
            out=folder / f"{name}.h5",
        )

    def join(self, folder: Path, count: int) -> Mapping[str, bytes]:
        """Return what is joined of so many shares."""
        outs = outs_in(folder / "joined")
        shares = tuple(NAMES[:count])
        weights = self.tiny.path("weights")
        join_scores.main(folder=folder, shares=shares, weights=weights, compute=COMPUTE, **outs)
        return contents(outs)


def outs_in(folder: Path) -> dict[str, Any]:
    return {name: folder / f"{name}.json" for name in ("scores", "metrics")}


def contents(outs: Mapping[str, Path]) -> Mapping[str, bytes]:
    return {name: path.read_bytes() for name, path in outs.items()}


def made(folder: Path, protocol: ProtocolSettings) -> Study:
    study = tiny.Study(folder)
    tiny.make_data(study)
    with h5py.File(study.path("frames"), "r+") as file:
        hdf5.store(file, "states", STATES)
    PROBE.save(study.path("probe"))
    tiny.make_models(study)
    found = Study(study, protocol)
    given = {name: study.path(name) for name in ("frames", "split")}
    survey_frames.main(**given, out=study.path("survey"))
    sample.main(
        **given,
        normalization=study.path("normalization"),
        models=study.models,
        sampling=SAMPLING,
        futures=protocol.futures,
        compute=COMPUTE,
        out=study.path(NAME),
    )
    clips = tiny.clipped(study, protocol)
    numbers = numpy.random.default_rng(3)
    shape = (len(clips.starts), 1, protocol.futures.horizon, SIZE, SIZE, 3)
    frames = numbers.integers(0, 256, shape, dtype=numpy.uint8)
    tiny.make_external(study, frames, clip_start=tuple(clips.starts.tolist()))
    return found


@pytest.fixture(scope="module", params=PROTOCOLS)
def study(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Study:
    return made(tmp_path_factory.mktemp("study"), PROTOCOLS[request.param])


def test_the_bytes_are_those_of_one_stage(study: Study, tmp_path: Path) -> None:
    whole = study.whole(tmp_path / "whole")
    for count in (1, 2, 3, 7):  # of six clips
        folder = tmp_path / str(count)
        for name in NAMES[:count]:
            study.measure(folder, count, name)
        assert study.join(folder, count) == whole, count


# What is refused -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return made(tmp_path_factory.mktemp("few"), tiny.protocol(metrics=("psnr",)))


@pytest.fixture
def measured(few: Study, tmp_path: Path) -> Path:
    """Two shares."""
    for name in "ab":
        few.measure(tmp_path, 2, name)
    return tmp_path


def test_an_interrupted_share_is_measured_again(
    few: Study, measured: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = kept(measured)
    (measured / "a.h5").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "end", _stop)
        with pytest.raises(KeyboardInterrupt):
            few.measure(measured, 2, "a")
    assert list(kept(measured)) == ["b.h5"]
    few.measure(measured, 2, "a")
    assert kept(measured) == before


def _stop(tape: Recorder) -> None:
    raise KeyboardInterrupt


def test_a_missing_share_is_named(few: Study, measured: Path) -> None:
    (measured / "b.h5").unlink()
    with pytest.raises(ArtefactError, match=r"b\.h5 does not exist, but the share b is listed"):
        few.join(measured, 2)


def test_shares_of_another_number_are_refused(few: Study, measured: Path) -> None:
    with pytest.raises(ArtefactError, match=r"a\.h5 is share 1 of 2, not 1 of 1\. Delete"):
        few.join(measured, 1)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"protocol": tiny.protocol(metrics=("ssim",))}, "asked"),
        ({"evaluation": Evaluation(batch_size=BATCH + 1)}, "batch_size"),
        ({"compute": COMPUTE.model_copy(update={"threads": 2})}, "environment"),
    ],
)
def test_shares_of_other_wholes_are_refused(
    changes: dict[str, Any], word: str, few: Study, measured: Path
) -> None:
    few.measure(measured, 2, "b", **changes)
    with pytest.raises(
        ArtefactError, match=rf"b\.h5 is not of the same whole as .*a\.h5: .* differ in {word}"
    ):
        few.join(measured, 2)


def test_samples_of_other_programs_that_came_between_two_shares_are_noticed(
    few: Study, measured: Path
) -> None:
    elsewhere = few.tiny.path("external_samples") / "elsewhere.h5"
    before = elsewhere.read_bytes()
    with h5py.File(elsewhere, "r+") as file:
        file["frames"][:] = 0
    few.measure(measured, 2, "b")
    elsewhere.write_bytes(before)
    with pytest.raises(ArtefactError, match="they differ in external_samples"):
        few.join(measured, 2)


def test_weights_that_came_after_the_shares_are_noticed(few: Study, measured: Path) -> None:
    """What is missing to a share is missing to the whole."""
    for name in "ab":
        few.measure(measured, 2, name, protocol=tiny.protocol(metrics=("psnr", "lpips_alex")))
        with h5py.File(measured / f"{name}.h5", "r+") as file:
            said = json.loads(file.attrs["features"])
            said["lpips_alex"][1] = None
            file.attrs["features"] = numpy.bytes_(json.dumps(said))
    with pytest.raises(ArtefactError, match="was measured with other weights than"):
        few.join(measured, 2)
