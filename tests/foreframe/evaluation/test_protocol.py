"""The digest of a protocol changes with every field and nothing else; differences are named."""

from dataclasses import fields, replace
from typing import Any

import pytest

from foreframe.errors import UserError
from foreframe.evaluation.protocol import Protocol, SetProtocol, difference

PROTOCOL = Protocol(
    dataset="1" * 32,
    split="2" * 32,
    set="test",
    clip_choice="evenly",
    clip_starts=(0, 2),
    context=8,
    horizon=8,
    context_encoding="full_clip",
    frame_size=(64, 64),
    resizing="none",
    value_range="[0, 1]",
    metrics={"psnr": "one", "ssim": "two"},
    features={"fvd": "3" * 64},
    samples=1,
    best="none",
    sets={"see": "clip", "repeats": 1, "few": "refuse"},
    likelihood={"samples": 1, "given": 1, "frames": 3},
    seed=0,
)


def another(value: Any) -> Any:
    """Return a value of the same type that differs."""
    if isinstance(value, dict):
        return {**value, "psnr": "other"}
    if isinstance(value, tuple):
        return (*value, 1)
    return value + type(value)(1)


@pytest.mark.parametrize("name", [field.name for field in fields(Protocol)])
def test_every_field_counts_and_is_named(name: str) -> None:
    changed = replace(PROTOCOL, **{name: another(getattr(PROTOCOL, name))})
    assert changed.digest() != PROTOCOL.digest()
    (found,) = difference(PROTOCOL, changed)
    assert found.partition(".")[0] == name


def test_a_differing_metric_is_named_by_itself() -> None:
    changed = replace(PROTOCOL, metrics={"psnr": "one", "ssim": "other"})
    assert difference(PROTOCOL, changed) == ["metrics.ssim"]
    assert difference(changed, replace(changed, metrics={"psnr": "one"})) == ["metrics.ssim"]


def test_what_only_one_has_differs_even_from_nothing() -> None:
    sets = SetProtocol("1" * 32, "2" * 32, {}, {}, 8, (64, 64), "[0, 1]", {})
    unasked = replace(PROTOCOL, likelihood=None)
    assert "likelihood" in difference(unasked, sets)
    assert difference(unasked, sets) == difference(sets, unasked)


def test_equal_protocols_do_not_differ() -> None:
    assert difference(PROTOCOL, Protocol.of(PROTOCOL.facts(), "here")) == []


def test_the_order_of_keys_does_not_count() -> None:
    turned = replace(PROTOCOL, metrics=dict(reversed(list(PROTOCOL.metrics.items()))))
    assert turned.digest() == PROTOCOL.digest()


def test_the_digest_is_fixed_across_runs_and_machines() -> None:
    assert PROTOCOL.digest() == "c00e4f6fb8891732032febd52f6af56c618da42e98171f8811fb6d311356d7dd"


def test_the_digest_can_be_recomputed_from_the_facts() -> None:
    assert Protocol.of(PROTOCOL.facts(), "here").digest() == PROTOCOL.digest()


def test_facts_of_another_kind_are_no_protocol() -> None:
    with pytest.raises(UserError, match=r"here holds no protocol of this version"):
        Protocol.of({**PROTOCOL.facts(), "colour": "grey"}, "here")
