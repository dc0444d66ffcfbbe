"""The probe: exact where its model is, streaming, blind to brightness, and honest about files."""

from pathlib import Path

import pytest
import torch

from foreframe.errors import ArtefactError
from foreframe.evaluation import state_probe
from foreframe.evaluation.state_probe import Fit, StateProbe, features, root_mean_square
from foreframe.randomness import generator


def frames(count: int, name: str = "a", side: int = 20) -> torch.Tensor:
    drawn = generator(0, "probe", name).integers(0, 256, (count, side, side, 3))
    return drawn.to(torch.uint8)


def sliding(count: int, step: int, side: int = 24) -> torch.Tensor:
    """Return frames of one random picture that moves by `step` pixels a frame."""
    picture = frames(1, "picture", side)[0]
    return torch.stack([picture.roll(step * number, dims=1) for number in range(count)])


def test_a_state_that_features_determine_is_read_back() -> None:
    weight_FS = generator(0, "truth").normal((2048, 2)).double()
    fit = Fit(["a", "b"])
    for part in range(40):
        clip = frames(65, f"part {part}")
        fit.update(clip, torch.cat([torch.zeros(1, 2), features(clip) @ weight_FS + 3]))
    clip = frames(30, "unseen")
    true_1TS = (features(clip) @ weight_FS + 3)[None]
    error_S = root_mean_square(fit.result().read(clip[None]), true_1TS)
    assert (error_S < 0.25 * true_1TS[0].std(dim=0)).all()


def test_motion_is_told_from_rest_in_the_same_pictures() -> None:
    fit = Fit(["step"])
    for step in (-2, -1, 0, 1, 2):
        fit.update(sliding(40, step), torch.full((40, 1), float(step)))
    probe = fit.result()
    for step in (-2, 0, 1):
        read_1T1 = probe.read(sliding(40, step)[None])
        assert read_1T1.mean().item() == pytest.approx(step, abs=0.2)


def test_parts_of_a_run_give_what_the_run_gives() -> None:
    clip, states = frames(90), generator(0, "states").uniform((90, 1))
    whole, parts = Fit(["a"]), Fit(["a"])
    whole.update(clip, states)
    for first in range(0, 89, 30):
        parts.update(clip[first : first + 31], states[first : first + 31])
    assert torch.allclose(whole.result().weight, parts.result().weight, atol=1e-8)


def test_clips_of_a_batch_do_not_touch_each_other() -> None:
    fit = Fit(["a"])
    fit.update(frames(50), generator(0, "states").uniform((50, 1)))
    probe = fit.result()
    batch = torch.stack([frames(6, "x"), frames(6, "y")])
    read = probe.read(batch)
    assert read.shape == (2, 5, 1)
    assert torch.equal(read[1:], probe.read(batch[1:]))


def test_brightness_alone_is_not_seen() -> None:
    dark = frames(3) // 2
    # Away from the border of the rectifier only rounding is left.
    assert torch.allclose(features(dark), features(dark + 90), atol=1e-4)


def test_what_is_saved_reads_the_same(tmp_path: Path) -> None:
    fit = Fit(["speed"])
    fit.update(frames(40), generator(0, "states").uniform((40, 1)))
    probe = fit.result()
    probe.save(tmp_path / "probe.safetensors")
    loaded = StateProbe.load(tmp_path / "probe.safetensors")
    assert loaded.names == ("speed",)
    clip = frames(5, "other")[None]
    assert torch.equal(loaded.read(clip), probe.read(clip))


def test_an_empty_probe_reads_nothing_and_a_damaged_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "probe.safetensors"
    state_probe.EMPTY.save(path)
    assert StateProbe.load(path).read(frames(4)[None]).shape == (1, 3, 0)
    StateProbe(("a", "b"), torch.zeros(2048, 1).double(), torch.zeros(1).double()).save(path)
    with pytest.raises(ArtefactError, match="one column for each state"):
        StateProbe.load(path)
