"""Stage compare_predictors: which files are compared, and that the report can read what it says."""

from pathlib import Path

import pytest

from foreframe.artefacts import facts
from foreframe.errors import UserError
from foreframe.report.library import Library
from foreframe.report.reading import Reader
from foreframe.report.results import Results
from stages import compare_predictors
from tests.foreframe.evaluation.test_pairs import evaluation, noisy


def test_evaluations_of_its_protocol_are_compared_and_reported(tmp_path: Path) -> None:
    folder = tmp_path / "data/study/evaluations"
    for run, most in (("near", 8), ("far", 80)):
        for name in ("tiny", "other"):
            (folder / run).mkdir(parents=True, exist_ok=True)
            found = evaluation(drawn=noisy(run, most if name == "tiny" else 2 * most))
            facts.write(folder / run / f"{name}.json", "evaluation", found)
        # What DVC shows of an evaluation lies beside it, and is none.
        (folder / run / "tiny.metrics.json").write_text("{}", encoding="utf-8")
    out = tmp_path / "data/study/pairs/tiny.json"
    compare_predictors.main(evaluations=folder, out=out)
    found = facts.read(out, "pairs")["differences"]
    results = Results(Reader(Library([out])))
    number = results.of("far/drawn", "over.near/drawn.psnr", "tiny")
    assert number.value == found["far/drawn"]["near/drawn"]["psnr"]["mean"] < 0
    assert number.low is not None and number.high is not None and number.high < 0
    assert results.of("far/drawn", "over.near/drawn.psnr.won", "tiny").value == 0.0


def test_a_protocol_that_nothing_was_evaluated_under_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no evaluation to compare"):
        compare_predictors.main(evaluations=tmp_path, out=tmp_path / "x.json")
