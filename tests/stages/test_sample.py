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
from foreframe.predictors import latent_predictor
from foreframe.predictors.latent_predictor import LatentPredictor
from stages import sample
from tests.stages import evaluation_study as tiny

ARGMAX = Choice(mode="argmax", temperature=1.0, top_k=0, top_p=1.0)
DRAWN = Choice(mode="sample", temperature=1.0, top_k=0, top_p=1.0)


def sampling(**changes: Any) -> Sampling:
    values = {
        "show": 2,
        "choices": {"drawn": DRAWN, "greedy": ARGMAX},
        "context_encoding": "full_clip",
    }
    return Sampling.model_validate(values | changes)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tiny.Study:
    study = tiny.Study(tmp_path_factory.mktemp("study"))
    tiny.make_data(study)
    tiny.make_models(study)
    tiny.make_latents(study)
    return study


INPUTS = ("frames", "split", "normalization", "autoencoder", "top", "bottom")


def run(
    study: tiny.Study,
    out: Path,
    show: int = 2,
    context_encoding: str = "full_clip",
    choices: dict[str, Choice] | None = None,
    **changes: Any,
) -> Path:
    paths = {name: study.path(name) for name in INPUTS}
    settings = sampling(show=show, context_encoding=context_encoding)
    if choices is not None:
        settings = sampling(show=show, context_encoding=context_encoding, choices=choices)
    protocol = tiny.PROTOCOL.model_copy(update={"clips": 3, "seed": 5} | changes)
    sample.main(**paths, sampling=settings, protocol=protocol, compute=tiny.COMPUTE, out=out)
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
            assert (codes >= 0).all() and (codes < tiny.CODES).all()
    assert (found["drawn/top"] != found["greedy/top"]).any()
    for choice in ("drawn", "greedy"):
        assert found[f"{choice}/frames"].shape == (3, 1, 4, 16, 16, 3)
        assert found[f"{choice}/frames"].dtype == numpy.uint8
    assert "drawn/top_only" not in found


def test_the_combinations_are_decoded_as_they_are_named(study: tiny.Study, tmp_path: Path) -> None:
    found = contents(run(study, tmp_path / "samples.h5"))
    predictor = latent_predictor.load(
        study.path("autoencoder"),
        {level: study.path(level) for level in ("top", "bottom")},
        study.path("normalization"),
        torch.device("cpu"),
    )
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


def test_another_seed_changes_draws_alone(study: tiny.Study, tmp_path: Path) -> None:
    first, second = (contents(run(study, tmp_path / str(seed), seed=seed)) for seed in (1, 2))
    assert (first["drawn/top"] != second["drawn/top"]).any()
    assert (first["greedy/frames"] == second["greedy/frames"]).all()


def task(predictor: LatentPredictor, encoding: str, **changes: Any) -> sample.Task:
    protocol = tiny.PROTOCOL.model_copy(update=changes)
    return sample.Task(predictor, sampling(context_encoding=encoding), protocol, [0, 1], None)


@pytest.fixture(scope="module")
def predictor(study: tiny.Study) -> LatentPredictor:
    return latent_predictor.load(
        study.path("autoencoder"),
        {level: study.path(level) for level in ("top", "bottom")},
        study.path("normalization"),
        torch.device("cpu"),
    )


def noise(*shape: int) -> torch.Tensor:
    numbers = torch.Generator().manual_seed(3)
    return torch.randint(256, shape, generator=numbers, dtype=torch.uint8)


def test_a_context_of_its_own_sees_nothing_of_the_future(predictor: LatentPredictor) -> None:
    real = noise(2, 8, 16, 16, 3)
    whole = sample.contexts(task(predictor, "full_clip"), real)
    alone = sample.contexts(task(predictor, "context_only"), real)
    codes, own = predictor.encode(real), predictor.encode(real[:, :4])
    for level, frames in (("top", 1), ("bottom", 2)):
        assert torch.equal(whole[level], codes[level][:, :frames])
        assert torch.equal(alone[level], own[level])
        assert alone[level].shape == whole[level].shape


@pytest.mark.parametrize("encoding", ["full_clip", "context_only"])
def test_a_context_that_fills_no_code_is_led_by_copies_of_its_first_frame(
    predictor: LatentPredictor, encoding: str
) -> None:
    real = noise(2, 8, 16, 16, 3)
    led = torch.cat([real[:, :1], real[:, :1], real[:, :1], real], dim=1)
    found = sample.contexts(task(predictor, encoding, context=1, horizon=7), real)
    expected = predictor.encode(led[:, :8] if encoding == "full_clip" else led[:, :4])
    for level, frames in (("top", 1), ("bottom", 2)):
        assert torch.equal(found[level], expected[level][:, :frames])


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


def test_a_future_of_a_protocol_is_that_of_the_predictor(
    study: tiny.Study, predictor: LatentPredictor, tmp_path: Path
) -> None:
    """Beyond one window, of the clips' own numbers, and of the context alone."""
    found = contents(run(study, tmp_path / "long", context_encoding="context_only", horizon=10))
    given = torch.from_numpy(found["real"][:, :4])
    numbers = found["clip_number"].tolist()
    expected = predictor.predict(given, 10, DRAWN, 5, numbers)
    assert numpy.array_equal(found["drawn/frames"][:, 0], expected.numpy())
    assert "true_top" not in found and "greedy/top_only" not in found


def test_the_reconstruction_of_any_length_is_that_of_the_whole_clip(
    study: tiny.Study, predictor: LatentPredictor, tmp_path: Path
) -> None:
    found = contents(run(study, tmp_path / "odd", context=3, horizon=6))
    real = torch.from_numpy(found["real"])
    filled = torch.cat([real[:, :1], real, real[:, -1:], real[:, -1:]], dim=1)
    expected = predictor.decode(predictor.encode(filled))[:, 4:10]
    assert numpy.array_equal(found["reconstruction/frames"][:, 0], expected.numpy())


def test_the_set_of_the_protocol_is_continued(study: tiny.Study, tmp_path: Path) -> None:
    found = contents(run(study, tmp_path / "validation", set="validation"))
    assert all(48 <= start <= 60 for start in found["clip_start"])


def test_too_many_clips_are_refused(study: tiny.Study, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"protocols\.samples\.clips is 7, but the test set has 6"):
        run(study, tmp_path / "samples.h5", clips=7)
    assert not (tmp_path / "samples.h5").exists()


def test_a_context_that_leaves_nothing_to_sample_is_refused(
    study: tiny.Study, tmp_path: Path
) -> None:
    with pytest.raises(
        UserError, match=r"context is 6; .* cover 8, and the priors model 8 at once"
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
    predictor = latent_predictor.load(
        driven.path("autoencoder"),
        {level: driven.path(level) for level in ("top", "bottom")},
        driven.path("normalization"),
        torch.device("cpu"),
    )
    recorded_NA = tiny.driven()
    # Zeros lead to copies of the first frame, which fill the first code.
    led = [
        numpy.concatenate(
            [numpy.zeros((4 - context, 2)), recorded_NA[start - 1 : start + 9 + context]]
        )
        for start in found["clip_start"]
    ]
    given = torch.from_numpy(found["real"][:, :context])
    filled = torch.cat([given[:, :1].expand(-1, 4 - context, -1, -1, -1), given], dim=1)
    expected = predictor.predict(
        filled, 10, DRAWN, 5, found["clip_number"].tolist(), torch.tensor(numpy.stack(led)).float()
    )
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
