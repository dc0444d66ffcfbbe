"""Who goes where on the grid: moves of cups and a ball, one after the other.

A cup is put over the ball, slides with it, and is taken off again; a cup or the free ball slides to
another cell, along a row or a column, past nobody.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy

SIDE = 6  # cells along a row and a column
CELLS = SIDE * SIDE

# How often each is done where it can be, to one another.
COVER, CARRY, TAKE_OFF, SLIDE = 3.0, 4.0, 1.0, 2.0


@dataclass(frozen=True)
class Board:
    """Where things are between two moves: cells from 0 to 35, by rows, the first one nearest.

    `covering` is the number of the cup over the ball, -1 for none.
    """

    ball: int
    cups: tuple[int, ...]
    covering: int

    @property
    def taken(self) -> set[int]:
        """The cells that something stands in."""
        return {self.ball, *self.cups}


@dataclass(frozen=True)
class Move:
    """A cup, by its number, or the ball, -1, goes to a cell: it slides, or is lifted there."""

    kind: Literal["cover", "carry", "take off", "slide"]
    piece: int
    cell: int

    @property
    def lifted(self) -> bool:
        """Whether it goes through the air, past everything."""
        return self.kind in ("cover", "take off")


def begin(cups: int, random: numpy.random.Generator) -> Board:
    """Return a board on which nothing is covered."""
    cells = random.permutation(CELLS)[: cups + 1].tolist()
    return Board(cells[0], tuple(cells[1:]), -1)


def played(board: Board, count: int, random: numpy.random.Generator) -> list[tuple[Board, Move]]:
    """Return so many moves, each with the board before it."""
    found = []
    for _ in range(count):
        move = _chosen(board, random)
        found.append((board, move))
        board = after(board, move)
    return found


def after(board: Board, move: Move) -> Board:
    """Return the board after a move."""
    if move.piece < 0:
        return replace(board, ball=move.cell)
    cups = list(board.cups)
    cups[move.piece] = move.cell
    covering = {"cover": move.piece, "take off": -1}.get(move.kind, board.covering)
    ball = move.cell if move.kind == "carry" else board.ball
    return Board(ball, tuple(cups), covering)


def _chosen(board: Board, random: numpy.random.Generator) -> Move:
    weights = {"cover": COVER, "carry": CARRY, "take off": TAKE_OFF, "slide": SLIDE}
    kinds: dict[str, list[Move]] = {}
    for move in possible(board):
        kinds.setdefault(move.kind, []).append(move)
    names = list(kinds)
    shares = numpy.array([weights[name] for name in names])
    places = numpy.cumsum(shares) / shares.sum()
    moves = kinds[names[int(numpy.searchsorted(places, random.uniform(), side="right"))]]
    return moves[int(random.integers(len(moves)))]


def possible(board: Board) -> Iterator[Move]:
    """Yield every move that there is."""
    if board.covering < 0:
        for cup in range(len(board.cups)):
            yield Move("cover", cup, board.ball)
        for cell in reachable(board.ball, board.taken):
            yield Move("slide", -1, cell)
    else:
        for cell in sorted(set(range(CELLS)) - board.taken):
            yield Move("take off", board.covering, cell)
    for cup, own in enumerate(board.cups):
        for cell in reachable(own, board.taken):
            yield Move("carry" if cup == board.covering else "slide", cup, cell)


def reachable(cell: int, taken: set[int]) -> Sequence[int]:
    """Return the free cells of the row and the column of a cell, up to the next taken ones."""
    found = []
    row, column = divmod(cell, SIDE)
    for down, across in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        for steps in range(1, SIDE):
            there = row + steps * down, column + steps * across
            other = there[0] * SIDE + there[1]
            if min(there) < 0 or max(there) >= SIDE or other in taken:
                break
            found.append(other)
    return found
