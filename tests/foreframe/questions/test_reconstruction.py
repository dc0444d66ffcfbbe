"""Reconstructions of a decoder that is exact, and of one that is off by a known amount."""

from pathlib import Path

import pytest
import torch

from foreframe.errors import UserError
from foreframe.features import registry, store
from foreframe.metrics.lpips import NEEDED, Lpips
from foreframe.questions import reconstruction
from foreframe.randomness import generator
from tests.foreframe.features import synthetic
from tests.foreframe.questions import hand_made

TRAIN = hand_made.blocks(generator(0, "grey").integers(60, 200, (9, 8, 8)))
TEST = hand_made.flat(*range(50, 60))


def test_what_is_exact_has_no_error(tmp_path: Path) -> None:
    answer, arrays = hand_made.asked(
        tmp_path / "a.h5",
        reconstruction,
        {"show": 9, "drop": ()},
        hand_made.model(),
        TEST,
        train=TRAIN,
    )
    for name in ("train", "test"):
        assert answer.values["mse"][name]["mean"] == pytest.approx(0, abs=1e-12)
        assert answer.values["psnr"][name]["mean"] == 100
        assert answer.values["ssim"][name]["mean"] == pytest.approx(1)
    assert torch.equal(arrays["real"], TEST[:9]) and torch.equal(arrays["decoded"], TEST[:9])


def test_errors_are_on_the_scale_of_the_view_and_of_both_sets(tmp_path: Path) -> None:
    off = 10 / 255
    answer, _ = hand_made.asked(
        tmp_path / "a.h5",
        reconstruction,
        {"show": 0, "drop": ()},
        hand_made.model(off=off),
        TEST,
        train=TRAIN,
    )
    for name in ("train", "test"):
        found = answer.values["mse"][name]
        assert found["mean"] == pytest.approx(off**2, rel=1e-4)
        assert found["low"] == pytest.approx(found["high"], rel=1e-4)
        psnr = -20 * torch.tensor(off).log10().item()
        assert answer.values["psnr"][name]["mean"] == pytest.approx(psnr, rel=1e-4)
    assert answer.values["mse"]["train"]["clips"] == 9
    assert answer.per_clip["mse"].shape == (10,)


def test_a_top_alone_blurs_what_the_bottom_would_say(tmp_path: Path) -> None:
    answer, _ = hand_made.asked(
        tmp_path / "a.h5",
        reconstruction,
        {"show": 0, "drop": ()},
        hand_made.model(1.0, 0.0),
        TEST,
        train=TRAIN,
    )
    # Flat test clips come back, training clips of small blocks do not.
    assert answer.values["psnr"]["test"]["mean"] == 100
    assert answer.values["ssim"]["train"]["mean"] < 0.9


def test_a_level_that_is_dropped_says_nothing(tmp_path: Path) -> None:
    """Where the picture is the bottom's alone, without it nothing is left but the top's blank."""
    found = {}
    for drop in ((), ("top",), ("bottom",)):
        path = tmp_path / f"{len(drop)}{drop}.h5"
        chosen = {"show": 0, "drop": drop}
        answer, _ = hand_made.asked(path, reconstruction, chosen, hand_made.model(0.0, 1.0), TEST)
        found[drop] = answer.values["psnr"]["test"]["mean"]
    assert found[()] == found["top",] == 100
    assert found["bottom",] < 30
    with pytest.raises(UserError, match="drop names middle, but the levels are: top, bottom"):
        hand_made.asked(
            tmp_path / "a.h5",
            reconstruction,
            chosen | {"drop": ("middle",)},
            hand_made.model(),
            TEST,
        )


def test_lpips_is_measured_where_its_weights_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With numbers of our own in the layout of the published weights."""
    monkeypatch.setattr(store, "require", lambda folder, entry: synthetic.weights(entry))
    path, side, chosen = tmp_path / "a.h5", 64, {"show": 9, "drop": ()}
    test = hand_made.blocks(generator(1, "grey").integers(0, 200, (9, 16, 16)))
    network = hand_made.model(off=10 / 255, side=side)
    answer, arrays = hand_made.asked(path, reconstruction, chosen, network, test)
    backbone, heads = (synthetic.weights(registry.entry(name)) for name in NEEDED["alex"])
    expected = Lpips("alex", backbone, heads, hand_made.CPU)(arrays["real"], arrays["decoded"])
    assert float(expected.min()) > 0
    value = answer.values["lpips_alex"]["test"]
    assert value["mean"] == pytest.approx(float(expected.mean()), rel=1e-5)
    assert (value["clips"], "missing" in answer.values) == (9, False)
    exact = hand_made.model(side=side)
    answer, _ = hand_made.asked(path, reconstruction, chosen, exact, test)
    assert answer.values["lpips_alex"]["test"]["mean"] == 0


def test_without_weights_it_is_said_what_they_are(tmp_path: Path) -> None:
    path, chosen = tmp_path / "a.h5", {"show": 0, "drop": ()}
    answer, _ = hand_made.asked(path, reconstruction, chosen, hand_made.model(), TEST)
    assert "lpips_alex" not in answer.values
    assert "`foreframe weights fetch alexnet`" in answer.values["missing"]["lpips_alex"]
