"""`foreframe publish`: a study that ran here, for people who have not the time to run it."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import h5py

from foreframe.artefacts import atomic, hdf5
from foreframe.data import frames
from foreframe.errors import UserError
from foreframe.sources import datasets
from workflow import manifest, publishing, studies, verify
from workflow.publishing import CARD, FACTS, SUMS, Publication, card
from workflow.publishing.shelf import AT_ONCE, Shelf
from workflow.studies import Place
from workflow.verification import study as record
from workflow.verification.hashing import Tally
from workflow.verification.study import Study


@dataclass(frozen=True)
class Words:
    """What only the publisher can say: the licences; that of frames where none is known."""

    licence: str
    data: str = ""


def run(root: Path, name: str, to: Shelf, words: Words) -> None:
    """Write the study `name`, as it ran, to a folder; what is there already is not sent again.

    Raises:
        UserError: the study has not been run whole, is not as its lock says, or ran with code that
            is not committed; the licence of its frames is not known; the folder cannot be reached.
    """
    place = studies.named(root, name)
    known = record.read(root)
    stages = _stages(known, place)
    _check(root, place, stages)
    outs = sorted(path for stage in stages for path in known.locked[stage].outs)
    names = tuple(sorted({studies.of(stage).name for stage in stages}))
    settings = publishing.settings(names)
    _check_committed(root, stages, known)
    told = Publication(
        study=name,
        studies=names,
        commit=publishing.commit(root),
        data=_licences(root, outs, words.data),
        licence=words.licence,
    )
    sums = {path: manifest.vouched(root / path, known.digest(path)) for path in outs}
    sums |= {path: _there(root, path) for path in settings if (root / path).exists()}
    size = sum((root / path).stat().st_size for path in sums)
    with tempfile.TemporaryDirectory() as scratch:
        about = Path(scratch)
        told.write(about / FACTS)
        atomic.write_text(about / CARD, card.text(root, told, outs))
        sent = _send(root, to, {path: known.digest(path) for path in outs})
        for path in sums.keys() - set(outs):
            to.put(root / path, path)
        for path in publishing.ABOUT:
            to.put(about / path, path)
            sums[path] = _there(about, path)
        lines = "".join(f"{manifest.line(sums[path], path)}\n" for path in sorted(sums))
        atomic.write_text(about / SUMS, lines)
        to.put(about / SUMS, SUMS)
    print(f"{to.name}: {len(sums)} files of {name}, {size:,} bytes; {sent} were not there yet.")


def _stages(known: Study, place: Place) -> Sequence[str]:
    """Return the stages of a study and all that they read from, of others too."""
    own = [name for name, stage in known.declared.items() if stage.study == place.name]
    missing = [name for name in own if name not in known.locked]
    if missing:
        raise UserError(
            f"{len(missing)} of {len(own)} stages of {place.name} have not been run here, "
            f"{missing[0]} among them. Run: {place.command}"
        )
    return known.before(own)


def _check(root: Path, place: Place, stages: Sequence[str]) -> None:
    found = list(verify.check(root, verify.Options(targets=stages), Tally()))
    if found:
        raise UserError(
            f"{place.name} is not as its lock says: {found[0].subject}, {found[0].problem}"
            f"{f', and {len(found) - 1} more' if found[1:] else ''}. "
            f"Run: foreframe verify {place.name}"
        )


def _check_committed(root: Path, stages: Sequence[str], known: Study) -> None:
    """Refuse code that nobody else can have; parameters and locks come with the publication.

    Files that are new count where a stage reads them: a note that lies about is nobody's code.
    """
    status = ("status", "--porcelain", "-z", "--no-renames")
    places = studies.places(root)
    own = {*publishing.settings([place.name for place in places])}
    changed = {*_paths(root, *status, "--untracked-files=no")} - own
    read = {path for stage in stages for path in known.locked[stage].deps}
    for path in _paths(root, *status, "--untracked-files=all"):
        if read & {path, *map(str, Path(path).parents)}:
            changed.add(path)
    if changed:
        raise UserError(
            f"{min(changed)} differs from the last commit, so nobody else has the code that ran. "
            "Commit it, or take it back, and publish again."
        )


def _paths(root: Path, *words: str) -> list[str]:
    """Return the paths of what git lists, each after two letters and a space."""
    listed = publishing.git(root, *words) or ""
    return [line[3:] for line in listed.split("\0") if line]


def _licences(root: Path, outs: Sequence[str], said: str) -> dict[str, dict[str, str]]:
    """Return kind and licence of the frames in every file that holds some."""
    kinds = {path: kind for path in outs for kind in _kind(root / path)}
    public = {kind: datasets.of(kind).licence for kind in {*kinds.values()} & {*datasets.names()}}
    silent = sorted({*kinds.values()} - public.keys())
    if silent and not said:
        raise UserError(
            f"Nothing says under which licence the frames of {' and '.join(silent)} may be passed "
            'on. Say it, if you may: --data-licence "CC BY 4.0"'
        )
    return {
        path: {"source": kind, "licence": public.get(kind, said)} for path, kind in kinds.items()
    }


def _kind(path: Path) -> Iterator[str]:
    """Yield the kind of source of a file of frames, and nothing for another file."""
    if path.suffix != ".h5":
        return
    with h5py.File(path) as file:
        schema = file.attrs.get("schema")
    if schema == f"foreframe/{frames.SCHEMA}".encode():
        with hdf5.opening(path, frames.SCHEMA) as file:
            yield str(file.attrs["source"])


def _send(root: Path, to: Shelf, digests: Mapping[str, str]) -> int:
    """Send the files that are not there yet, several at once; return how many these were."""

    def send(path: str) -> bool:
        if to.holds(path, digests[path]):
            return False
        to.put(root / path, path)
        return True

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return sum(pool.map(send, sorted(digests)))


def _there(root: Path, path: str) -> str:
    found = manifest.checksum(root / path)
    assert found is not None
    return found
