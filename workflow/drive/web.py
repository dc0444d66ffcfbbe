"""Driving on a local page: a server for this machine alone, and one file without anything foreign.

It listens on 127.0.0.1, and answers only requests that name it by that address: a page of another
site, or a name that someone points to 127.0.0.1, cannot reach it from the user's browser.
"""

import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from foreframe.errors import UserError
from foreframe.simulator.environment import LearnedDriving
from workflow.drive import controls

ADDRESS = "127.0.0.1"
PAGE = Path(__file__).parent / "page.html"
LARGEST = 1000  # bytes of a request's body
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; "
    "script-src 'unsafe-inline'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


class Drive:
    """One drive, which all requests share; each is answered after those before it."""

    def __init__(
        self, environment: LearnedDriving, seed: int, start: dict[str, int] | None
    ) -> None:
        self._environment = environment
        self._keys = controls.of(environment.trained)
        self._lock = threading.Lock()
        self._first: tuple[int, dict[str, int] | None] | None = (seed, start)

    def reset(self) -> tuple[NDArray[numpy.uint8], str]:
        """Begin again: with the seed at first, then wherever it leads; return frames and status."""
        with self._lock:
            seed, start = self._first or (None, None)
            self._first = None
            _, info = self._environment.reset(seed=seed, options=start)
        return info["frames"], f"test clip {info['clip']}: these frames are real"

    @property
    def steered(self) -> str:
        """What arrows do; empty where they do nothing."""
        return self._keys.said

    def step(self, keys: list[str]) -> tuple[NDArray[numpy.uint8], str]:
        """Predict with these keys held; return the frames (n,H,W,3) and what to say of them.

        Raises:
            UserError: a key is unknown.
        """
        action = self._keys.action(keys)
        with self._lock:
            began = time.perf_counter()
            frames = self._environment.step(action)[4]["frames"]
            seconds = time.perf_counter() - began
        said = ", ".join(
            f"{name} {value:+.2f}" for name, value in zip(self._keys.names, action, strict=True)
        )
        speed = f"predicted: {len(frames) / seconds:.1f} frames a second"
        return frames, f"{speed}; {said or controls.FREE}"


class Handler(BaseHTTPRequestHandler):
    """Answers the page itself, and what it asks for."""

    server: "Server"
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer the page."""
        if not self._is_ours():
            return
        if self.path != "/":
            self._refuse(404, "There is one page here: /")
            return
        self._answer(200, PAGE.read_bytes(), {"Content-Type": "text/html; charset=utf-8"})

    def do_POST(self) -> None:
        """Answer the frames of a step, or of a new beginning."""
        if not self._is_ours():
            return
        try:
            keys = self._read_keys()
            if self.path == "/step":
                frames, status = self.server.drive.step(keys)
            elif self.path == "/reset":
                frames, status = self.server.drive.reset()
            else:
                self._refuse(404, "There are /step and /reset.")
                return
        except UserError as error:
            self._refuse(400, str(error))
            return
        count, height, width, _ = frames.shape
        shape = {"X-Frames": str(count), "X-Height": str(height), "X-Width": str(width)}
        shape |= {"X-Status": status, "Content-Type": "application/octet-stream"}
        shape["X-Steered"] = self.server.drive.steered
        self._answer(200, numpy.ascontiguousarray(frames).tobytes(), shape)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, the library's name
        """Say nothing of single requests."""

    def _is_ours(self) -> bool:
        """Tell whether a request names this server and comes from its page; refuse it otherwise."""
        own = f"{ADDRESS}:{self.server.server_address[1]}"
        origin = self.headers.get("Origin", f"http://{own}")
        if self.headers.get_all("Host") == [own] and origin == f"http://{own}":
            return True
        self.close_connection = True
        self._refuse(403, f"This server answers only as http://{own}.")
        return False

    def _read_keys(self) -> list[str]:
        length = self.headers.get("Content-Length", "0")
        if not length.isascii() or not length.isdigit() or int(length) > LARGEST:
            self.close_connection = True
            raise UserError(f"A request has at most {LARGEST} bytes.")
        try:
            content = json.loads(self.rfile.read(int(length)) or b"[]")
        except ValueError:
            content = None
        if not isinstance(content, list) or not all(isinstance(key, str) for key in content):
            raise UserError("A request is a list of keys, as JSON.")
        return content

    def _refuse(self, code: int, message: str) -> None:
        self._answer(code, message.encode() + b"\n", {"Content-Type": "text/plain; charset=utf-8"})

    def _answer(self, code: int, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(code)
        for name, value in {**HEADERS, **headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


class Server(ThreadingHTTPServer):
    """A server of one drive, on this machine's own address."""

    daemon_threads = True

    def __init__(self, drive: Drive, port: int) -> None:
        try:
            super().__init__((ADDRESS, port), Handler)
        except OSError as error:
            raise UserError(f"--port {port} cannot be used: {error}. Leave it out.") from None
        self.drive = drive

    @property
    def url(self) -> str:
        """The address of the page."""
        return f"http://{ADDRESS}:{self.server_address[1]}/"


def serve(environment: LearnedDriving, seed: int, start: dict[str, int] | None, port: int) -> None:
    """Serve the page until Ctrl-C.

    Raises:
        UserError: the port cannot be used.
    """
    with Server(Drive(environment, seed, start), port) as server:
        print(f"Drive at {server.url} (Ctrl-C ends it).", flush=True)
        server.serve_forever()
