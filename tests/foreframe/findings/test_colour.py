"""Laws of who carries colour."""

import torch

from foreframe.findings import colour, light
from tests.foreframe.findings.clips import noise


def grey(frames_BTHWC: torch.Tensor) -> torch.Tensor:
    return light.luma(frames_BTHWC).round().to(torch.uint8)[..., None].expand_as(frames_BTHWC)


def test_a_perfect_decode_explains_everything() -> None:
    real = noise(3, 2, 16, 16, 3)
    values = colour.measure(real, real)
    found = colour.summarize({"top_only": values, "bottom_only": values})
    for part in colour.PARTS:
        assert found["top_only"][part]["correlation"]["mean"] == 1
        assert found["top_only"][part]["explained"] == 1
        assert found["winner"][part]["level"] is None
    assert found["top_only"]["saturation_share"] == 1


def test_a_picture_without_colour_keeps_luma_alone() -> None:
    real = noise(3, 2, 16, 16, 3)
    found = colour.summarize(
        {"top_only": colour.measure(real, real), "bottom_only": colour.measure(real, grey(real))}
    )
    lost = found["bottom_only"]
    assert lost["saturation"]["mean"] < 1e-3
    for part in ("cb", "cr"):
        assert abs(lost[part]["correlation"]["mean"]) < 0.05
        assert lost[part]["explained"] < 0.01
        assert found["winner"][part]["level"] == "top"
    for part in ("luma_coarse", "luma_fine"):
        assert lost[part]["correlation"]["mean"] > 0.999


def test_a_blurred_picture_keeps_coarse_luma_alone() -> None:
    real = grey(noise(2, 1, 32, 32, 3))
    blurred = light.coarse(real[..., 0].double()).round().to(torch.uint8)
    values = colour.measure(real, blurred[..., None].expand_as(real))
    assert (values["luma_coarse_correlation"] > 0.9).all()
    assert (values["luma_fine_correlation"] < 0.3).all()


def test_a_clip_of_one_colour_has_nothing_to_explain() -> None:
    flat = torch.full((2, 1, 8, 8, 3), 50, dtype=torch.uint8)
    found = colour.summarize(dict.fromkeys(("top_only", "bottom_only"), colour.measure(flat, flat)))
    assert found["top_only"]["luma_coarse"]["explained"] is None
    assert found["top_only"]["saturation_share"] is None
