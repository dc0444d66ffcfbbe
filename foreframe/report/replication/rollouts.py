"""Strips and playing clips of reconstructions and rollouts, as Xu 2022 arranged them.

Frames are uint8 (n, T, H, W, 3), given and predicted ones; `context` is how many were given.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from PIL import Image

from foreframe.artefacts import hdf5
from foreframe.report import animations, strips
from foreframe.report.strips import Frames, Row

Maps = Mapping[str, NDArray[Any]]

KINDS = ("good", "faded", "static")  # the clips of rollouts, in this order
LEVELS = {"top_only": "top codes\nonly", "bottom_only": "bottom codes\nonly"}
LEVELS |= {"original": "original"}
TOPS = {
    "top_only": "generated\ntop alone",
    "generated_top_true_bottom": "generated\ntop, true\nbottom",
    "true_decode": "true top\nand bottom",
}
BOTTOMS = {"bottom_only": "bottom\nalone", "hierarchical": "both\nlevels"}
COMPARED = {"hierarchical": "generated\ntop", "true_top_generated_bottom": "true top"}
FUTURES = {"real": "real", "hierarchical": "predicted"}


def levels(maps: Maps, number: int) -> Image.Image:
    """Return what each level of one clip decodes to, above the original (Figure 6.1)."""
    rows = [Row(label, maps[f"examples/{name}"][number]) for name, label in LEVELS.items()]
    return strips.draw(rows, strips.spread(len(rows[0].frames), strips.COLUMNS))


def levels_clip(maps: Maps, number: int) -> list[Image.Image]:
    """Return the rows of `levels` as panels that play."""
    return animations.draw(_panels(maps, "examples", LEVELS, number))


def reconstructions(maps: Maps) -> Image.Image:
    """Return pairs of rows for every example: original above, reconstruction below (Figure 6.2)."""
    rows = []
    for number in range(len(maps["examples/original"])):
        rows.append(Row(f"clip {number + 1}", maps["examples/original"][number]))
        rows.append(Row("recon-\nstruction", maps["examples/reconstruction"][number]))
    return strips.draw(rows, strips.spread(len(rows[0].frames), strips.COLUMNS))


def reconstruction_clip(maps: Maps, number: int) -> list[Image.Image]:
    """Return one pair of `reconstructions` as panels that play."""
    labels = {"original": "original", "reconstruction": "reconstruction"}
    return animations.draw(_panels(maps, "examples", labels, number))


def top_rollout(maps: Maps, kind: str, context: int) -> Image.Image:
    """Return a generated top alone, with the true bottom, and both true (Figures 6.3 to 6.5)."""
    return _strip(maps, TOPS, [KINDS.index(kind)], context)


def top_rollout_clip(maps: Maps, kind: str, context: int) -> list[Image.Image]:
    """Return the rows of `top_rollout` as panels that play."""
    return animations.draw(_panels(maps, "rollouts", TOPS, KINDS.index(kind)), context)


def bottom_given_top(maps: Maps, context: int) -> Image.Image:
    """Return generated bottoms alone and with their generated tops, three clips (Figure 6.6)."""
    return _strip(maps, BOTTOMS, range(len(KINDS)), context)


def bottom_given_top_clip(maps: Maps, kind: str, context: int) -> list[Image.Image]:
    """Return a pair of `bottom_given_top` beside the real clip as panels that play."""
    labels = {"real": "real", **BOTTOMS}
    return animations.draw(_panels(maps, "rollouts", labels, KINDS.index(kind)), context)


def bottom_top_compared(maps: Maps, kind: str, context: int) -> Image.Image:
    """Return a bottom generated after a generated and after the true top (Figure 6.7)."""
    return _strip(maps, COMPARED, [KINDS.index(kind)], context)


def bottom_top_compared_clip(maps: Maps, kind: str, context: int) -> list[Image.Image]:
    """Return the rows of `bottom_top_compared` beside the real clip as panels that play."""
    labels = {"real": "real", **COMPARED}
    return animations.draw(_panels(maps, "rollouts", labels, KINDS.index(kind)), context)


def hierarchical(maps: Maps, kinds: Sequence[str], context: int) -> Image.Image:
    """Return whole rollouts under their real clips (Figure 6.8, which shows two)."""
    return _strip(maps, FUTURES, [KINDS.index(kind) for kind in kinds], context)


def hierarchical_clip(maps: Maps, kind: str, context: int) -> list[Image.Image]:
    """Return one rollout beside its real clip as panels that play."""
    return animations.draw(_panels(maps, "rollouts", FUTURES, KINDS.index(kind)), context)


def of_samples(path: Path, number: int) -> tuple[list[Row], int]:
    """Return the rows of one shown clip of a file of samples, and its context (Figure 5.3).

    Raises:
        ArtefactError: the file is missing or damaged.
    """
    with hdf5.opening(path, "samples") as file:
        choice, context = file.attrs["shown_choice"], int(file.attrs["context"])
        rows = [
            Row("real", file["real"][number]),
            Row(TOPS["top_only"], file[f"{choice}/top_only"][number]),
            Row(COMPARED["hierarchical"] + "\nand bottom", file[f"{choice}/hierarchical"][number]),
        ]
    return rows, context


def strip_of(rows: Sequence[Row], context: int) -> Image.Image:
    """Return a strip of the last given and the predicted frames of rows."""
    return strips.draw(rows, strips.around_horizon(context, len(rows[0].frames)), context)


def clip_of(rows: Sequence[Row], context: int) -> list[Image.Image]:
    """Return rows as panels that play."""
    return animations.draw([_flat(row) for row in rows], context)


def _strip(
    maps: Maps, labels: Mapping[str, str], numbers: Sequence[int], context: int
) -> Image.Image:
    rows = [
        Row(label, _frames(maps, "rollouts", name, number))
        for number in numbers
        for name, label in labels.items()
    ]
    return strip_of(rows, context)


def _panels(maps: Maps, group: str, labels: Mapping[str, str], number: int) -> list[Row]:
    found = [Row(label, _frames(maps, group, name, number)) for name, label in labels.items()]
    return [_flat(row) for row in found]


def _frames(maps: Maps, group: str, name: str, number: int) -> Frames:
    frames: Frames = maps[f"{group}/{name}"][number]
    return frames


def _flat(row: Row) -> Row:
    """Return a row whose label has one line, as a panel's label must."""
    return Row(row.label.replace("-\n", "").replace("\n", " "), row.frames, row.first)
