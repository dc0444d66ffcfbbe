"""How surprised a predictor is at true frames: against a model that can be worked out by hand."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.analyses import one_step
from tests.foreframe.analyses.asked import analysed, bits, rows, subject, told
from tests.foreframe.predictors.test_recurrent import DRAWN, clips

COUNT, FRAMES = 10, 5  # more clips than a batch


def settings(**changes: Any) -> one_step.Settings:
    known: dict[str, Any] = {"kind": "one_step", "clips": None, "show": 0, "events": {}}
    return one_step.Settings(**(known | changes))


def happening(known: dict[str, list[float]], **event: Any) -> list[bool]:
    """Return when an event happens in one clip."""
    values = {name: torch.tensor([each]) for name, each in known.items()}
    length = len(next(iter(known.values())))
    asked = subject(None, None, clips(1, length), states=values)
    return one_step.happening(asked, one_step.Event(**event))[0].tolist()


@pytest.mark.parametrize(
    ("states", "later", "wanted"),
    [
        (("one",), 0, [0, 1, 0, 0]),
        (("one", "other"), 0, [0, 1, 0, 1]),
        (("one", "other"), 1, [0, 0, 1, 0]),
        (("other",), 9, [0, 0, 0, 0]),
    ],
)
def test_an_event_is_when_any_of_its_states_was_so_many_frames_ago(
    states: tuple[str, ...], later: int, wanted: list[int]
) -> None:
    known = {"one": [0.0, 1.0, 0.0, -1.0], "other": [0.0, 0.0, 0.0, 1.0]}
    assert happening(known, states=states, later=later) == list(map(bool, wanted))


def test_things_are_near_while_both_edges_are() -> None:
    known = {"x_1": [0.0, 0, 0, 0, 9], "y_1": [0.0, 0, 0, 0, 9], "hit": [0.0, 0, 0, 0, 1]}
    known |= {"x_2": [2.0, 3, 2, -2, 0], "y_2": [2.0, 2, 3, -2, 0]}
    pairs = (("x_1", "y_1"), ("x_2", "y_2"))
    assert happening(known, near=pairs, within=3) == [True, False, False, True, False]
    both = happening(known, near=pairs, within=3, states=("hit",), later=1)
    assert both == [False, True, False, False, True]


def test_means_at_events_leave_out_the_first_frame_and_clips_that_cannot_tell() -> None:
    values = torch.tensor([[9.0, 1, 2, 6], [9, 5, 1, 0], [9, 0, 0, 9]], dtype=torch.float64)
    # Of five frames one is given: the first clip's event is the last frame, ...
    event = torch.tensor([[1, 1, 0, 0, 1], [0, 1, 0, 1, 0], [0, 0, 0, 0, 0]]).bool()
    never, always = torch.zeros(3, 5).bool(), torch.ones(3, 5).bool()
    happens = {"event": event, "never": never, "always": always}
    found = one_step._course(values, happens, given=1)
    assert found["mean"] == pytest.approx((18 + 15 + 18) / 12)
    assert found["first"]["mean"] == 9
    assert found["later"]["mean"] == pytest.approx((3 + 2 + 3) / 3)
    assert found["drop"]["mean"] == pytest.approx(9 - 8 / 3)
    # ... the second's the one before it, and the third has none.
    assert found["event"]["at"] == {**found["event"]["at"], "mean": (6 + 1) / 2, "clips": 2}
    assert found["event"]["elsewhere"]["mean"] == (1.5 + 2.5) / 2
    assert found["event"]["difference"]["mean"] == 3.5 - 2
    assert not {"never", "always"} & found.keys()
    assert one_step._course(values[:, :1], {}, given=1).keys().isdisjoint({"later", "drop"})


def asked(folder: Path, model: Any, frames: Tensor, **more: Any) -> Any:
    changes = {name: more.pop(name) for name in ("events", "show") if name in more}
    return analysed(folder / "a.h5", one_step, settings(**changes), model, frames, **more)


@pytest.mark.parametrize("given", [1, 2])
def test_every_frame_is_expected_to_be_the_true_one_before_it(given: int, tmp_path: Path) -> None:
    frames = clips(COUNT, FRAMES)
    found, _ = asked(tmp_path, told(), frames, given=given)
    wanted_NS = bits(frames[:, given:], frames[:, given - 1 : -1])
    assert found.values["prior"]["bits"]["mean"] == pytest.approx(wanted_NS.mean().item())
    assert rows(found, "prior", "bits") == pytest.approx(wanted_NS.mean(dim=0).tolist())


def test_latents_that_nothing_hears_of_make_no_gap(tmp_path: Path) -> None:
    # And a posterior whose mean is off by e costs e^2 / 2 nats.
    frames = clips(COUNT, FRAMES)
    found, _ = asked(tmp_path, told(gain=0.0, error=0.5), frames, options=DRAWN)
    assert rows(found, "prior", "bits") == pytest.approx(rows(found, "posterior", "bits"))
    assert rows(found, "model", "gap") == pytest.approx([0.0] * (FRAMES - 1), abs=1e-5)
    assert rows(found, "model", "kl_z") == pytest.approx([0.125] * (FRAMES - 1))
    assert found.values["model"]["kl_z"]["mean"] == pytest.approx(0.125)
    # Heard of, they are told by the frame alone.
    found, _ = asked(tmp_path, told(), frames, options=DRAWN)
    gap, prior, posterior = (
        rows(found, *name.split("/")) for name in ("model/gap", "prior/bits", "posterior/bits")
    )
    assert min(gap) > 0.1
    assert gap == pytest.approx([a - b for a, b in zip(prior, posterior, strict=True)])


def test_the_bound_of_a_clip_is_its_frames_bits_and_divergences_in_nats(tmp_path: Path) -> None:
    found, _ = asked(tmp_path, told(error=0.5), clips(COUNT, FRAMES), options=DRAWN)
    values = clips(COUNT, FRAMES)[0, 1:, ..., 0].numel()  # grey
    bits_of_a_value = found.values["posterior"]["bits"]["mean"]
    said = values * (bits_of_a_value * math.log(2) + math.log(told().grey_level))
    told_by_kl = (FRAMES - 1) * found.values["model"]["kl_z"]["mean"]
    bound_N = found.per_clip["bound"]
    assert bound_N.shape == (COUNT,) and bound_N.std() > 0
    assert bound_N.mean().item() == found.values["model"]["bound"]["mean"]
    assert bound_N.mean().item() == pytest.approx(said + told_by_kl)


def test_events_have_the_share_of_clips_by_frame(tmp_path: Path) -> None:
    hit = torch.zeros(COUNT, FRAMES)
    hit[:3, 1], hit[:5, 3] = 1, 1
    found, _ = asked(
        tmp_path, told(), clips(COUNT, FRAMES), states={"hit": hit},
        events={"bounce": {"states": ("hit",)}},
    )  # fmt: skip
    assert rows(found, "bounce", "share") == pytest.approx([0.3, 0, 0.5, 0])
    assert found.values["model"]["gap"]["bounce"]["at"]["clips"] == 5


@pytest.mark.parametrize("show", [0, 2, 9])
def test_frames_of_the_clips_that_are_shown_are_stored(show: int, tmp_path: Path) -> None:
    frames = clips(COUNT, FRAMES)
    _, stored = asked(tmp_path, told(), frames, show=show, given=2)
    if not show:
        assert not stored
        return
    # The mean prior and the toy's posterior say the frame before.
    before, true = frames[:show, 1:-1], frames[:show, 2:]
    change = (true.int() - before.int()).abs().to(torch.uint8)
    wanted = {"real": frames[:show], "prior": before, "posterior": before}
    wanted |= {"change": change, "error": change}
    assert stored.keys() == wanted.keys()
    for name, values in wanted.items():
        assert torch.equal(torch.from_numpy(stored[name]), values), name


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({}, "never happens"),
        ({"near": (("a", "b"), ("c", "d"))}, "belong together"),
        ({"states": ("a",), "within": 2.0}, "belong together"),
    ],
)
def test_an_event_that_cannot_happen_is_refused(event: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settings(events={"bounce": event})


def test_an_event_that_would_hide_a_value_is_refused() -> None:
    with pytest.raises(ValueError, match=r"events\.first: this name is taken"):
        settings(events={"first": {"states": ("a",)}})
