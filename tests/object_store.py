"""An S3 server on loopback, and a way to it that loses connections, for tests of remotes.

The server is moto's: it speaks the protocol and keeps objects in memory. The way is a relay for
which a test says what happens to the next connections.
"""

import contextlib
import dataclasses
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3  # type: ignore[import-untyped]
import pytest
from moto.server import ThreadedMotoServer

from tests.workflow import tiny

HOST = "127.0.0.1"
BUCKET = "bucket"
# In the environment alone: nothing of it may get into a file.
ACCESS = {
    "AWS_ACCESS_KEY_ID": "a-name-of-no-account",
    "AWS_SECRET_ACCESS_KEY": "a-secret-of-no-account",
    "AWS_EC2_METADATA_DISABLED": "true",
}
# What servers say that have no room: Ceph's gateway, and MinIO.
FULL = {
    "quota": ("403 Forbidden", "QuotaExceeded", ""),
    "disk": ("507 Insufficient Storage", "XMinioStorageFull", "Storage backend has no room left."),
}
SLOW_DOWN = b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@dataclass
class Relay:
    """A port that hands every connection on to another one.

    Attributes:
        target: the port that it hands on to.
        cut_after: bytes of an answer after which a connection is closed; None: none is.
        cuts: how many more connections are cut.
        throttled: how many more are answered that the server is too busy.
        full: which of `FULL` is answered to whatever would be written, but for `room` objects.
        room: how many more have room then.
    """

    target: int
    cut_after: int | None = None
    cuts: int = 0
    throttled: int = 0
    full: str | None = None
    room: int = 0
    connections: int = 0
    _lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._listening = socket.create_server((HOST, 0))
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listening.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, asking: socket.socket) -> None:
        with self._lock:
            self.connections += 1
            throttled = self.throttled > 0
            self.throttled -= throttled
            left = self.cut_after if self.cuts > 0 and not throttled else None
            self.cuts -= left is not None
        with asking, contextlib.suppress(OSError):
            if throttled:
                asking.recv(2**16)
                asking.sendall(SLOW_DOWN)
                return
            with socket.create_connection((HOST, self.target)) as answering:
                threading.Thread(target=self._ask, args=(asking, answering), daemon=True).start()
                _pour(answering, asking, left)

    def _ask(self, asking: socket.socket, answering: socket.socket) -> None:
        """Hand requests on; refuse to write where there is no room."""
        with contextlib.suppress(OSError):
            while block := asking.recv(2**16):
                if block.startswith(b"PUT ") and (full := self._refused()):
                    asking.sendall(_refusal(*FULL[full]))
                    break
                answering.sendall(block)
        _end(asking, answering)

    def _refused(self) -> str | None:
        with self._lock:
            if self.full is None or self.room == 0:
                return self.full
            self.room -= 1
            return None


def _pour(source: socket.socket, to: socket.socket, left: int | None = None) -> None:
    """Hand bytes on until the source ends, or so many have been."""
    with contextlib.suppress(OSError):
        while block := source.recv(2**16):
            to.sendall(block if left is None else block[:left])
            if left is not None and (left := left - len(block)) <= 0:
                break
    _end(source, to)


def _end(*connections: socket.socket) -> None:
    """End both ways, whoever is still waiting."""
    for connection in connections:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def _refusal(status: str, code: str, message: str) -> bytes:
    """Return an answer of S3 that names an error."""
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


@contextlib.contextmanager
def serving() -> Iterator[int]:
    """Serve an empty bucket, and yield the port."""
    server = ThreadedMotoServer(ip_address=HOST, port=0, verbose=False)
    server.start()
    try:
        port: int = server.get_host_and_port()[1]
        client(port).create_bucket(Bucket=BUCKET)
        yield port
    finally:
        server.stop()


def client(port: int) -> "boto3.client":
    """Return a client of the server, to look at objects and to damage them."""
    return boto3.client(
        "s3",
        endpoint_url=f"http://{HOST}:{port}",
        region_name="us-east-1",
        aws_access_key_id=ACCESS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=ACCESS["AWS_SECRET_ACCESS_KEY"],
    )


def known(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    """Give this process and its children the account, and no settings of the user's own."""
    for name, value in ACCESS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(home))
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)


def add(folder: Path, port: int, prefix: str) -> None:
    """Name a folder of the bucket as the project's remote `far`, as docs/dvc.md says."""
    tiny.run(folder, "dvc", "remote", "add", "--default", "far", f"s3://{BUCKET}/{prefix}")
    for key, value in (
        ("endpointurl", f"http://{HOST}:{port}"),
        ("verify", "true"),
        ("connect_timeout", "5"),
        ("read_timeout", "5"),
    ):
        tiny.run(folder, "dvc", "remote", "modify", "far", key, value)
