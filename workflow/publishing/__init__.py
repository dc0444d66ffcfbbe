"""What `foreframe publish` writes and `foreframe fetch` reads: a study as it ran, in one folder.

Every file has the path that it has in the project, so the folder is read without any program:
`README.md` says what it is, `publication.json` the same for programs, and `SHA256SUMS`, written
last, holds the checksum of all others: a folder without it is not finished.
"""

import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foreframe.artefacts import facts
from foreframe.errors import UserError
from workflow import studies
from workflow.publishing import shelf
from workflow.publishing.shelf import Shelf

CARD = "README.md"
FACTS = "publication.json"
SUMS = "SHA256SUMS"
ABOUT = (CARD, FACTS)  # of the publication itself; fetch leaves these where they are
SCHEMA = "publication"
REMOTE = "publications"  # a folder beside DVC's objects


@dataclass(frozen=True)
class Publication:
    """What was published.

    Attributes:
        study: its name.
        studies: the studies whose locks and parameters come with it, for it may read from others.
        commit: of the code that ran, or the empty string outside of git.
        data: the licence of the frames in each file that holds some, and the kind of their source.
        licence: of all else.
    """

    study: str
    studies: tuple[str, ...]
    commit: str
    data: Mapping[str, Mapping[str, str]]
    licence: str

    def write(self, path: Path) -> None:
        """Write it as facts."""
        facts.write(path, SCHEMA, {**vars(self), "studies": list(self.studies)})


def read(path: Path) -> Publication:
    """Read what `write` wrote.

    Raises:
        ArtefactError: the file is damaged, or of another form.
    """
    found: dict[str, Any] = facts.read(path, SCHEMA)
    names = ("study", "commit", "data", "licence")
    return Publication(studies=tuple(found["studies"]), **{name: found[name] for name in names})


def place(root: Path, folder: Path | None, remote: str, study: str) -> Shelf:
    """Return where a publication lies: a folder, or that of the study in one of DVC's remotes.

    Raises:
        UserError: neither is named, or DVC knows no such remote.
    """
    if folder is not None:
        return shelf.here(folder)
    if not remote:
        raise UserError("Where? Name a folder, or one of DVC's remotes by --remote.")
    return shelf.far(root, remote, REMOTE, study)


def settings(names: Iterable[str]) -> tuple[str, ...]:
    """Return the files of git that say what was run: locks and parameters of these studies."""
    places = [studies.Place(name) for name in names]
    return tuple(sorted({path for each in places for path in (each.lock, each.params)}))


def commit(root: Path) -> str:
    """Return the commit that a project stands at, or the empty string outside of git."""
    found = git(root, "rev-parse", "HEAD")
    return found.strip() if found is not None else ""


def git(root: Path, *words: str) -> str | None:
    """Return what git prints, or None where it refuses or is not installed."""
    try:
        run = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return run.stdout if run.returncode == 0 else None
