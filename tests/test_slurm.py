"""The study as jobs of a Slurm: the same bytes, after a job that was cancelled too."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from foreframe.running import processes
from tests import killing, slurm, smoke
from tests.foreframe.training import runs, shared, test_sharding
from tests.workflow import engines, tiny
from workflow import cluster

PROFILE = ("--workflow-profile", "profiles/slurm")
# A node of this machine's cores, whose memory no job need fill; its Slurm keeps no accounts.
HERE = ("--default-resources", "mem_mb=500", "runtime=30", "--slurm-status-command", "squeue")

SECONDS = 1200.0  # a job's start alone takes ten, and there is one after the other


@pytest.mark.slow
def test_the_study_runs_as_jobs_and_a_cancelled_training_goes_on(
    by_dvc: smoke.Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slurm.needs_slurm()
    clone = smoke.clone(tmp_path / "study")
    with slurm.running(tmp_path / "slurm", cores=len(os.sched_getaffinity(0))) as programs:
        monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
        cluster.has_gpus.cache_clear()
        assert not cluster.has_gpus()
        command = ("snakemake", *PROFILE, *HERE, "--latency-wait", "5")
        with killing.started(command, clone.folder) as running:
            begun = "a checkpoint of a training"
            killing.await_true(lambda: _checkpoints(clone.folder), begun, SECONDS)
            cancelled = _job("train_autoencoder")
            subprocess.run(["scancel", cancelled], check=True)
            assert running.wait(SECONDS) == 0, running.text
        assert f"SLURM-job '{cancelled}' failed, SLURM status is: 'CANCELLED'" in running.text
        assert running.text.count("Trying to restart job") == 1
    assert tiny.lock(clone.folder) == tiny.lock(by_dvc.folder)
    assert engines.status(clone.folder) <= _further(clone.folder)


@pytest.mark.slow
@pytest.mark.parametrize("nodes", [1, 2])
def test_srun_starts_the_processes_of_a_training(
    nodes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two, on all nodes of a job: a node each where there are two."""
    slurm.needs_slurm()
    wanted = test_sharding.trained(tmp_path / "alone", "prior", 1)
    folder = tmp_path / "job"
    folder.mkdir()
    cores = len(os.sched_getaffinity(0))
    with slurm.running(tmp_path / "slurm", cores, nodes) as programs:
        monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
        script = folder / "job.sh"
        words = {**test_sharding.environment(2), processes.LAUNCHER: processes.SRUN}
        exports = "".join(f"export {name}={value}\n" for name, value in words.items())
        script.write_text(
            f"#!/bin/sh\nsrun --overlap printenv SLURMD_NODENAME > nodes\n"
            f"{exports}exec {shlex.join(test_sharding.command('prior'))}\n"
        )
        batch = ["sbatch", "--wait", "--ntasks=2", f"--nodes={nodes}", "--mem=500"]
        batch += ["--output=said", str(script)]
        done = subprocess.run(batch, cwd=folder, check=False)
    assert done.returncode == 0, (folder / "said").read_text()
    assert len(set((folder / "nodes").read_text().split())) == nodes
    assert runs.contents(folder / shared.OUT) == wanted


def _checkpoints(folder: Path) -> bool:
    return any((folder / ".checkpoints").glob("train_autoencoder-*/*"))


def _further(folder: Path) -> set[str]:
    """Return the stages of the studies that were not run."""
    with engines.opening(folder) as repo:
        return {stage.addressing for stage in repo.index.stages if "studies/" in stage.addressing}


def _job(rule: str) -> str:
    """Return the number of the job that runs a rule."""
    command = ["squeue", "--noheader", "--format=%i %k"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    match = re.search(rf"^(\d+) .*{rule}", text, re.M)
    assert match is not None, text
    return match[1]
