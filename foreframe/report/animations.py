"""Frames that play: panels side by side in one lossless WebP, so they never fall out of step.

Frames are uint8 (T, H, W, 3). Pixels are repeated, never smoothed, and no colour is lost.
"""

import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageSequence

from foreframe.errors import UserError
from foreframe.report import style
from foreframe.report.strips import Row, enlarge, factor_for, font

PANEL = 190  # pixels, the least width of a panel
GAP = 12
TEXT = 17  # height of the letters
BAR = 6  # height of the bar that shows the time
PAUSE = 0.8  # seconds that the last frame stays
ABREAST = 6  # panels in a line of several clips
QUALITIES = (90, 75, 50, 25, 5)  # of WebP with loss, the best first


def draw(panels: Sequence[Row], context: int | None = None) -> list[Image.Image]:
    """Return the pictures of a clip, as many as its longest panel has; a shorter one ends empty.

    Under each panel a bar grows with time while it plays; with `context` it changes colour where
    frames are no longer given but predicted.
    """
    frames = max(len(panel.frames) for panel in panels)
    return [_picture(panels, time, frames, context) for time in range(frames)]


def _picture(panels: Sequence[Row], time: int, frames: int, context: int | None) -> Image.Image:
    height, width = panels[0].frames.shape[1:3]
    factor = factor_for(width, PANEL)
    head = TEXT * 2
    size = (
        len(panels) * (width * factor + GAP) - GAP,
        head + height * factor + 2 * BAR,
    )
    image = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(image)
    for place, panel in enumerate(panels):
        left = place * (width * factor + GAP)
        pen.text((left, TEXT // 3), panel.label, fill=style.INK, font=font(TEXT))
        if time < len(panel.frames):
            image.paste(Image.fromarray(enlarge(panel.frames[time], factor)), (left, head))
        box = (left, head + height * factor + BAR // 2, width * factor)
        played = min(time + 1, len(panel.frames))
        _bar(pen, box, played / frames, None if context is None else context / frames)
    return image


def _bar(
    pen: ImageDraw.ImageDraw, box: tuple[int, int, int], share: float, given: float | None
) -> None:
    left, top, width = box
    pen.rectangle((left, top, left + width - 1, top + BAR - 1), fill=style.PALE)
    border = 1.0 if given is None else given
    for start, stop, colour in (
        (0.0, min(share, border), style.CONTEXT),
        (border, share, style.PREDICTED),
    ):
        if stop > start:
            pen.rectangle(
                (left + start * width, top, left + stop * width - 1, top + BAR - 1), fill=colour
            )


def arranged(clips: Sequence[Sequence[Row]], context: int | None = None) -> list[Image.Image]:
    """Return clips of equal length in one, `ABREAST` panels in a line.

    Clips stand side by side as far as they fit whole; one of more panels goes on in further lines.
    """
    whole = max(1, ABREAST // len(clips[0]))
    groups = [
        [panel for clip in clips[first : first + whole] for panel in clip]
        for first in range(0, len(clips), whole)
    ]
    lines = [
        draw(group[first : first + ABREAST], context)
        for group in groups
        for first in range(0, len(group), ABREAST)
    ]
    return [_stacked(pictures) for pictures in zip(*lines, strict=True)]


def _stacked(pictures: Sequence[Image.Image]) -> Image.Image:
    height = sum(picture.height + GAP for picture in pictures) - GAP
    image = Image.new("RGB", (pictures[0].width, height), "white")
    top = 0
    for picture in pictures:
        image.paste(picture, (0, top))
        top += picture.height + GAP
    return image


def save(pictures: Sequence[Image.Image], frame_interval: float, path: Path) -> None:
    """Write pictures as an endless clip at its true speed; the last one stays for a moment."""
    interval = round(1000 * frame_interval)
    durations = [interval] * (len(pictures) - 1) + [interval + round(1000 * PAUSE)]
    pictures[0].save(
        path,
        format="WEBP",
        save_all=True,
        append_images=list(pictures[1:]),
        duration=durations,
        loop=0,
        lossless=True,
        quality=50,  # of the compression, there is no loss
        method=2,
    )


def within(clip: bytes, limit: int) -> bytes:
    """Return a clip (animated WebP) of at most `limit` bytes, with no more loss than it takes.

    Raises:
        UserError: it is larger however much is lost.
    """
    if len(clip) <= limit:
        return clip
    with Image.open(io.BytesIO(clip)) as stored:
        loaded = [
            (part.convert("RGB"), part.info["duration"]) for part in ImageSequence.Iterator(stored)
        ]
    pictures = [picture for picture, _ in loaded]
    durations = [duration for _, duration in loaded]
    for quality in QUALITIES:
        smaller = io.BytesIO()
        pictures[0].save(
            smaller,
            format="WEBP",
            save_all=True,
            append_images=pictures[1:],
            duration=durations,
            loop=0,
            quality=quality,
            method=2,
        )
        if smaller.tell() <= limit:
            return smaller.getvalue()
    raise UserError(
        f"the clip takes {smaller.tell():,} bytes, and {limit:,} at most are allowed. "
        "Let the opening show one with fewer rows or frames."
    )
