"""Laws of brittleness, on a decoder whose error can be worked out by hand."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from foreframe.questions import brittleness
from foreframe.questions.brittleness import moved, places
from foreframe.randomness import generator
from tests.foreframe.questions import hand_made

GRID: dict[str, Any] = {
    "show": 2,
    "widths": (0.0, 1.0, 4.0),
    "vector_widths": (0.0, 0.1),
    "shares": (0.25, 1.0),
}
GREYS = (*range(60, 200, 2),)  # far from both ends of the codebook
STEP = 1 / 255  # of a grey level


def ask(path: Path, *, network: Any = None, seed: int = 0, **changes: Any) -> Any:
    model = hand_made.model() if network is None else network
    return hand_made.asked(
        path, brittleness, GRID | changes, model, hand_made.flat(*GREYS), seed=seed
    )


def test_where_nothing_is_moved_decodes_are_equal_and_count_as_the_cap(tmp_path: Path) -> None:
    answer, arrays = ask(tmp_path / "a.h5")
    for way in ("indices", "vectors"):
        for share in ("share_0.25", "share_1"):
            assert answer.values[way]["width_0"][share]["mean"] == 100
            assert set(answer.per_clip[f"{way}.width_0.{share}"].tolist()) == {0}
            assert torch.equal(arrays[f"{way}/width_0.{share}"], arrays["decoded"])


@pytest.mark.parametrize(("width", "square"), [(1.0, 1 + 1 / 12), (4.0, 16 + 1 / 12)])
def test_the_error_is_that_of_rounded_gaussian_steps(
    width: float, square: float, tmp_path: Path
) -> None:
    answer, _ = ask(tmp_path / "a.h5")
    for share in (0.25, 1.0):
        error = answer.per_clip[f"indices.width_{width:g}.share_{share:g}"].mean()
        assert error == pytest.approx(share * square * STEP**2, rel=0.1)


def test_vectors_are_shaken_by_their_own_deviation(tmp_path: Path) -> None:
    answer, _ = ask(tmp_path / "a.h5")
    deviation = (torch.tensor(GREYS).double() / 255).std(correction=0)
    for share in (0.25, 1.0):
        error = answer.per_clip[f"vectors.width_0.1.share_{share:g}"].mean()
        # Frames are rounded to 8 bits.
        wanted = (0.1 * deviation) ** 2 + STEP**2 / 12
        assert error == pytest.approx(share * float(wanted), rel=0.1)


def test_without_an_order_a_step_is_a_jump_and_vectors_do_not_care(tmp_path: Path) -> None:
    mixed = hand_made.model(order=generator(0, "order").permutation(hand_made.LEVELS))
    (ordered, _), (shuffled, _) = (
        ask(tmp_path / f"{name}.h5", network=network)
        for name, network in (("one", None), ("other", mixed))
    )
    for share in ("share_0.25", "share_1"):
        cells = [each.values["indices"]["width_1"][share]["mean"] for each in (ordered, shuffled)]
        assert cells[0] > cells[1] + 20
        cells = [each.values["vectors"]["width_0.1"][share]["mean"] for each in (ordered, shuffled)]
        assert cells[0] == pytest.approx(cells[1])


def test_decodes_that_are_blind_to_codes_are_like_those_of_other_clips(tmp_path: Path) -> None:
    seeing, _ = ask(tmp_path / "a.h5")
    blind, _ = ask(tmp_path / "b.h5", network=hand_made.model(bottom=0.0, off=0.5))
    assert blind.values["other_clips"]["mean"] == 100
    assert blind.values["indices"]["width_4"]["share_1"]["mean"] == 100
    assert (
        seeing.values["other_clips"]["mean"]
        < (seeing.values["indices"]["width_1"]["share_1"]["mean"])
    )


def test_more_noise_is_never_better(tmp_path: Path) -> None:
    _, arrays = ask(tmp_path / "a.h5")
    psnr_SPN = arrays["indices_psnr"]
    assert psnr_SPN.shape == (3, 2, len(GREYS))
    assert (psnr_SPN.diff(dim=0) <= 0).all() and (psnr_SPN.diff(dim=1) <= 0).all()


def test_means_are_those_of_the_clips_that_are_stored(tmp_path: Path) -> None:
    answer, arrays = ask(tmp_path / "a.h5")
    found = answer.values["indices"]["width_4"]["share_1"]
    assert found["mean"] == pytest.approx(float(arrays["indices_psnr"][2, 1].mean()))
    assert found["low"] < found["mean"] < found["high"] and found["clips"] == len(GREYS)
    shown = arrays["indices/width_4.share_1"]
    assert shown.shape == (2, 1, hand_made.SIDE, hand_made.SIDE, 3)
    errors = (arrays["decoded"].double() - shown.double()).div(255).square().mean(dim=(1, 2, 3, 4))
    assert torch.allclose(arrays["indices_psnr"][2, 1, :2].double(), -10 * errors.log10())


def test_seeds_decide_and_equal_ones_give_equal_bytes(tmp_path: Path) -> None:
    for name, seed in (("one", 0), ("other", 0), ("third", 1)):
        ask(tmp_path / f"{name}.h5", seed=seed)
    one, other, third = (
        (tmp_path / f"{name}.h5").read_bytes() for name in ("one", "other", "third")
    )
    assert one == other != third


def test_a_larger_share_moves_the_same_places_and_more() -> None:
    ids = torch.zeros(1, 8, 8, dtype=torch.int64)
    found = [places(ids, share, generator(0, "places")) for share in (0.001, 0.05, 0.5, 1)]
    assert [int(each.sum()) for each in found] == [1, 3, 32, 64]
    assert all((one <= other).all() for one, other in pairwise(found))


def test_indices_stay_in_the_codebook_and_outside_of_the_places_as_they_are() -> None:
    ids = generator(0, "ids").integers(0, 6, (1, 16, 16))
    found = moved(ids, 6, (5.0, 0.5), generator(0, "noise"), generator(0, "places"))
    assert found.min() == 0 and found.max() == 5 and found.dtype == ids.dtype
    chosen = places(ids, 0.5, generator(0, "places"))
    assert torch.equal(found[~chosen], ids[~chosen]) and not torch.equal(found, ids)


def test_a_number_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValidationError, match="shares has a number twice"):
        brittleness.Settings(kind="brittleness", clips=None, **GRID | {"shares": (0.5, 0.5)})
