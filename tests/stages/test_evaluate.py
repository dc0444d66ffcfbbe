"""Stage `evaluate` on a tiny study: numbers equal direct computation, and bad input is named."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy
import pandas
import pytest
import torch

from foreframe import autoencoders
from foreframe.artefacts.digest import digest
from foreframe.config.sampling import Drawing, Options
from foreframe.data import normalization
from foreframe.errors import ArtefactError, UserError
from foreframe.evaluation import results as evaluation
from foreframe.evaluation import scoring, tables
from foreframe.evaluation.prediction import Scores
from foreframe.evaluation.protocol import Protocol
from foreframe.predictors import Context, Prediction
from foreframe.randomness import Draws
from stages import evaluate
from tests.stages.evaluation_study import (
    CONTEXT,
    FRAMES,
    PROTOCOL,
    SIZE,
    Study,
    clipped,
    make,
    make_external,
)

OUTPUTS = ("scores", "metrics")
PREDICTORS = {
    "copy_last_frame",
    "mean_frame",
    "linear_motion",
    "right",
    "black",
    "reconstruction",
}


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return make(tmp_path)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = make(tmp_path_factory.mktemp("study"))
    study.evaluate()
    return study


def frame_table(study: Study) -> pandas.DataFrame:
    return tables.table(study.scores())


def test_a_right_future_is_perfect_and_a_black_one_is_not(done: Study) -> None:
    found = done.scores()["predictors"]
    assert set(found) == PREDICTORS
    assert found["right"]["psnr"]["mean"] == pytest.approx(100)
    assert found["right"]["ssim"]["mean"] == pytest.approx(1)
    assert found["right"]["mse"]["mean"] == 0
    assert found["black"]["psnr"]["mean"] < 10


def test_scores_per_frame_average_to_the_means(done: Study) -> None:
    table = frame_table(done)
    assert len(table) == len(PREDICTORS) * (FRAMES - CONTEXT)
    assert sorted(table["frame"].unique()) == [1, 2, 3, 4]
    for name, rows in table.groupby("predictor"):
        for metric in ("psnr", "ssim", "mse"):
            expected = done.scores()["predictors"][name][metric]["mean"]
            assert rows[metric].mean() == pytest.approx(expected)


def test_what_dvc_shows_are_the_means_of_two_metrics(done: Study) -> None:
    shown, found = json.loads(done.path("metrics").read_text()), done.scores()["predictors"]
    assert len(shown) == 2 * len(PREDICTORS)
    assert shown["black_psnr"] == found["black"]["psnr"]["mean"]


def test_copying_is_scored_against_the_last_frame_that_was_given(done: Study) -> None:
    table = frame_table(done)
    errors = table[table["predictor"] == "copy_last_frame"]["mse"].tolist()
    with h5py.File(done.path("samples")) as file:
        real = file["real"][:] / 255
    squares = (real[:, CONTEXT:] - real[:, CONTEXT - 1 : CONTEXT]) ** 2
    assert errors == pytest.approx(squares.mean(axis=(0, 2, 3, 4)).tolist())
    assert min(errors) > 0


def test_the_reconstruction_is_scored_on_the_predicted_frames(done: Study) -> None:
    model = autoencoders.load(done.path("autoencoder"))
    normalizer = normalization.Normalizer.load(done.path("normalization"))
    with h5py.File(done.path("samples")) as file:
        real = torch.from_numpy(file["real"][:])
    with torch.no_grad():
        decoded = normalizer.denormalize(model.reconstruct(normalizer.normalize(real)))
    squares = ((real.double() - decoded.double()) / 255)[:, CONTEXT:].square()
    table = frame_table(done)
    errors = table[table["predictor"] == "reconstruction"]["mse"].tolist()
    assert errors == pytest.approx(squares.mean(dim=(0, 2, 3, 4)).tolist(), rel=1e-4)


def test_the_protocol_names_the_data_and_its_digest_can_be_recomputed(done: Study) -> None:
    values = done.scores()
    assert values["protocol"]["dataset"] == digest(done.path("frames"))
    assert values["protocol"]["clip_starts"] == [72, 84]
    assert Protocol.of(values["protocol"], "here").digest() == values["protocol_digest"]


@pytest.mark.parametrize("batch_size", [1, 100])
def test_the_batch_size_changes_nothing(done: Study, study: Study, batch_size: int) -> None:
    study.evaluate(batch_size)
    for name in OUTPUTS:
        assert study.path(name).read_bytes() == done.path(name).read_bytes(), name


@pytest.mark.parametrize(("size", "futures", "calls"), [(16, 2, [8, 3]), (4, 2, [2] * 5 + [1])])
def test_what_no_file_keeps_is_drawn_for_as_many_clips_as_fill_a_batch(
    size: int, futures: int, calls: list[int]
) -> None:
    clips, asked = 11, []

    class Counted:
        def predict(self, rows: slice, real: Any, drawing: Drawing, drawn: range) -> Prediction:
            asked.append(rows.stop - rows.start)
            pairs = [[place, number] for place in range(rows.start, rows.stop) for number in drawn]
            return Prediction(torch.tensor(pairs))

    class Read:
        def read(self, places: range) -> range:
            return places

        def __len__(self) -> int:
            return clips

    redrawn: Any = evaluate.Redrawn(Counted(), Drawing(Options()), Read(), size)  # type: ignore[arg-type]
    # The ends of many futures take turns with those that fill a batch alone.
    wanted, whole = range(3, 3 + futures), range(size)
    for place in range(clips):
        for of in (wanted, whole):
            assert redrawn.read(place, of).tolist() == [[place, number] for number in of]
    assert [found for found in asked if found > 1] == [found for found in calls if found > 1]
    assert len(asked) == len(calls) + clips


def test_frames_are_compared_at_the_protocols_size(done: Study, study: Study) -> None:
    study.evaluate(resize=(12, 14))
    ours, theirs = study.scores(), done.scores()
    assert ours["protocol"]["frame_size"] == [12, 14]
    assert "bilinear" in ours["protocol"]["resizing"]
    assert ours["predictors"]["right"]["mse"]["mean"] == 0
    # Means over pixels differ less than the pixels do.
    error = [values["predictors"]["copy_last_frame"]["mse"]["mean"] for values in (ours, theirs)]
    assert 0 < error[0] < error[1]


def spoil_dataset(study: Study) -> None:
    """Say that the samples were made from other frames."""
    with h5py.File(study.path("samples"), "r+") as file:
        file.attrs["dataset"] = numpy.bytes_("0" * 32)


def spoil_clips(study: Study) -> None:
    """Continue other clips than the protocol asks for."""
    with h5py.File(study.path("samples"), "r+") as file:
        file["clip_start"][0] = 68


@pytest.mark.parametrize("spoil", [spoil_dataset, spoil_clips])
def test_samples_of_another_study_are_refused(study: Study, spoil: Callable[[Study], None]) -> None:
    spoil(study)
    with pytest.raises(ArtefactError, match="belongs to other frames or another split"):
        study.evaluate()
    assert not any(study.path(name).exists() for name in OUTPUTS)


def test_samples_of_an_older_version_are_refused_with_the_cure(study: Study) -> None:
    with h5py.File(study.path("samples"), "r+") as file:
        del file.attrs["sampling"]
    with pytest.raises(ArtefactError, match=r"how its futures were drawn\. .*dvc repro"):
        study.evaluate()
    assert not any(study.path(name).exists() for name in OUTPUTS)


def test_samples_of_other_programs_stand_beside_the_studys_own(study: Study) -> None:
    with h5py.File(study.path("samples")) as file:
        last = file["real"][:, CONTEXT - 1 : CONTEXT]
    copied = last.repeat(FRAMES - CONTEXT, axis=1)[:, None]
    make_external(study, copied)
    study.evaluate()
    found = study.scores()["predictors"]
    assert set(found) == PREDICTORS | {"elsewhere"}
    assert found["elsewhere"] == found["copy_last_frame"]
    strongest = study.scores()["reference"]["psnr"]
    lead = found["copy_last_frame"]["psnr"]["mean"] - found[strongest]["psnr"]["mean"]
    difference = study.scores()["differences"]["elsewhere"]["psnr"]
    assert difference["mean"] == pytest.approx(lead) and lead <= 0


def test_samples_for_another_protocol_are_left_out_and_named(
    study: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    make_external(study, numpy.zeros((1, 1), numpy.uint8), protocol="other")
    study.evaluate()
    assert set(study.scores()["predictors"]) == PREDICTORS
    assert "elsewhere.h5 is meant for the protocol other" in capsys.readouterr().out


def test_a_name_that_the_study_has_is_refused(study: Study) -> None:
    futures = numpy.zeros((2, 1, FRAMES - CONTEXT, SIZE, SIZE, 3), numpy.uint8)
    make_external(study, futures, predictor="black")
    with pytest.raises(UserError, match="another one has this name"):
        study.evaluate()


def test_a_metric_without_its_weights_has_a_reason_and_no_value(study: Study) -> None:
    study.evaluate(metrics=("psnr", "lpips_alex"))
    values = study.scores()
    assert {found["lpips_alex"] for found in values["predictors"].values()} == {None}
    assert "foreframe weights fetch alexnet" in values["missing"]["lpips_alex"]
    assert "lpips_alex" in values["protocol"]["features"]


def test_one_given_frame_has_no_motion_to_go_on_with_and_none_nothing_to_copy(
    study: Study,
) -> None:
    """So the table has no such rows, and all others."""
    clips = clipped(study, PROTOCOL)
    one, none = (scoring.baselines(clips.frames, clips.runs, context) for context in (1, 0))
    assert list(one) == ["copy_last_frame", "mean_frame"]
    assert list(none) == ["mean_frame"]


def test_few_clips_have_no_interval_and_many_have(study: Study) -> None:
    study.evaluate()
    values = study.scores()["predictors"]["mean_frame"]["psnr"]
    assert values["low"] is None and values["high"] is None
    clips = clipped(study, PROTOCOL)
    found = scoring.metrics(PROTOCOL, study.path("weights"), torch.device("cpu"))
    scores = Scores(PROTOCOL, found)
    numbers = torch.Generator().manual_seed(0)
    real = torch.randint(256, (9, FRAMES, SIZE, SIZE, 3), dtype=torch.uint8, generator=numbers)
    for clip in real.split(1):
        context, draws = Context(clip[:, :CONTEXT], [0]), Draws.first(0, [0])
        futures = {
            name: [base.predict(context, FRAMES - CONTEXT, Options(), draws).frames]
            for name, base in scoring.baselines(clips.frames, clips.runs, CONTEXT).items()
        }
        scores.update(clip[0], futures)
    ends = evaluation.summarize(scores)["predictors"]["mean_frame"]["psnr"]
    assert ends["low"] < ends["mean"] < ends["high"]
    by_frame = evaluation.per_frame(scores)
    triples = zip(by_frame["psnr_low"], by_frame["psnr"], by_frame["psnr_high"], strict=True)
    assert all(low < mean < high for low, mean, high in triples)
