"""The installer: all locked by hash, CUDA only where there is a GPU, plain words on failure."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.smoke import ROOT
from workflow import install

REQUIREMENTS = ROOT / "requirements"
LOCKS = sorted(REQUIREMENTS.glob("*.lock"))
# Packages that bring CUDA, and packages that pull in a torch of their own choosing.
UNWANTED = re.compile(r"nvidia-.*|cuda-.*|triton|torchvision|torchaudio|lpips|lightning|torch")


class Pip:
    """Notes what pip is asked; fails for arguments in which all the words of `failing` occur."""

    def __init__(self, *failing: str) -> None:
        self.failing = failing
        self.asked: list[Sequence[str]] = []

    def __call__(self, arguments: Sequence[str]) -> str | None:
        self.asked.append(arguments)
        failed = bool(self.failing) and all(word in arguments for word in self.failing)
        return "No matching distribution found" if failed else None

    def files(self) -> list[str]:
        """Return the locks that were installed, in order."""
        return [word for arguments in self.asked for word in arguments if word.endswith(".lock")]


def entries(path: Path) -> dict[str, list[str]]:
    """Return {requirement: its hashes} of a lock."""
    result: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        if match := re.match(r"([a-z0-9-]+==\S+)( ;[^\\]*)? \\$", line):
            result[match[1]] = current = []
        elif match := re.fullmatch(r"    --hash=sha256:([0-9a-f]{64})( \\)?", line):
            current.append(match[1])
        else:
            assert line.lstrip().startswith("#") or not line, line
    return result


def names(path: Path) -> set[str]:
    return {requirement.partition("==")[0] for requirement in entries(path)}


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_locked_package_is_pinned_and_has_hashes(path: Path) -> None:
    locked = entries(path)
    assert locked
    assert all(locked.values())


@pytest.mark.parametrize("name", ["core", "dev"])
def test_neither_cuda_nor_a_second_torch_comes_with_the_other_packages(name: str) -> None:
    assert [p for p in names(REQUIREMENTS / f"{name}.lock") if UNWANTED.fullmatch(p)] == []


def test_the_locks_agree() -> None:
    core = entries(REQUIREMENTS / "core.lock")
    assert entries(REQUIREMENTS / "build.lock").items() <= core.items()
    for other in ("dev", "torch-cuda", "torch-cpu"):
        assert not names(REQUIREMENTS / f"{other}.lock") & names(REQUIREMENTS / "core.lock")
    versions = {
        requirement.partition("+")[0]
        for name in ("torch-cpu", "torch-cuda")
        for requirement in entries(REQUIREMENTS / f"{name}.lock")
        if requirement.startswith("torch==")
    }
    assert len(versions) == 1
    assert all(version in (REQUIREMENTS / "core.in").read_text() for version in versions)


@pytest.mark.parametrize(("inputs", "lock"), [("core.in", "core.lock"), ("dev.in", "dev.lock")])
def test_everything_asked_for_is_locked(inputs: str, lock: str) -> None:
    asked = re.findall(r"^([a-z0-9.-]+)", (REQUIREMENTS / inputs).read_text(), re.M)
    wanted = {name.replace(".", "-") for name in asked if not name.startswith("-")} - {"torch"}
    assert wanted
    assert wanted <= names(REQUIREMENTS / lock) | names(REQUIREMENTS / "core.lock")


def test_a_cpu_machine_gets_no_cuda() -> None:
    pip = Pip()
    list(install.install(pip, "cpu", dev=False))
    assert pip.files() == [
        "requirements/build.lock",
        "requirements/core.lock",
        "requirements/torch-cpu.lock",
    ]


def test_a_gpu_machine_gets_cuda_and_a_developer_the_test_packages() -> None:
    pip = Pip()
    list(install.install(pip, "cuda", dev=True))
    assert pip.files()[-2:] == ["requirements/torch-cuda.lock", "requirements/dev.lock"]
    assert "requirements/torch-cpu.lock" not in pip.files()


def test_everything_is_installed_by_hash_and_without_resolving() -> None:
    pip = Pip()
    list(install.install(pip, "cpu", dev=True))
    *locked, package, check = pip.asked
    assert all("--require-hashes" in arguments for arguments in locked)
    assert all("--no-deps" in arguments for arguments in [*locked, package])
    assert package[-2:] == ("--editable", ".") or package[-2:] == ["--editable", "."]
    assert check[0] == "check"


def test_pytorchs_index_is_asked_only_where_pip_knows_no_wheel() -> None:
    known = Pip()
    install.install_cpu_torch(known)
    assert not any("--index-url" in arguments for arguments in known.asked)

    class Unknown(Pip):
        def __call__(self, arguments: Sequence[str]) -> str | None:
            super().__call__(arguments)
            return None if "--index-url" in arguments else "No matching distribution found"

    unknown = Unknown()
    install.install_cpu_torch(unknown)
    assert [arguments[-1] for arguments in unknown.asked] == [
        "requirements/torch-cpu.lock",
        install.CPU_INDEX,
    ]
    assert all("--require-hashes" in arguments for arguments in unknown.asked)


def test_a_failure_says_what_failed_and_what_to_do() -> None:
    pip = Pip("requirements/core.lock")
    with pytest.raises(install.InstallError) as error:
        list(install.install(pip, "cpu", dev=False))
    text = str(error.value)
    assert "requirements/core.lock failed" in text
    assert "No matching distribution found" in text
    assert "make again" in text
    assert pip.files() == ["requirements/build.lock", "requirements/core.lock"]


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (None, "cpu"),
        ("echo 'GPU 0: NVIDIA H200 (UUID: GPU-0)'", "cuda"),
        ("echo 'No devices were found'", "cpu"),
        ("echo 'NVIDIA-SMI has failed: no driver'; exit 9", "cpu"),
    ],
)
def test_the_build_follows_the_gpu_that_the_driver_lists(
    script: str | None, expected: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if script is not None:
        (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    assert install.torch_build("auto") == expected
    assert install.torch_build("cuda") == "cuda"
    assert install.torch_build("cpu") == "cpu"


def test_pip_failures_are_returned_and_successes_are_not(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "python"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "asked $3"\ntest "$3" != bad\n')
    program.chmod(0o755)
    pip = install.pip(tmp_path)
    assert pip(["good"]) is None
    assert pip(["bad"]) == "asked bad"


def test_modules_are_compiled_even_where_python_would_write_no_bytecode(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    environment = tmp_path / "tests" / ".venv"  # tests are left out below lib, not above it
    (environment / "bin").mkdir(parents=True)
    (environment / "bin" / "python").symlink_to(sys.executable)
    (environment / "lib" / "tests").mkdir(parents=True)
    for name, text in (("good", "x = 1"), ("tests/unused", "print 1"), ("py399_new", "print 1")):
        (environment / "lib" / f"{name}.py").write_text(f"{text}\n")
    assert install.compile_modules(environment)
    (environment / "lib" / "broken.py").write_text("print 1\n")
    assert not install.compile_modules(environment)
    compiled = [path.name.partition(".")[0] for path in environment.rglob("*.pyc")]
    assert compiled == ["good"]


def test_a_finished_environment_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pip").touch()
    install.create(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["bin"]
