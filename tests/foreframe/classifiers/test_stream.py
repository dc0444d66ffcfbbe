"""A stream sees some frames of a clip: by chance in training, and else those in its middle."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe import classifiers
from foreframe.errors import UserError
from foreframe.randomness import generator
from foreframe.training.objective import Moment
from tests.foreframe.classifiers import small


def flow(stacked: int = 4) -> Any:
    view = small.view(channels="colour", scaling="centred")
    return small.model("stream", channels=3, sees="flow", stacked=stacked, view=view)


def seen_by(built: Any, x_BCTHW: Tensor) -> list[int]:
    """Return which frames have an influence on the scores."""
    x_BCTHW = x_BCTHW.clone().requires_grad_()
    (slope,) = torch.autograd.grad(built.logits(x_BCTHW)[:, 0].sum(), x_BCTHW)
    return slope.abs().amax(dim=(0, 1, 3, 4)).nonzero().flatten().tolist()


@pytest.mark.parametrize(("stacked", "wanted"), [(1, [2]), (2, [2, 3]), (4, [1, 2, 3, 4])])
def test_the_middle_of_six_frames_is_seen(stacked: int, wanted: list[int]) -> None:
    assert seen_by(flow(stacked).eval(), small.flows(2)[0]) == wanted


def test_of_flow_two_components_are_seen_side_by_side() -> None:
    built, (x_BCTHW, _) = flow().eval(), small.flows(2)
    shown: list[Tensor] = []
    built.blocks.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0]))
    built.logits(x_BCTHW)
    for place in range(4):
        for component in (0, 1):
            wanted = x_BCTHW[:, component, 1 + place]
            assert torch.equal(shown[0][:, 2 * place + component], wanted)
    assert shown[0].shape[1] == 8


def test_training_sees_frames_in_a_row_that_the_step_s_numbers_choose() -> None:
    built = flow(4).train()
    # Numbers that say which clip and which frame they are of.
    clips, times = torch.arange(8.0)[:, None, None], torch.arange(6.0)[:, None]
    x_BCTHW = (10 * clips + times)[:, None, :, :, None].expand(8, 3, 6, 16, 16).contiguous()
    batch = {"x": x_BCTHW, "labels": {small.LABEL: torch.arange(8) % 4}}
    shown: list[Tensor] = []
    built.blocks.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0]))

    def begins(step: int) -> list[int]:
        built.loss(batch, Moment(step, 9, 0, step, 9, generator(0, "step", step)))
        found_BN = shown.pop()[:, ::2, 0, 0]
        assert torch.equal(found_BN - found_BN[:, :1], torch.arange(4.0).expand(8, -1))
        assert torch.equal(found_BN[:, 0] // 10, torch.arange(8.0))
        return [int(number) for number in found_BN[:, 0] % 10]

    assert begins(0) == begins(0)
    every = {begin for step in range(9) for begin in begins(step)}
    assert every == {0, 1, 2}
    built.eval()
    assert begins(3) == 8 * [1]


def test_a_stream_of_flow_learns_which_way_things_go(tmp_path: Path) -> None:
    x_BCTHW, labels_B = small.flows()
    built = flow()
    small.train(built, x_BCTHW, labels_B, tmp_path)
    assert small.error(built, x_BCTHW, labels_B) <= 0.04


def test_a_single_frame_tells_how_a_bar_lies_and_not_which_way_it_goes(tmp_path: Path) -> None:
    built = small.model("stream")
    small.train(built, *small.clips(64), tmp_path)
    x_BCTHW, labels_B = small.clips(256, "others")
    with torch.no_grad():
        chosen_B = built.logits(x_BCTHW).argmax(dim=1)
    assert ((chosen_B // 2) != (labels_B // 2)).double().mean() < 0.05
    assert 0.4 < small.error(built, x_BCTHW, labels_B) < 0.6


@pytest.mark.parametrize("side", [8, 15, 32])
def test_frames_of_another_size_are_refused(side: int) -> None:
    with pytest.raises(UserError, match=f"of 16 x 16 pixels, not {side} x {side}"):
        classifiers.ROLE.build(small.settings("stream"), small.given(side=side))
