"""Clips of one set that look like clips of another: the nearest one of each, searched exactly.

Every clip is compared with every window of the other set, at each frame and not at the set's stride
alone, so a copy is found wherever it begins. That takes Q x M comparisons of about 13 ns (Q clips,
M windows), in blocks of a fixed size; at most QUERIES clips of a set are looked up, evenly spread.
What counts as near is measured on the training set: see `threshold`.
Suffixes: N frames, K frames of a clip that are compared, Q clips looked up, M windows searched.
"""

import math
from dataclasses import dataclass

import numpy
from numpy.typing import NDArray

from foreframe.inspection import perceptual_hash
from foreframe.inspection.perceptual_hash import Hashes

Starts = NDArray[numpy.int64]

QUERIES = 4096
CALIBRATION = 512  # training clips looked up among the rest of the training set
APART = 10  # clip lengths after which two clips of an episode count as different scenes
NEAR = 4  # near is a quarter of what is usual between different scenes
ROWS, COLUMNS = 64, 8192  # of a block of comparisons
NONE = numpy.iinfo(numpy.uint16).max  # distance where there is nothing to compare with


@dataclass(frozen=True)
class Nearest:
    """For each clip looked up the window that is most like it; of several the first.

    Attributes:
        queries: first frames of the clips, int64 (Q,).
        windows: first frames of the windows, int64 (Q,).
        distances: in bits, int64 (Q,); NONE where there was no window.
    """

    queries: Starts
    windows: Starts
    distances: NDArray[numpy.int64]


@dataclass(frozen=True)
class Scenes:
    """Tells which clips are known to show different scenes.

    Attributes:
        episode_starts: first frame of each episode, int64, ascending.
        apart: frames between the starts of two different clips of one episode, at least.
    """

    episode_starts: NDArray[numpy.int64]
    apart: int

    def different(self, first_Q: Starts, second_M: Starts) -> NDArray[numpy.bool_]:
        """Return which pairs lie in other episodes or far apart, bool (Q, M)."""
        episode_Q, episode_M = self.episodes(first_Q), self.episodes(second_M)
        far_QM = numpy.abs(first_Q[:, None] - second_M[None]) >= self.apart
        return far_QM | (episode_Q[:, None] != episode_M[None])

    def episodes(self, starts: Starts) -> NDArray[numpy.int64]:
        """Return the number of the episode of each clip, from 0, in the shape of `starts`."""
        return numpy.searchsorted(self.episode_starts, starts, side="right") - 1


def spread(starts: Starts, most: int) -> Starts:
    """Return at most `most` of the clips, evenly spread from first to last."""
    places = numpy.linspace(0, len(starts) - 1, min(most, len(starts)))
    return starts[places.round().astype(numpy.int64)]


def nearest(
    hashes_N: Hashes,
    queries_Q: Starts,
    windows_M: Starts,
    offsets_K: NDArray[numpy.int64],
    scenes: Scenes | None,
    block: tuple[int, int] = (ROWS, COLUMNS),
) -> Nearest:
    """Return the nearest window of each clip, with `scenes` only among different scenes.

    `hashes_N` holds the hash of every frame of the recording.
    """
    distance_Q = numpy.full(len(queries_Q), NONE, numpy.int64)
    window_Q = numpy.full(len(queries_Q), -1, numpy.int64)
    for row in range(0, len(queries_Q), block[0]):
        part = slice(row, row + block[0])
        first_QK = perceptual_hash.signatures(hashes_N, queries_Q[part], offsets_K)
        for column in range(0, len(windows_M), block[1]):
            among_M = windows_M[column : column + block[1]]
            second_MK = perceptual_hash.signatures(hashes_N, among_M, offsets_K)
            found_QM = perceptual_hash.distances(first_QK, second_MK)
            if scenes is not None:
                found_QM[~scenes.different(queries_Q[part], among_M)] = NONE
            best_Q = found_QM.argmin(axis=1)
            least_Q = found_QM.min(axis=1)
            better_Q = least_Q < distance_Q[part]
            distance_Q[part][better_Q] = least_Q[better_Q]
            window_Q[part][better_Q] = among_M[best_Q[better_Q]]
    return Nearest(queries_Q, window_Q, distance_Q)


def threshold(calibration: Nearest) -> int | None:
    """Return the largest distance in bits that counts as near; None if it could not be measured.

    `calibration` looks up training clips among different scenes of the training set. Near is a
    quarter of their median: a robust yardstick even where some of the scenes are copies.
    """
    known = calibration.distances[calibration.distances < NONE]
    return int(numpy.median(known)) // NEAR if len(known) else None


def chance(found: tuple[int, int], usual: tuple[int, int]) -> float:
    """Return how likely at least as many near clips are, if they are no more frequent than usual.

    Both are pairs of near clips and clips looked up. The usual share p is taken with one more of
    each kind, so that it is never 0 or 1; the chance is that of a binomial distribution,
    1 - sum_(i < near) n! / (i! (n - i)!) p^i (1 - p)^(n - i).
    """
    near, clips = found
    share = (usual[0] + 1) / (usual[1] + 2)
    fewer = math.fsum(_binomial(count, clips, share) for count in range(near))
    return min(max(1 - fewer, 0.0), 1.0)


def _binomial(count: int, clips: int, share: float) -> float:
    ways = math.lgamma(clips + 1) - math.lgamma(count + 1) - math.lgamma(clips - count + 1)
    return math.exp(ways + count * math.log(share) + (clips - count) * math.log1p(-share))


def closest(found: Nearest, scenes: Scenes, count: int) -> list[int]:
    """Return the places in `found` of the `count` closest pairs, one of each pair of episodes."""
    chosen: dict[tuple[int, int], int] = {}
    pairs = zip(scenes.episodes(found.queries), scenes.episodes(found.windows), strict=True)
    episodes = [(int(first), int(second)) for first, second in pairs]
    for place in numpy.argsort(found.distances, kind="stable").tolist():
        if len(chosen) < count:
            chosen.setdefault(episodes[place], place)
    return list(chosen.values())
