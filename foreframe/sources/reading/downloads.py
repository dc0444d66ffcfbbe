"""Downloads of public files, only in `collect` and only when a source's settings ask for them.

A file is known by its SHA-256 checksum and its size, so nothing else is ever read, whatever a
server sends. What has arrived is kept when a run is stopped, and the next run asks for the rest.
The files lie in a cache beside the study: the folder of the user's data stays as it is.
"""

import contextlib
import hashlib
import http.client
import re
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from tqdm import tqdm

from foreframe.artefacts import atomic, growing
from foreframe.errors import UserError
from foreframe.sources.reading import unpacking

CACHE = Path(".downloads")

TIMEOUT = 60  # seconds without a byte
ATTEMPTS = 3  # in a row that bring nothing
BLOCK = 1 << 20

ARCHIVES = (".tar", ".tar.gz", ".tgz", ".zip")


@dataclass(frozen=True)
class Pin:
    """A public file.

    Attributes:
        file: its name; an archive is unpacked, anything else is kept as it is.
        url: where it comes from.
        sha256: its checksum, 64 hexadecimal digits.
        size: in bytes.
        unpacked: the most bytes that its content may take, all files together.
        files: the most files that an archive may have.
    """

    file: str
    url: str
    sha256: str
    size: int
    unpacked: int
    files: int


# Checksums and sizes as TensorFlow Datasets records them (its url_checksums/mnist.txt).
_MNIST = "https://storage.googleapis.com/cvdf-datasets/mnist"
MNIST = (
    Pin(
        file="train-images-idx3-ubyte.gz",
        url=f"{_MNIST}/train-images-idx3-ubyte.gz",
        sha256="440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        size=9_912_422,
        unpacked=47_040_016,
        files=1,
    ),
    Pin(
        file="train-labels-idx1-ubyte.gz",
        url=f"{_MNIST}/train-labels-idx1-ubyte.gz",
        sha256="3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        size=28_881,
        unpacked=60_008,
        files=1,
    ),
    Pin(
        file="t10k-images-idx3-ubyte.gz",
        url=f"{_MNIST}/t10k-images-idx3-ubyte.gz",
        sha256="8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        size=1_648_877,
        unpacked=7_840_016,
        files=1,
    ),
    Pin(
        file="t10k-labels-idx1-ubyte.gz",
        url=f"{_MNIST}/t10k-labels-idx1-ubyte.gz",
        sha256="f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        size=4_542,
        unpacked=10_008,
        files=1,
    ),
)


class Response(Protocol):
    """What a server sends: its status, some headers, and the bytes."""

    status: int
    headers: Any

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, none at the end."""


# Opens an address, asking for what follows a number of bytes.
Opener = Callable[[str, int], contextlib.AbstractContextManager[Response]]


def opened(url: str, start: int) -> contextlib.AbstractContextManager[Response]:
    """Open an address of the web, asking for what follows its first `start` bytes."""
    if not url.startswith(("https://", "http://")):
        raise UserError(f"{url} is no address of the web.")
    # Without compression on the way: a range counts the bytes of the file itself.
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    request = urllib.request.Request(url, headers=headers)
    response: contextlib.AbstractContextManager[Response]
    response = urllib.request.urlopen(request, timeout=TIMEOUT)
    return response


def obtain(pins: Sequence[Pin], cache: Path = CACHE, opener: Opener = opened) -> Path:
    """Return a folder with the files of all pins, archives unpacked; download what is not there.

    Raises:
        UserError: no connection, or what came is not the pinned file.
    """
    folder = place(pins, cache)
    for pin in pins:
        done = folder.with_name(f"{folder.name}.{pin.sha256[:16]}.complete")
        if not done.exists():
            _place(pin, fetch(pin, cache, opener), folder)
            atomic.write_text(done, f"{pin.file} sha256 {pin.sha256}\n")
    return folder


def place(pins: Sequence[Pin], cache: Path = CACHE) -> Path:
    """Return the folder where the files of all pins are, or will be."""
    together = "".join(pin.sha256 for pin in pins).encode()
    return cache / hashlib.sha256(together).hexdigest()[:16]


def _place(pin: Pin, file: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if pin.file.endswith(ARCHIVES):
        unpacking.unpack(file, folder, pin.unpacked, pin.files)
        # The content is there; the archive would take its room once more.
        file.unlink()
    else:
        file.replace(folder / pin.file)


def fetch(pin: Pin, cache: Path, opener: Opener = opened) -> Path:
    """Download one file to the cache and return its path, going on with what an earlier run got.

    Raises:
        UserError: no connection, or what came has another size or checksum; then nothing is kept.
    """
    path = cache / f"{pin.sha256[:16]}-{pin.file}"
    part = path.with_name(f"{path.name}.part")
    if path.exists() and path.stat().st_size == pin.size and _sha256(path) == pin.sha256:
        return path
    with growing.appending(part) as file, _progress(pin) as bar:
        _complete(pin, file, opener, bar)
    checksum = _sha256(part)
    if checksum != pin.sha256:
        part.unlink()
        raise UserError(
            f"{pin.url} sent a file with sha256 {checksum}, not {pin.sha256}: nothing was kept. "
            "The connection or the server is not to be trusted, or the file was changed."
        )
    return part.replace(path)


def _progress(pin: Pin) -> Any:
    return tqdm(total=pin.size, unit="B", unit_scale=True, desc=pin.file, disable=None)


class _Broken(Exception):  # noqa: N818
    """The connection failed, not the disk."""


def _complete(pin: Pin, file: BinaryIO, opener: Opener, bar: Any) -> None:
    """Append to a file until it has the pinned size."""
    if file.tell() > pin.size:
        # Not from here: of two programs that share the folder, say.
        _empty(file)
    failures = 0
    while (before := file.tell()) < pin.size:
        try:
            _receive(pin, file, opener, bar)
            failure = "the connection ended early"
        except _Broken as error:
            failure = str(error)
        failures = 0 if file.tell() > before else failures + 1
        if failures == ATTEMPTS:
            raise UserError(
                f"{pin.url} could not be downloaded: {failure}. The {file.tell():,} of "
                f"{pin.size:,} bytes that came are kept: run it again, or download it elsewhere "
                "and set source.download to false."
            )


def _receive(pin: Pin, file: BinaryIO, opener: Opener, bar: Any) -> None:
    """Append what a server sends of the part that is missing."""
    with contextlib.ExitStack() as stack:
        with _telling():
            response = stack.enter_context(opener(pin.url, file.tell()))
            start = _start(response, file.tell())
        if start != file.tell():
            # The server sends it from the beginning.
            _empty(file)
        bar.n = start
        for block in _blocks(response):
            if file.tell() + len(block) > pin.size:
                _empty(file)
                raise UserError(
                    f"{pin.url} sends more than the {pin.size:,} bytes that {pin.file} has: "
                    "nothing was kept. The server is not to be trusted, or the file was changed."
                )
            file.write(block)
            bar.update(len(block))


def _blocks(response: Response) -> Iterator[bytes]:
    while True:
        with _telling():
            block = response.read(BLOCK)
        if not block:
            return
        yield block


@contextlib.contextmanager
def _telling() -> Iterator[None]:
    """Tell failures of the network, of which the next attempt knows nothing, from all others."""
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(str(error) or type(error).__name__) from None


def _empty(file: BinaryIO) -> None:
    file.seek(0)
    file.truncate()


def _start(response: Response, asked: int) -> int:
    """Return the place in the file at which a response begins."""
    if response.status != http.client.PARTIAL_CONTENT:
        return 0
    claimed = re.match(r"bytes (\d+)-", response.headers.get("Content-Range") or "")
    if claimed is None or int(claimed[1]) != asked:
        raise http.client.HTTPException("the server sent another part than it was asked for")
    return asked


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
