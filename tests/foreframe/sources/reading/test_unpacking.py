"""Archives are unpacked whole and inside their folder, or refused; bombs do not go off."""

import gzip
import io
import stat
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy
import pytest

from foreframe.errors import UserError
from foreframe.sources.reading import unpacking

FILES = {"a/one.txt": b"one" * 400, "a/b/two.bin": bytes(range(256)) * 4, "three.txt": b""}
ENDINGS = (".tar", ".tar.gz", ".zip")


def pack(path: Path, files: Mapping[str, bytes] = FILES) -> Path:
    """Write an archive of the kind that its ending says and return its path."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.mkdir("a")
            for name, content in files.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as packed:
            for name, content in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                packed.addfile(entry, io.BytesIO(content))
    return path


def special(path: Path, name: str, kind: bytes, target: str = "../outside") -> Path:
    """Write an archive with one entry that is no file, and a file to be written through it."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(entry, target)
            archive.writestr(f"{name}/inside.txt", b"through the link")
        return path
    with tarfile.open(path, "w") as packed:
        link = tarfile.TarInfo(name)
        link.type, link.linkname = kind, target
        packed.addfile(link)
        inside = tarfile.TarInfo(f"{name}/inside.txt")
        inside.size = 4
        packed.addfile(inside, io.BytesIO(b"here"))
    return path


def unpacked(archive: Path, folder: Path, most_bytes: int = 10**6, files: int = 10) -> dict:  # type: ignore[type-arg]
    unpacking.unpack(archive, folder, most_bytes, files)
    return content(folder)


def content(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file() or path.is_symlink()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_was_packed_is_unpacked(ending: str, tmp_path: Path) -> None:
    archive = pack(tmp_path / f"x{ending}")
    assert unpacked(archive, tmp_path / "out") == FILES
    # Once more, over what a run that was stopped left behind.
    (tmp_path / "out/a/one.txt").write_bytes(b"half")
    assert unpacked(archive, tmp_path / "out") == FILES


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../out.txt", "lies outside"),
        ("a/../../out.txt", "lies outside"),
        ("/etc/out.txt", "lies outside"),
        ("C:/out.txt", "not all systems"),
        ("a\\..\\out.txt", "not all systems"),
        ("a\nb", "not all systems"),
        ("x" * 2000, "not all systems"),
        (".", "lies outside"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(
    ending: str, name: str, words: str, tmp_path: Path
) -> None:
    archive = pack(tmp_path / f"x{ending}", {"first.txt": b"1", name: b"2"})
    with pytest.raises(UserError, match=words):
        unpacked(archive, tmp_path / "in" / "out")
    assert set(content(tmp_path)) == {archive.name, "in/out/first.txt"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("x.zip", b""),
        ("x.tar", tarfile.SYMTYPE),
        ("x.tar", tarfile.LNKTYPE),
        ("x.tar", tarfile.CHRTYPE),
        ("x.tar", tarfile.BLKTYPE),
        ("x.tar", tarfile.FIFOTYPE),
    ],
)
def test_links_and_devices_are_refused(name: str, kind: bytes, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    for target in ("../outside", str(tmp_path / "outside"), "."):
        archive = special(tmp_path / name, "link", kind, target)
        with pytest.raises(UserError, match="link is a link or a device"):
            unpacked(archive, tmp_path / "out")
        assert content(tmp_path).keys() == {name}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_name_given_twice_is_refused(ending: str, tmp_path: Path) -> None:
    archive = pack(tmp_path / f"x{ending}", {"a.txt": b"1", "A.txt": b"2"})
    with pytest.raises(UserError, match=r"A\.txt is there twice"):
        unpacked(archive, tmp_path / "out")
    archive = pack(tmp_path / f"y{ending}", {"b": b"1", "b/c": b"2"})
    with pytest.raises(UserError, match="is both a file and a folder"):
        unpacked(archive, tmp_path / "out")


@pytest.mark.parametrize("ending", ENDINGS)
def test_more_than_announced_is_refused(ending: str, tmp_path: Path) -> None:
    archive = pack(tmp_path / f"x{ending}")
    size = sum(map(len, FILES.values()))
    assert unpacked(archive, tmp_path / "exact", size, len(FILES)) == FILES
    with pytest.raises(UserError, match="unpacks to more bytes"):
        unpacked(archive, tmp_path / "fewer", size - 1, len(FILES))
    with pytest.raises(UserError, match="unpacks to more files"):
        unpacked(archive, tmp_path / "less", size, len(FILES) - 1)


@pytest.mark.parametrize("ending", [".tar.gz", ".zip"])
def test_a_bomb_does_not_go_off(ending: str, tmp_path: Path) -> None:
    archive = pack(tmp_path / f"x{ending}", {"zeros": bytes(50 << 20)})
    assert archive.stat().st_size < 100_000
    with pytest.raises(UserError, match="more bytes"):
        unpacked(archive, tmp_path / "out", most_bytes=10**12)
    assert content(tmp_path / "out") == {}


def test_a_header_that_claims_gigabytes_is_not_read(tmp_path: Path) -> None:
    header = tarfile.TarInfo("pax")
    header.type, header.size = tarfile.XHDTYPE, 4 << 30
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(header.tobuf() + bytes(1 << 20)))
    with pytest.raises(UserError, match="a header claims 4294967296 bytes"):
        unpacked(path, tmp_path / "out")


def damages(content: bytes, count: int) -> list[bytes]:
    """Return damaged versions of a file: bytes changed, cut off, added or exchanged."""
    noise = numpy.random.default_rng(0)
    found = []
    for number in range(count):
        damaged, place = bytearray(content), int(noise.integers(len(content)))
        if number % 4 == 0:
            damaged[place] ^= 1 << int(noise.integers(8))
        elif number % 4 == 1:
            damaged[place : place + 8] = noise.bytes(8)
        elif number % 4 == 2:
            damaged = damaged[:place]
        else:
            damaged[place:place] = noise.bytes(3)
        found.append(bytes(damaged))
    return found


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_damaged_archive_is_refused_or_stays_inside(ending: str, tmp_path: Path) -> None:
    """Zip and gzip have checksums, so no file comes out with another content; tar has none."""
    files = {name: FILES[name] for name in ("a/b/two.bin", "three.txt")}
    archive = pack(tmp_path / f"x{ending}", files)
    right = archive.read_bytes()
    refused = 0
    for number, damaged in enumerate(damages(right, 200)):
        archive.write_bytes(damaged)
        out = tmp_path / "in" / str(number)
        try:
            found = unpacked(archive, out)
        except UserError as error:
            refused += 1
            assert str(archive) in str(error)
        else:
            if ending != ".tar":
                assert found.items() <= files.items(), number
    assert refused > 20
    assert {path.name for path in tmp_path.iterdir()} == {archive.name, "in"}
