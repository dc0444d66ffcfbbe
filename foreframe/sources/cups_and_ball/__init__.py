"""Cups and a ball on a grid of 6 x 6 cells: where is the ball in the end?

In the role of CATER (Girdhar and Ramanan 2020), whose task is the last cell of a small golden ball
that cones cover and carry about. What is not seen must be remembered: under which cup the ball is,
and where that cup went. States tell the scene as those of `rendered_scenes`, the ball as its first
solid, and in which cell the ball is and whether a cup is over it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy
from pydantic import Field, model_validator

from foreframe.randomness import numpy_generator
from foreframe.sources import Row, Stream, synthetic
from foreframe.sources.cups_and_ball import moves
from foreframe.sources.cups_and_ball.moves import CELLS, SIDE, Board, Move
from foreframe.sources.rendered_scenes import rendering
from foreframe.sources.rendered_scenes import scene as scenes
from foreframe.sources.rendered_scenes.rendering import COLOURS, Camera
from foreframe.sources.rendered_scenes.scene import Scene
from foreframe.sources.rendered_scenes.solids import Solid
from foreframe.sources.synthetic import SyntheticSettings

CELL = 0.25  # side of a cell
BALL, CUP = 0.08, 0.115  # radii; a cup holds the ball, and a cell holds the cup
LIFTED = 0.3  # how high a cup goes through the air: over all others
RISE = 0.25  # share of its time in which it goes up, and in which it goes down
CAMERA = Camera(0.0, 0.75, 2.3)  # the same in every clip, as in CATER's static task
SHADES = tuple(name for name in COLOURS if name != "yellow")
LABEL = "cell"
# Rows from the nearest, columns from the left.
CLASSES = tuple(f"row {cell // SIDE + 1} column {cell % SIDE + 1}" for cell in range(CELLS))

Place = tuple[float, float, float]


class Settings(SyntheticSettings):
    """How many cups there are, and how many moves in a clip; frames are spread over these."""

    kind: Literal["cups_and_ball"]
    cups: Annotated[int, Field(ge=1, le=5)]
    moves: Annotated[int, Field(ge=1, le=50)]

    @model_validator(mode="after")
    def _shows_moves(self) -> Self:
        if self.frames_per_episode <= self.moves:
            raise ValueError(
                f"frames_per_episode is {self.frames_per_episode}, but {self.moves} moves are to "
                "be shown. Raise it above moves, or lower moves."
            )
        return self


def stream(settings: Settings, seed: int, videos: Path, workers: int, first: int) -> Stream:
    """Return the clips, whose label `cell` is the ball's last one. `videos` is not read."""
    return synthetic.stream(
        _draw,
        settings,
        seed,
        workers,
        first,
        states=names(settings.cups),
        labels={LABEL: CLASSES},
        label=_label,
        origin="cups and ball {part} {number}",
    )


def names(cups: int) -> tuple[str, ...]:
    """Return the names of the states: of the scene, the ball's cell, and if a cup is over it."""
    return (*scenes.names(cups + 1), LABEL, "covered")


def plan(settings: Settings, seed: int, number: int) -> list[tuple[Board, Move]]:
    """Return the moves of a clip, each with the board before it."""
    random = numpy_generator(seed, "cups_and_ball", number, "moves")
    return moves.played(moves.begin(settings.cups, random), settings.moves, random)


def _label(settings: Settings, seed: int, number: int, part: str) -> dict[str, int]:
    return {LABEL: moves.after(*plan(settings, seed, number)[-1]).ball}


def _draw(settings: Settings, seed: int, number: int, part: str) -> Iterator[Row]:
    height, width, count = settings.height, settings.width, settings.cups + 1
    shades = _shades(settings, seed, number)
    planned = plan(settings, seed, number)
    for time in range(settings.frames_per_episode):
        done = time * settings.moves / (settings.frames_per_episode - 1)
        board, move = planned[min(int(done), settings.moves - 1)]
        found = at(board, move, done - min(int(done), settings.moves - 1), shades).kept()
        frame, seen = rendering.picture(found.solids, found.camera, height, width)
        told = scenes.states(found, seen, count, height, width)
        ball = found.solids[0]
        more = [cell_at(ball.right, ball.away), _over(found)]
        yield frame, numpy.empty(0, numpy.float32), numpy.append(told, more)


def _shades(settings: Settings, seed: int, number: int) -> list[str]:
    order = numpy_generator(seed, "cups_and_ball", number, "looks").permutation(len(SHADES))
    return [SHADES[place] for place in order[: settings.cups]]


def at(board: Board, move: Move, share: float, shades: list[str]) -> Scene:
    """Return the scene when so much of a move is done; the ball is the first solid."""
    places = [middle(cell) for cell in board.cups]
    ball = middle(board.ball)
    begin = ball if move.piece < 0 else places[move.piece]
    way = _lifted if move.lifted else _slid
    now = way(begin, middle(move.cell), share)
    if move.piece >= 0:
        places[move.piece] = now
    if move.piece < 0 or move.kind == "carry":
        ball = now
    cups = [
        Solid("cylinder", *place, 0.0, CUP, shade, "rubber")
        for place, shade in zip(places, shades, strict=True)
    ]
    return Scene(CAMERA, (Solid("sphere", *ball, 0.0, BALL, "yellow", "metal"), *cups))


def middle(cell: int) -> Place:
    """Return the middle of a cell on the floor."""
    row, column = divmod(cell, SIDE)
    return CELL * (column + 0.5 - SIDE / 2), CELL * (row + 0.5 - SIDE / 2), 0.0


def cell_at(right: float, away: float) -> int:
    """Return the cell that a place on the floor is in."""
    column, row = (min(max(int(each / CELL + SIDE / 2), 0), SIDE - 1) for each in (right, away))
    return SIDE * row + column


def _over(scene: Scene) -> bool:
    """Return whether a cup is over the ball and nothing of it is to be seen from anywhere."""
    ball, *cups = scene.solids
    here = ball.right, ball.away
    return any((cup.right, cup.away) == here and cup.up == 0 for cup in cups)


def _slid(begin: Place, end: Place, share: float) -> Place:
    right, away, up = (one + share * (other - one) for one, other in zip(begin, end, strict=True))
    return right, away, up


def _lifted(begin: Place, end: Place, share: float) -> Place:
    """Return the place on the way up, across and down again."""
    height = LIFTED * min(1.0, share / RISE, (1 - share) / RISE)
    across = min(1.0, max(0.0, (share - RISE) / (1 - 2 * RISE)))
    right, away, _ = _slid(begin, end, across)
    return right, away, max(0.0, height)
