"""`foreframe doctor` does what the pipeline will do, and names what fails with its cure."""

import os
import re
import shutil
import sys
from pathlib import Path
from textwrap import indent

import pytest
import torch

from foreframe.artefacts import facts
from tests.smoke import PROGRAMS, ROOT
from tests.workflow import tiny
from workflow import doctor, operations
from workflow.doctor import work
from workflow.doctor.check import Check
from workflow.doctor.rounding import rounding

PARAMS = ROOT / "params.yaml"
# The modules: the package has functions of the same names.
environment, machine = (
    sys.modules[f"workflow.doctor.{name}"] for name in ("environment", "machine")
)


def found(find: str, params: Path = PARAMS) -> dict[str, Check]:
    return {check.name: check for check in getattr(doctor, find)(params)}


@pytest.fixture(autouse=True)
def programs_in_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.parametrize(
    "find", ["python", "programs", "folders", "parameters", "simulator", "video", "typesetting"]
)
def test_real_checks_pass_where_the_tests_run(find: str) -> None:
    statuses = {check.status for check in getattr(doctor, find)(PARAMS)}
    assert "missing" not in statuses


def test_the_simulator_really_draws() -> None:
    assert "400x600x3" in found("simulator")["simulator"].detail


@pytest.mark.parametrize(
    ("kind", "further", "status", "cure"),
    [
        ("car_racing", "driving_thesis", "missing", "needed by: driving)"),
        ("car_racing", "recurrent_flows", "missing", "needed by: driving, recurrent_flows)"),
        ("video_folder", "recurrent_flows", "warning", "needed by: recurrent_flows)"),
        ("video_folder", "driving_thesis", "warning", "if a study is to have its frames)"),
    ],
)
def test_a_simulator_that_does_not_draw_is_an_error_only_where_the_main_study_has_its_frames(
    kind: str,
    further: str,
    status: str,
    cure: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for path in (PARAMS, *ROOT.glob(f"studies/{further}/*.yaml")):
        (tmp_path / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, tmp_path / path.relative_to(ROOT))
    params = tmp_path / "params.yaml"
    if kind == "video_folder":
        text = params.read_text()
        start, stop = text.index("    source:"), text.index("    split:")
        # What is named in a comment is not asked for.
        source = (
            "kind: video_folder\nheight: 64\nwidth: 64\nframe_interval: 0.1\n# kind: car_racing\n"
        )
        params.write_text(text[:start] + "    source:\n" + indent(source, 6 * " ") + text[stop:])
    assert {check.status for check in work.parameters(params)} <= {"ok", "warning"}

    def undrawn() -> None:
        raise RuntimeError("no Box2D")

    monkeypatch.setattr(work, "_drawn", undrawn)
    [check] = found("simulator", params).values()
    assert check.status == status
    assert check.cure.endswith(cure)


def test_torch_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found("torch_and_gpu").keys() == {"torch", "gpu"}
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.version.cuda", None)
    monkeypatch.setattr("workflow.install.has_nvidia_gpu", lambda: True)
    gpu = found("torch_and_gpu")["gpu"]
    assert (gpu.status, "TORCH=cuda" in gpu.cure) == ("warning", True)


def test_a_program_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    checks = found("programs")
    assert {check.status for check in checks.values()} == {"missing"}
    assert checks["git"].cure == "Install git"


def test_a_program_that_does_not_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "git").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert found("programs")["git"].status == "missing"


def test_a_package_of_another_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "core.lock").write_text(
        "h5py==0.1 \\\n    --hash=sha256:00\nnothing==2 ; sys_platform == 'win32' \\\n"
    )
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    packages = found("packages")["packages"]
    assert packages.status == "warning"
    assert packages.detail.startswith("h5py 3")
    assert packages.detail.endswith("instead of 0.1")


def test_a_folder_that_is_no_repository(tmp_path: Path) -> None:
    assert found("folders", tmp_path / "params.yaml")["project"].status == "missing"


def test_a_wrong_parameter_is_named_and_ends_with_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".git").mkdir()
    shutil.copy(PARAMS, tmp_path)
    params = tmp_path / "params.yaml"
    params.write_text(params.read_text().replace("seed:", "sede:"))
    assert doctor.run(params) == 1
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith("missing  params") and "sede" in line for line in lines)
    assert lines[-1] == "Missing: params."


def test_a_wrong_parameter_of_a_further_study_is_a_warning(tmp_path: Path) -> None:
    shutil.copy(PARAMS, tmp_path)
    tiny.write(tmp_path / "studies/driving_thesis", {"dvc.yaml": "", "params.yaml": "nothing: 1\n"})
    checks = found("parameters", tmp_path / "params.yaml")
    assert checks["params"].status != "missing"
    assert checks["driving_thesis"].status == "warning"
    assert "studies/driving_thesis/params.yaml" in checks["driving_thesis"].detail


def test_more_threads_than_cores_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0})
    assert found("parameters")["params"].status == "warning"
    assert "compute.threads to 1" in found("parameters")["params"].cure


@pytest.mark.parametrize(
    ("memory", "gpu", "expected"),
    [(2.0, 0.0, "smoke (thesis"), (16.0, 8.0, "smoke, laptop (thesis")],
)
def test_presets_by_memory(
    memory: float, gpu: float, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_memory", lambda: memory)
    monkeypatch.setattr(machine, "_gpu_memory", lambda: gpu)
    assert found("presets")["presets"].detail.startswith(expected)
    monkeypatch.setattr(machine, "_gpu_memory", lambda: 80.0)
    assert found("presets")["presets"].detail.endswith("thesis")


def test_the_table_puts_each_cure_under_its_check() -> None:
    checks = [Check("a", "ok", "fine"), Check("bcd", "warning", "low", "Get more")]
    assert list(doctor.table(checks)) == [
        "ok       a    fine",
        "warning  bcd  low",
        "              -> Get more",
        "Everything needed is here.",
    ]


def test_an_operation_that_this_cpu_rounds_otherwise_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = operations.digests()
    monkeypatch.setattr(operations, "digests", lambda: digests)
    monkeypatch.setattr(operations, "COMMITTED", tmp_path / "operations.json")
    version = torch.__version__.partition("+")[0]
    for changed, status, text in (
        ({}, "ok", f"rounds {len(digests)} operations as the committed list says"),
        ({"softmax": "0", "matmul": "0"}, "warning", f"2 of {len(digests)} .*: matmul, softmax$"),
    ):
        known = {"torch": version, "digests": digests | changed}
        facts.write(operations.COMMITTED, operations.SCHEMA, known)
        [check] = rounding(PARAMS)
        assert check.status == status
        assert re.search(text, check.detail)
    facts.write(operations.COMMITTED, operations.SCHEMA, {"torch": "9.9.9", "digests": {}})
    [check] = rounding(PARAMS)
    assert check.status == "warning" and "of torch 9.9.9" in check.detail


def test_the_committed_list_is_of_the_locked_torch_and_of_every_operation() -> None:
    known = facts.read(operations.COMMITTED, operations.SCHEMA)
    assert known["torch"] == torch.__version__.partition("+")[0]
    assert known["digests"].keys() == operations.digests().keys()


def test_a_remote_that_is_believed_is_named(tmp_path: Path) -> None:
    folder = tiny.make(tmp_path / "project")
    assert found("remotes", folder / "params.yaml") == {}
    tiny.run(folder, "dvc", "remote", "add", "far", str(tmp_path / "far"))
    check = found("remotes", folder / "params.yaml")["remotes"]
    assert (check.status, check.cure) == ("warning", "Run: dvc remote modify far verify true")
    tiny.run(folder, *check.cure.removeprefix("Run: ").split())
    assert found("remotes", folder / "params.yaml")["remotes"].status == "ok"
