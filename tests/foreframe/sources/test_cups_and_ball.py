"""Cups and a ball: things keep apart, the ball moves when its cup does, and states say where."""

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from foreframe.data import labels
from foreframe.evaluation import locating
from foreframe.randomness import numpy_generator
from foreframe.sources import cups_and_ball
from foreframe.sources.cups_and_ball import BALL, CUP, moves
from foreframe.sources.cups_and_ball.moves import CELLS, Board, Move
from foreframe.sources.rendered_scenes import rendering, scene
from foreframe.sources.rendered_scenes.solids import Solid
from tests.foreframe.sources.synthetic_episodes import gathered, recorded, settings

CUPS, MOVES, FRAMES = 3, 6, 61
SHADES = ["red", "blue", "green"]


def played(number: int, count: int = 40) -> list[tuple[Board, Move]]:
    random = numpy_generator(0, "board", number)
    return moves.played(moves.begin(CUPS, random), count, random)


def clips(count: int = 6, **changes: Any) -> list[tuple[dict[str, Any], int]]:
    """Return the states (T,) by name of clips, and what each is labelled with."""
    more = {"frames_per_episode": FRAMES, "cups": CUPS, "moves": MOVES, "train_episodes": count}
    chosen = settings("cups_and_ball", **more | changes, test_episodes=1)
    stream = cups_and_ball.stream(chosen, 0, Path(), 1, 0)
    found = []
    for episode in stream.episodes:
        labels.check(episode.labels, stream.labels, episode.origin)
        states = gathered(episode)["states"].T
        found.append((dict(zip(stream.states, states, strict=True)), episode.labels["cell"]))
    return found


def test_no_two_things_are_in_a_cell_but_a_ball_and_its_cup() -> None:
    for number in range(20):
        for board, move in played(number):
            for each in (board, moves.after(board, move)):
                assert len(set(each.cups)) == CUPS
                under = [cup for cup, cell in enumerate(each.cups) if cell == each.ball]
                assert under == ([each.covering] if each.covering >= 0 else [])
                assert each.taken <= set(range(CELLS))


def test_a_ball_moves_by_itself_or_in_its_cup_alone() -> None:
    kinds = set()
    for number in range(20):
        for board, move in played(number):
            later = moves.after(board, move)
            own = move.piece < 0 or (move.kind == "carry" and move.piece == board.covering)
            assert (later.ball != board.ball) == own
            assert (later.covering == board.covering) == (not move.lifted)
            kinds.add((move.kind, move.piece < 0))
    assert len(kinds) == 5


@pytest.mark.parametrize(("cell", "taken", "wanted"), [
    (0, {0}, {*range(1, 6), *range(6, 36, 6)}),
    (0, {0, 2, 6}, {1}),
    (14, {14, 13, 8, 17}, {15, 16, 20, 26, 32}),
])  # fmt: skip
def test_ways_end_before_what_stands_there(cell: int, taken: set[int], wanted: set[int]) -> None:
    assert set(moves.reachable(cell, taken)) == wanted


def apart(one: Solid, other: Solid) -> float:
    return float(numpy.hypot(one.right - other.right, one.away - other.away))


def touching(one: Solid, other: Solid) -> bool:
    lower = min(one, other, key=lambda each: each.up)
    above = abs(one.up - other.up) >= 2 * lower.size
    return apart(one, other) < one.size + other.size and not above


def test_nothing_touches_but_a_cup_whose_inside_the_ball_is_in() -> None:
    holding = set()
    for number in range(6):
        for board, move in played(number, 12):
            own = {board.covering, move.piece if move.kind == "cover" else board.covering}
            for share in numpy.linspace(0, 1, 9):
                ball, *cups = cups_and_ball.at(board, move, float(share), SHADES).solids
                assert not any(touching(*pair) for pair in combinations(cups, 2))
                for place, cup in enumerate(cups):
                    if touching(ball, cup):
                        assert place in own and apart(ball, cup) < CUP - BALL
                        holding.add(move.kind)
    assert holding == {"cover", "carry", "take off", "slide"}


def test_a_move_begins_and_ends_where_it_says() -> None:
    for number in range(6):
        for board, move in played(number, 12):
            for share, there in ((0.0, board), (1.0, moves.after(board, move))):
                found = cups_and_ball.at(board, move, share, SHADES)
                cells = [cups_and_ball.cell_at(each.right, each.away) for each in found.solids]
                assert cells == [there.ball, *there.cups]
                middles = [cups_and_ball.middle(cell) for cell in cells]
                places = [(each.right, each.away, each.up) for each in found.solids]
                numpy.testing.assert_allclose(places, middles, atol=1e-12)


def test_a_label_is_the_last_cell_and_a_covered_ball_is_not_seen() -> None:
    hidden = 0
    for states, label in clips(20):
        assert states["cell"][-1] == label
        covered = states["covered"] == 1
        assert not states["visible_1"][covered].any()
        hidden += int((states["visible_1"][~covered] == 0).sum())
        # It is not covered when the clip begins, and goes from cell to cell, not over others.
        assert not covered[0]
        rows, columns = numpy.divmod(states["cell"], moves.SIDE)
        assert not ((numpy.diff(rows) != 0) & (numpy.diff(columns) != 0)).any()
    assert hidden  # behind a cup


def test_states_draw_the_frames_again() -> None:
    names = cups_and_ball.names(2)
    for *_, found in recorded("cups_and_ball"):
        for frame, states in zip(found["frames"], found["states"], strict=True):
            told = scene.of_states(names, states)
            assert numpy.array_equal(told.picture(32, 32), frame)


def test_more_frames_show_the_same_moves() -> None:
    few, many = (recorded("cups_and_ball", frames_per_episode=count) for count in (7, 13))
    for (*_, one), (*_, other) in zip(few, many, strict=True):
        assert numpy.array_equal(one["frames"], other["frames"][::2])


def test_who_looks_at_the_ball_alone_is_right_when_nobody_carried_it_unseen() -> None:
    found = clips(60, height=16, width=16)
    cells, shares = (
        numpy.stack([states[name] for states, _ in found]) for name in ("cell", "visible_1")
    )
    said = locating.last_seen(torch.from_numpy(cells), torch.from_numpy(shares))
    right = 0
    for (states, label), cell in zip(found, said.tolist(), strict=True):
        times = numpy.flatnonzero(states["visible_1"])
        still = len(set(states["cell"][times[-1] :])) == 1
        assert (cell == label) == still or cell == label
        right += cell == label
    assert 0.15 < right / len(found) < 0.75


def test_cups_hold_the_ball() -> None:
    assert BALL < CUP < cups_and_ball.CELL / 2
    board, move = Board(14, (14, 0, 5), 0), Move("carry", 0, 16)
    for share in (0.0, 0.3, 1.0):
        found = cups_and_ball.at(board, move, share, SHADES)
        seen = rendering.look(found.solids, found.camera, 64, 64)
        assert seen.shares[0] == 0


def test_more_moves_than_frames_are_refused() -> None:
    with pytest.raises(ValueError, match=r"is 12, but 12 moves are to be shown\. Raise it"):
        settings("cups_and_ball", moves=12)
