"""Laws of the stage find: what it writes, that it repeats itself, and what it refuses."""

from pathlib import Path

import numpy
import pytest
import torch

from foreframe.artefacts import hdf5
from foreframe.config.sampling import Options
from foreframe.data.clips import load_split
from foreframe.errors import UserError
from foreframe.evaluation import scoring
from foreframe.metrics.psnr import psnr
from foreframe.predictors import Context, loading
from foreframe.randomness import Draws
from tests.stages import findings_study
from tests.stages.findings_study import Analysed


@pytest.fixture(scope="module")
def analysed(tmp_path_factory: pytest.TempPathFactory) -> Analysed:
    return findings_study.make(tmp_path_factory.mktemp("analysed"))


def test_the_same_inputs_give_the_same_bytes(analysed: Analysed, tmp_path: Path) -> None:
    assert analysed.into(tmp_path / "again").bytes() == analysed.bytes()


def test_what_must_hold_of_any_networks_holds(analysed: Analysed) -> None:
    found = analysed.facts
    for name in ("corrupted_code", "corrupted_code_unconditioned"):
        assert found[name]["changed_before"] == 0
        assert found[name]["place"] == [2, 2, 2]
    for level in ("top", "bottom"):
        for name in ("untrained", "trained"):
            assert found["receptive_field"][level][name]["not_earlier"] == 0
    without = found["sensitivity"]["bottom_unconditioned"]
    for kind in ("another_clip", "shuffled"):
        assert without[kind]["divergence"]["mean"] == 0 == without[kind]["loss"]["mean"]
        assert found["sensitivity"]["bottom"][kind]["divergence"]["mean"] > 0
    assert found["under_another_top"]["bottom_unconditioned"]["codes_shared"]["mean"] == 1
    assert found["leak"]["encodings"] == ["context_only", "full_clip"]


def test_what_is_given_is_right_and_the_rest_is_compared(analysed: Analysed) -> None:
    """Codes of whole clips are the true ones as far as they are given."""
    found = analysed.facts["rollouts"]["full_clip"]["choices"]["argmax"]["code_errors"]
    assert found["top"][0] == 0 and found["bottom"][:2] == [0, 0]
    assert found["top"][1] > 0


def test_pictures_are_decoded_as_they_are_named(analysed: Analysed) -> None:
    maps, inputs = analysed.maps, analysed.inputs
    predictor = loading.latent(inputs["models"], inputs["normalization"], torch.device("cpu"))
    real = torch.from_numpy(maps["rollouts/real"])
    codes = predictor.encode(real)
    numpy.testing.assert_array_equal(maps["rollouts/true_decode"], predictor.decode(codes))
    numpy.testing.assert_array_equal(
        maps["rollouts/true_top_only"], predictor.decode(codes, drop=["bottom"])
    )
    original = torch.from_numpy(maps["examples/original"])
    numpy.testing.assert_array_equal(
        maps["examples/bottom_only"], predictor.decode(predictor.encode(original), drop=["top"])
    )
    assert [kind.decode() for kind in maps["rollouts/kind"]] == ["good", "faded", "static"]


def test_wrapping_changes_what_lies_beyond_the_range_alone(analysed: Analysed) -> None:
    maps = analysed.maps
    differs = maps["wrap/clamped"] != maps["wrap/wrapped"]
    assert differs.any()
    assert set(numpy.unique(maps["wrap/clamped"][differs])) <= {0, 255}


def test_good_frames_are_nearer_to_the_truth_than_every_baseline(analysed: Analysed) -> None:
    inputs = analysed.inputs
    with hdf5.opening(inputs["samples"], "samples") as file:
        real, predicted = (torch.from_numpy(file[name][:]) for name in ("real", "argmax/frames"))
    given, true = Context(real[:, :4], range(len(real))), real[:, 4:]
    bases = scoring.baselines(inputs["frames"], load_split(inputs["split"]), 4)
    draws = Draws.first(0, given.numbers)
    rules = torch.stack(
        [psnr(true, base.predict(given, 4, Options(), draws).frames) for base in bases.values()]
    )
    assert len(rules) == 3 and (rules[1:].amax(dim=0) > rules[0]).all()  # not the last given frame
    series = analysed.series
    rows = series[(series["samples"] == "study") & (series["predictor"] == "argmax")]
    best = rows[rows["quantity"] == "psnr_baseline"]["mean"]
    assert best.tolist() == pytest.approx(rules.amax(dim=0).mean(dim=0).tolist())
    found = analysed.facts["rollouts"]["study"]["choices"]["argmax"]["good_frames"]
    nearer = (psnr(true, predicted[:, 0]) > rules).all(dim=0).double()
    assert found["in_all"]["mean"] == pytest.approx(nearer.sum(dim=1).mean().item())


def test_the_series_have_a_row_for_each_frame(analysed: Analysed) -> None:
    table = analysed.series
    groups = table.groupby(["samples", "predictor", "quantity"])["frame"]
    lengths = {key: frames.tolist() for key, frames in groups}
    assert lengths[("study", "drawn", "motion")] == [1, 2, 3, 4]
    assert lengths[("full_clip", "top_only", "contrast")] == [1, 2, 3, 4]
    assert lengths[("full_clip", "bottom", "structure_tops")] == list(range(1, 9))
    assert lengths[("full_clip minus study", "argmax", "psnr")] == [1, 2, 3, 4]


def test_the_leak_is_what_whole_clips_gain_over_the_context_alone(analysed: Analysed) -> None:
    table = analysed.series
    psnr = (
        table[table["quantity"] == "psnr"]
        .set_index(["samples", "predictor", "frame"])["mean"]
        .sort_index()
    )
    for choice, found in analysed.facts["leak"]["choices"].items():
        full, study, minus = (
            psnr[name, choice] for name in ("full_clip", "study", "full_clip minus study")
        )
        gains = [frame["mean"] for frame in found["gain_by_frame"]]
        assert gains == pytest.approx((full - study).tolist()) == minus.tolist()
        assert found["gain"]["mean"] == pytest.approx((full - study).mean())
        assert found["full_clip"]["mean"] == pytest.approx(full.mean())
        assert abs(found["gain"]["mean"]) > 1e-3


def test_samples_from_the_context_alone_are_no_full_clip(
    analysed: Analysed, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="sampled with context_encoding: context_only"):
        analysed.into(tmp_path / "other", samples_full_clip=analysed.inputs["samples"])
    assert list((tmp_path / "other").iterdir()) == []
