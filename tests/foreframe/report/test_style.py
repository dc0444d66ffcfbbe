"""Figures are the same bytes whatever the user's settings are, and long curves stay small."""

from pathlib import Path

import matplotlib
import numpy

from foreframe.report import style


def save(path: Path) -> bytes:
    with style.drawing():
        figure = style.figure(2, 1)
        figure.subplots().plot([0, 1], [0, 1], label="a")
        style.save(figure, path)
    return path.read_bytes()


def test_a_users_own_settings_change_nothing(tmp_path: Path) -> None:
    plain = save(tmp_path / "a.svg")
    with matplotlib.rc_context({"lines.linewidth": 9, "font.size": 20, "svg.hashsalt": "x"}):
        assert save(tmp_path / "b.svg") == plain
    assert b"<dc:date>" not in plain
    assert b"<text" not in plain  # outlines, so no font is needed to show it


def test_thinning_keeps_short_curves_and_the_mean_of_long_ones() -> None:
    short = numpy.arange(10.0)
    numpy.testing.assert_array_equal(style.thin(short), short)
    long = numpy.arange(float(style.POINTS * 4)).reshape(-1, 2)
    thinned = style.thin(long)
    assert thinned.shape == (style.POINTS, 2)
    numpy.testing.assert_allclose(thinned.mean(axis=0), long.mean(axis=0))
    numpy.testing.assert_allclose(thinned[0], long[:2].mean(axis=0))
