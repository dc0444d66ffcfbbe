"""FG-ARI of predictors with slots, on scenes whose masks are known."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.analyses import segmentation
from foreframe.config.sampling import Options
from foreframe.errors import UserError
from foreframe.metrics import ari
from foreframe.predictors import Prediction
from foreframe.predictors.copy_last_frame import CopyLastFrame
from foreframe.sources import rendered_scenes
from foreframe.sources.rendered_scenes import scene
from tests.foreframe.analyses import asked
from tests.foreframe.analyses.test_slots import small
from tests.foreframe.predictors import rendered
from tests.foreframe.sources.synthetic_episodes import settings

COUNT, SIDE, MOST = 10, 32, 3  # more clips than a batch


def drawn(side: int = SIDE) -> tuple[Tensor, dict[str, Tensor], Tensor]:
    """Return frames (N,1,H,W,C), states and masks (N,H,W) of scenes."""
    chosen = settings("rendered_scenes", frames_per_episode=1, moving="nothing")
    frames, states, masks = [], [], []
    for number in range(COUNT):
        (each,) = rendered_scenes.clip(chosen, 0, number)
        seen = each.look(side, side)
        frames.append(torch.from_numpy(each.picture(side, side)))
        states.append(torch.from_numpy(scene.states(each, seen, MOST, side, side)))
        masks.append(torch.from_numpy(seen.solids))
    rows = torch.stack(states)
    known = {name: rows[:, [place]] for place, name in enumerate(scene.names(MOST))}
    return torch.stack(frames)[:, None], known, torch.stack(masks)


class Knowing(CopyLastFrame):
    """Has the true masks of a scene in slots of another order, in its two halves `mixed`."""

    slot_count = MOST + 1

    def __init__(self, *, mixed: bool = False) -> None:
        self.mixed = mixed
        frames, _, masks = drawn()
        self.known = list(zip(frames[:, 0], masks, strict=True))

    def masks(self, frames_NHWC: Tensor) -> Tensor:
        found = []
        for frame in frames_NHWC:
            (labels,) = (labels for known, labels in self.known if torch.equal(known, frame))
            if self.mixed:
                labels = labels.clamp(max=1)
            found.append(torch.stack([labels == (slot + 1) % 4 for slot in range(4)]).float())
        return torch.stack(found)

    def reconstruct(self, clips_NTHWC: Tensor, given: int) -> Prediction | None:
        return Prediction(clips_NTHWC)


def ask(path: Path, model: Any, show: int = 0, **more: Any) -> tuple[Any, dict[str, Any]]:
    frames, states, _ = drawn(more.pop("side", SIDE))
    truth = more.pop("truth", "states")
    chosen = segmentation.Settings(kind="segmentation", clips=None, show=show, truth=truth)
    given: dict[str, Any] = {"frames": frames, "states": states, "given": 0} | more
    shown = given.pop("frames")
    return asked.analysed(
        path / "a.h5", segmentation, chosen, model, shown, options=Options(), **given
    )


def test_true_masks_in_any_order_are_told_apart(tmp_path: Path) -> None:
    found, stored = ask(tmp_path, Knowing(), show=2)
    assert found.values["fg_ari"]["mean"] == 1
    assert found.values["mse"]["mean"] == 0
    frames, _, masks = drawn()
    assert torch.equal(torch.from_numpy(stored["real"])[:2], frames[:2, 0])
    assert torch.equal(torch.from_numpy(stored["reconstructed"])[:2], frames[:2, 0])
    assert stored["slots"].shape == (3, 4, SIDE, SIDE, 3)
    # A picture of labels has as many shades as there are, and those of the ground are black.
    shades = torch.from_numpy(stored["truth"])
    assert torch.equal(shades[:2].sum(dim=3) == 0, masks[:2] == 0)
    for name in ("truth", "segments"):
        for picture, labels in zip(torch.from_numpy(stored[name]), masks[:2], strict=False):
            assert len(picture.flatten(0, 1).unique(dim=0)) == len(labels.unique())


def test_objects_that_share_a_slot_are_told_by_chance_and_the_worst_is_shown_last(
    tmp_path: Path,
) -> None:
    found, stored = ask(tmp_path, Knowing(mixed=True), show=1)
    frames, _, masks = drawn()
    wanted = ari.foreground(masks, masks.clamp(max=1))
    assert found.values["fg_ari"]["mean"] == pytest.approx(float(wanted.mean()))
    assert found.per_clip["confusion"].tolist() == (1 - wanted).tolist()
    worst = frames[wanted.argmin(), 0]
    assert torch.equal(torch.from_numpy(stored["real"])[-1], worst)


def test_masks_may_be_the_next_frame(tmp_path: Path) -> None:
    frames, _, masks = drawn()
    levels = (17 * masks)[:, None, ..., None].expand(-1, -1, -1, -1, 3).to(torch.uint8)
    more: dict[str, Any] = {"frames": torch.cat([frames, levels], dim=1), "states": {}, "given": 1}
    for model in (Knowing(), Knowing(mixed=True)):
        found, _ = ask(tmp_path, model, truth="next_frame", **more)
        other, _ = ask(tmp_path, model)
        assert found.values == other.values


def test_masks_of_fewer_pixels_are_of_all_that_they_cover(tmp_path: Path) -> None:
    class Coarse(Knowing):
        def masks(self, frames_NHWC: Tensor) -> Tensor:
            return super().masks(frames_NHWC)[:, :, ::2, ::2]

    found, stored = ask(tmp_path, Coarse(), show=1)
    slots = torch.from_numpy(stored["slots"])
    assert torch.equal(slots[:, :, ::2, ::2], slots[:, :, 1::2, 1::2])
    assert 0.5 < found.values["fg_ari"]["mean"] < 1


@pytest.mark.parametrize("name", ["vim", "scoff", "g_swm"])
def test_slots_of_the_first_frame_of_clips_are_asked_alike(name: str, tmp_path: Path) -> None:
    model, _ = small(name, SIDE)
    found, stored = ask(tmp_path, model, show=1)
    frames, *_ = drawn()
    clips = frames[:1].expand(-1, 2, -1, -1, -1)
    rendered = model.follow(model.scaling.inward(clips, None), None).rendered
    shown = model.scaling.outward(rendered.frame[:, :1].transpose(1, 2))
    assert torch.equal(torch.from_numpy(stored["reconstructed"])[:1], shown[:, 0])
    assert found.values["fg_ari"]["clips"] == COUNT


@pytest.mark.parametrize("kind", ["slot_autoencoder", "inferno", "nerf_autoencoder"])
def test_models_of_pictures_are_asked_for_masks_and_what_comes_back(
    kind: str, tmp_path: Path
) -> None:
    model = rendered.model(kind)
    found, stored = ask(tmp_path, model, show=1, side=rendered.SIDE)
    frames, *_ = drawn(rendered.SIDE)
    again = model.reconstruct(frames[:1], 0).frames
    assert torch.equal(torch.from_numpy(stored["reconstructed"])[:1], again[:, 0])
    assert stored["slots"].shape[1] == model.slot_count
    assert found.values["fg_ari"]["clips"] == COUNT
    if model.slot_count == 1:
        _, _, masks = drawn(rendered.SIDE)
        alone = [len(each.unique()) == 2 for each in masks]  # the ground, and one object
        assert (1 - found.per_clip["confusion"]).tolist() == alone


def test_what_cannot_be_told_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="CopyLastFrame has no slots"):
        ask(tmp_path, CopyLastFrame())
    with pytest.raises(UserError, match="states of the data tell no scene"):
        ask(tmp_path, Knowing(), states={})
    with pytest.raises(UserError, match="clips have 1 frame, and the masks are the next one"):
        ask(tmp_path, Knowing(), truth="next_frame")
    frames, states, _ = drawn()
    bare = {name: replaced(name, values) for name, values in states.items()}
    with pytest.raises(UserError, match="clip 0 has no object in its first frame"):
        ask(tmp_path, Knowing(), states=bare, frames=frames)

    class Blind(Knowing):
        def reconstruct(self, clips_NTHWC: Tensor, given: int) -> Prediction | None:
            return None

    with pytest.raises(UserError, match="Blind gives no picture back"):
        ask(tmp_path, Blind())


def replaced(name: str, values: Tensor) -> Tensor:
    """Return states of scenes without anything in the first of them."""
    found = values.clone()
    if name not in scene.CAMERA:
        found[0] = 0
    return found
