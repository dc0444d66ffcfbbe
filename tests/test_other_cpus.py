"""Operations and trainings have the same bits on another CPU: here on one that a program imitates.

QEMU computes each instruction as the manuals say. What makers leave open (the approximations RCPPS
and RSQRTPS, which libraries begin with) it rounds otherwise than any real CPU does.
"""

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from foreframe.running import instructions
from tests import needs, smoke
from tests.foreframe.training import runs, shared, test_sharding
from workflow import operations

EMULATOR = "qemu-x86_64"
PROGRAM = """
import json, sys
from foreframe.running import instructions
instructions.adopt()
from workflow import operations
print(json.dumps(operations.digests(sys.argv[1:])))
"""


def run(cpu: str, words: list[str], folder: Path) -> str:
    """Return what Python prints on a CPU of this model, in a folder."""
    needs.needs_program(EMULATOR)
    folders = [str(smoke.ROOT), sysconfig.get_paths()["purelib"]]
    clean = {key: value for key, value in os.environ.items() if key not in instructions.SWITCHES}
    command = [EMULATOR, "-cpu", cpu, str(Path(sys.executable).resolve()), *words]
    environment = {**clean, "PYTHONPATH": os.pathsep.join(folders)}
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, check=True, text=True
    )
    return done.stdout


@pytest.mark.parametrize(
    ("cpu", "groups"),
    [
        ("EPYC", ["elementwise"]),
        pytest.param("Haswell", [*operations.GROUPS, operations.ALONE], marks=pytest.mark.slow),
    ],
)
def test_operations_have_the_same_bits(cpu: str, groups: list[str], tmp_path: Path) -> None:
    found = json.loads(run(cpu, ["-c", PROGRAM, *groups], tmp_path))
    assert found
    assert found == operations.digests(groups)


@pytest.mark.slow
@pytest.mark.parametrize("case", sorted(shared.CASES))
def test_a_training_leaves_the_same_bytes(case: str, tmp_path: Path) -> None:
    wanted = test_sharding.trained(tmp_path / "here", case, 1)
    folder = tmp_path / "there"
    folder.mkdir()
    run("Haswell", test_sharding.command(case)[1:], folder)
    assert runs.contents(folder / shared.OUT) == wanted


def test_the_committed_list_is_of_these_operations() -> None:
    assert operations.differing(operations.digests()) == []
