"""Laws of the stage sample: what it writes, that it repeats itself, and what each group means."""

import json
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from numpy.typing import NDArray

from foreframe.artefacts import hdf5
from foreframe.config.sampling import Choice, Sampling
from foreframe.errors import UserError
from foreframe.predictors import Context
from foreframe.predictors.latent import Latent
from foreframe.randomness import Draws
from stages import sample
from tests.stages import evaluation_models
from tests.stages import evaluation_study as tiny
from tests.stages.evaluation_study import ARGMAX, DRAWN


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tiny.Study:
    study = tiny.Study(tmp_path_factory.mktemp("study"))
    tiny.make_data(study)
    tiny.make_models(study)
    return study


@pytest.fixture(scope="module")
def predictor(study: tiny.Study) -> Latent:
    return study.predictor()


def run(
    study: tiny.Study, out: Path, choices: dict[str, Choice] | None = None, **changes: Any
) -> Path:
    choices = choices or {"drawn": DRAWN, "greedy": ARGMAX}
    changes = {"clips": 3, "seed": 5, "keep": changes.get("samples", 1), **changes}
    study.sample(out, choices, **changes)
    return out


def contents(path: Path) -> dict[str, NDArray[Any]]:
    found = {}

    def note(name: str, value: Any) -> None:
        if hasattr(value, "dtype"):
            found[name] = value[...]

    with hdf5.opening(path, "samples") as file:
        file.visititems(note)
        found |= {f"@{name}": value for name, value in file.attrs.items()}
    return found


def test_it_writes_codes_and_frames_of_every_choice(study: tiny.Study, tmp_path: Path) -> None:
    found = contents(run(study, tmp_path / "samples.h5"))
    assert found["@context"] == 4 and found["@horizon"] == 4 and found["@show"] == 2
    assert found["@context_encoding"] == "full_clip" and found["@shown_choice"] == "greedy"
    # The test set has clips at 68, 72, ..., 88: six, of which the middles of three thirds.
    assert found["clip_number"].tolist() == [1, 3, 5]
    assert found["clip_start"].tolist() == [72, 80, 88]
    for level, grid in (("top", (2, 2, 2)), ("bottom", (4, 4, 4))):
        for choice in ("drawn", "greedy"):
            codes, true = found[f"{choice}/{level}"], found[f"true_{level}"]
            assert codes.shape == (3, 1, *grid) and codes.dtype == numpy.int16
            half = grid[0] // 2
            assert (codes[:, 0, :half] == true[:, :half]).all()
            assert (codes >= 0).all() and (codes < evaluation_models.CODES).all()
    assert (found["drawn/top"] != found["greedy/top"]).any()
    for choice in ("drawn", "greedy"):
        assert found[f"{choice}/frames"].shape == (3, 1, 4, 16, 16, 3)
        assert found[f"{choice}/frames"].dtype == numpy.uint8
    assert "drawn/top_only" not in found


def test_the_combinations_are_decoded_as_they_are_named(
    study: tiny.Study, predictor: Latent, tmp_path: Path
) -> None:
    found = contents(run(study, tmp_path / "samples.h5"))
    codes = {name: torch.from_numpy(found[name][:2]).long() for name in ("true_top", "true_bottom")}
    for name in ("greedy/top", "greedy/bottom"):
        codes[name] = torch.from_numpy(found[name][:2, 0]).long()
    other = torch.from_numpy(found["greedy/bottom_given_true_top"]).long()

    def shown(top: torch.Tensor, bottom: torch.Tensor, **drop: Any) -> NDArray[numpy.uint8]:
        frames: NDArray[numpy.uint8] = predictor.decode(
            {"top": top, "bottom": bottom}, **drop
        ).numpy()
        return frames

    top, bottom = codes["greedy/top"], codes["greedy/bottom"]
    expected = {
        "true_decode": shown(codes["true_top"], codes["true_bottom"]),
        "greedy/hierarchical": shown(top, bottom),
        "greedy/top_only": shown(top, bottom, drop=["bottom"]),
        "greedy/generated_top_true_bottom": shown(top, codes["true_bottom"]),
        "greedy/true_top_generated_bottom": shown(codes["true_top"], other),
    }
    for name, frames in expected.items():
        assert numpy.array_equal(found[name], frames), name
    assert numpy.array_equal(found["greedy/hierarchical"][:, 4:], found["greedy/frames"][:2, 0])


def test_the_same_inputs_give_the_same_bytes(study: tiny.Study, tmp_path: Path) -> None:
    paths = [tmp_path / name / "samples.h5" for name in ("one", "two")]
    first, second = (run(study, path).read_bytes() for path in paths)
    assert first == second


def test_clips_do_not_depend_on_how_many_are_sampled(study: tiny.Study, tmp_path: Path) -> None:
    three = contents(run(study, tmp_path / "three"))
    one = contents(run(study, tmp_path / "one", clips=1, show=1))
    (number,) = one["clip_number"]
    row = three["clip_number"].tolist().index(number)
    for name in ("drawn/bottom", "greedy/bottom", "drawn/frames"):
        assert numpy.array_equal(one[name][0], three[name][row]), name


def test_some_futures_are_kept_of_many(study: tiny.Study, tmp_path: Path) -> None:
    all_kept = contents(run(study, tmp_path / "all", samples=3))
    some = contents(run(study, tmp_path / "some", samples=3, keep=2))
    none = contents(run(study, tmp_path / "none", samples=3, keep=0))
    for name in ("drawn/frames", "drawn/top", "drawn/bottom"):
        assert numpy.array_equal(some[name], all_kept[name][:, :2])
        assert name not in none
    assert numpy.array_equal(some["greedy/frames"], all_kept["greedy/frames"])
    assert numpy.array_equal(none["greedy/hierarchical"], all_kept["greedy/hierarchical"])


def test_a_mean_is_one_future_whatever_the_protocol_draws(
    study: tiny.Study, tmp_path: Path
) -> None:
    means = {"mean": {"of": "drawn", "futures": 3}}
    one = contents(run(study, tmp_path / "one", means=means))
    three = contents(run(study, tmp_path / "three", samples=3, means=means))
    exact = three["drawn/frames"].astype(numpy.float64).mean(axis=1, keepdims=True)
    for found in (one, three):
        assert numpy.array_equal(found["mean/frames"], numpy.floor(exact + 0.5))
        assert "mean/top" not in found and found["@shown_choice"] == "greedy"


def test_a_mean_of_what_is_not_drawn_is_refused(study: tiny.Study, tmp_path: Path) -> None:
    means = {"mean": {"of": "greedy", "futures": 3}}
    with pytest.raises(UserError, match=r"sampling\.means\.mean\.of is greedy(.|\n)*that draws"):
        run(study, tmp_path / "samples.h5", means=means)


def test_a_choice_that_the_predictor_does_not_know_is_refused(
    study: tiny.Study, tmp_path: Path
) -> None:
    settings = Sampling(show=1, choices={"cool": {"flow": 0.6}}, means={})
    with pytest.raises(UserError, match=r"sampling\.choices\.cool\.flow is no parameter"):
        sample.main(
            **{name: study.path(name) for name in ("frames", "split", "normalization")},
            models=study.models,
            sampling=settings,
            futures=tiny.PROTOCOL.futures,
            compute=tiny.COMPUTE,
            out=tmp_path / "samples.h5",
        )


def test_another_seed_changes_draws_alone(study: tiny.Study, tmp_path: Path) -> None:
    first, second = (contents(run(study, tmp_path / str(seed), seed=seed)) for seed in (1, 2))
    assert (first["drawn/top"] != second["drawn/top"]).any()
    assert (first["greedy/frames"] == second["greedy/frames"]).all()


def test_the_first_future_is_the_only_one_of_a_single_draw(
    study: tiny.Study, tmp_path: Path
) -> None:
    one = contents(run(study, tmp_path / "one"))
    three = contents(run(study, tmp_path / "three", samples=3))
    assert three["drawn/frames"].shape == (3, 3, 4, 16, 16, 3)
    assert numpy.array_equal(three["drawn/bottom"][:, :1], one["drawn/bottom"])
    assert (three["drawn/bottom"][:, 1] != three["drawn/bottom"][:, 2]).any()
    # Nothing is drawn by argmax, so one future stands for all.
    assert numpy.array_equal(three["greedy/frames"], one["greedy/frames"])


@pytest.mark.parametrize("encoding", ["context_only", "full_clip"])
def test_a_future_of_a_protocol_is_that_of_the_predictor(
    study: tiny.Study, predictor: Latent, tmp_path: Path, encoding: str
) -> None:
    """Beyond one window, of the clips' own numbers, and shown what the protocol says."""
    found = contents(run(study, tmp_path / "long", context_encoding=encoding, horizon=10))
    real, draws = torch.from_numpy(found["real"]), Draws.first(5, found["clip_number"].tolist())
    whole = real if encoding == "full_clip" else None
    context = Context(real[:, :4], draws.clips, whole=whole)
    expected = predictor.predict(context, 10, DRAWN, draws).frames
    assert numpy.array_equal(found["drawn/frames"][:, 0], expected.numpy())
    blind = predictor.predict(Context(real[:, :4], draws.clips), 10, DRAWN, draws).frames
    assert torch.equal(expected, blind) == (encoding == "context_only")
    assert "true_top" not in found and "greedy/top_only" not in found


def test_the_set_of_the_protocol_is_continued(study: tiny.Study, tmp_path: Path) -> None:
    found = contents(run(study, tmp_path / "validation", set="validation"))
    assert all(48 <= start <= 60 for start in found["clip_start"])


def test_too_many_clips_are_refused(study: tiny.Study, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"samples\.futures\.clips is 7, but the test set has 6"):
        run(study, tmp_path / "samples.h5", clips=7)
    assert not (tmp_path / "samples.h5").exists()


def test_a_context_that_leaves_nothing_to_sample_is_refused(
    study: tiny.Study, tmp_path: Path
) -> None:
    with pytest.raises(
        UserError, match=r"6 frames are given; .* cover 8, and the priors model 8 at once.*most 4"
    ):
        run(study, tmp_path / "samples.h5", context=6)


# ---- actions


@pytest.fixture(scope="module")
def driven(tmp_path_factory: pytest.TempPathFactory) -> tiny.Study:
    study = tiny.Study(tmp_path_factory.mktemp("driven"))
    tiny.make_data(study, tiny.driven())
    tiny.make_models(study, tiny.ACTIONS)
    return study


@pytest.mark.parametrize("context", [4, 3])
def test_priors_that_take_actions_are_given_the_recorded_ones(
    driven: tiny.Study, tmp_path: Path, context: int
) -> None:
    changes: dict[str, Any] = {"context_encoding": "context_only", "context": context}
    found = contents(run(driven, tmp_path / "samples.h5", horizon=10, samples=2, **changes))
    assert found["@actions"] == "recorded"
    recorded_NA, starts = tiny.driven(), found["clip_start"].tolist()
    led = [recorded_NA[start - 1 : start + 9 + context] for start in starts]
    draws = Draws.first(5, found["clip_number"].tolist())
    context_N = Context(
        torch.from_numpy(found["real"][:, :context]),
        draws.clips,
        torch.from_numpy(numpy.stack(led)),
    )
    expected = driven.predictor().predict(context_N, 10, DRAWN, draws).frames
    assert numpy.array_equal(found["drawn/frames"][:, 0], expected.numpy())
    assert (found["drawn/frames"][:, 0] != found["drawn/frames"][:, 1]).any()


def test_the_settings_digest_tells_whether_actions_are_known(
    study: tiny.Study, driven: tiny.Study, tmp_path: Path
) -> None:
    plain = contents(run(study, tmp_path / "plain"))
    known = contents(run(driven, tmp_path / "known"))
    assert "@actions" not in plain
    digests = [json.loads(str(found["@settings"])) for found in (plain, known)]
    assert digests[0]["reconstruction"] == digests[1]["reconstruction"]
    assert digests[0]["drawn"] != digests[1]["drawn"]
    assert known["greedy/bottom_given_true_top"].shape == (2, 4, 4, 4)
