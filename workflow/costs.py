"""`foreframe costs`: what each stage holds and took: parameters, operations, memory, time, bytes.

Parameters and operations come from the tracked facts and are exact. Memory and time come from the
log that every stage appends to (`foreframe.running.spending`), so they tell of this folder's own
runs only.
"""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from foreframe.artefacts import facts, hdf5, log
from foreframe.config.sampling import Sampling
from foreframe.running import spending
from workflow import dag, studies
from workflow.studies import Place

# A training step is one pass forward and one backward, which takes twice the operations.
PASSES = 3
SCHEMA = "costs"
# A group of a file of samples for which nothing is sampled.
DECODED = "reconstruction"
TIME = 14  # letters of a column: "59 min 59 s" or "999 h 59 min", and what keeps it apart


@dataclass(frozen=True)
class Cost:
    """A stage's row; None where a number does not apply or is not known.

    Attributes:
        stage: DVC's address for it, such as `train_prior@top`.
        parameters: numbers trained by gradient.
        operations: floating-point operations, a multiply-add counted as two: of all training clips,
            of the codes that are sampled (of each future's first window), or of the frames.
        memory: most bytes that one process of the stage occupied, in its last finished run.
        gpu_memory: most bytes of tensors on a GPU in that run.
        seconds: its time, and that of the interrupted runs that it went on from.
        written: bytes of its outputs.
    """

    stage: str
    parameters: int | None
    operations: int | None
    memory: int | None
    gpu_memory: int | None
    seconds: float | None
    written: int | None


def run(root: Path, study: str | None = None, *, as_json: bool) -> int:
    """Print tables, or JSON, of the stages of every study, or of one.

    Raises:
        UserError: a dvc.yaml cannot be read, or has no stages.
    """
    places = studies.places(root) if study is None else (studies.named(root, study),)
    costs = [cost for cost in table(root) if studies.of(cost.stage) in places]
    if as_json:
        rows = [asdict(cost) for cost in costs]
        print(json.dumps({"schema": f"foreframe/{SCHEMA}", "stages": rows}, indent=2))
        return 0
    for place in places:
        for line in _study(place, [cost for cost in costs if studies.of(cost.stage) == place]):
            print(line)
    return 0


def _study(place: Place, costs: Sequence[Cost]) -> Iterator[str]:
    """Yield the lines about one study; the main one, which needs no heading, comes first."""
    if place.name != studies.MAIN:
        yield ""
        if all(cost.written is None for cost in costs):
            yield f"The study {place.name} has not been run here: {place.command}"
            return
        yield f"{place.definition}:"
    yield from lines(costs)


def table(root: Path) -> Iterator[Cost]:
    """Yield the cost of each stage, those that others wait for first."""
    events = log.read(root / spending.LOG)
    for stage in ordered(dag.read(root)):
        outs = [root / path for path in stage.outs]
        done = all(path.exists() for path in outs)
        known = _facts(outs)
        last, seconds = spent(events, stage.command)
        yield Cost(
            stage=stage.name,
            parameters=known.get("parameters"),
            operations=_trained(known) or _sampled(outs),
            memory=last.get("memory"),
            gpu_memory=last.get("gpu_memory"),
            seconds=seconds,
            written=sum(path.stat().st_size for path in outs) if done else None,
        )


def ordered(stages: Sequence[dag.Stage]) -> list[dag.Stage]:
    """Return stages so that each comes after those whose outputs it reads, else by name."""
    makers = {path: stage.name for stage in stages for path in stage.outs}
    waiting = {
        stage.name: {makers[path] for path in (*stage.deps, *stage.after) if path in makers}
        for stage in stages
    }
    result: list[dag.Stage] = []
    while waiting:
        ready = min(name for name, before in waiting.items() if not before & waiting.keys())
        del waiting[ready]
        result += [stage for stage in stages if stage.name == ready]
    return result


def spent(
    events: Sequence[Mapping[str, Any]], command: str
) -> tuple[Mapping[str, Any], float | None]:
    """Return the last finished run of a command, and its seconds with those of what led to it."""
    words = shlex.split(command)[1:]
    runs = [event for event in events if event.get("command") == words]
    last = max((place for place, event in enumerate(runs) if event["finished"]), default=None)
    if last is None:
        return {}, None
    seconds = 0.0
    for event in reversed(runs[: last + 1]):
        if event["finished"] and event is not runs[last]:
            break
        seconds += event["seconds"]
    return runs[last], seconds


def _facts(outs: Sequence[Path]) -> dict[str, Any]:
    """Return the facts of a training among a stage's outputs, or nothing."""
    for path in outs:
        if path.suffix == ".json" and path.exists():
            content = facts.parse(path)
            if content.get("schema") == "foreframe/training":
                return content
    return {}


def _trained(known: Mapping[str, Any]) -> int | None:
    # Not every kind of network says what a clip takes.
    if known.get("flops_per_clip") is None:
        return None
    return int(PASSES * known["flops_per_clip"] * known["samples"])


def _sampled(outs: Sequence[Path]) -> int | None:
    """Return what drawing the futures of a file of samples took, or None where nothing says it."""
    for path in outs:
        # data/STUDY/samples/PROTOCOL.h5, or samples/RUN/PROTOCOL.h5 of one run of several.
        if "samples" not in path.parts or not path.exists():
            continue
        with hdf5.opening(path, "samples") as file:
            parts = json.loads(file.attrs["operations"])
            # A predictor that does not say it, or a file of an older version.
            if not parts or "sampling" not in file.attrs:
                return None
            sampling = Sampling.model_validate_json(file.attrs["sampling"])
            horizon = int(file.attrs["horizon"])
            stored = [name for name in sampling.names if f"{name}/frames" in file]
            total = 0.0
            for name in stored:
                clips, futures = file[f"{name}/frames"].shape[:2]
                drawn = clips * futures * sampling.drawn(name)
                total += sum(_drawn(part, clips, drawn, horizon) for part in parts.values())
        return int(total)
    return None


def _drawn(part: Mapping[str, float], clips: int, futures: int, horizon: int) -> float:
    """Return what so many futures of so many clips take of a level of codes, or of frames."""
    if "codes" in part:
        return futures * part["codes"] * part["per_code"]
    return clips * part["given"] + futures * (part["start"] + horizon * part["frame"])


def lines(costs: Sequence[Cost]) -> Iterator[str]:
    """Yield the lines of a table for people, with a sum below it."""
    names = [studies.local(cost.stage) for cost in costs]
    width = max(map(len, ["stage", *names]))
    yield (
        f"{'stage':{width}}{'parameters':>13}{'operations':>13}{'memory':>10}{'GPU memory':>12}"
        f"{'time':>{TIME}}{'written':>10}"
    )
    for name, cost in zip(names, costs, strict=True):
        yield (
            f"{name:{width}}{_number(cost.parameters):>13}{scaled(cost.operations):>13}"
            f"{size(cost.memory):>10}{size(cost.gpu_memory):>12}{_time(cost.seconds):>{TIME}}"
            f"{size(cost.written):>10}"
        )
    total = sum(cost.seconds or 0.0 for cost in costs)
    written = sum(cost.written or 0 for cost in costs)
    yield f"{'all':{width}}{'':>48}{_time(total):>{TIME}}{size(written):>10}"
    if any(cost.seconds is None for cost in costs):
        yield "A dash for time: made elsewhere, taken from the cache, or not run yet."


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def scaled(value: float | None, unit: str = "") -> str:
    """Return a number in three digits with the prefix of its size; a dash for None."""
    if value is None:
        return "-"
    for prefix in ("", "k", "M", "G", "T", "P"):
        if abs(value) < 1000:
            return f"{value:.3g} {prefix}{unit}"
        value /= 1000
    return f"{value:.3g} E{unit}"


def size(value: int | None) -> str:
    """Return bytes in three digits; a dash for None."""
    return scaled(value, "B")


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
