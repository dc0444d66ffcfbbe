"""`foreframe verify --rebuild` on a stage that writes what it likes, run by the real DVC."""

from pathlib import Path

import pytest

from foreframe.errors import UserError
from tests.workflow import damage, tiny
from workflow import verify
from workflow.verification.findings import Finding
from workflow.verification.hashing import Tally

LOCK_STEP = "import sys, json, os, pathlib\nout, facts = map(pathlib.Path, sys.argv[1:])\n"
RANDOM = LOCK_STEP + "out.write_bytes(os.urandom(9))\n"
FACTS = 'facts.write_text(json.dumps({"environment": {"torch": "1"}, "loss": 1}))\n'
CURE = "`foreframe doctor` names operations that this CPU rounds otherwise"
UNSTEADY = 'facts.write_text(json.dumps({"environment": {}, "loss": os.urandom(9).hex()}))\n'
NO_FACTS = "facts.write_text('{}')\n"
STAGES = """\
stages:
  measure:
    cmd: python measure.py data.h5 data.json
    deps:
      - measure.py
    outs:
      - data.h5
      - data.json
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tiny.make(tmp_path / "project")
    (folder / "dvc.yaml").write_text(STAGES)
    return folder


def rebuilt(folder: Path, program: str) -> list[Finding]:
    (folder / "measure.py").write_text(program)
    tiny.run_by_dvc(folder)
    return list(verify.check(folder, verify.Options(rebuild="measure"), Tally()))


def test_a_stage_that_gives_other_bytes_in_the_same_environment_is_not_reproducible(
    project: Path,
) -> None:
    [finding] = rebuilt(project, RANDOM + FACTS)
    assert (finding.kind, finding.subject) == ("differs", "data.h5")
    verdict = "the recorded environment is the one here, so measure is not reproducible here; "
    assert finding.problem.endswith(f"{verdict}{CURE}")


def test_facts_that_differ_in_more_than_the_environment_are_not_excused(project: Path) -> None:
    first, second = rebuilt(project, RANDOM + UNSTEADY)
    assert (first.subject, second.subject) == ("data.h5", "data.json")
    assert "only the environment" not in second.problem


def test_a_stage_without_facts_of_its_environment_says_so(project: Path) -> None:
    [finding] = rebuilt(project, RANDOM + NO_FACTS)
    assert finding.problem.endswith(
        "no output of measure records its environment, so whether that differs is unknown"
    )


def test_what_a_stage_reads_without_declaring_it_is_not_there(project: Path) -> None:
    (project / "secret.txt").write_text("x")
    program = LOCK_STEP + FACTS + "out.write_bytes(open('secret.txt', 'rb').read())\n"
    [finding] = rebuilt(project, program)
    assert (finding.subject, finding.problem.partition(" here")[0]) == (
        "measure",
        "its command ends with exit code 1",
    )


def test_a_stage_that_writes_into_its_inputs_does_not_reach_the_originals(project: Path) -> None:
    program = (
        LOCK_STEP + FACTS + "out.write_bytes(b'1')\n"
        "if not pathlib.Path('.dvc').exists():\n"
        "    pathlib.Path('measure.py').open('a').write('# more')\n"
    )
    assert rebuilt(project, program) == []
    assert (project / "measure.py").read_text() == program


def test_its_cure_makes_the_results_those_of_this_environment(project: Path) -> None:
    program = LOCK_STEP + 'out.write_bytes(os.environ.get("MACHINE", "").encode())\n' + FACTS
    (project / "measure.py").write_text(program)
    with pytest.MonkeyPatch.context() as elsewhere:
        elsewhere.setenv("MACHINE", "another")
        tiny.run_by_dvc(project)
    options = verify.Options(rebuild="measure")
    found = list(verify.check(project, options, Tally()))
    assert [finding.subject for finding in found] == ["data.h5"]
    damage.follow(project, found)
    assert list(verify.check(project, options, Tally())) == []


def test_a_command_for_a_shell_is_refused(project: Path) -> None:
    text = STAGES.replace("data.json\n    deps", "data.json; true\n    deps")
    (project / "dvc.yaml").write_text(text)
    with pytest.raises(UserError, match="needs a shell"):
        rebuilt(project, RANDOM + FACTS)


def test_a_stage_that_is_not_there_is_refused(project: Path) -> None:
    rebuilt(project, RANDOM + FACTS)
    with pytest.raises(UserError, match="Stages: measure"):
        list(verify.check(project, verify.Options(rebuild="nothing"), Tally()))
