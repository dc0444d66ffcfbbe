"""`foreframe fetch`: a published study, put into this project as if it had run here.

Nothing is written before every path is known to be one that the stages of this project write, and
nothing is kept that is not as its checksum says. What is whole already is not fetched again.
"""

import hashlib
import tempfile
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from foreframe.artefacts import atomic
from foreframe.errors import UserError
from workflow import dag, manifest, publishing, storage, studies
from workflow.publishing import ABOUT, CARD, FACTS, SUMS, Publication, shelf
from workflow.publishing.shelf import AT_ONCE, Shelf
from workflow.verification import study as record

LISTED = 3  # paths that a message names


def run(root: Path, source: Shelf) -> None:
    """Fetch a publication and say what can be done with it.

    Raises:
        UserError: it is not finished, damaged, or of other code; a file of the project is in the
            way; the disk is full; the remote cannot be reached.
    """
    sums = _sums(source)
    with tempfile.TemporaryDirectory() as scratch:
        for path in ABOUT:
            _take(source, path, sums[path], Path(scratch))
        told = publishing.read(Path(scratch, FACTS))
    wanted = {path: checksum for path, checksum in sums.items() if path not in ABOUT}
    _check_paths(root, told, wanted)
    missing = _missing(root, told, wanted)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in pool.map(lambda path: _take(source, path, wanted[path], root), sorted(missing)):
            pass
    _cache(root, wanted)
    print("\n".join(_words(root, told, len(wanted), len(missing))))


def _sums(source: Shelf) -> Mapping[str, str]:
    try:
        text = b"".join(source.blocks(SUMS)).decode()
    except FileNotFoundError:
        raise UserError(
            f"{source.name} holds no finished publication: {SUMS} is missing."
        ) from None
    except UnicodeDecodeError:
        raise UserError(f"{source.name}/{SUMS} is damaged. Get it again.") from None
    sums = manifest.parse(text, f"{source.name}/{SUMS}")
    for path in ABOUT:
        if path not in sums:
            raise UserError(f"{source.name} is no publication: {SUMS} does not name {path}.")
    return sums


def _take(source: Shelf, path: str, checksum: str, root: Path) -> None:
    """Write one file, if its bytes are those that were published."""
    found = hashlib.sha256()
    try:
        with atomic.writing(root / path) as temporary:
            with temporary.open("wb") as out:
                for block in source.blocks(path):
                    found.update(block)
                    out.write(block)
            if found.hexdigest() != checksum:
                raise UserError(
                    f"{source.name}/{path} is not what was published: its checksum is another one. "
                    "Nothing of it was kept. Get the publication again."
                )
    except FileNotFoundError:
        raise UserError(f"{source.name} is not whole: {path} is missing.") from None


def _check_paths(root: Path, told: Publication, wanted: Mapping[str, str]) -> None:
    """Let nothing be written but what stages write, and the records of studies that are here."""
    for name in told.studies:
        studies.named(root, name)
    known = {path for stage in dag.declared(root) for path in stage.outs}
    known |= {*publishing.settings(told.studies)}
    unknown = sorted(wanted.keys() - known)
    if unknown:
        back = f"Go to its code: git checkout {told.commit}" if told.commit else "Get its code."
        raise UserError(f"{unknown[0]} is written by no stage of this project. {back}")


def _missing(root: Path, told: Publication, wanted: Mapping[str, str]) -> set[str]:
    """Return the files that are not there as published; refuse where another one is in the way."""
    found = {path: manifest.checksum(root / path) for path in wanted}
    differ = {path for path, checksum in wanted.items() if found[path] not in (checksum, None)}
    # What git holds can be had back, as long as it is as git has it.
    kept = {path for path in differ if _in_git(root, path)} & {*publishing.settings(told.studies)}
    in_the_way = sorted(differ - kept)
    if in_the_way:
        more = f" and {len(in_the_way) - LISTED} more" if in_the_way[LISTED:] else ""
        raise UserError(
            f"Other bytes are here as {', '.join(in_the_way[:LISTED])}{more}. "
            "Fetch into a clone of its own, or move them away."
        )
    return {path for path, checksum in wanted.items() if found[path] != checksum}


def _cache(root: Path, wanted: Collection[str]) -> None:
    """Give DVC's cache what was fetched: a stage whose outputs are not there would run again."""
    known = record.read(root)
    folder = root / storage.cache_folder(root)
    for path in sorted(known.makers.keys() & wanted):
        if path in known.declared[known.makers[path]].uncached:
            continue
        digest = known.digest(path)
        entry = folder / digest[:2] / digest[2:]
        if not entry.exists():
            manifest.vouched(root / path, digest)
            shelf.here(entry.parent).put(root / path, entry.name)
            entry.chmod(0o444)  # as DVC has them


def _in_git(root: Path, path: str) -> bool:
    tracked = publishing.git(root, "ls-files", "--error-unmatch", "--", path)
    return tracked is not None and publishing.git(root, "diff", "--quiet", "HEAD", "--", path) == ""


def _words(root: Path, told: Publication, files: int, taken: int) -> list[str]:
    lines = [f"{told.study}: {files} files are as published; {taken} of them were fetched."]
    here = publishing.commit(root)
    if told.commit and told.commit != here:
        lines.append(
            f"Its code was that of commit {told.commit[:12]}. Stages whose code differs here would "
            f"run again; to have it as it was: git checkout {told.commit[:12]}"
        )
    lines += [f"{path}: {one['licence']}" for path, one in sorted(told.data.items())]
    report = f"reports/{told.study}/report.html"
    if (root / report).exists():
        lines.append(f"Open {report}, and see {CARD} of the publishing.")
    return lines
