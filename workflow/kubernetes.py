"""A job of Snakemake as a Job of Kubernetes, for profiles/kubernetes: submit one, ask how it is.

Stages read and write the project's folder, DVC's locks and cache among it, so every pod mounts the
volume that the folder lies on, at the place where it lies here. Snakemake's own executor for
Kubernetes knows no such folder: it copies inputs and outputs through an object store, past DVC.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from foreframe.errors import UserError

PROPERTIES = "# properties = "
LABELS = {"app": "foreframe"}
LONGEST = 40  # letters of a rule in a Job's name; Kubernetes adds some and takes 63
SECONDS = 60


def properties(script: Path) -> dict[str, Any]:
    """Return what Snakemake wrote of a job into its script.

    Raises:
        UserError: nothing is there.
    """
    for line in script.read_text(encoding="utf-8").splitlines():
        if line.startswith(PROPERTIES):
            found: dict[str, Any] = json.loads(line.removeprefix(PROPERTIES))
            return found
    raise UserError(f"{script} is no script of Snakemake's: it says nothing of its job.")


def manifest(script: Path, job: Mapping[str, Any], pod: argparse.Namespace) -> dict[str, Any]:
    """Return the Job that runs a script: once, for Snakemake submits what failed again."""
    asked = job.get("resources", {})
    wants = {"cpu": str(job.get("threads", 1)), "memory": f"{asked['mem_mb']}M"}
    gpus = int(asked.get("gpu", 0))
    limits = {"memory": wants["memory"], **({pod.gpu: str(gpus)} if gpus else {})}
    container = {
        "name": "stage",
        "image": pod.image,
        "command": ["/bin/sh", str(script.resolve())],
        "workingDir": str(Path.cwd()),
        "resources": {"requests": wants, "limits": limits},
        "volumeMounts": [{"name": "project", "mountPath": pod.mount}],
    }
    rule = re.sub("[^a-z0-9]+", "-", str(job.get("rule", "group")).lower())[:LONGEST].strip("-")
    claim = {"name": "project", "persistentVolumeClaim": {"claimName": pod.claim}}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"generateName": f"foreframe-{rule}-", "labels": LABELS},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": 60 * int(asked["runtime"]),
            "template": {
                "metadata": {"labels": LABELS},
                "spec": {
                    "restartPolicy": "Never",
                    # Files belong to who started Snakemake.
                    "securityContext": {"runAsUser": os.getuid(), "runAsGroup": os.getgid()},
                    "containers": [container],
                    "volumes": [claim],
                },
            },
        },
    }


def submit(pod: argparse.Namespace) -> str:
    """Submit a script's job and return the Job's name.

    Raises:
        UserError: Kubernetes does not take it.
    """
    if not Path.cwd().is_relative_to(pod.mount):
        raise UserError(
            f"The project lies in {Path.cwd()}, which is not on the volume at {pod.mount}. Put it "
            "there, and set --mount in the profile to where the volume lies here."
        )
    content = json.dumps(manifest(pod.script, properties(pod.script), pod))
    answer = kubectl("create", "-f", "-", "-o", "name", content=content)
    if answer.returncode:
        raise UserError(f"Kubernetes does not take the job: {answer.stderr.strip()}")
    return answer.stdout.strip()


def status(name: str) -> str:
    """Return `running`, `success` or `failed`, as Snakemake wants it.

    A Job that is gone has failed. While nobody answers, it may well be running.
    """
    answer = kubectl("get", name, "-o", "json")
    if answer.returncode:
        sys.stderr.write(answer.stderr)
        return "failed" if "NotFound" in answer.stderr else "running"
    found = json.loads(answer.stdout).get("status", {})
    if found.get("succeeded"):
        return "success"
    return "failed" if found.get("failed") else "running"


def kubectl(*words: str, content: str = "") -> "subprocess.CompletedProcess[str]":
    """Run kubectl, which knows the cluster, the user and the namespace."""
    command = ["kubectl", *words]
    try:
        return subprocess.run(
            command, input=content, capture_output=True, text=True, check=False, timeout=SECONDS
        )
    except FileNotFoundError:
        raise UserError(
            "kubectl is not installed. Install it, and let it find a cluster."
        ) from None
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", "kubectl does not answer.\n")


def main(words: Sequence[str] | None = None) -> None:
    """Do what a profile of Snakemake's executor `cluster-generic` asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True, dest="what")
    asking = commands.add_parser("status", help="running, success or failed")
    asking.add_argument("job")
    submitting = commands.add_parser("submit", help="submit a script of Snakemake's")
    submitting.add_argument("--image", required=True, help="with the Python of .venv, and sh")
    submitting.add_argument("--claim", required=True, help="of the volume with the project")
    submitting.add_argument("--mount", required=True, help="where the volume lies, here and there")
    submitting.add_argument("--gpu", required=True, help="the name of a GPU among resources")
    submitting.add_argument("script", type=Path)
    options = parser.parse_args(words)
    try:
        print(status(options.job) if options.what == "status" else submit(options))
    except UserError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
