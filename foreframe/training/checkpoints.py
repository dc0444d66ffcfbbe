"""Checkpoints: a killed run goes on to the same final bytes, and a stale one cannot be picked up.

They lie outside the declared outputs, in a folder whose name is a digest of everything that the run
depends on: inputs, settings, code and environment. Each file has a checksum, as all tensors do, and
the last two are kept, so a file that was damaged costs little and nothing else. Two processes may
share a folder, as when one outlives the engine that started it: their checkpoints are the same.
"""

import contextlib
import hashlib
import json
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from torch import Tensor

from foreframe.artefacts import atomic, tensors
from foreframe.artefacts.digest import digest
from foreframe.errors import ArtefactError
from foreframe.versions import code_digest

FOLDER = Path(".checkpoints")
# One falls due after so long, or later, so that they take no more than this share of the time.
SECONDS = 1.0
SHARE = 0.01
KEPT = 2
SCHEMA = "checkpoint"


@dataclass(frozen=True)
class Snapshot:
    """The state of a run after `step` steps: tensors by name, and what fits into JSON."""

    step: int
    tensors: Mapping[str, Tensor]
    facts: Mapping[str, Any]


class Checkpoints:
    """The checkpoints of one run; used as a context, it removes them once the block succeeds.

    `seconds` and `steps` say how often one falls due: after that much time (more, where it takes
    long to write one) or that many steps, whichever comes first. Neither touches the result.
    """

    def __init__(self, folder: Path, seconds: float = SECONDS, steps: int | None = None) -> None:
        self.folder = folder
        self._seconds = seconds
        self._steps = steps
        self._saved_at = time.monotonic()
        self._saved_step = 0
        self._cost = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *error: object) -> None:
        # Not at the end of the training: the outputs are written after it.
        if kind is None:
            shutil.rmtree(self.folder, ignore_errors=True)

    def due(self, step: int) -> bool:
        """Return whether it is time for a checkpoint after `step` steps."""
        if self._steps is not None and step - self._saved_step >= self._steps:
            return True
        return time.monotonic() - self._saved_at >= max(self._seconds, self._cost / SHARE)

    def save(self, snapshot: Snapshot) -> None:
        """Write a checkpoint and drop all but the last two.

        Raises:
            UserError: the disk is full, or the folder cannot be written to.
        """
        start = time.monotonic()
        header = {"step": snapshot.step, "facts": dict(snapshot.facts)}
        content = tensors.encode(snapshot.tensors, SCHEMA, header)
        path = self.folder / f"step-{snapshot.step:012d}.safetensors"
        # Another process of the same run may have succeeded this moment and removed the folder.
        with contextlib.suppress(FileNotFoundError):
            atomic.write_bytes(path, content)
        for old in self._newest_first()[KEPT:]:
            old.unlink(missing_ok=True)
        self._cost = time.monotonic() - start
        self._note(snapshot.step)

    def load(self) -> Snapshot | None:
        """Return the newest checkpoint that is whole, or None; say so, also when one is damaged."""
        snapshot = next(self._whole(), None)
        if snapshot is not None:
            sys.stderr.write(f"{self.folder}: the run goes on after step {snapshot.step}.\n")
        self._note(snapshot.step if snapshot is not None else 0)
        return snapshot

    def _whole(self) -> Iterator[Snapshot]:
        for path in self._newest_first():
            try:
                yield _read(path)
            except FileNotFoundError:
                continue  # removed by another process of the same run
            except ArtefactError as error:
                sys.stderr.write(f"{error} It is ignored; the training repeats some steps.\n")

    def _newest_first(self) -> list[Path]:
        return sorted(self.folder.glob("step-*.safetensors"), reverse=True)

    def _note(self, step: int) -> None:
        self._saved_at = time.monotonic()
        self._saved_step = step


def checkpoints(
    name: str, inputs: Sequence[Path], settings: Mapping[str, object], code: Sequence[str]
) -> Checkpoints:
    """Return the checkpoints of the run that these inputs, settings and modules determine.

    `settings` holds JSON values: everything besides files and code that the result depends on.
    """
    described = {
        "inputs": [digest(path) for path in inputs],
        "settings": dict(settings),
        "code": code_digest(*code),
    }
    text = json.dumps(described, sort_keys=True, allow_nan=False)
    return Checkpoints(FOLDER / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:32]}")


def _read(path: Path) -> Snapshot:
    values, header = tensors.decode(path, path.read_bytes(), SCHEMA)
    return Snapshot(header["step"], values, header["facts"])
