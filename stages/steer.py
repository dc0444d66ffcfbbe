"""Stage steer: do futures follow the actions that the priors are given?

The same contexts are continued with the steering held left, straight and right, with the recorded
actions, and with those of other clips; random numbers are the same for all. Two measures say how
a future turns: the motion of its pixels, and steering as a probe reads it off neighbouring frames.
The same measures of real clips say how far they can be trusted. Likelihood under true and foreign
actions needs no measure at all.

Shapes: N contexts, B some of them, t given frames, h predicted ones, T = t + h, H rows, W columns,
C = 3 colours, A action channels.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy
import pandas
import torch
from torch import Tensor
from tqdm import tqdm

from foreframe.artefacts import facts as facts_file
from foreframe.artefacts import hdf5, tables
from foreframe.config.compute import Compute
from foreframe.config.futures import FutureSettings
from foreframe.config.steering import Steering
from foreframe.data import actions
from foreframe.data import frames as frames_file
from foreframe.data import latents as latents_file
from foreframe.data.clips import Clips, Run, load_split
from foreframe.errors import UserError
from foreframe.evaluation import contexts, state_probe, statistics
from foreframe.evaluation.state_probe import StateProbe
from foreframe.findings import steering as following
from foreframe.findings.steering import MEASURES, REAL, RECONSTRUCTION, RECORDED, SHUFFLED
from foreframe.metrics import turning
from foreframe.predictors import Context, loading
from foreframe.predictors.latent import Latent
from foreframe.priors import ACTIONS, density
from foreframe.randomness import Draws
from foreframe.running import compute as computing
from foreframe.running import stage

SCHEMA = "steering"
BATCH = 16  # contexts continued at once; the number changes memory and speed, no code
BLOCK = 256  # frames read at once

Values = dict[str, dict[str, Tensor]]  # of each clip (N,), by measure and kind of clip


@dataclass(frozen=True)
class Task:
    """The contexts, and the actions (N,T,A) of each sequence."""

    predictor: Latent
    asked: FutureSettings
    settings: Steering
    numbers: list[int]
    sequences: Mapping[str, Tensor]
    column: int  # of the channel that is steered

    def steered(self, kind: str) -> Tensor:
        """Return the mean steering (N,) of the futures of a sequence; real clips: as recorded."""
        led_NTA = self.sequences.get(kind, self.sequences[RECORDED])
        return led_NTA[:, self.asked.context :, self.column].double().mean(dim=1)


def channel(predictor: Latent, settings: Steering) -> int:
    """Return the place of the channel that is steered.

    Raises:
        UserError: the priors take no actions, or have no such channel.
    """
    taken = [prior.actions for prior in predictor.priors.values() if prior.actions is not None]
    if not taken:
        raise UserError(
            "These priors take no actions, so nothing can be steered. Train priors with "
            "actions: input, as the variants top_actions and bottom_actions do."
        )
    names = taken[0].names
    if settings.channel not in names:
        raise UserError(
            f"steering.channel is {settings.channel}; the data has the actions {', '.join(names)}."
        )
    return names.index(settings.channel)


def reader(file: h5py.File, runs: tuple[Run, ...], name: str, column: int) -> StateProbe:
    """Return a probe that reads the steering between two frames, fitted on runs of real frames."""
    fit = state_probe.Fit([name])
    for start, stop in runs:
        for first in range(start, stop - 1, BLOCK):
            count = min(BLOCK + 1, stop - first)
            frames_THWC = torch.from_numpy(file["frames"][first : first + count])
            led_TA = actions.leading(file, [first], count)[0]
            fit.update(frames_THWC, led_TA[:, column : column + 1])
    return fit.result()


def measured(frames_BhHWC: Tensor, probe: StateProbe) -> dict[str, Tensor]:
    """Return the mean over the frames of each clip, (B,), by measure."""
    return {
        "turn": turning.turn(frames_BhHWC).mean(dim=1),
        "read": probe.read(frames_BhHWC)[..., 0].mean(dim=1),
    }


def continued(task: Task, clips: Clips) -> Iterator[tuple[slice, dict[str, Tensor]]]:
    """Yield real, reconstructed and predicted futures (B,h,H,W,C), a batch at a time."""
    t, horizon, count = task.asked.context, task.asked.horizon, len(task.numbers)
    for first in tqdm(range(0, count, BATCH), desc="contexts", unit="batch", disable=None):
        rows = slice(first, min(first + BATCH, count))
        real_BTHWC = clips.read(numpy.arange(rows.start, rows.stop))
        decoded = task.predictor.reconstruct(real_BTHWC, t).frames
        found = {REAL: real_BTHWC[:, t:], RECONSTRUCTION: decoded[:, t:]}
        draws = Draws.first(task.asked.seed, task.numbers[rows])
        for name, led_NTA in task.sequences.items():
            context = Context(real_BTHWC[:, :t], draws.clips, led_NTA[rows])
            future = task.predictor.predict(context, horizon, task.settings.choice, draws)
            found[name] = future.frames
        yield rows, found


def measure(task: Task, clips: Clips, probe: StateProbe, file: h5py.File) -> Values:
    """Measure all futures; write the frames of those that are shown, uint8 (show,h,H,W,C)."""
    parts: list[dict[str, dict[str, Tensor]]] = []
    shown: dict[str, list[Tensor]] = {}
    for rows, found in continued(task, clips):
        parts.append({kind: measured(frames, probe) for kind, frames in found.items()})
        for kind, frames_BhHWC in found.items():
            kept = frames_BhHWC[: max(0, task.settings.show - rows.start)]
            shown.setdefault(kind, []).append(kept)
    for kind, frames in shown.items():
        hdf5.store(file, kind, torch.cat(frames).numpy())
    given_BtHWC = clips.read(numpy.arange(len(file[REAL])))[:, : task.asked.context]
    hdf5.store(file, "context", given_BtHWC.numpy())
    return {
        name: {kind: torch.cat([part[kind][name] for part in parts]) for kind in parts[0]}
        for name in MEASURES
    }


def likelihood(predictor: Latent, group: h5py.Group, seed: int) -> dict[str, Any]:
    """Return, by level, nats per code of a set's clips under their own and under others' actions.

    `gain` is what the own actions save; the codes before and above are the true ones.
    """
    count = len(group["clip_start"])
    result: dict[str, Any] = {}
    for level, prior in ((level, density(each)) for level, each in predictor.priors.items()):
        nats: dict[str, list[Tensor]] = {RECORDED: [], SHUFFLED: []}
        for part in torch.arange(count).split(BATCH):
            known = latents_file.read(group, (level, *prior.settings.given), part)
            for name, source in ((RECORDED, part), (SHUFFLED, following.others(count, seed)[part])):
                known |= latents_file.read(group, [ACTIONS], source)
                moved = {key: value.to(predictor.device) for key, value in known.items()}
                with torch.no_grad():
                    log_prob = prior.log_prob(moved[level], prior.condition(moved))
                nats[name].append(-log_prob.double().flatten(1).mean(dim=1).cpu())
        own_N, other_N = torch.cat(nats[RECORDED]), torch.cat(nats[SHUFFLED])
        result[level] = {
            RECORDED: float(own_N.mean()),
            SHUFFLED: float(other_N.mean()),
            "gain": asdict(statistics.paired(other_N, own_N, seed, "steer", level)),
        }
    return result


def as_table(task: Task, values: Values) -> pandas.DataFrame:
    """Return a row for each kind of clip and context, with the mean steering that it was given."""
    parts = [
        pandas.DataFrame(
            {"clip": task.numbers, "actions": kind, "steering": task.steered(kind).numpy()}
            | {name: values[name][kind].numpy() for name in MEASURES}
        )
        for kind in values["turn"]
    ]
    return pandas.concat(parts, ignore_index=True)


def main(
    *,
    frames: Path,
    split: Path,
    normalization: Path,
    models: tuple[Path, ...],
    latents: Path,
    steering: Steering,
    futures: FutureSettings,
    compute: Compute,
    facts: Path,
    table: Path,
    rollouts: Path,
) -> None:
    """Write what follows, the numbers of every context, and the frames of some."""
    device = computing.prepare(compute)
    predictor = loading.latent(models, normalization, device)
    column, runs = channel(predictor, steering), load_split(split)
    wanted = futures.model_copy(update={"clips": steering.clips})
    chosen = contexts.choose(runs, wanted, "steering")
    with hdf5.opening(latents, latents_file.SCHEMA) as codes:
        training_XA = torch.from_numpy(codes["train"][ACTIONS][:]).flatten(0, 1).double()
        gains = likelihood(predictor, codes[futures.set], futures.seed)
    constant = following.held(training_XA, steering, column)
    recorded_NTA = actions.read(frames, chosen.starts.tolist(), futures.frames)
    led = following.sequences(recorded_NTA, constant, futures.context, futures.seed)
    task = Task(predictor, futures, steering, chosen.numbers.tolist(), led, column)
    with frames_file.opening(frames) as file:
        probe = reader(file, runs.train, steering.channel, column)
    attributes = {"context": futures.context, "horizon": futures.horizon}
    with (
        hdf5.creating(rollouts, f"{SCHEMA}_rollouts", attributes) as written,
        Clips(frames, chosen.starts, futures.frames) as clips,
    ):
        values = measure(task, clips, probe, written)
    known = {kind: task.steered(kind) for kind in (RECORDED, SHUFFLED)}
    about = {
        "futures": futures.model_dump(mode="json"),
        "settings": steering.model_dump(mode="json"),
        "held": {name: action_A.tolist() for name, action_A in constant.items()},
        "likelihood": gains,
        "measures": {
            name: following.compare(values[name], known, futures.seed, name) for name in MEASURES
        },
        "table_checksum": tables.write(table, as_table(task, values)),
    }
    facts_file.write(facts, SCHEMA, about)


if __name__ == "__main__":
    stage.run(main)
