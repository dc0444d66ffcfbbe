"""What `foreframe verify` found: one finding per thing that is not as dvc.lock says, and its cure.

The exit code is the gravest of the findings, so that a script can tell damage, which loses results,
from a study that is whole but out of date.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["damaged", "missing", "differs", "stale", "not made", "left over"]
Place = Literal["workspace", "cache", "remote", "rebuild"]

# From grave to slight; 1 and 2 are taken by wrong use.
CODES: dict[Kind, int] = {
    "damaged": 3,
    "missing": 3,
    "differs": 5,
    "stale": 4,
    "not made": 4,
    "left over": 4,
}
GRAVITY = (3, 5, 4, 0)


@dataclass(frozen=True)
class Cure:
    """Commands that put something right, run one by one in the study's folder, and a remark."""

    commands: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that is not as dvc.lock says.

    Attributes:
        kind: `damaged`: other bytes than a stage wrote; `missing`: not there; `differs`: a rebuild
            gives other bytes; `stale`: changed since a stage read it; `not made`: a stage that has
            never run; `left over`: a stage that dvc.yaml has no more.
        place: where: the files of the study, DVC's cache, a remote, or a rebuild.
        subject: the file, parameter or stage.
        problem: what is wrong, in words.
        stage: the stage that makes the subject, or the empty string.
        read_by: the stages that read it directly.
        follows: the stages that read what those make, directly or through others.
        cure: what to do.
    """

    kind: Kind
    place: Place
    subject: str
    problem: str
    stage: str
    read_by: tuple[str, ...]
    follows: tuple[str, ...]
    cure: Cure

    def lines(self) -> Iterator[str]:
        """Yield the finding as a block of text."""
        where = "" if self.place == "workspace" else f" ({self.place})"
        yield f"{self.kind.upper()}{where}  {self.subject}"
        yield _row("problem", self.problem)
        if self.stage:
            yield _row("made by", self.stage)
        if self.read_by:
            yield _row("read by", ", ".join(self.read_by))
        if self.follows:
            yield _row("follows", ", ".join(self.follows))
        for index, command in enumerate(self.cure.commands):
            yield _row("" if index else "cure", command)
        if self.cure.note:
            yield _row("note" if self.cure.commands else "cure", self.cure.note)

    def facts(self) -> dict[str, Any]:
        """Return the finding as JSON values."""
        values = dataclasses.asdict(self)
        cure = values.pop("cure")
        return {**values, "commands": cure["commands"], "note": cure["note"]}


def exit_code(findings: Iterable[Finding]) -> int:
    """Return 0 for no findings, else the code of the gravest."""
    codes = {CODES[finding.kind] for finding in findings}
    return next((code for code in GRAVITY if code in codes), 0)


def summary(findings: Sequence[Finding]) -> str:
    """Return how many findings of each kind there are, in words."""
    counts = {kind: sum(finding.kind == kind for finding in findings) for kind in CODES}
    found = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    return found or "everything is as dvc.lock says"


def _row(name: str, text: str) -> str:
    return f"  {name:<9}{text}"
