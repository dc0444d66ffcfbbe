"""Every number of a report in one flat table: run -> quantity -> set or protocol -> number.

The same table is asked by the Typst source (`r("top", "nll", "test")`), by the figures, and joined
with the rows of the thesis. A number that does not depend on where it was measured stands under "".
"""

import difflib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas

from foreframe.config.sampling import BASELINES
from foreframe.config.split import SETS
from foreframe.errors import UserError
from foreframe.report.library import MAIN, Artefact
from foreframe.report.reading import Reader
from foreframe.training.record import Training

BITS = "bits_per_dimension"  # of a likelihood, whose kind and samples stand beneath it
PASSES = 3  # a training step takes a forward pass, and a backward one that costs about two
USAGE = "train_usage_"  # before a level: the share of its codes that occur, epoch by epoch
# Not numbers of a run: where they ran, how they were measured, what they were set to.
LEFT_OUT = ("environment", "protocol", "protocol_digest", "settings", "series", "per_clip")
CHOICES = 12  # are named when one does not exist, the most similar ones
ANALYSES = ("search", "findings", "steering", "inspection")


@dataclass(frozen=True)
class Number:
    """A value with the ends of its interval, if it has one, and the path of its artefact."""

    value: Any  # a number, a word, None where it is not known, or a list of these
    low: float | None
    high: float | None
    artefact: str


Row = tuple[str, str, str, Any]  # run, quantity, where, value or a mean with its interval


class Results:
    """The table."""

    def __init__(self, reader: Reader) -> None:
        """Read every number of a library."""
        self.numbers: dict[str, dict[str, dict[str, Number]]] = {}
        for artefact in reader.library.artefacts.values():
            read = READERS.get(artefact.schema)
            if read is not None:
                for row in read(reader, artefact):
                    self._add(row, artefact)

    def _add(self, row: Row, artefact: Artefact) -> None:
        run, quantity, where, found = row
        ends = found if isinstance(found, Mapping) else {"mean": found}
        if isinstance(ends["mean"], float) and math.isnan(ends["mean"]):
            ends = {"mean": None}  # of an epoch that a diverged run did not end
        number = Number(ends["mean"], ends.get("low"), ends.get("high"), artefact.path)
        place = self.numbers.setdefault(run, {}).setdefault(quantity, {})
        assert where not in place, (run, quantity, where)
        place[where] = number

    def find(self, run: str, quantity: str, where: str) -> Number | None:
        """Return a number, or None; one that does not depend on `where` is found under any."""
        places = self.numbers.get(run, {}).get(quantity, {})
        return places.get(where) or places.get("")

    def of(self, run: str, quantity: str, where: str = "") -> Number:
        """Return a number.

        Raises:
            UserError: it is not there; the message names the choices.
        """
        found = self.find(run, quantity, where)
        if found is None:
            known: Any = self.numbers
            wrong = run
            for key, following in ((run, quantity), (quantity, where)):
                if key in known:
                    known, wrong = known[key], following
            close = difflib.get_close_matches(wrong, sorted(known), n=CHOICES, cutoff=0.0)
            raise UserError(
                f"there is no result {run} / {quantity} / {where or '-'}. "
                f"Choose one of: {', '.join(close)}."
            )
        return found

    def facts(self) -> dict[str, Any]:
        """Return the table as JSON values."""
        return {
            run: {
                quantity: {where: asdict(number) for where, number in places.items()}
                for quantity, places in quantities.items()
            }
            for run, quantities in self.numbers.items()
        }


def flat(tree: Any, run: str, path: str = "") -> Iterator[Row]:
    """Yield what stands in facts: sets become places, means keep their intervals, the rest a path.

    Lists of mappings are counted from 1; lists of plain values are one value.
    """
    if isinstance(tree, list) and tree and isinstance(tree[0], Mapping):
        tree = {str(number): value for number, value in enumerate(tree, start=1)}
    if not isinstance(tree, Mapping):
        yield run, path, "", tree
        return
    if "mean" in tree and not isinstance(tree["mean"], Mapping | list):
        yield run, path, "", tree
        tree = {name: part for name, part in tree.items() if name not in ("mean", "low", "high")}
    for name, part in tree.items():
        if name in SETS and not isinstance(part, Mapping | list):
            yield run, path, name, part
        elif name not in LEFT_OUT and not name.endswith("checksum"):
            yield from flat(part, run, f"{path}.{name}" if path else name)


def _training(reader: Reader, artefact: Artefact) -> Iterator[Row]:
    run, found = artefact.run, reader.training(artefact.run)
    for name in ("parameters", "steps", "samples"):
        yield run, name, "", found.facts[name]
    for name in ("flops_per_clip", "diverged_at_step", "clip_frames"):
        yield run, name, "", found.facts.get(name)
    for name, count in found.facts.get("windows", {}).items():
        yield run, "windows", name, count
    operations = found.facts.get("flops_per_clip")
    if operations is not None:
        operations = float(PASSES * operations * found.facts["samples"])
    yield run, "operations", "", operations
    for name, value in _course(found).items():
        yield run, name, "", value
    # A game of several players has no loss that says how well it goes, but a value for each.
    single = "validation_loss" in found.epochs
    for name in ("train", "validation"):
        for quantity in ["loss"] if single else _logged(found, name):
            epochs = found.epochs[f"{name}_{quantity}"]
            epochs = epochs if single else epochs.dropna()
            yield run, quantity, name, float(epochs.iloc[-1]) if len(epochs) else None


def _logged(found: Training, name: str) -> list[str]:
    """Return what was logged of a set, by its own name."""
    columns = map(str, found.epochs)
    return [column.removeprefix(f"{name}_") for column in columns if column.startswith(f"{name}_")]


def _course(found: Training) -> dict[str, Any]:
    """Return how long a run was, and how its loss went; a run that diverged ends early."""
    if "validation_loss" not in found.epochs:
        return {"epochs": len(found.epochs)}
    losses = found.epochs["validation_loss"]
    known = losses.dropna()
    return {
        "epochs": len(losses),
        "best_epoch": int(known.to_numpy().argmin()) + 1 if len(known) else None,
        "first_loss": float(found.curve["loss"].iloc[0]),
        "highest_loss": float(found.curve["loss"].max()),
        **{
            f"usage.{name.removeprefix(USAGE)}": found.epochs[name].tolist()
            for name in map(str, found.epochs)
            if name.startswith(USAGE)
        },
    }


def _models(reader: Reader, artefact: Artefact) -> Iterator[Row]:
    """Yield what was measured on whole sets; models of another run have it before their names."""
    prefix = "" if artefact.run == MAIN else f"{artefact.run}/"
    found = reader.facts("models", artefact.run)
    run = found["autoencoder"].pop("run")
    parts = found.pop("priors") | {run: found.pop("autoencoder")}
    for name, part in parts.items():
        if not prefix:
            del part["parameters"]  # the training says it
        yield from flat(part, prefix + name)
    yield from flat(found, prefix + run)


def _evaluation(reader: Reader, artefact: Artefact) -> Iterator[Row]:
    run, where = artefact.run, artefact.where
    found = reader.facts("evaluation", run, where)
    yield run, "clips", where, found["clips"]
    if likelihood := found.get("likelihood"):
        bits = {"mean" if key == "bits" else key: each for key, each in likelihood.items()}
        yield from ((run, key, where, each) for _, key, _, each in flat(bits, "", BITS))
    parts = (("predictors", ""), ("differences", "lead."), ("states", "state."))
    for part, prefix in parts:
        for name, quantities in found[part].items():
            for quantity, value in quantities.items():
                for _, key, _, each in flat(value, "", prefix + quantity):
                    yield predictor(run, name), key, where, each
    series = reader.series(run, where)
    better = {name: about["better"] for name, about in found["metrics"].items()}
    for (_, quantity), rows in series.groupby(["predictor", "quantity"], sort=False):
        yield from _by_frame(series, rows, better.get(str(quantity)), where)


def _by_frame(
    series: pandas.DataFrame, rows: pandas.DataFrame, better: str | None, where: str
) -> Iterator[Row]:
    """Yield the first and the last frame's value, and for how many frames it leads the baselines.

    A lead is counted from the first frame, without a gap: over each of the other baselines
    (`ahead.NAME`), and over all of them (`ahead`).
    """
    run, name, quantity = rows.iloc[0][["samples", "predictor", "quantity"]]
    frames = rows.sort_values("frame")
    values = frames["mean"].tolist()
    for end, place in (("first", 0), ("last", -1)):
        found = frames.iloc[place][["mean", "low", "high"]].astype(object)
        yield (
            predictor(run, name),
            f"{quantity}.{end}",
            where,
            dict(found.where(found.notna(), None)),
        )
    sign = {"higher": 1, "lower": -1}.get(str(better))
    if sign is None:
        return
    leads = {}
    for other in sorted((set(BASELINES) & set(series["predictor"])) - {name}):
        rivals = series[(series["predictor"] == other) & (series["quantity"] == quantity)]
        pairs = zip(values, rivals.sort_values("frame")["mean"], strict=True)
        behind = [place for place, (one, two) in enumerate(pairs) if sign * (one - two) <= 0]
        leads[other] = behind[0] if behind else len(values)
        yield predictor(run, name), f"{quantity}.ahead.{other}", where, leads[other]
    yield predictor(run, name), f"{quantity}.ahead", where, min(leads.values(), default=len(values))


def predictor(run: str, name: str) -> str:
    """Return how the table calls a predictor of an evaluation: the study's own by name alone."""
    return name if run == MAIN else f"{run}/{name}"


def _samples(reader: Reader, artefact: Artefact) -> Iterator[Row]:
    with reader.arrays("samples", artefact.run, artefact.where) as file:
        context, horizon = int(file.attrs["context"]), int(file.attrs["horizon"])
        yield artefact.run, "context", artefact.where, context
        yield artefact.run, "horizon", artefact.where, horizon
        operations = json.loads(file.attrs["operations"])
    for _, key, _, value in flat(operations, "", "operations"):
        yield artefact.run, key, artefact.where, value


def _compared(reader: Reader, artefact: Artefact) -> Iterator[Row]:
    """Yield what autoencoders make of one data set, which stands where a set or protocol would."""
    for path, found in reader.facts("autoencoders", artefact.run)["autoencoders"].items():
        *_, folder, file = path.split("/")
        run = folder if folder == "joint" else file.rpartition(".")[0]
        for _, quantity, _, value in flat(found["test"], ""):
            yield run, quantity, artefact.run, value


def _pairs(reader: Reader, artefact: Artefact) -> Iterator[Row]:
    """Yield `over.OTHER.METRIC` of every two predictors; the file is called after the protocol."""
    for one, others in reader.facts("pairs", artefact.run)["differences"].items():
        for other, metrics in others.items():
            for _, key, _, each in flat(metrics, "", f"over.{other}"):
                yield one, key, artefact.run, each


def _analysis(reader: Reader, artefact: Artefact) -> Iterator[Row]:
    name = artefact.schema
    found = reader.facts(name, artefact.run)
    yield from flat(found, name)
    if name == "search":
        trials = reader.table(name, "trials", artefact.run)
        per_clip = trials["flops_per_clip"] * trials["samples"]
        yield name, "operations", "", float(PASSES * per_clip.sum())
        for total in ("steps", "samples"):
            yield name, total, "", int(trials[total].sum())
        yield name, "fewest_parameters", "", int(trials["parameters"].min())
        yield name, "parameters", "", int(trials["parameters"].max())


def _asked(reader: Reader, artefact: Artefact) -> Iterator[Row]:
    """Yield what was asked of a model, as the run `analysis/model`."""
    yield from flat(reader.facts("analysis", artefact.run), artefact.run)


def _frames(reader: Reader, artefact: Artefact) -> Iterator[Row]:
    with reader.arrays("frames", artefact.run) as file:
        interval, lengths = float(file.attrs["frame_interval"]), file["episode_length"][:]
        height, width = file["frames"].shape[1:3]
    frames = int(lengths.sum())
    for name, value in (
        ("frames", frames), ("episodes", len(lengths)), ("minutes", frames * interval / 60),
        ("frame_interval", interval), ("shortest", int(lengths.min())),
        ("longest", int(lengths.max())), ("height", height), ("width", width),
    ):  # fmt: skip
        yield artefact.run, name, "", value


def _split(reader: Reader, artefact: Artefact) -> Iterator[Row]:
    found = reader.facts("split", artefact.run)
    interval = reader.library.frame_interval
    for name in SETS:
        frames = sum(stop - start for start, stop in found[name])
        yield artefact.run, "frames", name, frames
        yield artefact.run, "runs", name, len(found[name])
        yield artefact.run, "minutes", name, frames * interval / 60
    for label, classes in reader.labelled(artefact.run).items():
        yield artefact.run, f"label.{label}", "", list(classes)
        for klass, counts in classes.items():
            for name, count in counts.items():
                yield artefact.run, f"label.{label}.{klass}", name, count


def _normalization(reader: Reader, artefact: Artefact) -> Iterator[Row]:
    found = reader.facts("normalization", artefact.run)
    yield artefact.run, "colour.mean", "", found["mean"]
    yield artefact.run, "colour.std", "", found["std"]


def _latents(reader: Reader, artefact: Artefact) -> Iterator[Row]:
    for level, grid in reader.grids(artefact.run).items():
        yield artefact.run, f"grid.{level}", "", grid


READERS = {
    "training": _training,
    "models": _models,
    "evaluation": _evaluation,
    "samples": _samples,
    "autoencoders": _compared,
    "pairs": _pairs,
    "frames": _frames,
    "split": _split,
    "normalization": _normalization,
    "latents": _latents,
    "analysis": _asked,
    **dict.fromkeys(ANALYSES, _analysis),
}
