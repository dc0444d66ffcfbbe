"""The chapter on cost: what training took, and what drawing takes where a predictor says it."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

from foreframe.report.compile import compile_html
from tests.smoke import ROOT

DRAWING = {"given": 3_000_000, "start": 0, "frame": 2_500}


def artefact(schema: str, where: str = "") -> dict[str, Any]:
    return {
        "schema": schema,
        "run": "flow",
        "where": where,
        "path": f"{schema}.x",
        "digest": "0" * 32,
    }


def places(values: dict[str, Any], where: str) -> dict[str, Any]:
    return {name: {where: {"value": value}} for name, value in values.items()}


def chapter(folder: Path, operations: dict[str, Any]) -> str:
    """Return the words of the chapter on a study of one predictor."""
    trained = {"parameters": 12, "epochs": 2, "steps": 8, "samples": 64, "operations": 4e12}
    sampled = {"context": 5, "horizon": 10}
    sampled |= {f"operations.frames.{name}": value for name, value in operations.items()}
    run = {"title": "", "settings": {"training": {"batch_size": 8}}, "changes": {}, "layers": []}
    content = {
        "results": {"flow": {**places(trained, ""), **places(sampled, "next")}},
        "document": {
            "settings": {},
            "runs": {"flow": run},
            "artefacts": [artefact("training"), artefact("samples", "next")],
        },
        "thesis": {"about": {}, "rows": {}},
    }
    for name, facts in content.items():
        (folder / f"{name}.json").write_text(json.dumps(facts))
    for path in ("style.typ", "web.typ", "results.typ", "chapters/cost.typ"):
        shutil.copy(ROOT / "reports" / path, folder)
    head = '#import "style.typ": *\n#show: report\n'
    (folder / "report.typ").write_text(f'{head}#include "cost.typ"\n')
    text = re.sub("<.*?>", " ", compile_html(folder / "report.typ").decode())
    return re.sub(r"\s+", " ", text)


def test_a_predictor_of_frames_says_what_its_futures_take(tmp_path: Path) -> None:
    text = chapter(tmp_path, DRAWING)
    assert "flow 12 8 – 2 8 64 4 T" in text
    assert "flow next 5 3 M 0 2.5 k 10 3.03 M" in text


def test_without_such_a_predictor_there_is_no_table_of_drawing(tmp_path: Path) -> None:
    text = chapter(tmp_path, {})
    assert "4 T" in text
    assert "Operations of drawing" not in text
