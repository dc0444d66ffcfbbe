"""A code version changes when code that is run changes, and only then."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import stages.collect
from foreframe.running import stage
from foreframe.versions import NEUTRAL, PACKAGES, all_versions, code_digest, nested
from tests.smoke import ROOT

MODULES = {
    "pack/__init__.py": '"""The package."""\n',
    "pack/base.py": '"""Base."""\n\n\ndef one():\n    """Return 1."""\n    return 1\n',
    "pack/middle.py": "from pack import base\n\n\ndef two():\n    return base.one() + 1\n",
    "pack/top.py": "import pack.middle\n\nX = f'{pack.middle.two()}'\n",
    "pack/other.py": "Y = 1\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in MODULES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path / "pack"


def changed(folder: Path, name: str, old: str, new: str) -> set[str]:
    before = all_versions([folder])
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))
    after = all_versions([folder])
    return {module for module in after if after[module] != before[module]}


def test_a_change_reaches_everything_that_imports_it(folder: Path) -> None:
    found = changed(folder, "base.py", "return 1", "return 2")
    assert found == {"pack.base", "pack.middle", "pack.top"}


def test_a_change_reaches_nothing_else(folder: Path) -> None:
    assert changed(folder, "other.py", "1", "2") == {"pack.other"}


def test_a_package_is_part_of_its_modules(folder: Path) -> None:
    found = changed(folder, "__init__.py", '"""The package."""', "X = 1")
    assert found == set(all_versions([folder]))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Return 1."""', '"""Return the number one."""'),
        ('"""Base."""', ""),
        ("return 1\n", "return 1  # one\n"),
        ("return 1\n", "\n\n    return (1)\n"),
    ],
)
def test_comments_docstrings_and_layout_change_nothing(folder: Path, old: str, new: str) -> None:
    assert changed(folder, "base.py", old, new) == set()


def test_nested_addresses_every_module() -> None:
    found = nested({"a": "1", "a.b": "2", "a.c": "3", "a.c.d": "4"})
    assert found == {"a": {"__init__": "1", "b": "2", "c": {"__init__": "3", "d": "4"}}}


def test_the_digest_of_running_code_tells_modules_apart() -> None:
    assert code_digest("stages.versions") == code_digest("stages.versions")
    assert code_digest("stages.versions") != code_digest("foreframe.randomness")


# ---------------------------------------------------------------- modules that touch no byte

# Every parameter that the stage `collect` may take, of a source that needs no simulator.
PARAMS = {
    "seed": 0,
    "workers": 1,
    "videos": "videos",
    "clip": {"frames": 4},
    "source": {
        "kind": "gaussian_grid",
        "height": 16,
        "width": 16,
        "frame_interval": 0.1,
        "train_episodes": 2,
        "test_episodes": 1,
        "frames_per_episode": 8,
    },
}


class Reworded(ast.NodeTransformer):
    """Says everything in other words: every text with a space in it."""

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        if isinstance(node.value, str) and " " in node.value:
            return ast.Constant(f"otherwise {node.value}")
        return node


def reworded(folder: Path) -> Path:
    """Return a copy of the project's code whose neutral modules use other words."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package)
    for name in NEUTRAL:
        path = folder / f"{name.replace('.', '/')}.py"
        tree = Reworded().visit(ast.parse(path.read_text(encoding="utf-8")))
        path.write_text(ast.unparse(ast.fix_missing_locations(tree)), encoding="utf-8")
    return folder


def collect(code: Path, folder: Path, **changes: object) -> subprocess.CompletedProcess[str]:
    """Run the stage `collect` of some code in a folder of its own, as DVC does."""
    folder.mkdir(exist_ok=True)
    (folder / "params.yaml").write_text(json.dumps({**PARAMS, **changes}), encoding="utf-8")
    words = [sys.executable, "-m", "stages.collect"]
    for name, annotation in stage.signature(stages.collect.main).items():
        value = "frames.h5" if annotation is Path else f"params.yaml:{name}"
        words += [f"--{name.replace('_', '-')}", value]
    environment = {**os.environ, "PYTHONPATH": str(code)}
    return subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_other_words_in_neutral_modules_change_no_version_and_no_byte(tmp_path: Path) -> None:
    codes = (ROOT, reworded(tmp_path / "code"))
    ours, theirs = (all_versions([code / name for name in PACKAGES]) for code in codes)
    assert ours == theirs
    folders = (tmp_path / "ours", tmp_path / "theirs")
    for code, folder in zip(codes, folders, strict=True):
        run = collect(code, folder)
        assert run.returncode == 0, run.stderr
    first, second = ((folder / "frames.h5").read_bytes() for folder in folders)
    assert first == second
    # The other words are in use.
    wrong = collect(codes[1], folders[1], seed="zero")
    assert "otherwise" in wrong.stderr
