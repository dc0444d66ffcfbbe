"""`foreframe metrics` shows what was measured, and says in a line what was not."""

from pathlib import Path

import pytest

from tests import smoke
from tests.workflow import tiny

METRICS = """\
stages:
  measure:
{folder}    cmd: python measure.py {out}
    deps: [measure.py]
    metrics: [{out}]
"""
PROGRAM = """\
import json, pathlib, sys
path = pathlib.Path(sys.argv[1])
path.parent.mkdir(parents=True, exist_ok=True)
path.write_text(json.dumps({"psnr": 12.25}))
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tiny.make(tmp_path)
    first, second = "data/driving/a.json", "data/songs/b.json"
    files = {
        "measure.py": PROGRAM,
        "dvc.yaml": METRICS.format(folder="", out=first),
        "studies/songs/dvc.yaml": METRICS.format(folder="    wdir: ../..\n", out=second),
    }
    tiny.write(folder, files)
    return folder


def test_a_study_that_was_not_run_is_a_line_and_no_warning(project: Path) -> None:
    nothing = smoke.foreframe(project, "metrics")
    assert nothing.returncode == 1 and "nothing has been measured here yet" in nothing.stderr
    tiny.run(project, "dvc", "repro", "-q")
    found = smoke.foreframe(project, "metrics")
    assert (found.returncode, found.stderr) == (0, "")
    first, *table = found.stdout.splitlines()
    assert first.endswith("songs has not been run here: dvc repro studies/songs/dvc.yaml")
    assert [line.split() for line in table] == [["Path", "psnr"], ["data/driving/a.json", "12.25"]]


def test_one_study_alone(project: Path) -> None:
    tiny.run(project, "dvc", "repro", "-q")
    tiny.run(project, "dvc", "repro", "-q", "studies/songs/dvc.yaml")
    assert smoke.foreframe(project, "metrics").stdout.count("12.25") == 2
    found = smoke.foreframe(project, "metrics", "--study", "songs").stdout
    assert "data/songs/b.json" in found and "data/driving" not in found
