"""The page of claims says what the reports say, of the runs that they were made of."""

import re
import shutil
from pathlib import Path

import pytest

from foreframe.artefacts import facts
from foreframe.errors import UserError
from tests.smoke import ROOT
from tests.workflow import test_index
from workflow import claims, index, preset
from workflow.studies import MAIN, Place

PLACE = Place("learned_simulator")
ROWS = [
    ("it &lt; moves", "2.0 <sup>a</sup>", "yes"),
    ("it stops", "–", "–"),
    ("it turns", "1", "no"),
]


def page(*verdicts: str) -> str:
    """A report in which another table stands before and after that of the claims."""
    rows = [
        (*row[:2], "one training", verdict) for row, verdict in zip(ROWS, verdicts, strict=False)
    ]
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    other = "<figure id=other><table><tbody><tr><td>yes</td></tr></tbody></table></figure>"
    head = "<thead><tr><th>claim</th></tr></thead>"
    table = f"<figure id='claims-table'><table>{head}<tbody>{body}</tbody></table></figure>"
    return f"<html><body>{other}{table}{other}</body></html>"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    shutil.copytree(
        ROOT / "reports", tmp_path / "reports", ignore=shutil.ignore_patterns("*.html", "*.pdf")
    )
    for name in (MAIN, PLACE.name):
        shutil.rmtree(tmp_path / "reports" / name, ignore_errors=True)
        shutil.copytree(ROOT / Place(name).presets, tmp_path / Place(name).presets)
    (tmp_path / PLACE.definition).touch()
    test_index.make(tmp_path, PLACE.name, ["report.html"])
    return tmp_path


def of(project: Path, *verdicts: str) -> dict[str, object] | None:
    path = project / "report.html"
    path.write_text(page(*verdicts), encoding="utf-8")
    return claims.of(project, PLACE, path)


def test_rows_are_those_of_the_table_of_claims_alone(project: Path) -> None:
    found = of(project, "yes", "–", "no")
    assert found is not None
    assert found["rows"] == [
        {"claim": "it < moves", "number": "2.0 a", "holds": "yes"},
        {"claim": "it stops", "number": "–", "holds": "–"},
        {"claim": "it turns", "number": "1", "holds": "no"},
    ]
    assert found["counts"] == {"yes": 1, "no": 1, "open": 0, "–": 1}
    assert of(project) is None


def test_a_verdict_that_is_none_is_refused(project: Path) -> None:
    with pytest.raises(UserError, match="a claim's verdict is 'perhaps'"):
        of(project, "yes", "perhaps")


@pytest.mark.parametrize("name", ["laptop", "smoke"])
def test_the_scale_is_the_preset_whose_every_value_was_written_out(
    project: Path, name: str
) -> None:
    assert claims.scale(project, PLACE) is None  # nothing was run
    sections = preset.resolved(name, project, PLACE).sections
    path = project / PLACE.settings
    path.parent.mkdir(parents=True)
    facts.write(path, "settings", {**sections, "like": {}, "code": {}})
    assert claims.scale(project, PLACE) == name
    facts.write(path, "settings", {**sections, "seed": sections["seed"] + 1})
    assert claims.scale(project, PLACE) is None


def test_the_index_leads_to_the_claims_while_there_are_any(project: Path) -> None:
    report = project / "reports" / PLACE.name / "report.html"
    report.write_text(page("yes", "–", "no"), encoding="utf-8")
    assert 'href="claims.html"' in index.run(project).read_text(encoding="utf-8")
    made = project / "reports/claims.html"
    words = re.sub(r"\s+", " ", re.sub("<.*?>", " ", made.read_text(encoding="utf-8")))
    assert "holds does not open – On learned_simulator its own 1 1 0 1" in words
    assert "it &lt; moves 2.0 a yes it stops – – it turns 1 no" in words
    report.write_text(page(), encoding="utf-8")
    assert "claims.html" not in index.run(project).read_text(encoding="utf-8")
    assert not made.exists()
