"""`foreframe manifest`: SHA-256 checksums of every output of every study, for a release.

The MD5 digests of dvc.lock tell files apart and notice accidents; whoever can choose the bytes can
make two files with the same MD5. SHA-256 withstands that, so a release carries both.
"""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from foreframe.artefacts import atomic
from foreframe.artefacts.digest import BLOCK
from foreframe.errors import UserError
from workflow.verification import study

LINE = re.compile(r"([0-9a-f]{64}) [ *](.+)")
DAMAGED = 3
OUT_OF_DATE = 4


def lines(root: Path) -> Iterator[str]:
    """Yield a line for each output in a dvc.lock, sorted by path, as `sha256sum -c` reads it.

    Each file is also compared with its MD5, so that no damaged file is vouched for.

    Raises:
        UserError: nothing has been made, or an output is missing or not as dvc.lock says.
    """
    known = study.read(root)
    if not known.makers:
        raise UserError("dvc.lock names no outputs yet. Run: dvc repro")
    for path in sorted(known.makers):
        if "\\" in path or "\n" in path:
            raise UserError(f"{path!r} has a character that a manifest cannot hold. Rename it.")
        yield line(vouched(root / path, known.digest(path)), path)


def line(checksum: str, path: str) -> str:
    """Return a line as `sha256sum -c` reads it."""
    return f"{checksum}  {path}"


def write(root: Path, out: Path | None) -> int:
    """Print the manifest, or write it to `out`."""
    text = "".join(f"{line}\n" for line in lines(root))
    if out is None:
        print(text, end="")
        return 0
    atomic.write_text(out, text)
    print(f"{out}: {text.count(chr(10))} checksums. Check them by: sha256sum -c {out}")
    return 0


def check(root: Path, path: Path) -> int:
    """Compare files with a manifest; print every difference and return the exit code.

    Raises:
        UserError: the manifest is missing or has a line of another form.
    """
    wanted = _read(path)
    wrong = []
    for name, expected in wanted.items():
        found = checksum(root / name)
        if found != expected:
            wrong.append(name)
            print(f"{'MISSING' if found is None else 'DAMAGED'}  {name}")
    more = sorted(study.read(root).makers.keys() - wanted.keys())
    for name in more:
        print(f"NOT IN THE MANIFEST  {name}")
    print(f"{path}: {len(wanted) - len(wrong)} of {len(wanted)} files are as it says.")
    if wrong:
        return DAMAGED
    return OUT_OF_DATE if more else 0


def _read(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path} does not exist. Run: foreframe manifest --out {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    return parse(text, str(path))


def parse(text: str, name: str) -> dict[str, str]:
    """Return the checksum of each path in a manifest, which messages call `name`.

    Raises:
        UserError: it is empty or has a line of another form.
    """
    result = {}
    for number, each in enumerate(text.splitlines(), start=1):
        match = LINE.fullmatch(each)
        if match is None:
            raise UserError(f"{name}, line {number}: no checksum and path. Get the file again.")
        result[match[2]] = match[1]
    if not result:
        raise UserError(f"{name} is empty. Get the file again.")
    return result


def vouched(path: Path, digest: str) -> str:
    """Return the checksum of a file that has this MD5.

    Raises:
        UserError: the file is missing, or has another one.
    """
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    try:
        for block in _blocks(path):
            sha256.update(block)
            md5.update(block)
    except FileNotFoundError:
        raise UserError(f"{path} is missing. Run: foreframe verify") from None
    if md5.hexdigest() != digest:
        raise UserError(f"{path} is not as dvc.lock says. Run: foreframe verify")
    return sha256.hexdigest()


def checksum(path: Path) -> str | None:
    """Return the checksum of a file, or None where there is no such file."""
    result = hashlib.sha256()
    try:
        for block in _blocks(path):
            result.update(block)
    except FileNotFoundError:
        return None
    return result.hexdigest()


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block
