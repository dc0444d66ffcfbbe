"""The opening: the best of ours beside the best baseline, and a clip that is small enough."""

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy
import pytest
from PIL import Image, ImageSequence

from foreframe.artefacts import atomic
from foreframe.errors import UserError
from foreframe.report import animations, desk, opening
from foreframe.report.results import Number

RESULTS = {"one": 3.0, "two": 5.0, "copy": 4.0, "mean": 1.0, "lost": None}


def of(better: Literal["higher", "lower"], ours: list[str], theirs: list[str]) -> dict[str, Any]:
    """Return the one number of an opening over RESULTS."""
    artefact = SimpleNamespace(facts=lambda: {"path": "scores.json"})
    reader = SimpleNamespace(
        number=lambda run, quantity: Number(RESULTS[run], None, None, "scores.json"),
        each_choice=lambda labels: labels,
        used={"scores.json": artefact},
    )
    declared = opening.Opening.model_validate(
        {
            "sentence": "What the study is about, in words.",
            "clip": "clip",
            "numbers": [
                {
                    "label": "Score", "unit": "dB", "digits": 1, "better": better,
                    "of": {f"{name} / psnr": f"our {name}" for name in ours},
                    "against": {f"{name} / psnr": f"the {name}" for name in theirs},
                }
            ],
        }
    )  # fmt: skip
    found = opening.of(declared, reader)  # type: ignore[arg-type]
    assert found["artefacts"] == [{"path": "scores.json"}]
    return dict(found["numbers"][0])


@pytest.mark.parametrize(
    ("better", "ours", "theirs", "ahead"),
    [("higher", "two", "copy", True), ("lower", "one", "mean", False)],
)
def test_the_best_of_ours_stands_beside_the_strongest_baseline(
    better: Literal["higher", "lower"], ours: str, theirs: str, ahead: bool
) -> None:
    number = of(better, ["one", "two"], ["mean", "copy"])
    assert (number["ours"]["name"], number["ours"]["value"]) == (f"our {ours}", RESULTS[ours])
    assert (number["theirs"]["name"], number["theirs"]["value"]) == (
        f"the {theirs}", RESULTS[theirs],
    )  # fmt: skip
    assert number["ahead"] is ahead


def test_equal_numbers_are_no_lead_and_unknown_ones_no_verdict() -> None:
    assert of("higher", ["copy"], ["copy"])["ahead"] is False
    assert of("lower", ["copy"], ["copy"])["ahead"] is False
    assert of("higher", ["lost"], ["copy"])["ahead"] is None
    for better in ("higher", "lower"):
        assert of(better, ["lost", "one"], ["copy"])["ours"]["value"] == 3.0


def test_a_line_says_each_number_and_its_baseline() -> None:
    card = {"numbers": [of("higher", ["two"], ["copy"]), of("lower", ["lost"], ["mean"])]}
    assert opening.line(card) == (
        "Score 5.0 dB by our two (best baseline, the copy: 4.0 dB); "
        "Score – by our lost (best baseline, the mean: 1.0 dB)."
    )


def noise(frames: int) -> bytes:
    """Return a clip that no coder can make small without loss."""
    pixels = numpy.random.default_rng(0).integers(0, 256, (frames, 60, 80, 3), numpy.uint8)
    pictures = [Image.fromarray(each) for each in pixels]
    file = io.BytesIO()
    pictures[0].save(
        file, format="WEBP", save_all=True, append_images=pictures[1:],
        duration=[100] * (frames - 1) + [900], loop=0, lossless=True,
    )  # fmt: skip
    return file.getvalue()


def test_a_clip_that_is_too_large_loses_quality_but_no_frame_and_no_time() -> None:
    clip = noise(6)
    assert animations.within(clip, len(clip)) == clip
    small = animations.within(clip, len(clip) - 1)
    assert len(small) < len(clip)
    assert animations.within(clip, len(small) - 1) != small
    with Image.open(io.BytesIO(small)) as stored:
        times = [part.copy() and part.info["duration"] for part in ImageSequence.Iterator(stored)]
    assert times == [100] * 5 + [900]
    with pytest.raises(UserError, match="fewer rows or frames"):
        animations.within(clip, 100)


def test_a_card_needs_a_picture_that_plays(tmp_path: Path) -> None:
    for name, content in (
        ("opening", {"clip": "still", "numbers": []}),
        ("document", {"title": "A study"}),
        ("still", {"alt": "A clip."}),
    ):
        atomic.write_text(tmp_path / f"{name}.json", desk.as_json(content))
    with pytest.raises(UserError, match="still is no picture that plays"):
        opening.card(tmp_path, ["report.html"])
    kept = (tmp_path / "opening.json").read_text()
    (tmp_path / "opening.json").write_text("{}")
    with pytest.raises(UserError, match="no section opening"):
        opening.card(tmp_path, ["report.html"])
    (tmp_path / "opening.json").write_text(kept)
    (tmp_path / "still.webp").write_bytes(noise(2))
    card, clip = opening.card(tmp_path, ["report.html"])
    assert (card["title"], card["alt"], card["pages"]) == ("A study", "A clip.", ["report.html"])
    assert clip == noise(2)
