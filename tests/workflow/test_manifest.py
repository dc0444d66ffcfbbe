"""`foreframe manifest`: checksums that sha256sum accepts, and vouches for no damaged file."""

import shutil
import subprocess
from pathlib import Path

import pytest

from foreframe.errors import UserError
from tests.needs import needs_program
from tests.workflow import damage
from workflow import manifest
from workflow.verification import study

OUT = "data/all.txt"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return damage.make(tmp_path_factory.mktemp("manifest") / "made")


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(made, folder, symlinks=True)
    return folder


def checked_by_sha256sum(folder: Path) -> int:
    needs_program("sha256sum")
    command = ["sha256sum", "--check", "--strict", "sums.txt"]
    return subprocess.run(command, cwd=folder, capture_output=True).returncode


def test_sha256sum_accepts_it_and_it_names_every_output_in_order(project: Path) -> None:
    assert manifest.write(project, project / "sums.txt") == 0
    names = [line.split("  ")[1] for line in (project / "sums.txt").read_text().splitlines()]
    assert names == sorted(study.read(project).makers)
    assert checked_by_sha256sum(project) == 0
    assert manifest.check(project, project / "sums.txt") == 0


def test_both_checks_name_a_flipped_bit_and_a_missing_file(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest.write(project, project / "sums.txt")
    damage.flip(project / OUT)
    (project / "data/loud.txt").unlink()
    assert checked_by_sha256sum(project) == 1
    assert manifest.check(project, project / "sums.txt") == 3
    text = capsys.readouterr().out
    assert f"DAMAGED  {OUT}\n" in text
    assert "MISSING  data/loud.txt\n" in text


def test_no_damaged_file_is_vouched_for(project: Path) -> None:
    damage.flip(project / OUT)
    with pytest.raises(UserError, match=rf"{OUT} is not as dvc\.lock says"):
        manifest.write(project, project / "sums.txt")
    assert not (project / "sums.txt").exists()


def test_an_output_without_a_line_is_named(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest.write(project, project / "sums.txt")
    lines = (project / "sums.txt").read_text().splitlines(keepends=True)
    (project / "sums.txt").write_text("".join(lines[1:]))
    assert manifest.check(project, project / "sums.txt") == 4
    assert f"NOT IN THE MANIFEST  {OUT}" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "hello\n", "0" * 63 + "  a\n"])
def test_a_manifest_of_another_form_is_refused(text: str, project: Path) -> None:
    (project / "sums.txt").write_text(text)
    with pytest.raises(UserError, match="Get the file again"):
        manifest.check(project, project / "sums.txt")
