"""Scores of a protocol: states of predicted frames alone, baselines of training frames alone."""

from pathlib import Path

import h5py
import numpy
import pytest
import torch

from foreframe.artefacts import hdf5
from foreframe.evaluation import scoring
from foreframe.evaluation.scoring import Entry, Measured
from foreframe.evaluation.state_probe import FILTERS, GRID, StateProbe
from foreframe.predictors.mean_frame import TrainingMean, mean_frame
from tests.stages import evaluation_study as tiny

PROBE = StateProbe(
    ("shift",),
    torch.randn(FILTERS * GRID**2, 1, generator=torch.Generator().manual_seed(0)).double(),
    torch.zeros(1, dtype=torch.float64),
)
STATES = numpy.random.default_rng(1).normal(size=(96, 1)).astype(numpy.float32)
FUTURES = torch.randint(
    256, (2, 3, 4, tiny.SIZE, tiny.SIZE, 3), dtype=torch.uint8,
    generator=torch.Generator().manual_seed(2),
)  # fmt: skip


@pytest.fixture
def study(tmp_path: Path) -> tiny.Study:
    """A study whose source knows a state."""
    study = tiny.Study(tmp_path)
    tiny.make_data(study)
    with h5py.File(study.path("frames"), "r+") as file:
        hdf5.store(file, "states", STATES)
    PROBE.save(study.path("probe"))
    return study


def score(study: tiny.Study, context: int) -> tuple[scoring.Clipped, Measured]:
    """Score three futures of each clip, two at once."""
    protocol = tiny.protocol(context=context, horizon=4, samples=3, metrics=("psnr",))
    clips = tiny.clipped(study, protocol)
    metrics = scoring.metrics(protocol, study.folder, torch.device("cpu"))

    def read(place: int, futures: range) -> torch.Tensor:
        return FUTURES[place, futures.start : futures.stop]

    return clips, scoring.score(clips, metrics, [Entry("noise", 3, read)], 2)


def test_states_are_read_off_the_first_future_against_those_of_its_frames(
    study: tiny.Study,
) -> None:
    clips, measured = score(study, context=2)
    with h5py.File(study.path("frames")) as file:
        real = torch.from_numpy(numpy.stack([file["frames"][s : s + 6] for s in clips.starts]))
    true = torch.from_numpy(numpy.stack([STATES[s + 2 : s + 6] for s in clips.starts]))
    shown = {"true_frames": real[:, 2:], "noise": FUTURES[:, 0]}
    for name, future in shown.items():
        read = PROBE.read(torch.cat([real[:, 1:2], future], dim=1))
        expected = (read - true).square().mean().sqrt().item()
        assert measured.states.result()[name]["shift"]["mean"] == pytest.approx(expected)


def test_without_a_given_frame_no_state_is_read(study: tiny.Study) -> None:
    """A state is read off two neighbouring frames, and the first one has none before it."""
    _, measured = score(study, context=0)
    assert measured.states.result() == {} and "noise" in measured.scores.predictors


@pytest.mark.parametrize("block", [7, 48, 256])
def test_the_mean_frame_is_that_of_the_training_frames(
    study: tiny.Study, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "BLOCK", block)
    clips = tiny.clipped(study, tiny.PROTOCOL)
    found = scoring.baselines(clips.frames, clips.runs, 2)["mean_frame"]
    with h5py.File(study.path("frames")) as file:
        expected = mean_frame([file["frames"][:48]])
    assert isinstance(found, TrainingMean) and torch.equal(found.mean_HWC, expected)
