"""A Slurm of one node, on loopback, for as long as a test runs: munge, controller and node."""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.needs import needs_program

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "sinfo")
SECONDS = 60.0
CONFIGURATION = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def needs_slurm() -> None:
    """Skip where Slurm is not installed, or this is not root, whom its daemons want."""
    for name in PROGRAMS:
        needs_program(name)
    if os.geteuid() != 0:
        pytest.skip("needs root: slurmd starts jobs for users")


@contextlib.contextmanager
def running(folder: Path, cores: int) -> Iterator[dict[str, str]]:
    """Run a cluster whose files are in `folder`; yield what finds it, as environment variables."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)  # munge wants it
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    host = socket.gethostname().partition(".")[0]
    configuration = folder / "slurm.conf"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    configuration.write_text(
        CONFIGURATION.format(
            folder=folder, host=host, controller=_port(), node=_port(), cores=cores, memory=memory
        )
    )
    found = {"SLURM_CONF": str(configuration)}
    munge = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
    commands = (
        ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *munge],
        ["slurmctld", "-D", "-f", str(configuration)],
        ["slurmd", "-D", "-f", str(configuration), "-N", host],
    )
    started: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            program = shutil.which(command[0])
            assert program is not None
            with (folder / f"{command[0]}.out").open("wb") as output:
                started.append(
                    subprocess.Popen(
                        [program, *command[1:]],
                        env={**os.environ, **found},
                        stdout=output,
                        stderr=subprocess.STDOUT,
                    )
                )
            if command[0] == "munged":
                _await(lambda: (folder / "munge.socket").exists(), folder)
        _await(lambda: "idle" in _sinfo(found), folder)
        yield found
    finally:
        for process in reversed(started):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _sinfo(found: dict[str, str]) -> str:
    command = ["sinfo", "--noheader", "--format=%t"]
    return subprocess.run(
        command, env={**os.environ, **found}, capture_output=True, text=True, check=False
    ).stdout


def _await(condition: object, folder: Path) -> None:
    assert callable(condition)
    until = time.monotonic() + SECONDS
    while not condition():
        said = "\n".join(path.read_text(errors="replace") for path in folder.glob("*.out"))
        assert time.monotonic() < until, f"Slurm does not start:\n{said}"
        time.sleep(0.2)


def _port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port
