"""The futures of shares are those that one stage draws, and shares that do not fit are refused."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from foreframe import autoencoders
from foreframe.config.futures import FutureSettings
from foreframe.config.sampling import Average, Sampling
from foreframe.data.clips import SplitRuns, save_split
from foreframe.errors import ArtefactError, UserError
from stages import join_samples, sample, sample_share, survey_frames
from tests.stages import evaluation_study as tiny
from tests.stages.evaluation_study import ARGMAX, COMPUTE, DRAWN
from tests.stages.shards_study import NAMES, kept

SAMPLING = Sampling(
    show=2,
    choices={"drawn": DRAWN.model_dump(), "greedy": ARGMAX.model_dump()},
    means={"mean": Average(of="drawn", futures=16)},
)
FUTURES = {
    # All six clips: in batches of 64, of 2 and of 4 clips.
    "kept": tiny.protocol(clips=None, samples=32, keep=32).futures,
    "led by actions": tiny.protocol(clips=3, context_encoding="context_only").futures,
    "drawn again": tiny.protocol(clips=3, samples=3, keep=0).futures,
}
PROTOCOL = "tiny"


@dataclass(frozen=True)
class Study:
    """The tiny study with a survey of its frames, and its futures under a protocol."""

    tiny: tiny.Study
    futures: FutureSettings

    def given(self, **changes: Any) -> dict[str, Any]:
        """Return what `sample` is given."""
        return {
            **{name: self.tiny.path(name) for name in ("frames", "split", "normalization")},
            "models": self.tiny.models,
            "sampling": SAMPLING,
            "futures": self.futures,
            "compute": COMPUTE,
            **changes,
        }

    @property
    def whole(self) -> Path:
        """Where the futures of one stage are."""
        return self.tiny.folder / "whole" / f"{PROTOCOL}.h5"

    def draw(self, folder: Path, count: int, name: str, **changes: Any) -> None:
        """Draw one of so many shares."""
        sample_share.main(
            **self.given(**changes),
            survey=self.tiny.path("survey"),
            shares=tuple(NAMES[:count]),
            out=folder / PROTOCOL / f"{name}.h5",
        )


def made(folder: Path, name: str) -> Study:
    study, led = tiny.Study(folder), name == "led by actions"
    tiny.make_data(study, tiny.driven() if led else None)
    tiny.make_models(study, tiny.ACTIONS if led else None)
    survey_frames.main(
        frames=study.path("frames"), split=study.path("split"), out=study.path("survey")
    )
    found = Study(study, FUTURES[name])
    sample.main(**found.given(), out=found.whole)
    return found


@pytest.fixture(scope="module", params=FUTURES)
def study(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Study:
    return made(tmp_path_factory.mktemp("study"), request.param)


def join(folder: Path, count: int) -> bytes:
    out = folder / "joined" / f"{PROTOCOL}.h5"
    join_samples.main(folder=folder / PROTOCOL, shares=tuple(NAMES[:count]), out=out)
    return out.read_bytes()


def test_the_bytes_are_those_of_one_stage(study: Study, tmp_path: Path) -> None:
    for count in (1, 2, 3, 5):
        folder = tmp_path / str(count)
        for name in NAMES[:count]:
            study.draw(folder, count, name)
        assert join(folder, count) == study.whole.read_bytes(), count


# What is refused -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return made(tmp_path_factory.mktemp("few"), "drawn again")


@pytest.fixture
def drawn(few: Study, tmp_path: Path) -> Path:
    """Two shares."""
    for name in "ab":
        few.draw(tmp_path, 2, name)
    return tmp_path


def test_an_interrupted_share_is_drawn_again(
    few: Study, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = drawn / PROTOCOL
    before = kept(shares)
    (shares / "a.h5").unlink()
    with monkeypatch.context() as patch:
        patch.setattr(sample_share, "write_shown", _stop)
        with pytest.raises(KeyboardInterrupt):
            few.draw(tmp_path, 2, "a")
    assert list(kept(shares)) == ["b.h5"]
    few.draw(tmp_path, 2, "a")
    assert kept(shares) == before


def _stop(*given: Any) -> None:
    raise KeyboardInterrupt


def test_a_missing_share_is_named(drawn: Path) -> None:
    (drawn / PROTOCOL / "b.h5").unlink()
    with pytest.raises(ArtefactError, match=r"b\.h5 does not exist, but the share b is listed"):
        join(drawn, 2)


@pytest.mark.parametrize("count", [1, 3])
def test_shares_of_another_number_are_refused(count: int, few: Study, drawn: Path) -> None:
    for name in NAMES[2:count]:
        few.draw(drawn, count, name)
    with pytest.raises(ArtefactError, match=rf"a\.h5 is share 1 of 2, not 1 of {count}\. Delete"):
        join(drawn, count)


def test_a_share_under_another_name_is_refused(drawn: Path) -> None:
    folder = drawn / PROTOCOL
    (folder / "b.h5").write_bytes((folder / "a.h5").read_bytes())
    with pytest.raises(ArtefactError, match=r"b\.h5 is share 1 of 2, not 2 of 2"):
        join(drawn, 2)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"futures": tiny.protocol(clips=3, samples=3, keep=0, seed=8).futures}, "seed"),
        ({"futures": tiny.protocol(clips=2, samples=3, keep=0).futures}, "clips"),
        ({"sampling": SAMPLING.model_copy(update={"show": 1})}, "sampling"),
    ],
)
def test_shares_of_other_wholes_are_refused(
    changes: dict[str, Any], word: str, few: Study, drawn: Path
) -> None:
    few.draw(drawn, 2, "b", **changes)
    with pytest.raises(
        ArtefactError, match=rf"b\.h5 is not of the same whole as .*a\.h5: .* differ in {word}"
    ):
        join(drawn, 2)


def test_shares_of_other_networks_are_refused(few: Study, drawn: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = tiny.Study(tmp_path / "other")
    model = tiny.make_models(other)
    for parameter in model.parameters():
        parameter.data.mul_(2)
    autoencoders.save(other.path("autoencoder"), model)
    few.draw(drawn, 2, "b", models=other.models)
    with pytest.raises(ArtefactError, match=r"not of the same whole as .* differ in weights"):
        join(drawn, 2)


def test_a_survey_of_another_split_is_refused(few: Study, drawn: Path, tmp_path: Path) -> None:
    split = tmp_path / "split.json"
    save_split(split, SplitRuns(((0, 40),), ((48, 68),), ((68, 96),)))
    with pytest.raises(ArtefactError, match=r"survey\.h5 was made with another split"):
        few.draw(drawn, 2, "a", split=split)


def test_a_share_that_is_not_listed_is_refused(few: Study, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"d\.h5 would be the share d, but there are a, b"):
        few.draw(tmp_path, 2, "d")
