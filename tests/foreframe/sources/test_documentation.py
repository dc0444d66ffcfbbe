"""Every kind of source has its section in docs/data.md, with settings that are valid as shown."""

import importlib.util
import re
from pathlib import Path
from typing import Any

import numpy
import pytest
from ruamel.yaml import YAML

from foreframe import kinds
from tests.smoke import ROOT

PAGE = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
KINDS = kinds.available("foreframe.sources")


def examples(kind: str) -> list[dict[str, Any]]:
    """Return the `source:` sections that the page's section on a kind shows."""
    section = re.search(rf"^## {kind}$(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert section is not None, f"docs/data.md has no section ## {kind}"
    blocks = re.findall(r"^```yaml\n(.*?)^```$", section.group(1), re.MULTILINE | re.DOTALL)
    contents = [YAML(typ="safe").load(block) for block in blocks]
    return [content["source"] for content in contents if "source" in content]


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_each_kind_is_valid(kind: str) -> None:
    settings = kinds.find("foreframe.sources", kind).Settings
    shown = examples(kind)
    assert shown
    for example in shown:
        assert settings.model_validate(example).kind == kind


def test_the_example_of_a_source_of_ones_own_runs(tmp_path: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "brightening.py").write_text(code)
    spec = importlib.util.spec_from_file_location("brightening", tmp_path / "brightening.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    chosen = module.Settings(kind="brightening", height=8, width=9, frame_interval=0.1, frames=40)
    for first in (0, 1):
        episodes = list(module.stream(chosen, 0, tmp_path, 1, first).episodes)
        assert [episode.origin for episode in episodes] == ["number 0", "number 1"][first:]
        frames = numpy.concatenate([block.frames for block in episodes[-1].blocks])
        assert frames[:, 3, 3, 1].tolist() == list(range(40))


def test_the_page_names_no_kind_that_is_not_there() -> None:
    named = re.findall(r"^## ([a-z0-9_]+)$", PAGE, re.MULTILINE)
    assert set(named) == set(KINDS)
