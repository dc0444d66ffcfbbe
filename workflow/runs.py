"""What the stages of a study are given, as dvc.yaml says it: which files make which predictor.

So a command that follows a trained model, such as `foreframe predict`, knows no path by itself.
"""

import importlib
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

from foreframe.errors import UserError
from foreframe.running import stage as running
from workflow import dag, studies

Main = Callable[..., None]


def given(root: Path, study: str, stage: str, run: str | None = None) -> dict[str, Any]:
    """Return what a stage of a study is given, by the names of its `main`: paths, and parameters.

    `run` is the name under `foreach` in dvc.yaml, such as `driving` of `sample@driving`; without it
    the first one is meant.

    Raises:
        UserError: there is no such study, stage or run; or a parameter is wrong.
    """
    return running.parse(*_command(root, study, stage, run))


def paths(root: Path, study: str, stage: str, run: str | None = None) -> dict[str, Any]:
    """Return the inputs and outputs alone, which are known before anything has run.

    Raises:
        UserError: there is no such study, stage or run.
    """
    return running.paths(*_command(root, study, stage, run))


def _command(root: Path, study: str, stage: str, run: str | None) -> tuple[Main, list[str]]:
    place = studies.named(root, study)
    # A study may run a stage's file under several names, such as sample and sample_codes.
    found = {
        studies.local(each.name).partition("@")[2]: each
        for each in dag.declared(root, place)
        if shlex.split(each.command)[2] == f"stages.{stage}"
    }
    if not found:
        raise UserError(f"{place.definition} has no stage {stage}.")
    if run is not None and run not in found:
        raise UserError(f"{place.definition} has no {stage}@{run}. Choose of: {', '.join(found)}.")
    words = shlex.split(found[next(iter(found)) if run is None else run].command)
    return importlib.import_module(words[2]).main, words[3:]
