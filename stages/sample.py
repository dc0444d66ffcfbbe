"""Stage sample: continues the clips of a protocol under each choice, as codes and as frames.

The codes of the context are given, the others sampled: top, then bottom given the whole top (Xu
2022, 5.3.3). For the clips that the report shows, it also decodes what the thesis compares: each
level of codes as sampled or as it truly is. Priors that take actions are given the recorded ones,
and the file says so: such futures know more than others.

Shapes: N all clips, B some, S futures of each, T frames, t given frames, h horizon, H rows, W
columns, C = 3 colours, A action channels.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy
import torch
from torch import Tensor
from tqdm import tqdm

from foreframe import actions, continued, stage
from foreframe import compute as computing
from foreframe.artefacts import facts, hdf5
from foreframe.artefacts.digest import digest
from foreframe.clips import Clips, load_split
from foreframe.config.compute import Compute
from foreframe.config.protocols import ProtocolSettings
from foreframe.config.sampling import Choice, Sampling
from foreframe.errors import UserError
from foreframe.predictors import latent_predictor
from foreframe.predictors.latent_predictor import LatentPredictor
from foreframe.priors import ACTIONS
from foreframe.priors.engines.operations import sampling_operations
from foreframe.priors.noise import Noise

SCHEMA = "samples"
TOP, BOTTOM = "top", "bottom"
RECONSTRUCTION = "reconstruction"
RECORDED = "recorded"  # where the actions of futures come from
# Futures at once; one clip's are never parted. The number changes memory and speed, no code.
BATCH = 64
# The futures of a clip differ in the number that names their noise; the first has the clip's own.
FUTURES = 2**32

Latents = Mapping[str, Tensor]


@dataclass(frozen=True)
class Task:
    """What is continued, and how."""

    predictor: LatentPredictor
    sampling: Sampling
    protocol: ProtocolSettings
    numbers: list[int]  # of the clips, within their set
    actions: Tensor | None  # (N,T,A) that led to the clips' frames, where the priors take them

    @property
    def before(self) -> int:
        """How many copies of the first frame go before the given ones, to fill their first code."""
        return -self.protocol.context % self.predictor.cover

    @property
    def given(self) -> int:
        """How many frames the given codes cover."""
        return self.before + self.protocol.context

    @property
    def one_window(self) -> bool:
        """Whether clips are exactly what the priors model, so that their codes can be compared."""
        return self.before == 0 and self.protocol.frames == self.predictor.window

    def futures(self, choice: Choice) -> int:
        """Return how many futures are drawn of each clip: where nothing is drawn, all are one."""
        return 1 if choice.mode == "argmax" else self.protocol.samples

    def encode(self, frames_BTHWC: Tensor) -> dict[str, Tensor]:
        """Return the codes of frames that begin with the context, filled up to whole codes.

        In front with copies of the first frame, at the end with copies of the last.
        """
        first, last = frames_BTHWC[:, :1], frames_BTHWC[:, -1:]
        after = -(self.before + frames_BTHWC.shape[1]) % self.predictor.cover
        parts = (first.expand(-1, self.before, *[-1] * 3), frames_BTHWC)
        return self.predictor.encode(torch.cat([*parts, last.expand(-1, after, *[-1] * 3)], dim=1))

    def led(self, rows: slice) -> Tensor | None:
        """Return the actions (B,before + T,A) that led to the frames of some clips, if any.

        Nothing moves from one copy of the first frame to the next: their actions are zeros.
        """
        if self.actions is None:
            return None
        return torch.nn.functional.pad(self.actions[rows], (0, 0, self.before, 0))

    def predicted(self, frames_BTHWC: Tensor) -> Tensor:
        """Return the frames after the context (B,h,H,W,C) of what whole codes decode to."""
        return frames_BTHWC[:, self.given : self.given + self.protocol.horizon]


def check(task: Task, name: str) -> None:
    """Refuse a context that leaves nothing of a window to be sampled.

    Raises:
        UserError: it is so long, with what fills its first code.
    """
    if task.given >= task.predictor.window:
        raise UserError(
            f"protocols.{name}.context is {task.protocol.context}; whole codes of so many frames "
            f"cover {task.given}, and the priors model {task.predictor.window} at once. "
            f"Give at most {task.predictor.window - task.predictor.cover}."
        )


def contexts(task: Task, real_BTHWC: Tensor) -> dict[str, Tensor]:
    """Return the given codes: of whole clips' beginnings, or of the context's frames alone."""
    seen = task.protocol.context
    if task.sampling.context_encoding == "full_clip":
        seen = max(seen, task.predictor.window - task.before)
    return task.predictor.first(task.encode(real_BTHWC[:, :seen]), task.given)


def shown_choice(choices: Mapping[str, Choice]) -> str:
    """Return the choice whose decoded combinations are kept: the first argmax, or the first."""
    greedy = [name for name, choice in choices.items() if choice.mode == "argmax"]
    return (greedy or list(choices))[0]


def draw(task: Task, given: Latents, choice: Choice, rows: slice) -> tuple[Tensor, Latents]:
    """Return futures (B,S,h,H,W,C), uint8, and the codes (B,S,T,H,W) of their first window."""
    futures, clips = task.futures(choice), task.numbers[rows]
    numbers = [clip + sample * FUTURES for clip in clips for sample in range(futures)]
    begun = {level: codes.repeat_interleave(futures, dim=0) for level, codes in given.items()}
    led = task.led(rows)
    led = None if led is None else led.repeat_interleave(futures, dim=0)
    windows = list(
        task.predictor.roll(begun, task.protocol.horizon, choice, task.protocol.seed, numbers, led)
    )
    frames = torch.cat([task.predictor.decode(codes)[:, task.given :] for codes in windows], dim=1)
    apart = (len(clips), futures)
    codes = {level: ids.unflatten(0, apart) for level, ids in windows[0].items()}
    return frames[:, : task.protocol.horizon].unflatten(0, apart), codes


def batches(task: Task) -> Iterator[slice]:
    """Yield slices that cover all clips, with a progress bar."""
    size = max(1, BATCH // task.protocol.samples)
    for start in tqdm(range(0, len(task.numbers), size), desc="clips", unit="batch", disable=None):
        yield slice(start, min(start + size, len(task.numbers)))


def put(file: h5py.File, name: str, rows: slice, values: Tensor, count: int, each: int) -> None:
    """Write some rows of the dataset `name`, which has `count`; codes as int16.

    The first `each` axes of a chunk are 1.
    """
    array = values.to(torch.int16) if values.dtype == torch.int64 else values
    if name not in file:
        chunk = (*[1] * each, *array.shape[each:])
        dtype = numpy.int16 if values.dtype == torch.int64 else numpy.uint8
        hdf5.dataset(file, name, (count, *array.shape[1:]), dtype, chunk)
    file[name][rows] = array.cpu().numpy()


def write(file: hdf5.File, task: Task, clips: Clips) -> None:
    """Write the real clips, what their true codes decode to, and the futures of each choice."""
    count = len(clips)
    for rows in batches(task):
        real = clips.read(numpy.arange(rows.start, rows.stop))
        put(file, "real", rows, real, count, 1)
        true = task.encode(real)
        decoded = task.predicted(task.predictor.decode(true))
        put(file, f"{RECONSTRUCTION}/frames", rows, decoded[:, None], count, 2)
        if task.one_window:
            for level, codes in true.items():
                put(file, f"true_{level}", rows, codes, count, 1)
        given = contexts(task, real)
        for name, choice in task.sampling.choices.items():
            frames, sampled = draw(task, given, choice, rows)
            put(file, f"{name}/frames", rows, frames, count, 2)
            if task.one_window:
                for level, codes in sampled.items():
                    put(file, f"{name}/{level}", rows, codes, count, 2)
        file.check()


def read(file: h5py.File, name: str, task: Task) -> dict[str, Tensor]:
    """Return the codes of the shown clips, of the first future of each: int64 (B,T,H,W)."""
    found = {level: file[name + level][: task.sampling.show] for level in (TOP, BOTTOM)}
    first = {level: ids if ids.ndim == 4 else ids[:, 0] for level, ids in found.items()}
    return {level: torch.from_numpy(ids).long() for level, ids in first.items()}


def write_combinations(file: h5py.File, task: Task) -> None:
    """Write what combinations of sampled and true codes decode to: uint8 (B,T,H,W,C) each."""
    show, predictor = task.sampling.show, task.predictor
    name = shown_choice(task.sampling.choices)
    true, sampled = read(file, "true_", task), read(file, f"{name}/", task)
    given = contexts(task, torch.from_numpy(file["real"][:show]))
    noise = Noise(task.protocol.seed, task.numbers[:show])
    choice, led = task.sampling.choices[name], task.led(slice(show))
    other = predictor.extend(given, choice, noise, {TOP: true[TOP]}, led)
    found = {
        "true_decode": predictor.decode(true),
        f"{name}/bottom_given_true_top": other[BOTTOM],
        f"{name}/top_only": predictor.decode(sampled, drop=[BOTTOM]),
        f"{name}/hierarchical": predictor.decode(sampled),
        f"{name}/generated_top_true_bottom": predictor.decode(
            {TOP: sampled[TOP], BOTTOM: true[BOTTOM]}
        ),
        f"{name}/true_top_generated_bottom": predictor.decode(
            {TOP: true[TOP], BOTTOM: other[BOTTOM]}
        ),
    }
    for path, values in found.items():
        put(file, path, slice(None), values, len(values), 1)


def operations(task: Task) -> dict[str, Any]:
    """Return, by level, what sampling the first window of a clip takes; see `Operations`."""
    found = {}
    for level, prior in task.predictor.priors.items():
        given = prior.grid[0] * task.given // task.predictor.window
        found[level] = sampling_operations(prior, given).facts()
    return found


def settings_digests(predictor: LatentPredictor, sampling: Sampling) -> dict[str, str]:
    """Return, by predictor, a digest of all that was chosen about it; weights and seed are not."""
    networks: dict[str, Any] = {
        level: prior.settings.model_dump(mode="json") for level, prior in predictor.priors.items()
    }
    first = {"autoencoder": predictor.autoencoder.settings.model_dump(mode="json")}
    chosen: dict[str, dict[str, Any]] = {RECONSTRUCTION: first}
    for name, choice in sampling.choices.items():
        chosen[name] = {**first, **networks, "choice": choice.model_dump(mode="json")}
        if predictor.takes_actions:
            chosen[name][ACTIONS] = RECORDED
    return {
        name: hashlib.sha256(facts.canonical(values)).hexdigest() for name, values in chosen.items()
    }


def weights_digest(paths: Sequence[Path]) -> str:
    """Return a digest of trained networks: two trainings of equal settings differ in it."""
    return hashlib.sha256(" ".join(map(digest, paths)).encode()).hexdigest()


def main(
    *,
    frames: Path,
    split: Path,
    normalization: Path,
    autoencoder: Path,
    top: Path,
    bottom: Path,
    sampling: Sampling,
    protocol: ProtocolSettings,
    compute: Compute,
    out: Path,
) -> None:
    """Write real clips, their reconstructions, and under each choice's name codes and futures."""
    device = computing.prepare(compute)
    priors = {TOP: top, BOTTOM: bottom}
    predictor = latent_predictor.load(autoencoder, priors, normalization, device)
    chosen = continued.choose(load_split(split), protocol, out.stem)
    led = None
    if predictor.takes_actions:
        led = actions.read(frames, chosen.starts, protocol.frames)
    task = Task(predictor, sampling, protocol, chosen.numbers.tolist(), led)
    check(task, out.stem)
    attributes = {
        "protocol": out.stem,
        "dataset": digest(frames),
        "context": protocol.context,
        "horizon": protocol.horizon,
        "context_encoding": sampling.context_encoding,
        "seed": protocol.seed,
        "show": min(sampling.show, len(chosen.starts)),
        "shown_choice": shown_choice(sampling.choices),
        "settings": json.dumps(settings_digests(predictor, sampling), sort_keys=True),
        "operations": json.dumps(operations(task), sort_keys=True),
        "weights": weights_digest([autoencoder, top, bottom]),
        **({ACTIONS: RECORDED} if predictor.takes_actions else {}),
    }
    with (
        hdf5.creating(out, SCHEMA, attributes) as file,
        Clips(frames, chosen.starts, protocol.frames) as clips,
    ):
        hdf5.store(file, "clip_number", chosen.numbers)
        hdf5.store(file, "clip_start", chosen.starts)
        write(file, task, clips)
        if task.one_window:
            write_combinations(file, task)


if __name__ == "__main__":
    stage.run(main)
