"""What people do to a finished project, each as a function of its folder."""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from ruamel.yaml import YAML

from tests.workflow import engines, tiny

Edit: TypeAlias = Callable[[Path], None]


# Both studies of the project, for DVC and for Snakemake.
BY_DVC = ("dvc.yaml", "studies/songs/dvc.yaml")
BY_SNAKEMAKE = ("all", "songs")


def finish(folder: Path) -> Path:
    """Make a finished project with a past: two versions of its parameters, both run, in git."""
    tiny.make_both(folder)
    _run(folder, "meadow", lambda: engines.repro(folder, *BY_DVC))
    # With records of Snakemake's own, which must not count.
    command = ("snakemake", "--cores", "2", *BY_SNAKEMAKE)
    _run(folder, "forest", lambda: tiny.run(folder, *command))
    return folder


def _run(folder: Path, word: str, engine: Callable[[], object]) -> None:
    change(folder, "word", word)
    engine()
    tiny.run(folder, "git", "add", "-A")
    tiny.run(folder, *AUTHOR, "commit", "-qm", word)
    tiny.run(folder, "git", "tag", word)


LOCKS = ("dvc.lock", tiny.SONGS_LOCK)
AUTHOR = ("git", "-c", "user.name=test", "-c", "user.email=test@example.org")


def change(folder: Path, key: str, value: object) -> None:
    """Set a parameter; dots go into sections."""
    yaml = YAML()
    content = yaml.load((folder / "params.yaml").read_text())
    *sections, last = key.split(".")
    place = content
    for section in sections:
        place = place[section]
    place[last] = value
    with (folder / "params.yaml").open("w") as file:
        yaml.dump(content, file)


def append(folder: Path, name: str, text: str) -> None:
    """Write at a file's end; a file that is not there is made."""
    (folder / name).parent.mkdir(exist_ok=True)
    with (folder / name).open("a") as file:
        file.write(text)


def _touch(folder: Path) -> None:
    for pattern in ("*.*", "data/**/*.*", "texts/*", "library/*.py", "studies/*/*"):
        for path in folder.glob(pattern):
            os.utime(path)


def _checkout(folder: Path) -> None:
    shutil.rmtree(folder / "data", ignore_errors=True)
    with engines.opening(folder) as repo:
        repo.checkout(force=True, allow_missing=True)


def _git(folder: Path, *names: str) -> None:
    tiny.run(folder, "git", "checkout", "-q", "meadow", "--", *names)


def _return(folder: Path) -> None:
    _git(folder, *LOCKS, "params.yaml")
    _checkout(folder)


def _rename(folder: Path) -> None:
    # The first by name, so that the order of the texts changes.
    first = min((folder / "texts").iterdir())
    first.rename(first.with_name(f"z{first.name}"))


def _revert(folder: Path) -> None:
    for name in ("texts/two.txt", "library/shout.py", "data/all.txt"):
        path = folder / name
        if path.exists():
            text = path.read_text()
            path.unlink()
            path.write_text(text + "# more\n")
            path.write_text(text)


def _command(folder: Path) -> None:
    tiny.edit(folder, "dvc.yaml", "report.txt data", "report.txt x data")


def _repro(folder: Path) -> None:
    engines.repro(folder, *BY_DVC)


def _delete(name: str) -> Edit:
    return lambda folder: (folder / name).unlink(missing_ok=True)


def _replace(name: str) -> Edit:
    def replace(folder: Path) -> None:
        path = folder / name
        # What DVC's cache holds may be linked to it, and is not to be written to.
        path.unlink(missing_ok=True)
        path.parent.mkdir(exist_ok=True)
        path.write_text('{"other": "bytes"}\n')

    return replace


EDITS: Mapping[str, Edit] = MappingProxyType(
    {
        "touch": _touch,
        "content": lambda folder: append(folder, "texts/two.txt", "more\n"),
        "content that changes no result": lambda folder: append(folder, "texts/two.txt", "\n\n"),
        "code": lambda folder: append(folder, "library/whisper.py", "MORE = 1\n"),
        "code of all": lambda folder: append(folder, "library/__init__.py", "MORE = 1\n"),
        "comment": lambda folder: append(folder, "library/shout.py", "# more\n"),
        "command": _command,
        "parameter": lambda folder: change(folder, "word", "sea"),
        "parameter of one of many": lambda folder: change(folder, "models.loud.times", 3),
        "kind": lambda folder: change(folder, "models.quiet.kind", "shout"),
        "one more of many": lambda folder: change(
            folder, "models.third", {"kind": "shout", "times": 1}
        ),
        "parameter that nobody uses": lambda folder: change(folder, "other", 1),
        "file added to a folder": lambda folder: append(folder, "texts/three.txt", "three\n"),
        "file removed from a folder": lambda folder: min((folder / "texts").iterdir()).unlink(),
        "file renamed in a folder": _rename,
        "file that DVC ignores": lambda folder: append(folder, "library/__pycache__/x.pyc", "x"),
        "output deleted": _delete("data/quiet.txt"),
        "last output deleted": _delete("data/report.txt"),
        "versions deleted": _delete("data/versions.json"),
        "output replaced": _replace("data/all.txt"),
        "last output replaced": _replace("data/report.txt"),
        "versions replaced": _replace("data/versions.json"),
        "dvc checkout": _checkout,
        "dvc checkout of an older lock and its parameters": _return,
        "older locks": lambda folder: _git(folder, *LOCKS),
        "older lock of one study": lambda folder: _git(folder, "dvc.lock"),
        "older parameters": lambda folder: _git(folder, "params.yaml"),
        "lock deleted": _delete("dvc.lock"),
        "lock of the second study deleted": _delete(tiny.SONGS_LOCK),
        "parameter of the second study": lambda folder: tiny.edit(
            folder, tiny.SONGS_PARAMS, "changes: {", "changes: {more: 1, "
        ),
        "parameters that a stage wrote replaced": _replace("data/songs/voices.json"),
        "output of the second study deleted": _delete("data/songs/high.txt"),
        "output of the second study replaced": _replace("data/songs/book.txt"),
        "cache emptied": lambda folder: shutil.rmtree(folder / ".dvc/cache", ignore_errors=True),
        "Snakemake's records deleted": lambda folder: shutil.rmtree(
            folder / ".snakemake", ignore_errors=True
        ),
        "edit and revert": _revert,
        "dvc repro": _repro,
    }
)
