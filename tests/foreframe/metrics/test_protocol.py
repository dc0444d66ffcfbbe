"""The digest of a protocol changes with every field and with nothing else."""

from dataclasses import fields, replace
from typing import Any

import pytest

from foreframe.metrics.protocol import Protocol

PROTOCOL = Protocol(
    dataset="1" * 32,
    split="2" * 32,
    clips={"train": 30, "test": 4},
    clip_strides={"train": 8, "test": 8},
    prediction_set="test",
    prediction_clips=(0, 2),
    context=8,
    horizon=8,
    context_encoding="full_clip",
    frame_size=(64, 64),
    resizing="none",
    value_range="[0, 1]",
    metrics={"psnr": "one", "ssim": "two"},
    samples_per_context=1,
    best_of="one sample, nothing is chosen",
    seed=0,
)


def another(value: Any) -> Any:
    """Return a value of the same type that differs."""
    if isinstance(value, dict):
        return {**value, "test": "other"}
    if isinstance(value, tuple):
        return (*value, 1)
    return value + type(value)(1)


@pytest.mark.parametrize("name", [field.name for field in fields(Protocol)])
def test_every_field_counts(name: str) -> None:
    changed = replace(PROTOCOL, **{name: another(getattr(PROTOCOL, name))})
    assert changed.digest() != PROTOCOL.digest()


def test_the_order_of_keys_does_not_count() -> None:
    turned = replace(PROTOCOL, clips=dict(reversed(list(PROTOCOL.clips.items()))))
    assert turned.digest() == PROTOCOL.digest()


def test_the_digest_is_fixed_across_runs_and_machines() -> None:
    assert PROTOCOL.digest() == "8381087cc30fb9bece48b02bbb7784249d5d931b3ad2332cd509acc25968c770"


def test_the_digest_can_be_recomputed_from_the_facts() -> None:
    assert Protocol(**PROTOCOL.facts()).digest() == PROTOCOL.digest()
