"""A Slurm of some nodes, on loopback, for as long as a test runs: munge, controller and nodes."""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.needs import has_program

DAEMONS = ("munged", "slurmctld", "slurmd")
CLIENTS = ("sacct", "sbatch", "scancel", "scontrol", "sinfo", "squeue", "srun")
# Snakemake gives a job's step no variable of Slurm's, so each program is told where to look.
CLIENT = """#!/bin/sh
SLURM_CONF={configuration} exec {program} "$@"
"""
SECONDS = 60.0
CONFIGURATION = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
MinJobAge=600
{nodes}
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
# All are this machine, each with a port of its own.
NODE = (
    "NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cores} "
    "RealMemory={memory} State=UNKNOWN"
)


def needs_slurm() -> None:
    """Skip where Slurm is not installed, or this is not root, whom its daemons want."""
    for name in (*DAEMONS, *CLIENTS):
        if not has_program(name):
            pytest.skip(f"needs {name}, of Debian's packages slurm-wlm and munge")
    if os.geteuid() != 0:
        pytest.skip("needs root: slurmd starts jobs for users")


@contextlib.contextmanager
def running(folder: Path, cores: int, nodes: int = 1) -> Iterator[Path]:
    """Run a cluster whose files are in `folder`; yield the folder of programs that find it.

    Each of its nodes has as many cores, and its share of the memory.
    """
    names = [f"node{number}" for number in range(1, nodes + 1)]
    for name in ("state", *(f"spool/{name}" for name in names), "bin"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)  # munge wants it
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o600)
    host = socket.gethostname().partition(".")[0]
    configuration = folder / "slurm.conf"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20 // nodes
    each = {"host": host, "cores": cores, "memory": memory}
    lines = "\n".join(NODE.format(name=name, port=_port(), **each) for name in names)
    configuration.write_text(
        CONFIGURATION.format(folder=folder, host=host, controller=_port(), nodes=lines)
    )
    for name in CLIENTS:
        client = folder / "bin" / name
        client.write_text(CLIENT.format(configuration=configuration, program=shutil.which(name)))
        client.chmod(0o755)
    munge = [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
    commands = (
        ["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *munge],
        ["slurmctld", "-D", "-f", str(configuration)],
        *(["slurmd", "-D", "-f", str(configuration), "-N", name] for name in names),
    )
    started: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            program = shutil.which(command[0])
            assert program is not None
            with (folder / f"{command[0]}.out").open("ab") as output:
                started.append(
                    subprocess.Popen(
                        [program, *command[1:]],
                        stdout=output,
                        stderr=subprocess.STDOUT,
                    )
                )
            if command[0] == "munged":
                _await(lambda: (folder / "munge.socket").exists(), folder)
        _await(lambda: _states(folder).split() == nodes * ["idle"], folder)
        yield folder / "bin"
    finally:
        for process in reversed(started):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _states(folder: Path) -> str:
    """Return what the nodes say that they do."""
    command = [str(folder / "bin/sinfo"), "--noheader", "--Node", "--format=%t"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _await(condition: Callable[[], object], folder: Path) -> None:
    until = time.monotonic() + SECONDS
    while not condition():
        said = "\n".join(path.read_text(errors="replace") for path in folder.glob("*.out"))
        assert time.monotonic() < until, f"Slurm does not start:\n{said}"
        time.sleep(0.2)


def _port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port
