"""The commands `foreframe weights ...`: the only place from which weights are ever downloaded."""

import contextlib
import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Protocol

from foreframe.artefacts import atomic
from foreframe.errors import UserError
from foreframe.features import registry, store

LARGEST = 1 << 30  # bytes; the largest public file here has 553 MB
TIMEOUT = 60  # seconds without a byte


class Response(Protocol):
    """What comes back from an address."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none at the end."""


Opener = Callable[[str], contextlib.AbstractContextManager[Response]]


def show(folder: Path) -> None:
    """Print the registry, and which weights are stored."""
    for entry in registry.ENTRIES.values():
        stored = store.path(folder, entry.name).exists()
        print(f"{entry.name}: {entry.purpose}; {'stored' if stored else 'not stored'}")
        print(f"  file     {entry.file}, about {entry.megabytes:g} MB")
        print(f"  source   {entry.url}")
        print(f"  page     {entry.page}")
        print(f"  licence  {entry.licence}")
        print(f"  sha256   {entry.sha256 or 'not published: recorded when the file is added'}")


def add(folder: Path, name: str, file: Path) -> None:
    """Store the weights of a public file that the user has.

    Raises:
        UserError: an unknown name, or a file that is not what the registry says.
    """
    _stored(folder, registry.entry(name), file)


def _stored(folder: Path, entry: registry.Entry, file: Path) -> None:
    weights = store.add(folder, entry, file)
    print(f"{store.path(folder, entry.name)} holds {len(weights.tensors)} tensors of {file.name},")
    print(f"sha256 {weights.digest}.")


def secure(url: str) -> contextlib.AbstractContextManager[Response]:
    """Open an https address; a redirection to anything else is refused."""
    _check_scheme(url)
    return urllib.request.build_opener(SecureRedirects()).open(url, timeout=TIMEOUT)


def fetch(folder: Path, name: str) -> None:
    """Download a public file, store its weights, and remove it again.

    Raises:
        UserError: an unknown name, no connection, a file that is too large, or not the right one.
    """
    download(folder, registry.entry(name), secure)


def download(folder: Path, entry: registry.Entry, opener: Opener) -> None:
    """Fetch an entry through what opens addresses.

    Raises:
        UserError: no connection, a file that is too large, or not what the registry says.
    """
    target = folder / entry.file
    print(f"Downloading {entry.url} (about {entry.megabytes:g} MB).", flush=True)
    try:
        with opener(entry.url) as response, atomic.writing(target) as temporary:
            with temporary.open("wb") as file:
                digest = _copy(response, file)
            if entry.sha256 not in {None, digest}:
                raise UserError(
                    f"{entry.url} sent a file with sha256 {digest}, not {entry.sha256}: nothing "
                    "was kept. The connection or the source is not to be trusted."
                )
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError) as error:
        raise UserError(
            f"{entry.url} could not be downloaded: {error}. Download it elsewhere and run "
            f"`foreframe weights add {entry.name} FILE`."
        ) from None
    try:
        _stored(folder, entry, target)
    finally:
        target.unlink(missing_ok=True)


def check(folder: Path) -> int:
    """Hash all stored weights anew and print what is right; return 1 if something is not."""
    code = 0
    for entry in registry.ENTRIES.values():
        if not store.path(folder, entry.name).exists():
            print(f"{entry.name}: not stored")
            continue
        try:
            digest = store.require(folder, entry).digest
            print(f"{entry.name}: right, sha256 of its source {digest}")
        except UserError as error:
            code = 1
            print(f"{entry.name}: {error}")
    return code


def _copy(response: Response, file: IO[bytes]) -> str:
    """Copy what comes in and return its SHA-256."""
    result, size = hashlib.sha256(), 0
    while block := response.read(store.BLOCK):
        size += len(block)
        if size > LARGEST:
            raise UserError(f"the download is larger than {LARGEST:,} bytes: nothing was kept.")
        result.update(block)
        file.write(block)
    return result.hexdigest()


class SecureRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirections to https alone."""

    def redirect_request(
        self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        """Return the next request.

        Raises:
            UserError: its address is no https one.
        """
        _check_scheme(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_scheme(url: str) -> None:
    if not url.startswith("https://"):
        raise UserError(f"{url} is no https address: weights come over https alone.")
