"""Downloads are pinned, go on where they were stopped, and are refused if anything else comes."""

import hashlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy
import pytest

from foreframe.artefacts import growing
from foreframe.errors import UserError
from foreframe.sources import ucf101
from foreframe.sources.reading import downloads
from foreframe.sources.reading.downloads import Pin
from tests.foreframe.sources import copies, test_ucf101
from tests.foreframe.sources.reading.test_unpacking import FILES, damages, pack
from tests.foreframe.sources.reading.test_unpacking import content as files_in
from tests.smoke import ROOT

CONTENT = numpy.random.default_rng(0).bytes(300_000)


@dataclass
class Server:
    """A server of one machine: what it sends, how it misbehaves, and what it was asked.

    Attributes:
        files: contents by path.
        cut: after how many bytes each of the next answers ends; whole ones follow.
        hold: whether an answer that ends early keeps its connection open for a while.
        ranges: whether it sends parts when it is asked for them.
        shift: how far from the place it was asked for it says that its part begins.
        log: path and range of each request.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    cut: list[int] = field(default_factory=list)
    hold: bool = False
    ranges: bool = True
    shift: int = 0
    log: list[tuple[str, str]] = field(default_factory=list)


def handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range", "")
            server.log.append((self.path, asked))
            content = server.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
            if asked and server.ranges and start >= len(content):
                self.send_error(416)
                return
            partial = bool(asked) and server.ranges
            body = content[start:] if partial else content
            self.send_response(206 if partial else 200)
            if partial:
                place = start + server.shift
                self.send_header("Content-Range", f"bytes {place}-{len(content) - 1}/*")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if server.cut:
                self.wfile.write(body[: server.cut.pop(0)])
                self.wfile.flush()
                time.sleep(10 if server.hold else 0)
            else:
                self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
            pass

    return Handler


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(found)) as running:
        found.url = f"http://127.0.0.1:{running.server_address[1]}"
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        yield found
        running.shutdown()


def pin(server: Server, name: str = "data.bin", content: bytes = CONTENT) -> Pin:
    """Put a file on the server and return its pin."""
    server.files[f"/{name}"] = content
    checksum = hashlib.sha256(content).hexdigest()
    return Pin(name, f"{server.url}/{name}", checksum, len(content), 10**6, 10)


def left(cache: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in cache.iterdir()}


def test_a_file_is_downloaded_once(server: Server, tmp_path: Path) -> None:
    wanted = pin(server)
    for _ in range(2):
        folder = downloads.obtain([wanted], tmp_path)
        assert files_in(folder) == {"data.bin": CONTENT}
    assert server.log == [("/data.bin", "")]


def test_a_connection_that_breaks_is_taken_up_again(server: Server, tmp_path: Path) -> None:
    wanted = pin(server)
    server.cut = [1000, 2000, 3000]
    assert downloads.fetch(wanted, tmp_path).read_bytes() == CONTENT
    ranges = ["", "bytes=1000-", "bytes=3000-", "bytes=6000-"]
    assert server.log == [("/data.bin", asked) for asked in ranges]


def test_a_run_that_was_stopped_goes_on(server: Server, tmp_path: Path) -> None:
    wanted = pin(server)
    server.cut = [200_000, *[0] * downloads.ATTEMPTS]
    with pytest.raises(UserError, match="200,000 of 300,000 bytes that came are kept"):
        downloads.obtain([wanted], tmp_path)
    assert list(left(tmp_path).values()) == [200_000]
    server.log.clear()
    assert files_in(downloads.obtain([wanted], tmp_path)) == {"data.bin": CONTENT}
    assert server.log == [("/data.bin", "bytes=200000-")]


def test_a_download_that_was_killed_goes_on(server: Server, tmp_path: Path) -> None:
    wanted = pin(server, content=CONTENT * 10)
    server.cut, server.hold = [2_500_000], True
    code = (
        "from pathlib import Path; from foreframe.sources.reading.downloads import Pin, fetch; "
        f"fetch({wanted!r}, Path({str(tmp_path)!r}))"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) as running:
        while sum(left(tmp_path).values()) < 1 << 20:
            assert running.poll() is None
            time.sleep(0.05)
        running.kill()
    kept = sum(left(tmp_path).values())
    assert downloads.fetch(wanted, tmp_path).read_bytes() == CONTENT * 10
    assert server.log == [("/data.bin", ""), ("/data.bin", f"bytes={kept}-")]


def test_a_server_without_ranges_sends_it_all_again(server: Server, tmp_path: Path) -> None:
    wanted = pin(server)
    server.ranges, server.cut = False, [1000]
    assert downloads.fetch(wanted, tmp_path).read_bytes() == CONTENT
    assert server.log == [("/data.bin", ""), ("/data.bin", "bytes=1000-")]


def test_another_part_than_asked_for_is_not_taken(server: Server, tmp_path: Path) -> None:
    wanted = pin(server)
    server.shift, server.cut = 5, [1000]
    with pytest.raises(UserError, match="another part than it was asked for"):
        downloads.fetch(wanted, tmp_path)
    server.shift = 0
    assert downloads.fetch(wanted, tmp_path).read_bytes() == CONTENT


def test_a_wrong_checksum_leaves_nothing_behind(server: Server, tmp_path: Path) -> None:
    wanted = pin(server)
    for damaged in damages(CONTENT, 40):
        server.files["/data.bin"] = damaged
        with pytest.raises(UserError, match=r"not .*nothing was kept|sends more|could not be down"):
            downloads.obtain([wanted], tmp_path)
        assert files_in(tmp_path).keys() <= {f"{wanted.sha256[:16]}-data.bin.part"}
    # What a file cut short left behind is a right beginning, or is found out and thrown away.
    server.files["/data.bin"] = CONTENT
    try:
        downloads.obtain([wanted], tmp_path)
    except UserError as error:
        assert "nothing was kept" in str(error)
    assert files_in(downloads.obtain([wanted], tmp_path)) == {"data.bin": CONTENT}


def test_wrong_sizes_are_refused(server: Server, tmp_path: Path) -> None:
    wanted = pin(server)
    server.files["/data.bin"] = CONTENT + b"more"
    with pytest.raises(UserError, match="sends more than the 300,000 bytes"):
        downloads.fetch(wanted, tmp_path)
    assert list(left(tmp_path).values()) == [0]
    server.files["/data.bin"] = CONTENT[:-1]
    with pytest.raises(UserError, match=r"could not be downloaded.*299,999 of 300,000"):
        downloads.fetch(wanted, tmp_path)
    (tmp_path / f"{wanted.sha256[:16]}-data.bin.part").write_bytes(CONTENT + b"more")
    server.files["/data.bin"] = CONTENT
    assert downloads.fetch(wanted, tmp_path).read_bytes() == CONTENT


def test_what_is_not_there_is_told(server: Server, tmp_path: Path) -> None:
    missing = Pin("no", f"{server.url}/no", "0" * 64, 10, 10, 1)
    with pytest.raises(UserError, match=r"could not be downloaded: HTTP Error 404"):
        downloads.fetch(missing, tmp_path)
    nowhere = Pin("no", "http://127.0.0.1:1/no", "0" * 64, 10, 10, 1)
    with pytest.raises(UserError, match=r"could not be downloaded: .*refused"):
        downloads.fetch(nowhere, tmp_path)
    with pytest.raises(UserError, match="no address of the web"):
        downloads.fetch(Pin("no", "ftp://127.0.0.1/no", "0" * 64, 10, 10, 1), tmp_path)


@pytest.mark.parametrize("ending", [".tar", ".tar.gz", ".zip"])
def test_archives_are_unpacked_and_removed(server: Server, ending: str, tmp_path: Path) -> None:
    archive = pack(tmp_path / f"x{ending}").read_bytes()
    pins = [pin(server, f"x{ending}", archive), pin(server)]
    folder = downloads.obtain(pins, tmp_path / "cache")
    assert files_in(folder) == {**FILES, "data.bin": CONTENT}
    marks = [path for path in (tmp_path / "cache").iterdir() if path.is_file()]
    assert [path.suffix for path in marks] == [".complete"] * 2
    assert downloads.obtain(pins, tmp_path / "cache") == folder
    assert len(server.log) == 2


@pytest.mark.parametrize("ending", [".tar", ".tar.gz", ".zip"])
def test_a_damaged_archive_is_never_unpacked(server: Server, ending: str, tmp_path: Path) -> None:
    archive = pack(tmp_path / f"x{ending}").read_bytes()
    wanted = pin(server, f"x{ending}", archive)
    for number, damaged in enumerate(damages(archive, 80)):
        server.files[f"/x{ending}"] = damaged
        cache = tmp_path / str(number)
        if damaged == archive:
            continue
        with pytest.raises(UserError):
            downloads.obtain([wanted], cache)
        assert all(path.is_file() for path in cache.iterdir())


def test_an_archive_that_leads_elsewhere_is_refused(server: Server, tmp_path: Path) -> None:
    archive = pack(tmp_path / "x.zip", {"../out.txt": b"1"}).read_bytes()
    with pytest.raises(UserError, match="lies outside"):
        downloads.obtain([pin(server, "x.zip", archive)], tmp_path / "cache")
    assert not (tmp_path / "cache/out.txt").exists()


def test_two_at_once_do_not_mix(server: Server, tmp_path: Path) -> None:
    wanted = pin(server)
    part = tmp_path / f"{wanted.sha256[:16]}-data.bin.part"
    with growing.appending(part), pytest.raises(UserError, match="Another process is writing"):
        downloads.fetch(wanted, tmp_path)
    assert downloads.fetch(wanted, tmp_path).read_bytes() == CONTENT


def test_published_pins_are_well_formed() -> None:
    from foreframe.sources import bair

    for public in (*downloads.MNIST, *bair.PINS, *ucf101.PINS):
        assert len(bytes.fromhex(public.sha256)) == 32
        assert public.url.endswith(f"/{public.file}")
        assert 0 < public.size <= 100 * public.unpacked


def test_a_source_downloads_when_it_is_asked_to(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder of the user's data is neither read nor written."""
    names = {"v_Biking_g08_c01": 3, "v_HandStandPushups_g02_c01": 2}
    names |= {"v_Biking_g01_c01": 4, "v_Biking_g01_c02": 5}
    videos = {
        f"UCF101/{name}.avi": copies.video(tmp_path / f"{name}.avi", count).read_bytes()
        for name, count in names.items()
    }
    test_ucf101.lists(tmp_path)
    lists = {
        f"ucfTrainTestlist/{path.name}": path.read_bytes()
        for path in (tmp_path / "ucfTrainTestlist").iterdir()
    }
    pins = [
        pin(server, f"{name}.zip", pack(tmp_path / f"{name}.zip", content).read_bytes())
        for name, content in (("videos", videos), ("lists", lists))
    ]
    monkeypatch.setattr(ucf101, "PINS", pins)
    monkeypatch.chdir(tmp_path)
    settings = test_ucf101.SETTINGS.model_copy(update={"download": True})
    found = copies.collect(ucf101, settings, tmp_path / "nowhere")
    assert [(episode.origin, len(episode.frames)) for episode in found] == [
        ("Biking/v_Biking_g01_c01", 4),
        ("Biking/v_Biking_g01_c02", 5),
        ("Biking/v_Biking_g08_c01", 3),
        ("HandstandPushups/v_HandStandPushups_g02_c01", 2),
    ]
    assert (tmp_path / ".downloads").is_dir()
    assert not (tmp_path / "nowhere").exists()
