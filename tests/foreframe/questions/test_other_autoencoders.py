"""Autoencoders of one level, or without vectors of codes, are asked what they can answer."""

from pathlib import Path
from typing import Any

import pytest

from foreframe.config import reading
from foreframe.errors import UserError
from foreframe.models import Shape
from foreframe.probing import ProbeSettings
from foreframe.questions import (
    brittleness,
    codebook_order,
    dead_levels,
    index_interpolation,
    index_pictures,
    pose_between,
    reconstruction,
)
from foreframe.randomness import generator
from stages import classify_latents
from tests.foreframe.probing import codes
from tests.foreframe.questions import hand_made
from tests.foreframe.training.runs import training
from tests.toys import autoencoder as toy

CLIPS = hand_made.blocks(generator(0, "grey").integers(0, 256, (4, 8, 8))).repeat(1, 2, 1, 1, 1)
WAYS = {"widths": (1.0,), "vector_widths": (1.0,), "shares": (0.5,)}
LIMITS = {"perplexity": 1.1, "share": 0.01}


def blocks() -> toy.Blocks:
    view = hand_made.VIEW.model_copy(update={"frames": 2})
    settings = toy.Settings(kind="toy", view=view, codes=8, training=training())
    model = toy.build(settings, Shape(1, 2, 32, 32))
    model.initialize(generator(0, "weights"))
    return model.eval()


@pytest.mark.parametrize(
    ("question", "asked", "names"),
    [
        (brittleness, {"show": 1, **WAYS}, {"indices", "other_clips"}),
        (index_interpolation, {"show": 1, "steps": 3}, {"indices", "blend", "pairs"}),
        (index_pictures, {"show": 1}, {"blocks"}),
        (reconstruction, {"show": 1, "drop": ()}, {"mse", "psnr", "ssim", "missing"}),
        (pose_between, {"show": 1, "steps": 3}, {"missing"}),
        (dead_levels, {"show": 0, **LIMITS}, {"blocks", "change", "dead"}),
    ],
)
def test_what_needs_no_vectors_is_answered(
    question: Any, asked: dict[str, Any], names: set[str], tmp_path: Path
) -> None:
    answer, _ = hand_made.asked(tmp_path / "a.h5", question, asked, blocks(), CLIPS)
    assert answer.values.keys() == names


def test_codebooks_of_an_autoencoder_without_any_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"^toy has no codebooks\. Ask [^.]*\.$"):
        hand_made.asked(tmp_path / "a.h5", codebook_order, {"show": 0}, blocks(), CLIPS)
    with pytest.raises(UserError, match=r"^the autoencoder toy has no vectors of codes: [^.]*\.$"):
        classify_latents.codebook_of(blocks(), codes.settings("vector_cnn"))


def test_settings_are_read_from_yaml() -> None:
    raw = {"kind": "brittleness", "clips": None, "show": 3, "widths": [0.25, 1],
           "vector_widths": [0.1], "shares": [0.01, 1]}  # fmt: skip
    found = reading.validate(brittleness.Settings, raw, "params.yaml: questions.brittleness")
    assert (found.widths, found.shares) == ((0.25, 1.0), (0.01, 1.0))
    wanted = codes.settings("index_mlp")
    raw = wanted.model_dump(mode="json")
    assert reading.validate(ProbeSettings, raw, "params.yaml: probing") == wanted
    with pytest.raises(UserError, match="kind"):
        reading.validate(ProbeSettings, raw | {"kind": "index_forest"}, "params.yaml: probing")
