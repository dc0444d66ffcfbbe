"""The probe's stage: fitted on training frames alone, measured on every set."""

from pathlib import Path

import pytest

from foreframe.artefacts import facts
from foreframe.config.compute import Compute
from foreframe.config.split import Split
from foreframe.data import writing
from foreframe.evaluation.state_probe import StateProbe
from foreframe.sources import car_racing, video_folder
from foreframe.sources.car_racing.variety import Variety
from stages import collect, split, train_probe
from tests.foreframe.sources import making

COMPUTE = Compute(device="cpu", instructions="portable", threads=1, precision="float32")


def divide(folder: Path) -> None:
    chosen = Split(by="time", train=0.6, validation=0.2, test=0.2)
    split.main(frames=folder / "frames.h5", split=chosen, out=folder / "split.json")


def run(folder: Path) -> dict[str, object]:
    train_probe.main(
        frames=folder / "frames.h5",
        split=folder / "split.json",
        compute=COMPUTE,
        model=folder / "probe.safetensors",
        facts=folder / "probe.json",
    )
    return facts.read(folder / "probe.json", "probe")


def test_the_road_is_read_off_simulated_frames(tmp_path: Path) -> None:
    source = car_racing.Settings(
        kind="car_racing", height=32, width=32, frame_interval=0.1, episodes=6,
        frames_per_episode=100, speed_low=20.0, speed_high=45.0,
        variety=Variety(colours=0.0, track=0.0, camera=0.0),
    )  # fmt: skip
    # A seed whose last episode, the test set, shows nothing that the others lack.
    stream = car_racing.stream(source, 2, tmp_path, 1, 0)
    with writing.creating(tmp_path / "frames.h5", writing.Layout(
        32, 32, 0.1, "car_racing", stream.actions, stream.states, {}, 8
    )) as writer:  # fmt: skip
        for episode in stream.episodes:
            sum(writer.add(episode))
    divide(tmp_path)
    found = run(tmp_path)
    assert found["states"] == ["speed", "offset", "heading", "curvature"]
    scores = found["scores"]
    assert isinstance(scores, dict)
    test = scores["test"]
    # Few frames, and small ones: where the road lies is seen at once, its curve mostly.
    assert test["offset"]["r2"] > 0.8
    assert test["curvature"]["r2"] > 0.5
    for name, values in test.items():
        assert values["r2"] == pytest.approx(1 - (values["rmse"] / values["spread"]) ** 2), name


def test_a_source_that_knows_nothing_gives_an_empty_probe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The journal of the collection belongs here too.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "videos").mkdir()
    making.write(tmp_path / "videos" / "a.mkv", making.moving(60, 16, 24))
    collect.main(
        videos=tmp_path / "videos",
        source=video_folder.Settings(kind="video_folder", height=16, width=24, frame_interval=0.1),
        seed=0,
        workers=1,
        out=tmp_path / "frames.h5",
    )
    divide(tmp_path)
    found = run(tmp_path)
    assert (found["states"], found["scores"]) == ([], {})
    assert StateProbe.load(tmp_path / "probe.safetensors").names == ()
