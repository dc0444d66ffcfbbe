"""Tiny Dynamics, as the stage `collect` writes them, without its journal."""

from pathlib import Path
from typing import Any

from foreframe.data import writing
from foreframe.data.writing import Layout
from foreframe.sources import dynamics
from tests.foreframe.sources import synthetic_episodes

SIDE, FRAMES = 16, 8


def write(path: Path, **changes: Any) -> None:
    """Write episodes of all ten classes in turn."""
    known = {"height": SIDE, "width": SIDE, "frames_per_episode": FRAMES, "train_episodes": 20}
    chosen = synthetic_episodes.settings("dynamics", **known | changes)
    stream = dynamics.stream(chosen, 0, Path(), 1, 0)
    layout = Layout(
        height=SIDE,
        width=SIDE,
        frame_interval=chosen.frame_interval,
        source=chosen.kind,
        actions=stream.actions,
        states=stream.states,
        labels=stream.labels,
        chunk=FRAMES,
    )
    with writing.creating(path, layout) as writer:
        for episode in stream.episodes:
            for _ in writer.add(episode):
                pass
