"""What the synthetic sources share: numbered episodes, each a function of the seed and its number.

The training episodes come first and then the test episodes, which the source's authors keep apart.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Annotated

from pydantic import Field

from foreframe.sources import (
    BLOCK,
    Block,
    Episode,
    Row,
    SourceSettings,
    Stream,
    in_blocks,
    parallel,
)

# Makes the rows of one episode: settings, seed, number of the episode, and its official set.
Draw = Callable[..., Iterator[Row]]
# Gives the classes of one episode, from the same.
Label = Callable[..., Mapping[str, int]]


class SyntheticSettings(SourceSettings):
    """How many episodes there are to learn from and to test on, and how long each is."""

    train_episodes: Annotated[int, Field(ge=1)]
    test_episodes: Annotated[int, Field(ge=1)]
    frames_per_episode: Annotated[int, Field(ge=1)]


def stream(
    draw: Draw,
    settings: SyntheticSettings,
    seed: int,
    workers: int,
    first: int,
    *,
    actions: tuple[str, ...] = (),
    states: tuple[str, ...] = (),
    labels: Mapping[str, tuple[str, ...]] | None = None,
    label: Label | None = None,
    origin: str = "seed {seed} episode {number}",
) -> Stream:
    """Return episodes that `draw(settings, seed, number, part)` makes, in any process.

    `draw` must be a function of a module; `origin` is what an episode's origin says. `labels` names
    the classes that `label(settings, seed, number, part)` counts, where episodes have any.
    """
    total = settings.train_episodes + settings.test_episodes
    jobs = [(number, _part(settings, number)) for number in range(total)][first:]

    def episodes() -> Iterator[Episode]:
        made = parallel.in_order(
            partial(_blocks, draw, settings, seed),
            jobs,
            workers,
            BLOCK * settings.height * settings.width * 3,
        )
        for (number, part), blocks in zip(jobs, made, strict=True):
            name = origin.format(seed=seed, number=number, part=part)
            classes = {} if label is None else label(settings, seed, number, part)
            yield Episode(name, total, blocks, part, classes)

    return Stream(actions, states, episodes(), labels or {})


def _part(settings: SyntheticSettings, number: int) -> str:
    return "train" if number < settings.train_episodes else "test"


def _blocks(
    draw: Draw, settings: SyntheticSettings, seed: int, job: tuple[int, str]
) -> Iterator[Block]:
    return in_blocks(draw(settings, seed, *job))
