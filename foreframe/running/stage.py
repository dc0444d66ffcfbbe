"""How a stage is run: its command line is made from the signature of its `main`.

`main` takes keywords only. A `Path` is an input or an output, given as `--name PATH`, and a
`tuple[Path, ...]` several of them, `--name PATH PATH ...`. Anything else is a parameter, given as
`--name params.yaml:dotted.key` and checked against its annotation. A stage is handed nothing else,
so what dvc.yaml declares is all that it can read.
"""

import argparse
import contextlib
import inspect
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, get_type_hints

from foreframe.config import reading
from foreframe.config.compute import Compute
from foreframe.errors import UserError
from foreframe.running import instructions, spending

INTERRUPTED = 128 + signal.SIGINT

# The annotation of several inputs, such as the learning curves of all runs that a report compares.
PATHS = tuple[Path, ...]


def run(main: Callable[..., None], arguments: Sequence[str] | None = None) -> None:
    """Run a stage's `main` with the command line's arguments; exit 1 on a user's mistake.

    A user's mistake is printed in plain words. SIGINT and SIGTERM end with 130 and 143, after
    every open file has been cleaned up.
    """
    signal.signal(signal.SIGTERM, _terminate)
    try:
        values = parse(main, arguments)
        for value in values.values():
            if isinstance(value, Compute):
                instructions.follow(value.instructions)
        # Only a stage with a command line of its own is one that `foreframe costs` can name.
        with spending.noted() if arguments is None else contextlib.nullcontext():
            main(**values)
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def parse(main: Callable[..., None], arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Return the keyword arguments for `main` that a command line gives.

    Raises:
        UserError: a parameter is missing or wrong.
    """
    annotations, given = signature(main), _words(main, arguments)
    return {name: _value(annotations[name], given[name]) for name in annotations}


def paths(main: Callable[..., None], arguments: Sequence[str]) -> dict[str, Any]:
    """Return those of the keyword arguments that are inputs and outputs, and read no parameter."""
    annotations, given = signature(main), _words(main, arguments)
    own = [name for name in annotations if annotations[name] in (Path, PATHS)]
    return {name: _value(annotations[name], given[name]) for name in own}


def _words(main: Callable[..., None], arguments: Sequence[str] | None) -> dict[str, Any]:
    parser = argparse.ArgumentParser(
        description=inspect.getdoc(sys.modules[main.__module__]), allow_abbrev=False
    )
    for name, annotation in signature(main).items():
        parser.add_argument(
            # The second as DVC writes the keys of a dictionary.
            *dict.fromkeys((f"--{name.replace('_', '-')}", f"--{name}")),
            required=True,
            metavar="PATH" if annotation in (Path, PATHS) else "FILE:KEY",
            dest=name,
            nargs="+" if annotation == PATHS else None,
        )
    return vars(parser.parse_args(arguments))


def signature(main: Callable[..., None]) -> dict[str, Any]:
    """Return the annotations of `main`'s parameters by name."""
    annotations = get_type_hints(main, include_extras=True)
    annotations.pop("return", None)
    assert all(
        parameter.kind is inspect.Parameter.KEYWORD_ONLY
        for parameter in inspect.signature(main).parameters.values()
    ), "a stage's main takes keyword-only parameters"
    return annotations


def _value(annotation: Any, given: Any) -> Any:
    if annotation == PATHS:
        return tuple(Path(path) for path in given)
    if annotation is Path:
        return Path(given)
    name, _, key = given.rpartition(":")
    path = Path(name)
    raw = reading.select(reading.load(path), key, path)
    return reading.validate(annotation, raw, f"{path}: {key}")


def _terminate(number: int, frame: FrameType | None) -> None:
    # As an exception, so that temporary files are removed on the way out.
    sys.exit(128 + number)
