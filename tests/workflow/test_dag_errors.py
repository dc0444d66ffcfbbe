"""What Snakemake cannot run, or DVC cannot read, is refused in plain words before any work."""

import shutil
from pathlib import Path

import pytest

from foreframe.errors import UserError
from tests import smoke
from tests.workflow import engines
from workflow import dag

STAGE = "stages:\n  a:\n    cmd: echo\n"
WRONG = {
    "no output": (STAGE, "stage a has no output"),
    "a folder": (STAGE + "    outs: [data/]", "stage a writes the folder data"),
    "another machine": (
        STAGE + "    deps: ['https://example.org/x.csv']\n    outs: [x]",
        "on another machine; copy it by a stage first",
    ),
    "braces": (STAGE + "    outs:\n    - 'x{1}'", "stage a has braces in x{1}"),
    "threads": (STAGE + "    outs: [x]\n    meta: {threads: two}", "'two' as meta.threads"),
    "together": (STAGE + "    outs: [x]\n    meta: {together: 2}", "2 as meta.together"),
    "meta": (STAGE + "    outs: [x]\n    meta: fast", "stage a has 'fast' as meta"),
    "resources": (STAGE + "    outs: [x]\n    meta: {resources: 1}", "1 as meta.resources"),
    "a resource": (
        STAGE + "    outs: [x]\n    meta: {resources: {gpu: [1]}}",
        "meta.resources gpu: [1]; write a name and a whole number",
    ),
    "syntax": ("stages:\n  a: [\n", "line 4, column 1"),
    "schema": (STAGE + "    outz: [x]", "extra keys not allowed @ data['stages']['a']['outz']"),
    "template": (STAGE + "    outs: ['${nothing}']", "Could not find 'nothing'"),
    "a circle": (
        STAGE + "    deps: [y]\n    outs: [x]\n  b:\n    cmd: b\n    deps: [x]\n    outs: [y]",
        "Same item(s) are defined as both a dependency and an output",
    ),
    "one output of two": (
        STAGE + "    outs: [x]\n  b:\n    cmd: b\n    outs: [x]",
        "x is an output of a and b. Let one stage write it",
    ),
}


def make(folder: Path, dvc_yaml: str) -> Path:
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (folder / "dvc.yaml").write_text(dvc_yaml + "\n")
    shutil.copy(smoke.ROOT / "Snakefile", folder)
    for name in ("foreframe", "workflow"):
        (folder / name).symlink_to(smoke.ROOT / name)
    return folder


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_is_named_where_the_stages_are_read(name: str, tmp_path: Path) -> None:
    text, message = WRONG[name]
    with pytest.raises(UserError) as caught:
        dag.read(make(tmp_path, text))
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["no output", "syntax", "schema"])
def test_both_command_lines_say_it_without_a_traceback(name: str, tmp_path: Path) -> None:
    text, message = WRONG[name]
    make(tmp_path, text)
    with pytest.raises(AssertionError) as caught:
        engines.dry_run(tmp_path)
    run = smoke.foreframe(tmp_path, "costs")
    assert (run.returncode, run.stderr[:7]) == (1, "error: ")
    for printed in (str(caught.value), run.stderr):
        assert message in printed
        assert "Traceback" not in printed
        assert printed.count("\n") < 15


def test_a_parameter_file_that_is_no_yaml_is_named(tmp_path: Path) -> None:
    make(tmp_path, STAGE + "    params: [word]\n    outs: [x]")
    (tmp_path / "params.yaml").write_text("word: [\n")
    with pytest.raises(UserError, match=r"params\.yaml"):
        dag.read(tmp_path)


def test_code_that_does_not_parse_is_shown(tmp_path: Path) -> None:
    stages = STAGE.replace("  a:", "  versions:") + "    deps: [code]\n    outs: [v.json]\n"
    reader = "  b:\n    cmd: echo\n    params:\n    - v.json:\n      - x\n    outs: [y]"
    make(tmp_path, stages + reader)
    (tmp_path / "code").mkdir()
    (tmp_path / "code/x.py").write_text("good = 1\nbad = = 2\n")
    with pytest.raises(UserError, match=r"in code is no Python: .* in line 2: bad = = 2"):
        dag.read(tmp_path)


def test_a_folder_without_a_pipeline(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not inside of a DVC repository"):
        dag.read(tmp_path)
