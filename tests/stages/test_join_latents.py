"""The codes of shards are those of all frames, and codes that do not fit are refused."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import pytest

from foreframe.artefacts import facts
from foreframe.config import reading
from foreframe.config.latents import LatentSettings
from foreframe.config.split import Split
from foreframe.data.shards import SCHEMA, ShardRuns, Shards
from foreframe.errors import ArtefactError, UserError
from stages import (
    extract_latents,
    extract_latents_shard,
    join_latents,
    measure_colours,
    split,
    split_shards,
    train_autoencoder,
)
from tests.foreframe.autoencoders import small
from tests.foreframe.sources import synthetic_episodes
from tests.stages.autoencoder_study import COMPUTE
from tests.stages.shards_study import collected, joined, kept, shards, whole

SOURCE = synthetic_episodes.settings("random_walk", train_episodes=6, test_episodes=4)
SHARES = Split(by="time", train=0.6, validation=0.2, test=0.2)
EVERY_THIRD = LatentSettings(train_stride=3)


@dataclass(frozen=True)
class Study:
    """All frames in one file, an autoencoder that has seen them, and their codes."""

    folder: Path

    def path(self, name: str) -> Path:
        return self.folder / name

    def models(self, seed: int = 0) -> dict[str, Path]:
        name = f"{seed}.safetensors"
        return {"normalization": self.path("colours.json"), "model": self.path(name)}

    def train(self, seed: int) -> None:
        training = {**small.TRAINING, "epochs": 1}
        train_autoencoder.main(
            frames=self.path("frames.h5"),
            split=self.path("split.json"),
            **self.models(seed),
            record=self.path("record.json"),
            autoencoder=small.settings(small.SMALL, training=training),
            seed=seed,
            compute=COMPUTE,
        )


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    made = Study(tmp_path_factory.mktemp("study"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(made.folder)
        whole(made.path("frames.h5"), SOURCE)
        given = {"frames": made.path("frames.h5")}
        split.main(**given, split=SHARES, out=made.path("split.json"))
        given["split"] = made.path("split.json")
        measure_colours.main(**given, out=made.path("colours.json"))
        made.train(seed=0)
        made.train(seed=1)
        extract_latents.main(
            **given,
            **made.models(),
            latents=EVERY_THIRD,
            compute=COMPUTE,
            out=made.path("latents.h5"),
        )
    return made


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def cut(folder: Path, parts: Shards, given: Path) -> Path:
    """Return the file that says which frames of each shard are whose."""
    out = folder / "shards.json"
    split_shards.main(folder=folder, shards=parts, source=SOURCE, seed=0, split=given, out=out)
    return out


def encode(study: Study, folder: Path, name: str, seed: int = 0, stride: int = 3) -> None:
    """Encode a shard in the folder `codes`."""
    known = reading.select(reading.load(folder / "shards.json"), f"runs.{name}", folder)
    extract_latents_shard.main(
        frames=folder / f"{name}.h5",
        runs=reading.validate(ShardRuns, known, name),
        **study.models(seed),
        latents=LatentSettings(train_stride=stride),
        compute=COMPUTE,
        out=Path("codes", f"{name}.h5"),
    )


def join(folder: Path) -> bytes:
    out = Path("latents.h5")
    join_latents.main(folder=Path("codes"), runs=folder / "shards.json", out=out)
    return out.read_bytes()


# Some have no clip of a set, and batches go from one into the next.
@pytest.mark.parametrize("counts", [(10,), (3, 6, 1), (1, 1, 1, 2, 5)])
def test_the_bytes_are_those_of_all_frames_encoded_at_once(
    counts: tuple[int, ...], study: Study
) -> None:
    folder, parts = Path("shards"), shards(*counts)
    collected(folder, SOURCE, parts)
    cut(folder, parts, study.path("split.json"))
    for name in parts:
        encode(study, folder, name)
    assert join(folder) == study.path("latents.h5").read_bytes()


@pytest.fixture
def encoded(study: Study) -> Path:
    """Two shards and their codes."""
    folder, parts = Path("shards"), shards(7, 3)
    collected(folder, SOURCE, parts)
    cut(folder, parts, study.path("split.json"))
    for name in parts:
        encode(study, folder, name)
    return folder


def test_what_is_added_behind_leaves_the_entries_before_it_as_they_are(study: Study) -> None:
    folder = Path("shards")
    entries = []
    for counts in ((3, 3), (3, 3, 4)):
        parts = shards(*counts)
        collected(folder, SOURCE, parts)
        joined(folder, SOURCE, parts)
        given = folder / "split.json"
        split.main(frames=folder / "joined/frames.h5", split=SHARES, out=given)
        entries.append(facts.read(cut(folder, parts, given), SCHEMA)["runs"])
    # 12 frames each: of 72 the first 43 are for training, of 120 the first 72.
    assert (
        entries[0]["a"]
        == entries[1]["a"]
        == {"train": [[0, 12], [12, 24], [24, 36]]} | {name: [] for name in ("validation", "test")}
    )
    assert entries[0]["b"] != entries[1]["b"]


def test_a_clip_has_the_same_codes_beside_any_others(study: Study, encoded: Path) -> None:
    """Only then may a shard keep its codes when others come."""
    before = kept(Path("codes"))
    with h5py.File("codes/a.h5") as file:
        wanted = {level: file["train"][level][:3] for level in ("top", "bottom")}
    few = ShardRuns(train=((0, 12), (12, 24)), validation=(), test=())
    extract_latents_shard.main(
        frames=encoded / "a.h5",
        runs=few,
        **study.models(),
        latents=EVERY_THIRD,
        compute=COMPUTE,
        out=Path("few.h5"),
    )
    with h5py.File("few.h5") as file:
        assert "test" not in file
        for level, codes in wanted.items():
            assert (file["train"][level][:3] == codes).all()
    encode(study, encoded, "a")
    assert kept(Path("codes")) == before


# What is refused -------------------------------------------------------------------------------


def test_a_split_of_other_frames_is_refused(study: Study, encoded: Path) -> None:
    with pytest.raises(ArtefactError, match=r"split\.json was made from other frames"):
        cut(encoded, shards(7), study.path("split.json"))


def test_codes_that_are_missing_are_named(encoded: Path) -> None:
    Path("codes/b.h5").unlink()
    with pytest.raises(ArtefactError, match=r"codes/b\.h5 does not exist"):
        join(encoded)


@pytest.mark.parametrize(("seed", "stride", "word"), [(1, 3, "model"), (0, 2, "train_stride")])
def test_codes_of_another_model_or_stride_are_named(
    seed: int, stride: int, word: str, study: Study, encoded: Path
) -> None:
    encode(study, encoded, "b", seed, stride)
    with pytest.raises(ArtefactError, match=rf"b\.h5 was not encoded as .*differ in {word}"):
        join(encoded)


def test_a_set_without_a_clip_is_refused(study: Study, encoded: Path) -> None:
    known = facts.read(encoded / "shards.json", SCHEMA)
    for entry in known["runs"].values():
        entry["test"] = []
    facts.write(encoded / "shards.json", SCHEMA, known)
    for name in "ab":
        encode(study, encoded, name)
    with pytest.raises(UserError, match="The test set has no clip in any shard"):
        join(encoded)
    assert not Path("latents.h5").exists()


def test_an_episode_shorter_than_a_clip_is_named(study: Study, encoded: Path) -> None:
    short = synthetic_episodes.settings("random_walk", frames_per_episode=7)
    collected(Path("short"), short, shards(1))
    runs = ShardRuns(train=((0, 7),), validation=(), test=())
    with pytest.raises(UserError, match="Shorter than one clip of 8 frames"):
        extract_latents_shard.main(
            frames=Path("short/a.h5"),
            runs=runs,
            **study.models(),
            latents=EVERY_THIRD,
            compute=COMPUTE,
            out=Path("few.h5"),
        )
