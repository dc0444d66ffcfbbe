"""Artefacts are sorted by what they say they are; what nothing explains is refused."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas
import pytest

from foreframe.artefacts import facts, tables
from foreframe.artefacts.digest import digest
from foreframe.errors import ArtefactError, UserError
from foreframe.report import settings
from foreframe.report.library import Artefact, Library, place
from tests import report_artefacts

RUNS = ("vqvae", "top", "bottom")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library") / "data/driving"
    report_artefacts.make(folder)
    return folder


@pytest.fixture
def study(whole: Path, tmp_path: Path) -> Path:
    """A copy for a test to damage."""
    return shutil.copytree(whole, tmp_path / "data/driving")


def test_a_folder_and_the_list_of_its_files_are_the_same_library(whole: Path) -> None:
    files = sorted(path for path in whole.rglob("*") if path.is_file())
    listed = Library(files)
    assert listed.artefacts == Library([whole]).artefacts
    assert listed.paths() == [path.as_posix() for path in files]


def test_every_artefact_has_its_path_digest_and_size(whole: Path) -> None:
    for each in Library([whole]).artefacts.values():
        path = Path(each.path)
        assert (each.digest, each.bytes) == (digest(path), path.stat().st_size)


def searched(study: Path, name: str = "search") -> Path:
    """Write facts that have a table beside them; return the table's path."""
    path = study / f"{name}.csv"
    checksum = tables.write(path, pandas.DataFrame({"trial": [0, 1], "steps": [4, 2]}))
    facts.write(path.with_suffix(".json"), "search", {"trials_checksum": checksum})
    return path


def test_a_table_is_known_by_its_content_and_not_by_its_name(study: Path) -> None:
    searched(study).rename(study / "elsewhere.csv")
    found = Library([study]).one("search_trials", "search")
    assert found.path == (study / "elsewhere.csv").as_posix()


@pytest.mark.parametrize(
    ("path", "schema", "expected"),
    [
        ("data/s/vqvae.json", "training", ("vqvae", "")),
        ("data/s/priors/top_small.json", "training", ("top_small", "")),
        ("data/s/joint/joint.json", "training", ("joint", "")),
        ("data/s/joint/top.safetensors", "prior", ("joint/top", "")),
        ("data/s/evaluations/svg.json", "evaluation", ("main", "svg")),
        ("data/s/evaluations/joint/svg.json", "evaluation", ("joint", "svg")),
        ("data/s/samples/svg.h5", "samples", ("main", "svg")),
        ("data/s/models.json", "models", ("main", "")),
        ("data/s/joint/models.json", "models", ("joint", "")),
        ("data/s/frames.h5", "frames", ("s", "")),
        ("data/s/diverse/frames.h5", "frames", ("diverse", "")),
        ("data/s/latents/dense.h5", "latents", ("dense", "")),
        ("data/s/findings.json", "findings", ("findings", "")),
    ],
)
def test_the_place_says_of_what_a_file_is(
    path: str, schema: str, expected: tuple[str, str]
) -> None:
    assert place(Path(path), schema) == expected
    assert place(Path("/somewhere") / path, schema) == expected


def foreign_json(study: Path) -> Path:
    path = study / "notes.json"
    path.write_text('{"schema": "of another project"}', encoding="utf-8")
    return path


def foreign_file(study: Path) -> Path:
    path = study / "notes.txt"
    path.write_text("a note", encoding="utf-8")
    return path


def foreign_table(study: Path) -> Path:
    path = searched(study)
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("spoil", [foreign_json, foreign_file, foreign_table])
def test_what_nothing_explains_is_refused(study: Path, spoil: Callable[[Path], Path]) -> None:
    path = spoil(study)
    with pytest.raises(UserError, match=rf"{path.name} is explained by nothing.*dvc repro"):
        Library([study])


def test_a_copy_that_dvc_shows_is_explained_by_the_facts_beside_it(study: Path) -> None:
    before = Library([study]).paths()
    (study / "models.metrics.json").write_text("{}", encoding="utf-8")
    assert Library([study]).paths() == before
    (study / "models.json").unlink()
    with pytest.raises(UserError, match=r"models\.metrics\.json is explained by nothing"):
        Library([study])


def test_missing_files_and_tables_are_named_with_the_cure(study: Path) -> None:
    with pytest.raises(ArtefactError, match=r"nothing\.json does not exist\. Run `dvc repro`"):
        Library([study / "nothing.json"])
    searched(study).unlink()
    with pytest.raises(ArtefactError, match="search_trials of search is not among the results"):
        Library([study])


def test_one_thing_may_not_be_there_twice(study: Path) -> None:
    shutil.copytree(study, study.parent / "other")
    with pytest.raises(ArtefactError, match=r"data/other/.* are the same thing, .* Give one"):
        Library([study, study.parent / "other"])


def test_an_artefact_that_is_not_there_is_answered_with_those_that_are(whole: Path) -> None:
    with pytest.raises(UserError, match=r"no training of central .*: bottom, top, vqvae\."):
        Library([whole]).one("training", "central")


def test_a_result_of_a_run_that_was_removed_is_refused(study: Path) -> None:
    library = Library([study])
    library.refuse_leftovers(RUNS)
    old = facts.read(study / "evaluations/driving.json", "evaluation")
    (study / "evaluations/top_old").mkdir()
    facts.write(study / "evaluations/top_old/driving.json", "evaluation", old)
    found = Library([study])
    found.refuse_leftovers((*RUNS, "top_old"))
    with pytest.raises(UserError, match=r"top_old/driving\.json.*run top_old.*delete it"):
        found.refuse_leftovers(RUNS)


def test_variants_and_what_they_are_made_under_are_no_leftovers(tmp_path: Path) -> None:
    sections = report_artefacts.parameters()
    variants = {
        "data": {"diverse": sections["data"]["driving"]},
        "priors": {"top_small": sections["priors"]["top"]},
        "protocols": {"full_clip": sections["protocols"]["driving"]},
        "latents": {"dense": {"train_stride": 1}},
    }
    for name, content in (("params.json", sections), ("variants.json", variants)):
        (tmp_path / name).write_text(json.dumps(content), encoding="utf-8")
    known = settings.load([tmp_path / "params.json", tmp_path / "variants.json"]).names()
    assert known >= {"top", "driving", *(name for each in variants.values() for name in each)}


def test_equal_tables_of_two_runs_belong_to_the_nearest_facts(study: Path) -> None:
    twins = ["search", "search_twin"]
    for name in twins:
        searched(study, name)
    files = sorted(study.glob("search*"))
    for order in (files, files[::-1]):
        library = Library(order)
        found: list[Artefact] = [library.one("search_trials", run) for run in twins]
        assert [Path(each.path).stem for each in found] == twins
