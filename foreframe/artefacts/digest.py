"""The digest of an artefact, equal to the one that dvc.lock holds: MD5 of a file's bytes.

MD5 tells files apart and notices accidents; it is no protection against an attacker.
"""

import hashlib
import json
from pathlib import Path

BLOCK = 1 << 20


def digest(path: Path) -> str:
    """Return the 32 hexadecimal digits of a file, or those of a folder followed by `.dir`.

    A folder's digest is that of the sorted JSON list of its files' digests and relative paths,
    which is DVC's rule (files that .dvcignore names are not known here: keep folders clean).
    """
    if path.is_dir():
        return _folder(path)
    result = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            result.update(block)
    return result.hexdigest()


def _folder(path: Path) -> str:
    files = sorted(file for file in path.rglob("*") if file.is_file())
    entries = [
        {"md5": digest(file), "relpath": file.relative_to(path).as_posix()} for file in files
    ]
    text = json.dumps(sorted(entries, key=lambda entry: entry["relpath"]), sort_keys=True)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest() + ".dir"
