"""Variants follow the main study, and a mistake in one is named with its place."""

from typing import Any

import pytest

from foreframe.config import reading, replication
from foreframe.errors import UserError
from tests.smoke import ROOT

STUDY = ROOT / "studies" / "replication" / "params.yaml"


def sections() -> tuple[dict[str, Any], dict[str, Any]]:
    return reading.load(STUDY), reading.load(ROOT / "params.yaml")


def resolved(study: dict[str, Any], main: dict[str, Any]) -> replication.Variants:
    return replication.resolve(study, main, "study")


def test_a_variant_differs_from_the_main_study_in_its_changes_alone() -> None:
    study, main = sections()
    found = resolved(study, main)
    unclipped, bottom = found.priors["bottom_unconditioned"], main["priors"]["bottom"]
    assert unclipped == {**bottom, "conditioning": "none"}
    kernel = found.autoencoders["kernel_333"]
    assert kernel["residual_kernel"] == [3, 3, 3]
    protocol = found.protocols["full_clip"]
    futures = main["protocols"]["driving"]["futures"]
    assert protocol["futures"] == {**futures, "context_encoding": "full_clip"}
    assert protocol["measures"] == main["protocols"]["driving"]["measures"]
    # Nested sections are merged key by key.
    assert {**main["autoencoder"]["training"], "epochs": kernel["training"]["epochs"]} == (
        kernel["training"]
    )


def test_variants_follow_the_main_study() -> None:
    study, main = sections()
    main["autoencoder"]["width"] = 48
    main["priors"]["top"]["channels"] = 40
    found = resolved(study, main)
    assert {each["width"] for each in found.autoencoders.values()} == {48}
    assert found.priors["top_small"]["channels"] == 40


@pytest.mark.parametrize(
    ("section", "name", "wrong", "message"),
    [
        ("autoencoders", "plain", {"widht": 3}, "autoencoders.plain.widht is no parameter"),
        ("autoencoders", "plain", {"width": "wide"}, "autoencoders.plain.width"),
        ("priors", "top_small", {"like": "middle", "changes": {}}, "choose one of: top, bottom"),
        ("priors", "top_small", {"like": "top", "changes": {"blocks": 0}}, "top_small.blocks"),
        ("latents", "dense", {"train_stride": 0}, "latents.dense.train_stride"),
        ("futures", "full_clip", {"horizon": 0}, "futures.full_clip.horizon"),
    ],
)
def test_a_mistake_is_named_with_its_variant(
    section: str, name: str, wrong: dict[str, Any], message: str
) -> None:
    study, main = sections()
    study[section][name] = wrong
    with pytest.raises(UserError, match=message):
        resolved(study, main)


def test_an_unknown_section_and_other_networks_are_refused() -> None:
    study, main = sections()
    with pytest.raises(UserError, match="extra is no parameter"):
        resolved({**study, "extra": {}}, main)
    main["priors"]["bottom"]["kind"] = "pixel_snail"
    with pytest.raises(UserError, match="about the kind conditional_pixel_snail"):
        resolved(study, main)
