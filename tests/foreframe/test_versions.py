"""A code version changes when code that is run changes, and only then."""

from pathlib import Path

import pytest

from foreframe.versions import all_versions, code_digest, nested

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
