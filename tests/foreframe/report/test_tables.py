"""Cells of tables: what stands beside a mean, and the mark of a distance over too few clips."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from foreframe.report.compile import compile_html
from foreframe.report.results import flat
from tests.smoke import ROOT

SOURCE = """
#import "results.typ": *
#tabled("distances", [Distances], [Of clips.], (), ruled(([model], [distance]),
  ([flow], spread(interval("flow", "fvd", "bair"), 1))))
"""
NOTE = "† Too few clips for a covariance of full rank: biased upwards."
ALONE = {"mean": 217.32, "low": 210.0, "high": 225.0, "std": None, "repeats": 1, "few": False}
OVER_CLIPS = {"mean": 217.32, "low": 210.0, "high": 225.0, "std": 31.5}
REPEATED = {"mean": 217.32, "low": None, "high": None, "std": 5.61, "repeats": 5, "few": False}


@pytest.mark.parametrize(
    ("value", "cell", "marked"),
    [
        (ALONE, "217.3 210.0 to 225.0", False),
        (ALONE | {"few": True}, "217.3 † 210.0 to 225.0", True),
        (OVER_CLIPS, "217.3 210.0 to 225.0", False),
        (REPEATED, "217.3 ± 5.6", False),
        (REPEATED | {"few": True}, "217.3 ± 5.6 †", True),
    ],
)
def test_a_cell_has_the_deviation_over_repeats_and_the_mark_of_few_clips(
    tmp_path: Path, value: dict[str, Any], cell: str, marked: bool
) -> None:
    rows = {}
    for _, key, _, each in flat({"fvd": value}, "flow"):
        ends = each if isinstance(each, dict) else {"mean": each, "low": None, "high": None}
        rows[key] = {"bair": {"value": ends["mean"], "low": ends["low"], "high": ends["high"]}}
    about = {"settings": {}, "title": "", "author": "", "artefacts": [], "pictures": []}
    contents = {"results": {"flow": rows}, "document": about, "thesis": {"about": {}, "rows": {}}}
    for name, content in contents.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    for name in ("style.typ", "web.typ", "results.typ"):
        shutil.copy(ROOT / "reports" / name, tmp_path)
    (tmp_path / "report.typ").write_text(SOURCE, encoding="utf-8")
    words = " ".join(re.sub("<.*?>", " ", compile_html(tmp_path / "report.typ").decode()).split())
    assert f"flow {cell} Table 1" in words
    assert (NOTE in words) == marked
