"""Laws of what pictures are compared by."""

import torch

from foreframe.findings import light
from tests.foreframe.findings.clips import noise


def test_grey_has_no_chroma_and_its_own_luma() -> None:
    grey = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16, 1).expand(-1, -1, -1, -1, 3)
    planes = light.planes(grey)
    torch.testing.assert_close(planes["luma"], grey[..., 0].double())
    assert max(float(planes[name].abs().max()) for name in ("cb", "cr")) < 1e-3


def test_chroma_points_to_its_colour() -> None:
    for channel, name in ((0, "cr"), (2, "cb")):
        pixel = torch.zeros(1, 1, 1, 1, 3, dtype=torch.uint8)
        pixel[..., channel] = 255
        torch.testing.assert_close(light.planes(pixel)[name].item(), 127.5)


def test_planes_are_those_of_bt_601() -> None:
    """ITU-R BT.601-7, 2.5: chroma are differences to luma, scaled to the range of a colour."""
    frames = noise(1, 2, 8, 8, 3)
    red, green, blue = frames.double().unbind(dim=-1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    expected = {"luma": luma, "cb": (blue - luma) / 1.772, "cr": (red - luma) / 1.402}
    for name, plane in light.planes(frames).items():
        torch.testing.assert_close(plane, expected[name], atol=1e-3, rtol=0)
    torch.testing.assert_close(light.luma(frames), luma)


def test_a_blur_keeps_constants_and_the_mean_of_what_lies_inside() -> None:
    flat = torch.full((1, 2, 5, 7), 9.0, dtype=torch.float64)
    torch.testing.assert_close(light.coarse(flat), flat)
    point = torch.zeros(1, 1, 51, 51, dtype=torch.float64)
    point[..., 25, 25] = 1
    blurred = light.coarse(point)
    torch.testing.assert_close(blurred.sum().item(), 1.0)
    torch.testing.assert_close(blurred, blurred.transpose(-1, -2))
    assert blurred.argmax() == 25 * 51 + 25


def test_the_laplacian_of_a_plane_is_zero_and_of_a_point_is_the_stencil() -> None:
    rows, columns = torch.meshgrid(torch.arange(6.0), torch.arange(7.0), indexing="ij")
    assert light.laplacian((2 * rows - 3 * columns + 5)[None, None]).abs().max() == 0
    point = torch.zeros(1, 1, 5, 5)
    point[..., 2, 2] = 1
    assert light.laplacian(point)[0, 0].tolist() == [[0, 1, 0], [1, -4, 1], [0, 1, 0]]


def test_correlation_sees_neither_scale_nor_offset() -> None:
    values = noise(2, 3, 8, 8).double()
    for factor in (0.5, -2.0):
        found = light.correlation(values, factor * values + 7, axes=2)
        torch.testing.assert_close(found, torch.full((2, 3), factor, dtype=torch.float64).sign())


def test_nothing_correlates_with_a_constant() -> None:
    values = noise(1, 1, 8, 8).double()
    assert light.correlation(values, torch.full_like(values, 0.1), axes=2).item() == 0
