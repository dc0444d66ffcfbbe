"""Jobs of Kubernetes: what is asked of a cluster, and a project run by one that a program plays."""

import argparse
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from foreframe.config import reading
from foreframe.errors import UserError
from tests.smoke import PROGRAMS, ROOT
from tests.workflow import tiny
from workflow import kubernetes

PROFILE = "profiles/kubernetes/profile.yaml"
JOB = {
    "rule": "study_train_prior_top@1",
    "threads": 4,
    "resources": {"mem_mb": 6001, "runtime": 40, "gpu": 1},
}

# A cluster of one node: it keeps what it was sent, and runs it here.
KUBECTL = """#!{python}
import json, os, subprocess, sys
from pathlib import Path

folder, words = Path({folder!r}), sys.argv[1:]
if words[0] == "create":
    job = json.load(sys.stdin)
    name = job["metadata"]["generateName"] + str(len(list(folder.glob("*.json"))))
    (folder / (name + ".json")).write_text(json.dumps(job))
    pod = job["spec"]["template"]["spec"]["containers"][0]
    run = 'sh "$1"; echo $? > "$2"; mv "$2" "$3"'
    ends = [str(folder / (name + end)) for end in (".code", ".done")]
    with open(folder / (name + ".log"), "w") as log:
        subprocess.Popen(
            ["sh", "-c", run, "sh", pod["command"][1], *ends], cwd=pod["workingDir"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )
    print("job.batch/" + name)
else:
    done = folder / (words[1].partition("/")[2] + ".done")
    code = done.read_text().strip() if done.exists() else ""
    status = {{"": {{"active": 1}}, "0": {{"succeeded": 1}}}}.get(code, {{"failed": 1}})
    print(json.dumps({{"status": status}}))
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script of Snakemake's, in the folder of work."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "job.sh"
    path.write_text(f"#!/bin/sh\n{kubernetes.PROPERTIES}{json.dumps(JOB)}\ntrue\n")
    return path


def program(folder: Path, text: str) -> None:
    (folder / "bin").mkdir()
    (folder / "bin/kubectl").write_text(text)
    (folder / "bin/kubectl").chmod(0o755)


def pod(script: Path, **changes: Any) -> argparse.Namespace:
    words = {"image": "python:3.11", "claim": "project", "gpu": "amd.com/gpu"}
    return argparse.Namespace(script=script, **{**words, "mount": str(Path.cwd()), **changes})


def test_a_job_asks_for_what_its_stage_does_and_has_the_folder(script: Path) -> None:
    found = kubernetes.manifest(script, kubernetes.properties(script), pod(script))
    assert found["metadata"]["generateName"] == "foreframe-study-train-prior-top-1-"
    assert found["spec"]["activeDeadlineSeconds"] == 2400
    assert found["spec"]["backoffLimit"] == 0
    inside = found["spec"]["template"]["spec"]
    assert inside["securityContext"]["runAsUser"] == os.getuid()
    assert inside["volumes"][0]["persistentVolumeClaim"] == {"claimName": "project"}
    (container,) = inside["containers"]
    assert container["command"] == ["/bin/sh", str(script)]
    assert container["workingDir"] == container["volumeMounts"][0]["mountPath"] == str(Path.cwd())
    assert container["resources"] == {
        "requests": {"cpu": "4", "memory": "6001M"},
        "limits": {"memory": "6001M", "amd.com/gpu": "1"},
    }


def test_a_job_without_a_gpu_asks_for_none(script: Path) -> None:
    resources = {"mem_mb": 1, "runtime": 1, "gpu": 0}
    found = kubernetes.manifest(script, {**JOB, "resources": resources}, pod(script))
    inside = found["spec"]["template"]["spec"]["containers"][0]
    assert inside["resources"]["limits"] == {"memory": "1M"}


# What kubectl answers, and what Snakemake is told.
ANSWERS = {
    "running": ('echo \'{"status": {"active": 1}}\'', "running"),
    "not begun": ("echo '{}'", "running"),
    "done": ('echo \'{"status": {"succeeded": 1}}\'', "success"),
    "failed": ('echo \'{"status": {"failed": 1}}\'', "failed"),
    "gone": ('echo "Error from server (NotFound): jobs" >&2; exit 1', "failed"),
    "nobody there": ('echo "Unable to connect to the server" >&2; exit 1', "running"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_job_is_failed_when_it_failed_or_is_gone_and_not_when_nobody_answers(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer, wanted = ANSWERS[name]
    program(tmp_path, f"#!/bin/sh\n{answer}\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert kubernetes.status("job.batch/x") == wanted


def test_what_cannot_be_submitted_is_said(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UserError, match="not on the volume at /elsewhere"):
        kubernetes.submit(pod(script, mount="/elsewhere"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(UserError, match="kubectl is not installed"):
        kubernetes.submit(pod(script))
    program(tmp_path, "#!/bin/sh\necho 'exceeded quota' >&2; exit 1\n")
    with pytest.raises(UserError, match="does not take the job: exceeded quota"):
        kubernetes.submit(pod(script))
    script.write_text("true")
    with pytest.raises(UserError, match="says nothing of its job"):
        kubernetes.submit(pod(script))


def test_the_profile_names_what_the_program_takes() -> None:
    words = reading.load(ROOT / PROFILE)["cluster-generic-submit-cmd"].split()
    assert words[:4] == ["python", "-m", "workflow.kubernetes", "submit"]
    assert {word for word in words if word.startswith("--")} == {
        "--image", "--claim", "--mount", "--gpu",
    }  # fmt: skip


@pytest.mark.slow
def test_a_project_runs_as_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec("snakemake_executor_plugin_cluster_generic") is None:
        pytest.skip("needs snakemake-executor-plugin-cluster-generic")
    folder, cluster = tiny.make(tmp_path / "project"), tmp_path / "cluster"
    cluster.mkdir()
    program(cluster, KUBECTL.format(python=sys.executable, folder=str(cluster)))
    profile = (ROOT / PROFILE).read_text()
    assert "--mount /foreframe" in profile
    text = profile.replace("--mount /foreframe", f"--mount {tmp_path}")
    tiny.write(folder, {PROFILE: text})
    path = os.pathsep.join([str(cluster / "bin"), str(PROGRAMS), os.environ["PATH"]])
    monkeypatch.setenv("PATH", path)
    tiny.run(folder, "env", "snakemake", "--workflow-profile", "profiles/kubernetes", "--quiet")
    jobs = [json.loads(path.read_text()) for path in cluster.glob("*.json")]
    assert len(jobs) == len(tiny.STAGES)
    alone = tiny.make(tmp_path / "alone")
    tiny.run(alone, "dvc", "repro")
    assert tiny.lock(folder) == tiny.lock(alone)
