"""Stage `train_probe`: fits the probe that reads the simulator's state off frames.

Pixel errors alone reward blur. Where the source knows more of the scene than its pixels, as
simulators do, a probe fitted on real training frames tells whether predicted frames show the right
speed and road. A source that knows nothing, or that gives single images, gives an empty probe, and
tables without these columns. Labels of whole episodes are for classifiers, not for it.

Shapes: T neighbouring frames, H rows, W columns, C = 3 colours, S states.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import h5py
import torch
from torch import Tensor

from foreframe.artefacts import facts as facts_file
from foreframe.config.compute import Compute
from foreframe.config.split import SETS
from foreframe.data import frames as frames_file
from foreframe.data.clips import Run, load_split
from foreframe.evaluation import state_probe
from foreframe.evaluation.state_probe import Fit, StateProbe
from foreframe.running import stage
from foreframe.running.compute import prepare

BLOCK = 256  # frames read at once


def blocks(file: h5py.File, runs: Iterable[Run]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield frames (T,H,W,C) uint8 and states (T,S) of runs; blocks of a run share one frame."""
    for start, stop in runs:
        for first in range(start, stop - 1, BLOCK):
            part = slice(first, min(first + BLOCK + 1, stop))
            yield torch.from_numpy(file["frames"][part]), torch.from_numpy(file["states"][part])


def fitted(names: Sequence[str], file: h5py.File, runs: Iterable[Run]) -> StateProbe:
    """Return the probe of these runs."""
    fit = Fit(names)
    for frames_THWC, states_TS in blocks(file, runs):
        fit.update(frames_THWC, states_TS)
    return fit.result()


def measure(probe: StateProbe, file: h5py.File, runs: Iterable[Run]) -> dict[str, dict[str, float]]:
    """Return, by state, the probe's error on real frames and the share of variance it explains."""
    read, true = [], []
    for frames_THWC, states_TS in blocks(file, runs):
        read.append(probe.read(frames_THWC[None])[0])
        true.append(states_TS[1:].double())
    read_1NS, true_1NS = torch.cat(read)[None], torch.cat(true)[None]
    errors_S = state_probe.root_mean_square(read_1NS, true_1NS)
    spread_S = true_1NS[0].std(dim=0, correction=0)
    return {
        name: {
            "rmse": float(error),
            "spread": float(spread),
            "r2": float(1 - (error / spread) ** 2),
        }
        for name, error, spread in zip(probe.names, errors_S, spread_S, strict=True)
        if spread > 0
    }


def main(*, frames: Path, split: Path, compute: Compute, model: Path, facts: Path) -> None:
    """Fit on the training runs; measure on the runs of every set."""
    prepare(compute)
    runs = load_split(split)
    # Of single images nothing can be read off neighbours.
    moving = all(any(stop - start > 1 for start, stop in runs.runs(name)) for name in SETS)
    with frames_file.opening(frames) as file:
        names = json.loads(file.attrs["state_names"]) if moving else []
        probe = fitted(names, file, runs.train) if names else state_probe.EMPTY
        scores = {name: measure(probe, file, runs.runs(name)) for name in SETS if names}
    probe.save(model)
    facts_file.write(facts, "probe", {"states": names, "scores": scores})


if __name__ == "__main__":
    stage.run(main)
