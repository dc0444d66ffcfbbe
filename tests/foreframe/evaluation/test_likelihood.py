"""Bits per dimension of learned predictors: closed forms, bounds, and who has none."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from foreframe.config.protocols import LikelihoodSettings
from foreframe.config.sampling import Drawing
from foreframe.data.clips import Clips
from foreframe.evaluation import likelihood, scoring, state_probe
from foreframe.evaluation.drawing import Task
from foreframe.evaluation.scoring import Entry
from foreframe.predictors import Context, LikelihoodKind, LogWeights, Predictor
from foreframe.predictors.copy_last_frame import CopyLastFrame
from foreframe.predictors.mean_frame import TrainingMean
from foreframe.randomness import Draws
from tests.foreframe.predictors.toy import Heat, Histogram, Mixture, learned, log_prob
from tests.stages import evaluation_study as tiny

STARTS = [68, 72, 76, 80]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tiny.Study:
    study = tiny.Study(tmp_path_factory.mktemp("study"))
    tiny.make_data(study)
    return study


def tables(study: tiny.Study) -> list[torch.Tensor]:
    """Return what was learned of the first and of the second half of the recording."""
    with Clips(study.path("frames"), [0, 48], 48) as clips:
        return [learned(clips.read([place])[0], count=0.05) for place in (0, 1)]


def asked(samples: int, given: int | None = None, frames: int | None = None) -> LikelihoodSettings:
    return LikelihoodSettings(samples=samples, given=given, frames=frames)


def measure(
    study: tiny.Study, toy: Predictor, samples: int, context: int = 0, **of: int
) -> dict[str, Any]:
    futures = tiny.protocol(context=context, horizon=8 - context).futures
    task = Task(toy, futures, list(range(len(STARTS))), None)
    with Clips(study.path("frames"), STARTS, 8) as clips:
        return likelihood.measure(task, clips, asked(samples, **of))


def nats(study: tiny.Study, table: torch.Tensor, context: int = 0) -> torch.Tensor:
    with Clips(study.path("frames"), STARTS, 8) as clips:
        return log_prob(table, clips.read(range(len(STARTS)))[:, context:])


@pytest.mark.parametrize("context", [0, 3])
def test_an_exact_likelihood_is_its_closed_form(study: tiny.Study, context: int) -> None:
    table = tables(study)[1]
    found = measure(study, Histogram(table), 5, context)
    assert (found["kind"], found["samples"]) == ("exact", 0)
    values = (8 - context) * 16 * 16 * 3
    expected = -nats(study, table, context).mean() / (values * math.log(2))
    assert found["bits"] == pytest.approx(float(expected), rel=1e-6)


def test_a_table_without_knowledge_takes_eight_bits(study: tiny.Study) -> None:
    flat = torch.full((16, 16, 3, 256), -math.log(256), dtype=torch.float64)
    assert measure(study, Histogram(flat), 1)["bits"] == pytest.approx(8)


def test_a_bound_falls_with_its_samples_to_the_likelihood(study: tiny.Study) -> None:
    found = {count: measure(study, Mixture(tables(study)), count) for count in (1, 2, 40)}
    kinds = {count: (each["kind"], each["samples"]) for count, each in found.items()}
    assert kinds == {
        1: ("elbo", 1),
        2: ("importance_weighted", 2),
        40: ("importance_weighted", 40),
    }
    each_ZN = torch.stack([nats(study, table) for table in tables(study)])
    exact = -(each_ZN.logsumexp(dim=0) - math.log(2)).mean() / (8 * 16 * 16 * 3 * math.log(2))
    assert found[1]["bits"] > found[2]["bits"] > found[40]["bits"]
    assert found[40]["bits"] == pytest.approx(float(exact), rel=1e-3)
    # Beside a bound of several stands the mean of their own, which does not fall.
    assert "single" not in found[1]
    assert found[2]["single"]["mean"] > found[2]["bits"]
    values = 8 * 16 * 16 * 3 * math.log(2)
    assert found[40]["single"]["mean"] == pytest.approx(-each_ZN.mean().item() / values, rel=0.1)


def test_it_may_be_of_other_frames_than_futures(study: tiny.Study) -> None:
    toy = Histogram(tables(study)[1])
    with Clips(study.path("frames"), STARTS, 8) as clips:
        real = clips.read(range(len(STARTS)))[:, 1:4]
    nats_N = -log_prob(tables(study)[1], real)
    found = measure(study, toy, 1, context=3, given=1, frames=3)
    assert found["bits"] == pytest.approx(
        float(nats_N.mean()) / (3 * 16 * 16 * 3 * math.log(2)), rel=1e-6
    )
    with pytest.raises(ValidationError, match=r"6 frames after 3, but clips have 8\. Lower"):
        tiny.protocol(context=3, horizon=5, likelihood=asked(1, frames=6))


@pytest.mark.parametrize(("kind", "samples"), [("exact", 1), ("elbo", 7)])
def test_a_likelihood_sees_no_future_and_an_exact_one_takes_one_sample(
    study: tiny.Study, kind: LikelihoodKind, samples: int
) -> None:
    seen, sizes = [], []

    class Noted(Histogram):
        likelihood_kind = kind

        def likelihood(self, context: Context, future: torch.Tensor, draws: Draws) -> LogWeights:
            seen.append((context.whole, context.given))
            sizes.append(len(draws))
            return super().likelihood(context, future, draws)

    # Though what is made of this protocol's contexts may see whole clips.
    assert tiny.PROTOCOL.futures.context_encoding == "full_clip"
    measure(study, Noted(tables(study)[0]), 7, context=3)
    assert set(seen) == {(None, 3)}
    # As many clips at once as fill a batch.
    assert sum(sizes) == samples * len(STARTS)
    assert len(sizes) == -(-len(STARTS) // (likelihood.TOGETHER // samples))


def test_nothing_is_said_where_nothing_was_asked_or_nobody_can_tell(study: tiny.Study) -> None:
    task = Task(CopyLastFrame(), tiny.PROTOCOL.futures, [0], None)
    with Clips(study.path("frames"), [72], 8) as clips:
        assert likelihood.stated(task, clips, None) == {}
        assert likelihood.stated(task, clips, asked(3)) == {"likelihood": None}


def test_generated_clips_are_measured_beside_the_mean_frame(
    study: tiny.Study, tmp_path: Path
) -> None:
    """With nothing given: no frame to copy, no last state, and sets of whole clips."""
    protocol = tiny.protocol(context=0, horizon=8, samples=3, best="sequence")
    probe = tmp_path / "probe.safetensors"
    state_probe.EMPTY.save(probe)
    frames, split = study.path("frames"), study.path("split")
    clips = scoring.Clipped(frames, split, probe, "generated", protocol)
    task = Task.of(Histogram(tables(study)[1]), protocol.futures, frames, clips.chosen)
    with Clips(frames, clips.starts, 8) as source:

        def read(place: int, futures: range) -> torch.Tensor:
            rows, real = slice(place, place + 1), source.read([place])
            return task.predict(rows, real, Drawing(Heat(temperature=1.0)), futures).frames

        metrics = scoring.metrics(protocol, tmp_path, torch.device("cpu"))
        measured = scoring.score(clips, metrics, [Entry("toy", 3, read)], 2)
    found = scoring.summarize("generated", scoring.describe(clips, metrics), measured)
    assert set(found["reference"].values()) == {"mean_frame"}
    assert [name for name, each in found["differences"].items() if each] == ["toy"]
    bases = scoring.baselines(clips.frames, clips.runs, 0)
    assert isinstance(bases["mean_frame"], TrainingMean)
    assert found["predictors"]["toy"]["psnr"]["mean"] > 5
    assert len(found["per_frame"]["frame"]) == 2 * 8
