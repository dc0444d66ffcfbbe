"""Operations have the same bits on another CPU: here on one that a program imitates.

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
from workflow import operations

EMULATOR = "qemu-x86_64"
PROGRAM = """
import json, sys
from foreframe.running import instructions
instructions.adopt()
from workflow import operations
print(json.dumps(operations.digests(sys.argv[1:])))
"""


def elsewhere(cpu: str, *groups: str) -> dict[str, str]:
    """Return the digests of groups of operations, by a CPU of this model."""
    needs.needs_program(EMULATOR)
    folders = [str(smoke.ROOT), sysconfig.get_paths()["purelib"]]
    clean = {key: value for key, value in os.environ.items() if key not in instructions.SWITCHES}
    run = subprocess.run(
        [EMULATOR, "-cpu", cpu, str(Path(sys.executable).resolve()), "-c", PROGRAM, *groups],
        env={**clean, "PYTHONPATH": os.pathsep.join(folders)},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    found: dict[str, str] = json.loads(run.stdout)
    return found


@pytest.mark.parametrize(
    ("cpu", "groups"),
    [
        ("EPYC", ["elementwise"]),
        pytest.param("Haswell", [*operations.GROUPS, operations.ALONE], marks=pytest.mark.slow),
    ],
)
def test_another_cpu_gives_the_same_bits(cpu: str, groups: list[str]) -> None:
    found = elsewhere(cpu, *groups)
    assert found
    assert found == operations.digests(groups)


def test_the_committed_list_is_of_these_operations() -> None:
    assert operations.differing(operations.digests()) == []
