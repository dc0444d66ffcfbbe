"""No stage opens a socket to a network, and everything works where there is none."""

import shlex
import sys
from pathlib import Path

import pytest

from foreframe.config import reading
from tests import smoke
from tests.needs import CUT_OFF, needs_cut_off, needs_program
from workflow import dag

STAGES = {stage.name: stage for stage in dag.read(smoke.ROOT) if stage.study == "driving"}
# Families of sockets that reach other machines.
INTERNET = "AF_INET"
REPORTS = ("report.pdf", "report.html", "data.html")


def offline(clone: smoke.Clone, *command: str) -> str:
    """Run a command in the clone without a network; return what it wrote."""
    return clone.run(*CUT_OFF, *command).stdout


def sockets(clone: smoke.Clone, module: str) -> list[str]:
    """Return the lines of the traces of `python -m module` that tell of a socket."""
    paths = list(clone.traces.glob(f"{module}.*"))
    assert paths, f"{module} was not traced"
    lines = [line for path in paths for line in path.read_text(errors="replace").splitlines()]
    return [line for line in lines if "socket(" in line]


@pytest.mark.parametrize("name", STAGES)
def test_no_stage_opens_a_socket_to_a_network(name: str, by_dvc: smoke.Clone) -> None:
    needs_program("strace")
    found = sockets(by_dvc, shlex.split(STAGES[name].command)[2])
    assert [line for line in found if INTERNET in line] == []


def test_a_socket_would_be_seen(by_dvc: smoke.Clone) -> None:
    needs_program("strace")
    # Never connected: to ask for it is what the trace shows.
    by_dvc.run("python", "-c", "import socket; socket.socket().close()")
    assert any(INTERNET in line for line in sockets(by_dvc, "import socket; socket.socket()"))


def test_the_network_is_cut_off(by_dvc: smoke.Clone) -> None:
    needs_cut_off()
    code = "import socket; print([name for _, name in socket.if_nameindex()])"
    assert offline(by_dvc, "python3", "-c", code).strip() == "['lo']"


@pytest.mark.parametrize(
    "command",
    [
        "dvc repro",
        "dvc metrics show",
        "snakemake --dry-run",
        f"{sys.executable} -m workflow.cli check",
        f"{sys.executable} -m workflow.cli doctor",
        # They read what those above read.
        pytest.param("dvc status", marks=pytest.mark.slow),
        pytest.param("dvc params diff", marks=pytest.mark.slow),
        pytest.param("dvc dag", marks=pytest.mark.slow),
    ],
)
def test_a_command_works_without_a_network(command: str, by_dvc: smoke.Clone) -> None:
    needs_cut_off()
    offline(by_dvc, *shlex.split(command))


def test_the_report_is_compiled_without_a_network(by_dvc: smoke.Clone, tmp_path: Path) -> None:
    needs_cut_off()
    clone = smoke.copy(by_dvc, tmp_path / "copy")
    pages = [clone.folder / "reports/driving" / name for name in REPORTS]
    before = [page.read_bytes() for page in pages]
    offline(clone, "dvc", "repro", "--quiet", "--force", "--single-item", "report")
    assert [page.read_bytes() for page in pages] == before


@pytest.mark.slow
def test_the_whole_study_runs_without_a_network(by_dvc: smoke.Clone, tmp_path: Path) -> None:
    needs_cut_off()
    clone = smoke.clone(tmp_path / "study")
    offline(clone, "dvc", "repro", "--quiet")
    # In whichever order: DVC adds entries as it happens to come to the stages.
    one, other = (reading.load(folder / "dvc.lock") for folder in (clone.folder, by_dvc.folder))
    assert one == other


def test_without_a_network_a_connection_fails(by_dvc: smoke.Clone) -> None:
    needs_cut_off()
    with pytest.raises(AssertionError, match="unreachable"):
        offline(
            by_dvc,
            "python3",
            "-c",
            "import socket; socket.create_connection(('192.0.2.1', 80), timeout=5)",
        )
