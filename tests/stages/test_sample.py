"""Laws of the stage sample: what it writes, that it repeats itself, and what each group means."""

from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from numpy.typing import NDArray

from foreframe.artefacts import hdf5
from foreframe.config.sampling import Choice, Sampling
from foreframe.config.split import Clip
from foreframe.errors import UserError
from foreframe.predictors import latent_predictor
from stages import sample
from tests.stages import evaluation_study as tiny

ARGMAX = Choice(mode="argmax", temperature=1.0, top_k=0, top_p=1.0)
DRAWN = Choice(mode="sample", temperature=1.0, top_k=0, top_p=1.0)
CLIP = Clip(frames=tiny.FRAMES, context=tiny.CONTEXT)


def sampling(**changes: Any) -> Sampling:
    values = {
        "clips": 3,
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


INPUTS = ("frames", "normalization", "autoencoder", "latents", "top", "bottom")


def run(study: tiny.Study, out: Path, clip: Clip = CLIP, seed: int = 5, **changes: Any) -> Path:
    paths = {name: study.path(name) for name in INPUTS}
    settings = sampling(**changes)
    sample.main(**paths, sampling=settings, clip=clip, seed=seed, compute=tiny.COMPUTE, out=out)
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
            assert codes.shape == (3, *grid) and codes.dtype == numpy.int16
            half = grid[0] // 2
            assert (codes[:, :half] == true[:, :half]).all()
            assert (codes >= 0).all() and (codes < tiny.CODES).all()
    assert (found["drawn/top"] != found["greedy/top"]).any()
    for choice in ("drawn", "greedy"):
        assert found[f"{choice}/frames"].shape == (3, 4, 16, 16, 3)
        assert found[f"{choice}/frames"].dtype == numpy.uint8
    assert "drawn/top_only" not in found


def test_the_combinations_are_decoded_as_they_are_named(study: tiny.Study, tmp_path: Path) -> None:
    found = contents(run(study, tmp_path / "samples.h5"))
    predictor = latent_predictor.load(
        study.path("autoencoder"),
        [study.path("top"), study.path("bottom")],
        study.path("normalization"),
        torch.device("cpu"),
    )
    codes = {
        name: torch.from_numpy(found[name][:2]).long()
        for name in ("true_top", "true_bottom", "greedy/top", "greedy/bottom")
    }
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
    assert numpy.array_equal(found["greedy/hierarchical"][:, 4:], found["greedy/frames"][:2])


def test_the_same_inputs_give_the_same_bytes(study: tiny.Study, tmp_path: Path) -> None:
    first, second = (run(study, tmp_path / name).read_bytes() for name in ("one", "two"))
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


def test_a_context_of_its_own_sees_nothing_of_the_future(study: tiny.Study) -> None:
    predictor = latent_predictor.load(
        study.path("autoencoder"),
        [study.path("top"), study.path("bottom")],
        study.path("normalization"),
        torch.device("cpu"),
    )
    real = torch.randint(256, (2, 8, 16, 16, 3), dtype=torch.uint8)
    codes = predictor.encode(real)
    # As if the encoder had seen something else in the whole clip.
    other = {level: (ids + 1) % tiny.CODES for level, ids in codes.items()}
    batch = sample.Batch(numpy.arange(2), numpy.arange(2), real, other)
    whole = sample.contexts(predictor, batch, 4, "full_clip")
    alone = sample.contexts(predictor, batch, 4, "context_only")
    own = predictor.encode(real[:, :4])
    for level, frames in (("top", 1), ("bottom", 2)):
        assert torch.equal(whole[level], other[level][:, :frames])
        assert torch.equal(alone[level], own[level])
        assert alone[level].shape == whole[level].shape


def test_the_context_encoding_is_what_the_samples_begin_with(
    study: tiny.Study, tmp_path: Path
) -> None:
    found = contents(run(study, tmp_path / "own", context_encoding="context_only"))
    assert found["@context_encoding"] == "context_only"
    assert found["greedy/bottom"].shape == found["true_bottom"].shape


def test_too_many_clips_are_refused(study: tiny.Study, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"sampling\.clips is 7, but the test set has 6"):
        run(study, tmp_path / "samples.h5", clips=7)
    assert not (tmp_path / "samples.h5").exists()


def test_a_context_that_splits_a_code_is_refused(study: tiny.Study, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="covers 4 frames, so 6 frames cannot be given"):
        run(study, tmp_path / "samples.h5", clip=Clip(frames=8, context=6))


def test_clips_are_spread_evenly() -> None:
    assert sample.evenly(6, 3).tolist() == [1, 3, 5]
    assert sample.evenly(5, 5).tolist() == [0, 1, 2, 3, 4]
    assert sample.evenly(9, 1).tolist() == [4]
    for available in range(1, 30):
        for wanted in range(1, available + 1):
            assert len(set(sample.evenly(available, wanted))) == wanted
