"""Strips and clips show exactly the pixels of their frames, each where its label says."""

from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image, ImageSequence

from foreframe.artefacts import hdf5
from foreframe.data.normalization import Normalizer
from foreframe.data.scaling import Scaling
from foreframe.errors import UserError
from foreframe.report import animations, strips, style
from foreframe.report.figures import error_maps, filled, gallery, overlaid
from foreframe.report.figures.rows import read
from foreframe.report.strips import Row
from tests.foreframe.data import seen


def frames(count: int, height: int = 3, width: int = 4) -> strips.Frames:
    """Return frames with no two pixels alike."""
    values = numpy.arange(count * height * width * 3) % 251
    return values.reshape(count, height, width, 3).astype(numpy.uint8)


def test_enlarging_repeats_pixels() -> None:
    frame = frames(1)[0]
    large = strips.enlarge(frame, 5)
    assert large.shape == (15, 20, 3)
    for row in range(5):
        for column in range(5):
            numpy.testing.assert_array_equal(large[row::5, column::5], frame)


def test_the_factor_is_the_least_that_is_enough() -> None:
    for width in (1, 63, 64, 65, 190, 256):
        factor = strips.factor_for(width, 190)
        assert factor * width >= 190
        assert factor == 1 or (factor - 1) * width < 190


def test_columns_are_spread_from_first_to_last() -> None:
    assert strips.spread(16, 8)[0] == 1 and strips.spread(16, 8)[-1] == 16
    assert len(strips.spread(16, 8)) == 8
    assert strips.spread(3, 8) == [1, 2, 3]
    assert strips.around_horizon(8, 16) == [7, 8, *range(9, 17)]
    assert strips.around_horizon(1, 3) == [1, 2, 3]


def test_wanted_columns_are_shown_as_far_as_clips_go() -> None:
    assert strips.columns([4, 5, 10, 70], 5, 30) == [4, 5, 10]
    assert strips.columns([], 8, 16) == strips.around_horizon(8, 16)
    assert strips.columns([], None, 20) == strips.spread(20, strips.COLUMNS)
    with pytest.raises(UserError, match="clips have frames 1 to 30, and none of the columns"):
        strips.columns([40, 70], 5, 30)


def test_the_number_of_a_marked_frame_has_its_colour() -> None:
    clip = [Row("", frames(2, 40, 40))]
    plain, marked = (
        numpy.asarray(strips.draw(clip, [1, 2], marked=marked)) for marked in ({}, {2: style.BLUE})
    )
    changed = numpy.nonzero((plain != marked).any(axis=(0, 2)))[0]
    second = strips.LABELS + 40 * strips.factor_for(40, strips.CELL) + strips.GAP
    assert len(changed) and changed.min() >= second
    blue = tuple(bytes.fromhex(style.BLUE.removeprefix("#")))
    assert (marked == blue).all(axis=2).any() and not (plain == blue).all(axis=2).any()


def test_the_middle_is_what_a_hole_leaves_out() -> None:
    whole = frames(3, 6, 8)
    found = filled.middle(whole, 4)
    numpy.testing.assert_array_equal(found[:, 1:5, 2:6], whole[:, 1:5, 2:6])
    found[:, 1:5, 2:6] = 255
    assert (found == 255).all()


def test_the_last_of_overlaid_frames_is_the_brightest() -> None:
    clip = numpy.zeros((1, 4, 2, 4, 3), numpy.uint8)
    for time in range(4):
        clip[0, time, 0, time] = 200  # a point that moves to the right
    (found,) = overlaid.overlaid(clip)
    numpy.testing.assert_array_equal(found[0, :, 0], [50, 100, 150, 200])
    assert (found[1] == 0).all()
    numpy.testing.assert_array_equal(overlaid.overlaid(clip[:, 3:])[0], clip[0, 3])


def test_a_strip_holds_each_frame_unchanged(tmp_path: Path) -> None:
    clip = frames(4)
    image = strips.draw([Row("a", clip), Row("b", clip[2:], first=3)], [1, 3, 4], context=2)
    strips.save(image, tmp_path / "strip.png")
    with Image.open(tmp_path / "strip.png") as stored:
        assert stored.info == {}
        pixels = numpy.asarray(stored)
    factor = strips.factor_for(4, strips.CELL)
    step_x, step_y = 4 * factor + strips.GAP, 3 * factor + strips.GAP + strips.EDGE
    for line, (first, shown) in enumerate(((1, clip), (3, clip[2:]))):
        for column, number in enumerate((1, 3, 4)):
            x, y = strips.LABELS + column * step_x, 2 * strips.TEXT + line * step_y
            cell = pixels[y : y + 3 * factor : factor, x : x + 4 * factor : factor]
            there = first <= number < first + len(shown)
            expected = shown[number - first] if there else numpy.full((3, 4, 3), 255)
            numpy.testing.assert_array_equal(cell, expected)


def test_the_line_under_a_frame_tells_given_from_predicted() -> None:
    image = strips.draw([Row("a", frames(2))], [1, 2], context=1)
    factor = strips.factor_for(4, strips.CELL)
    y = 2 * strips.TEXT + 3 * factor + 1
    for column, colour in enumerate((style.CONTEXT, style.PREDICTED)):
        x = strips.LABELS + column * (4 * factor + strips.GAP)
        pixel = numpy.asarray(image)[y, x]
        assert "#" + "".join(f"{part:02X}" for part in pixel) == colour


def test_a_clip_plays_every_frame_without_loss(tmp_path: Path) -> None:
    left, right = frames(5), frames(5)[::-1]
    path = tmp_path / "clip.webp"
    animations.save(animations.draw([Row("l", left), Row("r", right)], context=2), 0.1, path)
    factor = strips.factor_for(4, animations.PANEL)
    with Image.open(path) as stored:
        shown = [numpy.asarray(part.convert("RGB")) for part in ImageSequence.Iterator(stored)]
        assert stored.info["loop"] == 0
    assert len(shown) == 5
    y = 2 * animations.TEXT
    for time, picture in enumerate(shown):
        for x, clip in ((0, left), (4 * factor + animations.GAP, right)):
            panel = picture[y : y + 3 * factor : factor, x : x + 4 * factor : factor]
            numpy.testing.assert_array_equal(panel, clip[time])


def test_a_panel_that_has_ended_is_empty_while_the_others_play_on() -> None:
    long, short = frames(5), frames(5)[:2]
    shown = animations.draw([Row("l", long), Row("s", short)], context=1)
    alone = animations.draw([Row("l", long), Row("s", long)], context=1)
    assert len(shown) == 5
    factor = strips.factor_for(4, animations.PANEL)
    left, top = 4 * factor + animations.GAP, 2 * animations.TEXT
    for time, (picture, both) in enumerate(zip(shown, alone, strict=True)):
        pixels, whole = numpy.asarray(picture), numpy.asarray(both)
        numpy.testing.assert_array_equal(pixels[:, :left], whole[:, :left])
        if time < len(short):
            numpy.testing.assert_array_equal(pixels, whole)
        else:  # its bar stays where it ended
            assert (pixels[top : top + 3 * factor, left:] == 255).all()
            ended = numpy.asarray(shown[len(short) - 1])
            numpy.testing.assert_array_equal(
                pixels[top + 3 * factor :, left:], ended[top + 3 * factor :, left:]
            )


def test_no_frame_is_shown_of_a_truth_that_has_ended(tmp_path: Path) -> None:
    given, real, future = (frames(count)[None] for count in (2, 3, 8))
    with hdf5.creating(tmp_path / "a.h5", "analysis", {}) as file:
        for name, values in (("context", given), ("real", real), ("shown", future)):
            hdf5.store(file, name, values)
    with hdf5.opening(tmp_path / "a.h5", "analysis") as file:
        clips = read(file, {"real", "shown"}, 2)
    assert clips.frames == 10
    row = clips.row("real", 0, "")
    numpy.testing.assert_array_equal(row.frames, numpy.concatenate([given[0], real[0]]))
    assert [row.has(number) for number in (1, 5, 6, 10)] == [True, True, False, False]
    row = clips.row("shown", 0, "")
    numpy.testing.assert_array_equal(row.frames, future[0])
    assert [row.has(number) for number in (2, 3, 10, 11)] == [False, True, True, False]


# By rows of a clip: of which of twenty-four panels lines are.
LINES = {
    1: [(0, 6), (6, 12), (12, 18), (18, 24)],
    4: [(0, 4), (4, 8), (8, 12), (12, 16), (16, 20), (20, 24)],
    8: [(0, 6), (6, 8), (8, 14), (14, 16), (16, 22), (22, 24)],
}


@pytest.mark.parametrize("rows", LINES)
def test_clips_play_in_step_side_by_side_as_far_as_there_is_room(rows: int) -> None:
    panels = [Row(str(panel), frames(4 + panel)[:4]) for panel in range(24)]
    clips = [panels[first : first + rows] for first in range(0, len(panels), rows)]
    shown = animations.arranged(clips, context=1)
    lines = [animations.draw(panels[first:last], 1) for first, last in LINES[rows]]
    assert len(shown) == 4
    for time, picture in enumerate(shown):
        pixels, top = numpy.asarray(picture), 0
        for line in lines:
            whole = numpy.asarray(line[time])
            height, width = whole.shape[:2]
            numpy.testing.assert_array_equal(pixels[top : top + height, :width], whole)
            assert (pixels[top : top + height, width:] == 255).all()
            top += height + animations.GAP
        assert top == len(pixels) + animations.GAP


def test_the_error_map_of_a_perfect_future_is_black_and_of_the_worst_white() -> None:
    real = frames(8)[None]
    assert error_maps.error_map(real, real).max() <= 4  # the darkest colour of the scale
    dark, bright = numpy.zeros_like(real), numpy.full_like(real, 255)
    assert error_maps.error_map(dark, bright).min() >= 180
    # An error of every clip is drawn like that of one.
    both = numpy.concatenate([real, real])
    error = error_maps.error_map(both // 2, both)
    numpy.testing.assert_array_equal(error, error_maps.error_map(real // 2, real))


def test_a_gallery_holds_each_frame_once_in_the_order_of_time() -> None:
    shown = frames(6)
    pixels = numpy.asarray(gallery.grid(shown, 2))
    factor = strips.factor_for(4, strips.CELL)
    for place, frame in enumerate(shown):
        y, x = place // 3 * (3 * factor + strips.GAP), place % 3 * (4 * factor + strips.GAP)
        cell = pixels[y : y + 3 * factor : factor, x : x + 4 * factor : factor]
        numpy.testing.assert_array_equal(cell, frame)


@pytest.mark.parametrize("bits", [1, 2, 5, 8])
def test_few_levels_are_those_of_a_view(bits: int) -> None:
    """What a network of such a view is shown, and gives back when it is told the truth."""
    grey = numpy.arange(256, dtype=numpy.uint8).reshape(1, 16, 16, 1).repeat(3, axis=3)
    scaling = Scaling(seen.view(bits=bits, scaling="centred"), Normalizer((0, 0, 0), (1, 1, 1)))
    back = scaling.outward(scaling.inward(torch.from_numpy(grey)[None], None))[0].numpy()
    numpy.testing.assert_array_equal(strips.coarse(grey, bits), back)
    numpy.testing.assert_array_equal(strips.coarse(back, bits), back)


def test_a_box_stands_around_what_was_filled_in_and_covers_none_of_it() -> None:
    rows = [Row("", frames(1, 40, 40), box=box) for box in (None, 20)]
    plain, boxed = (numpy.asarray(strips.draw([row], [1])) for row in rows)
    factor = strips.factor_for(40, strips.CELL)
    left, top = strips.LABELS, 2 * strips.TEXT
    lines, columns = numpy.nonzero((plain != boxed).any(axis=2))
    inner = [10 * factor, 30 * factor]
    assert lines.min() - top == columns.min() - left == inner[0] - strips.EDGE
    assert lines.max() - top == columns.max() - left == inner[1] + strips.EDGE - 1
    hole = slice(top + inner[0], top + inner[1]), slice(left + inner[0], left + inner[1])
    numpy.testing.assert_array_equal(plain[hole], boxed[hole])


def test_a_small_map_is_shown_as_large_as_a_frame() -> None:
    whole, small = frames(1, 40, 40), frames(1, 10, 10)
    pixels = numpy.asarray(strips.draw([Row("", whole), Row("", small)], [1]))
    factor = strips.factor_for(40, strips.CELL)
    top, left = 2 * strips.TEXT + 40 * factor + strips.GAP + strips.EDGE, strips.LABELS
    cell = pixels[top : top + 40 * factor, left : left + 40 * factor]
    numpy.testing.assert_array_equal(cell[:: 4 * factor, :: 4 * factor], small[0])


def test_single_pictures_stand_side_by_side_and_rows_of_them_are_clips(tmp_path: Path) -> None:
    many, grey = frames(5, 4, 4)[:, None], frames(5, 2, 2)[:, None, :, :, 0]
    between = frames(6, 4, 4).reshape(2, 3, 1, 4, 4, 3)
    with hdf5.creating(tmp_path / "a.h5", "analysis", {}) as file:
        for name, values in (("many", many), ("grey", grey), ("between", between)):
            hdf5.store(file, name, values)
    with hdf5.opening(tmp_path / "a.h5", "analysis") as file:
        found = read(file, {"many", "grey"}, None, pictures=True)
        clips = read(file, {"between"}, None, pictures=True)
    numpy.testing.assert_array_equal(found.arrays["many"], many[None, :, 0])
    assert found.frames == 5 and found.arrays["grey"].shape == (1, 5, 2, 2, 3)
    numpy.testing.assert_array_equal(clips.arrays["between"], between[:, :, 0])
