"""`foreframe compare`: one table over predictors from several evaluations, all of one protocol.

A predictor that was trained several times with equal settings is one row: mean and standard
deviation over its trainings. Samples of other programs are measured on the spot.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas
import torch

from foreframe.artefacts import facts, tables
from foreframe.config import study as schema
from foreframe.config.sampling import TAKEN
from foreframe.errors import UserError
from foreframe.evaluation import external, scoring
from foreframe.evaluation import results as evaluation
from foreframe.evaluation.pairs import alike
from foreframe.evaluation.protocol import Protocol
from foreframe.evaluation.statistics import across_seeds
from foreframe.features import store
from foreframe.running import instructions
from foreframe.running.compute import prepare
from workflow import studies
from workflow.contexts import clipped

DASH = "-"
Values = Mapping[str, Any]  # metric -> {mean, low, high} or None


@dataclass(frozen=True)
class Result:
    """What one file says."""

    path: Path
    protocol: Protocol
    facts: dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One predictor of one file; `settings` and `weights` tell its trainings from others."""

    predictor: str
    path: Path
    settings: str | None
    weights: str | None
    values: Values


def run(
    paths: Sequence[Path],
    root: Path,
    *,
    protocol: str | None,
    out: Path | None,
    study: str = studies.MAIN,
) -> None:
    """Print the table of some evaluations and files of samples, and write it to the CSV `out`.

    Samples are measured under a `protocol` of a `study`, on its data.

    Raises:
        UserError: they follow different protocols, or one of them cannot be read.
    """
    results = [_load(path, root, study, protocol) for path in paths]
    alike([(result.path, result.protocol) for result in results])
    first = results[0]
    names = list(first.facts["metrics"])
    table = pandas.DataFrame([_line(rows, names) for rows in grouped(results)])
    print(f"protocol {first.facts['name']}, digest {first.protocol.digest()[:16]}")
    print(f"{first.facts['clips']} clips of {first.protocol.set}: mean [where the mean of other")
    print("clips would lie in 95 of 100 cases], or mean ± deviation over (n) trainings, or without")
    print("n over the protocol's repeats\n")
    print(_text(table, names, first.facts["metrics"]))
    for name, reason in {**_few(results), **_missing(results)}.items():
        print(f"{name}: {reason}")
    if out is not None:
        tables.write(out, table)
        print(f"{out} holds the same as CSV.")


def _load(path: Path, root: Path, study: str, protocol: str | None) -> Result:
    if path.suffix != ".h5":
        found = facts.read(path, evaluation.SCHEMA)
    elif protocol is None:
        raise UserError(f"{path} holds samples. Say under which protocol: --protocol NAME.")
    else:
        found = _measured(path, root, study, protocol)
    return Result(path, Protocol.of(found["protocol"], str(path)), found)


def _measured(path: Path, root: Path, study: str, name: str) -> dict[str, Any]:
    """Measure a file of samples, as the stage `evaluate` does."""
    settings = schema.load(root / studies.named(root, study).params).study
    instructions.follow(settings.compute.instructions)
    clips = clipped(name, root, study)
    found = scoring.metrics(clips.protocol, store.FOLDER, prepare(settings.compute))
    with torch.inference_mode(), external.all_fitting([path], clips, TAKEN) as (samples,):
        measured = scoring.score(
            clips,
            found,
            [samples.entry],
            settings.evaluation.batch_size,
        )
    described = scoring.describe(clips, found)
    return scoring.summarize(name, described, measured)


def grouped(results: Iterable[Result]) -> list[list[Row]]:
    """Return the rows of each line of the table: one, or one for each training of a predictor."""
    groups: dict[tuple[str, str | None], list[Row]] = {}
    for row in (row for result in results for row in _rows(result)):
        group = groups.setdefault((row.predictor, row.settings), [])
        if not any(_same(row, other) for other in group):
            group.append(row)
    return [part for group in groups.values() for part in _trainings(group)]


def _rows(result: Result) -> Iterator[Row]:
    settings, weights = result.facts.get("settings", {}), result.facts.get("weights")
    for name, values in result.facts["predictors"].items():
        own = settings.get(name)
        yield Row(name, result.path, own, weights if own else None, values)


def _same(row: Row, other: Row) -> bool:
    return row.weights == other.weights and row.values == other.values


def _trainings(group: list[Row]) -> list[list[Row]]:
    """Return the group as one line if its rows are different trainings, else a line for each."""
    weights = [row.weights for row in group]
    whole = None not in weights and len(set(weights)) == len(group)
    return [group] if whole else [[row] for row in group]


def _line(rows: Sequence[Row], names: Iterable[str]) -> dict[str, Any]:
    """Return a line of the table: several rows as the mean and the deviation of their means."""
    line: dict[str, Any] = {
        "predictor": rows[0].predictor,
        "files": " ".join(dict.fromkeys(row.path.as_posix() for row in rows)),
        "trainings": len(rows),
    }
    for name in names:
        found = [row.values[name] for row in rows]
        line |= {f"{name}{end}": None for end in ("", "_low", "_high", "_std")}
        if None in found:
            continue
        spread = across_seeds([value["mean"] for value in found])
        line |= {name: spread.mean, f"{name}_std": spread.std}
        if len(rows) == 1:
            line |= {f"{name}_{end}": found[0][end] for end in ("low", "high")}
            if found[0].get("repeats", 1) > 1:
                line[f"{name}_std"] = found[0]["std"]
    return line


def _text(table: pandas.DataFrame, names: Sequence[str], about: Mapping[str, Any]) -> str:
    """Return the table for a terminal; predictors of one name are told apart by their files."""
    heads = ["predictor", *(_head(name, about[name]) for name in names)]
    repeated = table["predictor"].duplicated(keep=False)
    lines = [heads]
    for (_, line), twice in zip(table.iterrows(), repeated, strict=True):
        name = f"{line['predictor']} ({line['files']})" if twice else str(line["predictor"])
        lines.append([name, *(_cell(line, metric) for metric in names)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _head(name: str, about: Mapping[str, Any]) -> str:
    unit = "" if about["unit"] in {"", "1"} else f" ({about['unit']})"
    return f"{name}{unit} {'↑' if about['better'] == 'higher' else '↓'}"


def _cell(line: Any, metric: str) -> str:
    mean, low, high, std = (line[metric + end] for end in ("", "_low", "_high", "_std"))
    if pandas.isna(mean):
        return DASH
    if line["trainings"] > 1:
        return f"{mean:.4g} ± {std:.2g} ({line['trainings']})"
    if not pandas.isna(std):
        return f"{mean:.4g} ± {std:.2g}"
    return f"{mean:.4g}" + ("" if pandas.isna(low) else f" [{low:.4g}, {high:.4g}]")


def _few(results: Iterable[Result]) -> dict[str, str]:
    return {
        name: "too few clips for a covariance of full rank: biased upwards."
        for result in results
        for values in result.facts["predictors"].values()
        for name, found in values.items()
        if found is not None and found.get("few")
    }


def _missing(results: Iterable[Result]) -> dict[str, str]:
    return {name: reason for result in results for name, reason in result.facts["missing"].items()}
