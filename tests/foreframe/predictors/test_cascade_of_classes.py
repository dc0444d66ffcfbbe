"""A cascade of drawn classes: it is a cascade that is told those, each class as often."""

from typing import Any

import pytest
import torch

from foreframe.errors import UserError
from foreframe.predictors.cascade_of_classes import CascadeOfClasses, Settings, build
from foreframe.randomness import Draws
from tests.foreframe.predictors import cascades
from tests.foreframe.predictors.cascades import CLASSES, FRAMES, WHOLE

NUMBERS = tuple(range(300))
DRAWS = Draws.each(0, [3, 4], range(3))


def settings(**changes: Any) -> Settings:
    known = cascades.told().model_dump() | {"kind": "cascade_of_classes"}
    return Settings(**(known | changes))


def model() -> CascadeOfClasses:
    chosen = settings()
    built = build(chosen, cascades.given(chosen.labels))
    built.load_state_dict(cascades.ready(cascades.told()).state_dict())
    built.eval()
    cascades.scaled(built)
    return built


def test_a_clip_is_that_of_a_cascade_that_is_told_the_drawn_class() -> None:
    built, other = model(), cascades.ready(cascades.told())
    found = built.predict(cascades.nothing(), FRAMES, WHOLE, DRAWS).frames
    told = cascades.nothing(way=built.classes(cascades.nothing(), DRAWS.seed))
    assert torch.equal(found, other.predict(told, FRAMES, WHOLE, DRAWS).frames)
    # A class that is told is the one that is made.
    labels = torch.tensor([2, 0])
    one, two = (
        each.predict(cascades.nothing(way=labels), FRAMES, WHOLE, DRAWS).frames
        for each in (built, other)
    )
    assert torch.equal(one, two)


def test_classes_are_drawn_alike_by_seed_and_number_of_the_clip() -> None:
    built = model()
    found = built.classes(cascades.nothing(NUMBERS), 0)
    assert found.bincount(minlength=len(CLASSES)).min() > 0.8 * len(NUMBERS) / len(CLASSES)
    assert torch.equal(built.classes(cascades.nothing(NUMBERS[10:20]), 0), found[10:20])
    assert not torch.equal(built.classes(cascades.nothing(NUMBERS), 1), found)


def test_what_has_no_classes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"labels is \[\], but cascade_of_classes draws one"):
        settings(labels=(), class_width=None)
    chosen = settings()
    with pytest.raises(UserError, match="frames of 16 x 16, but those of the data are 8 x 8"):
        build(chosen, cascades.given(chosen.labels, rows=8))
