"""Frames side by side on paper: rows of one clip, columns in time, labels in the picture itself.

Frames are uint8: (T, H, W, 3) for a row, (H, W, 3) for one. Pixels are repeated, never smoothed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from foreframe.errors import UserError
from foreframe.report import style

Frames = NDArray[numpy.uint8]

CELL = 190  # pixels, the least width of a frame in a strip: 300 per inch on paper
GAP = 10
EDGE = 7  # of the coloured line under a frame
TEXT = 29  # height of the letters, about 7 pt on paper
LABELS = 300  # width of the column of row labels
COLUMNS = 8
CONTEXT_COLUMNS = 2


@dataclass(frozen=True)
class Row:
    """One row of a strip: its label, its frames, and the number of its first frame (from 1).

    A `box` stands around the middle `box` x `box` pixels of each.
    """

    label: str
    frames: Frames
    first: int = 1
    box: int | None = None

    def has(self, number: int) -> bool:
        """Return whether the row shows the frame of this number."""
        return self.first <= number < self.first + len(self.frames)


def enlarge(frame: Frames, factor: int) -> Frames:
    """Return a frame with every pixel repeated `factor` times in both directions."""
    return frame.repeat(factor, axis=0).repeat(factor, axis=1)


def coarse(frames: Frames, bits: int) -> Frames:
    """Return frames in 2^bits levels, black to white, as `data.scaling` gives those of a view."""
    levels = (frames // 2 ** (8 - bits)).astype(numpy.float64)
    return (levels * 255 / (2**bits - 1)).round().astype(numpy.uint8)


def factor_for(width: int, least: int) -> int:
    """Return the whole factor that makes `width` pixels at least `least`."""
    return max(1, -(-least // width))


def font(size: int) -> ImageFont.FreeTypeFont:
    """Return the figures' font at a height in pixels."""
    return ImageFont.truetype(style.font_path(), size, layout_engine=ImageFont.Layout.BASIC)


def spread(frames: int, columns: int) -> list[int]:
    """Return at most `columns` frame numbers (from 1), evenly spread from first to last."""
    return sorted({int(n) for n in numpy.linspace(1, frames, min(columns, frames)).round()})


def around_horizon(context: int, frames: int) -> list[int]:
    """Return the last frame numbers of the context and evenly spread ones of the horizon."""
    horizon = [context + number for number in spread(frames - context, COLUMNS)]
    return [*range(max(1, context + 1 - CONTEXT_COLUMNS), context + 1), *horizon]


def columns(wanted: Sequence[int], context: int | None, frames: int) -> list[int]:
    """Return the frame numbers to show of clips: those wanted that clips have, or spread ones.

    Raises:
        UserError: clips have none of those that are wanted.
    """
    if not wanted:
        return spread(frames, COLUMNS) if context is None else around_horizon(context, frames)
    there = [number for number in wanted if 1 <= number <= frames]
    if not there:
        raise UserError(f"clips have frames 1 to {frames}, and none of the columns. Name others.")
    return there


def draw(
    rows: Sequence[Row],
    numbers: Sequence[int],
    context: int | None = None,
    marked: Mapping[int, str] | None = None,
) -> Image.Image:
    """Return a strip of the frames of `numbers`; frames a row does not have stay empty.

    With `context`, a line under each frame says whether it was given or predicted. Numbers that are
    `marked` have a colour.
    """
    height, length = rows[0].frames.shape[1:3]
    factor = factor_for(length, CELL)
    cell_width, cell_height = length * factor + GAP, height * factor + GAP + EDGE
    # No narrower than a usual strip: a page would enlarge it, letters and all.
    width = max(LABELS + cell_width * len(numbers), LABELS + COLUMNS * (CELL + GAP))
    size = (width, 2 * TEXT + cell_height * len(rows))
    image = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(image)
    for place, number in enumerate(numbers):
        left = LABELS + place * cell_width
        fill = (marked or {}).get(number, style.GREY)
        pen.text((left, TEXT // 4), str(number), fill=fill, font=font(TEXT))
    for line, row in enumerate(rows):
        top = 2 * TEXT + line * cell_height
        _label(pen, row.label, top + height * factor // 2)
        for place, number in enumerate(numbers):
            if row.has(number):
                frame = row.frames[number - row.first]
                # A map of few places is shown as large as a frame.
                frame = enlarge(frame, factor * max(1, height // len(frame)))
                corner = (LABELS + place * cell_width, top)
                image.paste(Image.fromarray(frame), corner)
                _mark(pen, corner, frame.shape, number, context)
                if row.box is not None:
                    _box(pen, corner, frame.shape, row.box * factor)
    return image


def _label(pen: ImageDraw.ImageDraw, text: str, middle: int) -> None:
    lines = text.split("\n")
    top = middle - len(lines) * TEXT * 6 // 10
    pen.multiline_text((0, top), text, fill=style.INK, font=font(TEXT), spacing=TEXT // 4)


def _mark(
    pen: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    shape: tuple[int, ...],
    number: int,
    context: int | None,
) -> None:
    if context is None:
        return
    left, top = corner[0], corner[1] + shape[0]
    colour = style.CONTEXT if number <= context else style.PREDICTED
    pen.rectangle((left, top, left + shape[1] - 1, top + EDGE - 1), fill=colour)


def _box(
    pen: ImageDraw.ImageDraw, corner: tuple[int, int], shape: tuple[int, ...], side: int
) -> None:
    """Draw a box whose inner side is the hole's, so that it covers none of what is filled in."""
    left, top = corner[0] + (shape[1] - side) // 2, corner[1] + (shape[0] - side) // 2
    outer = (left - EDGE, top - EDGE, left + side + EDGE - 1, top + side + EDGE - 1)
    pen.rectangle(outer, outline=style.PREDICTED, width=EDGE)


def save(image: Image.Image, path: Path) -> None:
    """Write a strip as PNG without any metadata."""
    image.save(path, format="PNG")
