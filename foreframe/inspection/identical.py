"""Clips that occur in two sets byte for byte, by checksums of their frames.

A frame's checksum is the first 64 bits of BLAKE2b; a clip's combines those of all its frames. That
two of a million different clips agree has a chance of one in ten million.
Suffixes: N frames, H height, W width, C = 3 colours, M clips.
"""

import hashlib

import numpy
from numpy.typing import NDArray

Checksums = NDArray[numpy.uint64]
Starts = NDArray[numpy.int64]

FACTOR = numpy.uint64(0x9E3779B97F4A7C15)  # odd, so that no information is lost


def checksums(frames_NHWC: NDArray[numpy.uint8]) -> Checksums:
    """Return the checksum of each frame, uint64 (N,)."""
    digests = [hashlib.blake2b(frame.tobytes(), digest_size=8).digest() for frame in frames_NHWC]
    return numpy.frombuffer(b"".join(digests), numpy.uint64)


def clip_checksums(checksums_N: Checksums, starts_M: Starts, clip_frames: int) -> Checksums:
    """Return the checksums of the clips that begin at `starts_M`, uint64 (M,)."""
    result_M = numpy.zeros(len(starts_M), numpy.uint64)
    for offset in range(clip_frames):
        # Overflow is meant: arithmetic is modulo 2^64.
        result_M = result_M * FACTOR + checksums_N[starts_M + offset]
    return result_M


def occurring(
    checksums_N: Checksums, clips_M: Starts, windows: Starts, clip_frames: int
) -> NDArray[numpy.bool_]:
    """Return which clips also begin, byte for byte, at one of `windows`, bool (M,)."""
    return numpy.isin(
        clip_checksums(checksums_N, clips_M, clip_frames),
        clip_checksums(checksums_N, windows, clip_frames),
    )
