"""The report of adversarial video: all tables and figures, and claims that follow numbers."""

import re
from pathlib import Path

import pytest

from tests import adversarial_numbers, smoke, turned
from tests.adversarial_study import read, stated, trained_on
from workflow import dag

TABLES = "4.1 4.2 5.1 5.2"
FIGURES = (
    "2.1 2.2 2.3 2.4 2.5 2.6 3.1 4.1 4.2 4.3 4.4 4.5 4.6 4.7 4.8 6.1 6.2 6.3 6.4 6.5 6.6 6.7 6.8 "
    "6.9 6.10"
)
CLAIMS = 41
PICTURES = ("ali_numbers", "ali_scenes", "ali_objects", "ali_roads")
# Of whole numbers and of shares without an interval: yes or no.
NEVER_OPEN = {
    "and never as few",
    "a VAE finds all components",
    "critics know true clips of training better than others",
}


@pytest.fixture(scope="module")
def finished(by_dvc: smoke.Clone, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with this study, run whole at the scale of smoke."""
    clone = smoke.copy(
        by_dvc, tmp_path_factory.mktemp("adversarial") / "project", "adversarial_video"
    )
    clone.run("snakemake", "--cores", "2", "adversarial_video")
    stages = [stage for stage in dag.read(clone.folder) if stage.study == "adversarial_video"]
    assert stages and not any(stage.due for stage in stages)
    return clone.folder


def words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


@pytest.mark.slow
def test_the_report_has_every_table_and_figure_of_the_thesis(finished: Path) -> None:
    page = (finished / "reports/adversarial_video/report.html").read_text(encoding="utf-8")
    for number in TABLES.split():
        assert f"Table {number}: " in page
    assert "Section 4.4.5: " in page
    named = set(re.findall(r"\d+\.\d+", " ".join(re.findall(r"[Ff]igures? ([\d., and]+\d)", page))))
    assert set(FIGURES.split()) <= named
    for number in ("4.2", "4.3", "4.4", "4.5"):
        assert f"figure {number}a" in page and f"figure {number}b" in page
    shown = set(re.findall(r'<figure id="(\w+?)(?:_\d+)?"', page))
    declared = {re.sub(r"_\d+$", "", name) for name in read("figures.yaml")["figures"]}
    assert declared <= shown
    rows = turned.rows(page)
    titles = {run: about["title"] for run, about in read("figures.yaml")["runs"].items()}
    listed = {*trained_on("train_predictor"), *trained_on("train_classifier")}
    assert {titles[run] for run in listed if run in titles} <= rows
    for table, quantity in (
        ("4.1", "digits-table"),
        ("4.2", "objects-table"),
        ("5.1", "activity-table"),
    ):
        runs = {run for run, _ in stated(table)}
        extra = 2 if table == "4.2" else 0  # ours, and how many labels
        assert len(turned.table(page, quantity)) == 1 + len(runs) + extra


@pytest.mark.slow
@pytest.mark.parametrize(("sign", "verdict"), [(1, "yes"), (-1, "no"), (0, "open")])
def test_claims_hold_where_their_numbers_say_so(finished: Path, sign: int, verdict: str) -> None:
    page = turned.page(finished, "adversarial_video", adversarial_numbers.claimed(sign))
    found = turned.claims(page)
    assert len(found) == CLAIMS and set(found) >= NEVER_OPEN
    expected = {row: "no" if row in NEVER_OPEN and not sign else verdict for row in found}
    assert found == expected
    said = {
        1: ("which beats a linear machine", ": ALI finds more.",
            "Conv3D with ConvLSTM is the best of the classifiers (",
            "Two-Streams guesses, as in the document", "Feature Flow is ahead of"),
        -1: ("which does not beat a linear machine", ": ALI does not find more.",
             "Conv3D with ConvLSTM is not the best of the classifiers (",
             "Two-Streams does not guess, as it does", "Feature Flow is not ahead of"),
        0: ("which may or may not beat a linear machine", ": whether ALI finds more is open.",
            "Whether Conv3D with ConvLSTM is the best of the classifiers is open (",
            "Two-Streams may or may not guess", "Feature Flow was not shown to be ahead of"),
    }  # fmt: skip
    text = words(page)
    for each, sentences in said.items():
        for sentence in sentences:
            assert (sentence in text) == (each == sign), sentence


@pytest.mark.slow
def test_nothing_is_judged_by_a_distance_that_has_no_interval(finished: Path) -> None:
    changes = adversarial_numbers.claimed(1)
    for run in adversarial_numbers.WAYS:
        changes += [(f"{run}/drawn", "random_video_distance", "generated", 1.0, None)]
    found = turned.claims(turned.page(finished, "adversarial_video", changes))
    dashes = {row for row, verdict in found.items() if verdict == "–"}
    assert dashes == {
        "one latent that is expanded is the best",
        "a latent for each frame is the worst",
    }
    assert set(found.values()) == {"yes", "–"}


@pytest.mark.slow
@pytest.mark.parametrize(("error", "verdict"), [(0.12, "yes"), (0.18, "open"), (0.26, "no")])
def test_a_mean_over_draws_is_known_to_two_of_their_deviations(
    finished: Path, error: float, verdict: str
) -> None:
    changes: list[turned.Change] = [
        ("features/ali_numbers", "error", "", 0.2, None),
        ("features/ali_numbers", "error.std", "", 0.02, None),
        ("mistakes/few_numbers", "error", "", error, 0.01),
    ]
    found = turned.claims(turned.page(finished, "adversarial_video", changes))
    assert found["few labels in the game beat a machine on features"] == verdict


@pytest.mark.slow
def test_of_ten_trainings_of_ali_the_fullest_stands_beside_what_is_one_training(
    finished: Path,
) -> None:
    changes = adversarial_numbers.claimed(1)
    fullest = "modes/points_ali_7"
    changes += [(fullest, "modes.found", "", 23, None), (fullest, "distance", "", 9.0, 0.1)]
    page = turned.page(finished, "adversarial_video", changes)
    (row,) = (row for row in turned.table(page, "inference-table") if row[0] == "ALI")
    assert (row[1], row[3]) == ("23", "9.00 8.90 to 9.10")
    found = turned.claims(page)
    lost = {row for row, verdict in found.items() if verdict == "no"}
    assert lost == {"an encoder that joins the game infers better than one after it"}


@pytest.mark.slow
def test_an_error_in_one_variant_of_several_decides(finished: Path) -> None:
    """One classifier as good as the best one, and one number of labels that is no better."""
    changes = adversarial_numbers.claimed(1)
    changes += [
        ("motions/relation", "error.validation", "", 0.3, 0.01),
        ("mistakes/few_objects_4", "error", "", 0.49, 0.04),
    ]
    found = turned.claims(turned.page(finished, "adversarial_video", changes))
    other = {row: verdict for row, verdict in found.items() if verdict != "yes"}
    assert other == {"Conv3D with ConvLSTM is the best": "open", "and at every doubling": "no"}


MISSING = "distance of features of an untrained network"


@pytest.mark.slow
def test_distances_are_of_trained_networks_where_their_weights_are(finished: Path) -> None:
    page = words(turned.page(finished, "adversarial_video", []))
    assert page.count(MISSING) == 2 and "FID of" not in page and "FVD" not in page
    assert "LPIPS" not in page
    changes: list[turned.Change] = [
        *((f"{run}/drawn", "fid", "pictures", 12.5, None) for run in PICTURES),
        *((f"{run}/drawn", "fvd", "generated", 345.5, None) for run in adversarial_numbers.WAYS),
        *((f"{run}/drawn", "lpips_alex", "futures", 0.125, 0.01)
          for run in ("flow", "flow_first", "flow_masked")),
    ]  # fmt: skip
    page = turned.page(finished, "adversarial_video", changes)
    assert MISSING not in words(page)
    head, *rows = turned.table(page, "pictures-table")
    assert [row[head.index("distance")].split()[0] for row in rows] == 4 * ["12.500"]
    head, *rows = turned.table(page, "rali-table")
    assert [row[head.index("distance")].split()[0] for row in rows] == 4 * ["345.500"]
    head, *rows = turned.table(page, "flow-table")
    assert [row[head.index("LPIPS")] for row in rows[:3]] == 3 * ["0.125 0.115 to 0.135"]
