"""What a cascade refuses, each in one sentence that says the cure."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from foreframe.errors import UserError
from foreframe.predictors import Context
from foreframe.predictors.cascade import Settings, build
from foreframe.randomness import Draws
from tests.foreframe.predictors import cascades, moving
from tests.foreframe.predictors.cascades import (
    FRAMES,
    WHOLE,
    WINDOW,
    critic,
    first,
    game_plan,
    given,
    level,
    net,
    second,
    settings,
    told,
)
from tests.foreframe.training.games import phase

PAIRS = (("generator_1", "critic_1"), ("generator_2", "critic_2"))
REFUSED: dict[str, tuple[Callable[[], Settings], str]] = {
    "scaling": (
        lambda: settings(view=moving.view(frames=FRAMES)),
        r"view\.scaling is unit, but cascade is built for symmetric",
    ),
    "two labels": (
        lambda: told(labels=("way", "size")),
        r"labels are way, size, but a cascade is told one class\. Name one label",
    ),
    "a width without labels": (
        lambda: settings(class_width=2),
        r"class_width is 2, and labels is \[\]\. Give both",
    ),
    "labels without a width": (
        lambda: told(class_width=None),
        r"class_width is None, and labels is way\. Give both",
    ),
    "other clips of a phase": (
        lambda: settings(
            training=game_plan(
                2,
                phases=tuple(phase(steps=1, frames=4, players=pair) for pair in PAIRS),
            )
        ),
        r"which windows of clips its levels see\. Set frames of every phase to null",
    ),
    "levels at once": (
        lambda: settings(training=game_plan(2, phases=(phase(steps=1),))),
        r"learns by generator_1 with critic_1, then generator_2 with critic_2",
    ),
    "levels in another order": (
        lambda: settings(
            training=game_plan(
                2, phases=tuple(phase(steps=1, players=pair) for pair in PAIRS[::-1])
            )
        ),
        r"the players of each phase be one of these, in this order",
    ),
    "other players": (
        lambda: settings(training=game_plan(1)),
        r"training\.players are generator_1, critic_1, but those of this cascade are generator_1, "
        r"critic_1, generator_2, critic_2",
    ),
    "a length": (
        lambda: settings(view=moving.view(frames=9, scaling="symmetric")),
        r"view\.frames is 9, but level 1 has every 2 of them\. Let clips have a multiple",
    ),
    "too few frames": (
        lambda: settings(level(every=2)),
        r"every of the last level is 2, but that one makes all frames of the view\. Set it to 1",
    ),
    "rates": (
        lambda: settings(
            first(every=4), second(every=3), second(), training=game_plan(3)
        ),
        r"every of level 2 is 3 and that of level 1 4\. Let each divide the one before",
    ),
    "sizes": (
        lambda: settings(first(size=12, generator=net(2, 1, grid=6)), second()),
        r"size of level 2 is 16 and that of level 1 12\. Let each be a multiple",
    ),
    "a generator of another size": (
        lambda: settings(first(), second(generator=net(2, 1, 1, 1))),
        r"generator of level 2 makes frames of 32 or 64 rows .* not of 16\. Change one",
    ),
    "seen frames": (
        lambda: settings(first(), second(critic=critic(1, 2, frames=5))),
        r"critic of level 2 sees 5 frames by themselves, .* example has 4\. Lower critic\.frames",
    ),
    "a window of nothing": (
        lambda: settings(first(window=2), second()),
        r"Level 1 has no level below it\. Set its window to null",
    ),
    "a match with nothing": (
        lambda: settings(first(critic=critic(1, 2, matching=True)), second()),
        r"Level 1 has no level below it\. .* critic\.matching to false",
    ),
    "a window": (
        lambda: settings(first(), second(window=5)),
        r"window of level 2 is 5, but clips of the level below have 4 frames\. Lower it",
    ),
    "a grid": (
        lambda: settings(
            first(), second(size=24, generator=net(2, 1, 1, grid=6)),
        ),
        r"Units of the generator of level 2 have 6 rows, of which the 8 of the level below are no "
        r"multiple\. Change its grid",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_settings_that_do_not_fit_are_refused(name: str) -> None:
    make, words = REFUSED[name]
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("grid", [3, 0])
def test_a_grid_that_critics_cannot_halve_is_refused(grid: int) -> None:
    with pytest.raises(ValueError, match="grid"):
        net(2, 1, grid=grid)


def test_frames_of_another_size_are_refused() -> None:
    with pytest.raises(UserError, match=r"makes frames of 16 x 16, but .* are 8 x 8\. Change its"):
        build(settings(), given(rows=8))


@pytest.mark.parametrize("classes", [{}, {"way": ("left",)}])
def test_a_label_that_tells_nothing_is_refused(classes: dict[str, Any]) -> None:
    known = given()
    with pytest.raises(UserError, match=r"The label way has less than two classes .* Take data"):
        build(told(), type(known)(known.shape, (), classes))


def test_given_frames_are_refused() -> None:
    context = Context(torch.zeros(1, 2, 16, 16, 3, dtype=torch.uint8), [3])
    with pytest.raises(UserError, match=r"given 2 frames .* Set the protocol's context to 0"):
        cascades.model().predict(context, 2, WHOLE, Draws.first(0, [3]))


@pytest.mark.parametrize(
    ("horizon", "options", "temporal", "words"),
    [
        (9, WHOLE, "gru", r"goes on by 2 frames at a time, and 9 is no multiple .* horizon"),
        (10, WHOLE, "separable", r"makes clips of 8 frames, not of 10: .* no recurrence"),
        (5, WINDOW, "gru", r"A window of Cascade has 4 frames, not 5\. Lower the .* horizon"),
    ],
)
def test_horizons_that_cannot_be_reached_are_refused(
    horizon: int, options: Any, temporal: str, words: str
) -> None:
    built = cascades.model(first(generator=net(2, 1, temporal=temporal)), second())
    with pytest.raises(UserError, match=words):
        built.predict(cascades.nothing(), horizon, options, Draws.first(0, [3, 4]))


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ({}, r"told the label way, which these clips do not have\. Take data"),
        ({"way": torch.tensor([0, 3])}, r"A clip has a way that is none of the 3 classes"),
        ({"way": torch.tensor([-1, 0])}, r"A clip has a way that is none of the 3 classes"),
    ],
)
def test_clips_without_a_class_are_refused(labels: dict[str, Any], words: str) -> None:
    built = cascades.ready(told())
    with pytest.raises(UserError, match=words):
        built.predict(cascades.nothing(**labels), 2, WHOLE, Draws.first(0, [3, 4]))
