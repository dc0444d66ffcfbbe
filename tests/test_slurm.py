"""The study as jobs of a Slurm: the same bytes, after a job that was cancelled too."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests import killing, slurm, smoke
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
