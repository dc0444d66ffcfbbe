"""Optical flow of frames, kept as frames: red is motion to the right, green is motion downwards.

A colour is 128 where nothing moves, and blue is 0. So whatever reads frames reads flow: splits,
views, the colours that are measured, classifiers.

Shapes: T frames in a row, P pairs of them, H rows, W columns, C = 3 colours.
"""

from collections.abc import Iterator
from typing import Any

import cv2
import h5py
import numpy
from numpy.typing import NDArray

from foreframe.config.flow import FlowSettings
from foreframe.sources import BLOCK, Block

ZERO = 128  # no motion

Frames = NDArray[numpy.uint8]
Flow = NDArray[numpy.float32]

# In one thread, and by no instructions that some processors lack: else numbers would differ.
cv2.setNumThreads(1)
cv2.setUseOptimized(False)


def step(settings: FlowSettings) -> int:
    """Return how many frames lie between the first frames of two pairs.

    The public code of Mastropietro 2017 left out every other pair: its ten flows are of twenty
    frames.
    """
    return 1 if settings.pairs == "consecutive" else 2


def firsts(frames: int, settings: FlowSettings) -> range:
    """Return the first frame of each pair of so many frames; the other one follows it."""
    return range(0, frames - 1, step(settings))


def blocks(file: h5py.File, start: int, frames: int, settings: FlowSettings) -> Iterator[Block]:
    """Yield the flow of an episode of a file, with the actions and states of the first frames."""
    known = firsts(frames, settings)
    for place in range(0, len(known), BLOCK):
        part = known[place : place + BLOCK]
        rows = slice(start + part[0], start + part[-1] + 2)
        frames_PHWC = of(file["frames"][rows], settings)
        actions, states = (
            file[name][rows][: -1 : part.step] if name in file else numpy.zeros((len(part), 0))
            for name in ("actions", "states")
        )
        yield Block(frames_PHWC, actions.astype(numpy.float32), states.astype(numpy.float32))


def of(frames_THWC: Frames, settings: FlowSettings) -> Frames:
    """Return the flow (P,H,W,C) from the first to the second frame of each pair."""
    grey_THW = grey(frames_THWC, settings)
    pairs = [
        displacements(grey_THW[first], grey_THW[first + 1], settings)
        for first in firsts(len(grey_THW), settings)
    ]
    return numpy.stack([kept(flow_HW2, settings) for flow_HW2 in pairs])


def grey(frames_THWC: Frames, settings: FlowSettings) -> Frames:
    """Return the mean of the colours (T,H,W), rounded.

    In the public code of Mastropietro 2017 a picture from -1 to 1 was brought to -765 to 255, as if
    it went from 0 to 1, and what fell outside of 8 bits wrapped round. (One from 0 to 1, or of
    8-bit numbers, all became 0, and its flow.)
    """
    total_THW = frames_THWC.sum(axis=3, dtype=numpy.int32)
    if settings.pairs == "legacy":
        return (numpy.trunc(4 * total_THW / 3 - 765).astype(numpy.int32) % 256).astype(numpy.uint8)
    return ((2 * total_THW + 3) // 6).astype(numpy.uint8)


def displacements(before_HW: Frames, after_HW: Frames, settings: FlowSettings) -> Flow:
    """Return how far each place moves to the right and down, in pixels, float32 (H,W,2)."""
    found: Any = cv2.calcOpticalFlowFarneback(
        before_HW,
        after_HW,
        numpy.zeros((*before_HW.shape, 2), numpy.float32),  # where it is written; not read
        settings.pyramid_scale,
        settings.levels,
        settings.window,
        settings.iterations,
        settings.neighbourhood,
        settings.deviation,
        0,
    )
    flow_HW2: Flow = found
    return flow_HW2


def kept(flow_HW2: Flow, settings: FlowSettings) -> Frames:
    """Return displacements as colours (H,W,C)."""
    pixels = flow_HW2.astype(numpy.float64)
    if settings.subtract_mean:
        pixels -= pixels.mean(axis=(0, 1))
    levels = settings.scale * pixels.clip(-settings.largest, settings.largest)
    colours = numpy.zeros((*pixels.shape[:2], 3), numpy.uint8)
    colours[..., :2] = ZERO + numpy.rint(levels)
    return colours
