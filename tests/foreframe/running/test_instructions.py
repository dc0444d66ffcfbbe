"""The level of a process is fixed before a library looks at the CPU, and no other one computes."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from foreframe.config.compute import Compute
from foreframe.errors import UserError
from foreframe.running import compute, instructions
from foreframe.running.instructions import SWITCHES, VARIABLE
from tests.smoke import ROOT
from workflow import operations

PORTABLE = Compute(device="cpu", instructions="portable", threads=1, precision="float32")
NATIVE = PORTABLE.model_copy(update={"instructions": "native"})

pytestmark = pytest.mark.skipif(
    platform.machine() not in instructions.X86, reason="levels are those of x86-64 CPUs"
)

STAGE = """
import json, os, stages, torch
from pathlib import Path
from foreframe.config.compute import Compute
from foreframe.running import compute as computing, instructions, stage

def main(*, compute: Compute, out: Path) -> None:
    computing.prepare(compute)
    seen = {name: os.environ.get(name) for name in (*instructions.SWITCHES, "OPENBLAS_NUM_THREADS")}
    starts = int(os.environ.get("STARTS", 0))
    out.write_text(json.dumps({"seen": seen, "starts": starts}))

if __name__ == "__main__":
    os.environ["STARTS"] = str(int(os.environ.get("STARTS", 0)) + 1)
    stage.run(main)
"""


def child(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in SWITCHES}
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**kept, **variables},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_this_process_is_portable_and_says_so() -> None:
    device = compute.prepare(PORTABLE)
    found = compute.environment(device, PORTABLE)
    assert (found["instructions"], found["cpu_instructions"]) == ("portable", "AVX2")


def test_another_level_than_that_of_the_process_is_refused() -> None:
    with pytest.raises(UserError, match="is native, but this process computes otherwise"):
        compute.prepare(NATIVE)
    with pytest.raises(UserError, match="needs a CPU with AVX2"):
        instructions.require("portable", "DEFAULT")


def test_a_process_that_loaded_torch_first_is_refused() -> None:
    code = (
        "import torch, stages; from foreframe.config.compute import Compute\n"
        "from foreframe.running import compute\n"
        f"compute.prepare(Compute(**{PORTABLE.model_dump()}))"
    )
    run = child(code)
    assert run.returncode == 1
    assert "NumPy or torch was loaded first" in run.stderr


@pytest.mark.parametrize(("level", "starts"), [("portable", 1), ("native", 2)])
def test_a_stage_computes_at_the_level_of_its_parameters(
    level: str, starts: int, tmp_path: Path
) -> None:
    (tmp_path / "stage.py").write_text(STAGE)
    values = {**PORTABLE.model_dump(), "instructions": level}
    (tmp_path / "params.yaml").write_text(f"compute: {json.dumps(values)}\n")
    command = ["--compute", f"{tmp_path / 'params.yaml'}:compute", "--out", str(tmp_path / "out")]
    kept = {name: value for name, value in os.environ.items() if name not in SWITCHES}
    subprocess.run(
        [sys.executable, str(tmp_path / "stage.py"), *command],
        cwd=tmp_path, env={**kept, "PYTHONPATH": str(ROOT)}, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads((tmp_path / "out").read_text())
    expected = SWITCHES if level == "portable" else dict.fromkeys(SWITCHES)
    assert found["seen"] == {**expected, "OPENBLAS_NUM_THREADS": "1"}
    assert found["starts"] == starts


@pytest.mark.parametrize(
    ("package", "level"), [("stages", "portable"), ("workflow", "portable"), ("stages", "native")]
)
def test_stages_and_commands_adopt_the_level_before_all_else(package: str, level: str) -> None:
    code = (
        f"import sys, {package}; from foreframe.running import instructions\n"
        "print(instructions._adopted, *({'numpy', 'torch'} & sys.modules.keys()))"
    )
    assert child(code, **{VARIABLE: level}).stdout.split() == [level]


def test_every_switch_is_read() -> None:
    """With other values every library computes other bits: none of them was set too late."""
    low = {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_CBWR": "AUTO",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
        "OPENBLAS_CORETYPE": "Nehalem",
    }
    assert low.keys() == SWITCHES.keys()
    code = (
        "import json; from foreframe.running import instructions\n"
        f"instructions.SWITCHES.update({low!r})\n"
        "import workflow; from workflow import operations\n"
        "instructions.require = lambda *_: None\n"
        "print(json.dumps(operations.digests()))"
    )
    threads = torch.get_num_threads()
    here, there = operations.digests(), json.loads(child(code).stdout)
    torch.set_num_threads(threads)
    for name in ("softmax", "conv2d 3x3", "matmul", "NumPy's exp", "NumPy's matmul"):
        assert here[name] != there[name], name
    assert here["cumsum"] == there["cumsum"]
