"""The commands `foreframe weights`: what they print, and downloads from a server of our own."""

import contextlib
import functools
import http.server
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import torchmetrics

from foreframe.errors import UserError
from foreframe.features import registry, store
from tests.foreframe.features import synthetic
from workflow import cli, weights

HEADS = registry.entry("lpips_alex")
SHIPPED = Path(torchmetrics.__file__).parent / "functional/image/lpips_models"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Serve a folder of this machine; return its address and the folder."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_address[1]}", folder
        running.shutdown()


def plain(url: str) -> contextlib.AbstractContextManager[weights.Response]:
    """Open any address: the secure opener would refuse the test's server."""
    response: contextlib.AbstractContextManager[weights.Response]
    response = urllib.request.urlopen(url, timeout=10)
    return response


def command(*arguments: str) -> int:
    with pytest.raises(SystemExit) as end:
        cli.main(["weights", *arguments])
    code = end.value.code
    assert code is None or isinstance(code, int), code
    return code or 0


def test_list_names_source_licence_and_checksum(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    synthetic.stored(tmp_path, HEADS)
    assert command("list", "--folder", str(tmp_path)) == 0
    text = capsys.readouterr().out
    for entry in registry.ENTRIES.values():
        assert entry.url in text
        assert (entry.sha256 or "not published") in text
    assert "lpips_alex: LPIPS with AlexNet; stored" in text
    assert "i3d: FVD; not stored" in text


@pytest.mark.parametrize("name", ["alex", "vgg"])
def test_a_published_file_is_added_and_checked(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The heads of LPIPS come with torchmetrics: real files, real checksums."""
    folder = ("--folder", str(tmp_path))
    assert command("add", f"lpips_{name}", str(SHIPPED / f"{name}.pth"), *folder) == 0
    assert command("check", *folder) == 0
    assert f"lpips_{name}: right" in capsys.readouterr().out
    assert len(store.require(tmp_path, registry.entry(f"lpips_{name}")).tensors) == 5


def test_check_names_what_is_damaged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ("--folder", str(tmp_path))
    command("add", "lpips_alex", str(SHIPPED / "alex.pth"), *folder)
    path = store.path(tmp_path, "lpips_alex")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert command("check", *folder) == 1
    assert "lpips_alex.safetensors is damaged" in capsys.readouterr().out


def test_mistakes_are_plain_errors(tmp_path: Path) -> None:
    for arguments, words in (
        (("add", "resnet", "x.pth"), "no weights called resnet"),
        (("add", "lpips_alex", str(tmp_path / "no.pth")), "is no file"),
        (("add", "lpips_alex", str(SHIPPED / "vgg.pth")), "is not the published alex.pth"),
    ):
        with pytest.raises(SystemExit, match=words):
            cli.main(["weights", *arguments, "--folder", str(tmp_path)])


def test_a_download_is_checked_stored_and_removed(server: tuple[str, Path], tmp_path: Path) -> None:
    url, served = server
    (served / "alex.pth").write_bytes((SHIPPED / "alex.pth").read_bytes())
    entry = registry.Entry(**{**vars(HEADS), "url": f"{url}/alex.pth"})
    weights.download(tmp_path / "store", entry, plain)
    assert store.require(tmp_path / "store", HEADS).digest == HEADS.sha256
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["lpips_alex.safetensors"]


def test_without_a_published_checksum_it_is_recorded(
    server: tuple[str, Path], tmp_path: Path
) -> None:
    url, served = server
    entry = synthetic.unpinned(HEADS, url=f"{url}/alex.pth")
    file = synthetic.public_file(served, entry)
    weights.download(tmp_path / "store", entry, plain)
    assert store.require(tmp_path / "store", entry).digest == store.sha256(file)


def test_a_wrong_download_leaves_nothing_behind(
    server: tuple[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, served = server
    entry = registry.Entry(**{**vars(HEADS), "url": f"{url}/alex.pth"})
    folder = tmp_path / "store"
    with pytest.raises(UserError, match=r"could not be downloaded.*404"):
        weights.download(folder, entry, plain)
    synthetic.public_file(served, entry)
    with pytest.raises(UserError, match="nothing was kept"):
        weights.download(folder, entry, plain)
    with pytest.raises(UserError, match="another layout"):
        other = synthetic.unpinned(registry.entry("lpips_vgg"), url=entry.url)
        weights.download(folder, other, plain)
    monkeypatch.setattr(weights, "LARGEST", 1000)
    with pytest.raises(UserError, match="larger than 1,000 bytes"):
        weights.download(folder, entry, plain)
    assert list(folder.iterdir()) == []


def test_only_https_is_opened(server: tuple[str, Path], tmp_path: Path) -> None:
    url, served = server
    (served / "alex.pth").write_bytes(b"")
    entry = registry.Entry(**{**vars(HEADS), "url": f"{url}/alex.pth"})
    with pytest.raises(UserError, match="over https alone"):
        weights.download(tmp_path, entry, weights.secure)
    for address in ("file:" + "///etc/hostname", "ftp://127.0.0.1/x"):
        with pytest.raises(UserError, match="over https alone"):
            weights.secure(address)


def test_a_redirection_away_from_https_is_refused() -> None:
    request = urllib.request.Request("https://127.0.0.1/x")
    with pytest.raises(UserError, match="over https alone"):
        weights.SecureRedirects().redirect_request(
            request, None, 302, "Found", {}, "http://127.0.0.1/y"
        )
