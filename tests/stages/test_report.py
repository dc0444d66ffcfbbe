"""The report as a whole: reproducible, complete, traceable, one file, plain about what lacks."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from foreframe.artefacts import facts
from foreframe.artefacts.digest import digest
from foreframe.config import reading
from foreframe.running import stage
from stages import report
from tests import report_artefacts, report_numbers
from tests.markup import Elements
from tests.needs import needs_program
from tests.smoke import ROOT

REPORTS, STUDY = ROOT / "reports", ROOT / "studies/driving"
THESIS = STUDY / "thesis.yaml"
HEX = re.compile(r"\b[0-9a-f]{32}\b")
PAGES = ("report.html", "data.html")
DATA = Path("data/driving")


def arguments(reports: Path, study: Path) -> list[str]:
    """Return the stage's command line, whose params.yaml and outputs lie in the working folder."""
    options: dict[str, list[Path | str]] = {
        "results": [DATA],
        "settings": ["params.yaml"],
        "figures": [reports / "inspection.yaml", study / "figures.yaml"],
        "thesis": [study / "thesis.yaml"],
        "sources": [reports, study / "report.typ", study / "chapters"],
        "out": ["report.pdf", *PAGES],
        "card": ["card.json"],
        "clip": ["clip.webp"],
    }
    return [word for name, values in options.items() for word in (f"--{name}", *map(str, values))]


def write_parameters(folder: Path) -> None:
    """Write params.yaml into a test's own folder."""
    assert folder.is_absolute(), "a relative folder would be the project's own"
    (folder / "params.yaml").write_text(json.dumps(report_artefacts.parameters()), encoding="utf-8")


def run(
    folder: Path, reports: Path = REPORTS, study: Path = STUDY, hash_seed: str = "0"
) -> "subprocess.CompletedProcess[str]":
    """Make a study in `folder` and run the stage there, in a process of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / DATA).exists():
        report_artefacts.make(folder / DATA)
    write_parameters(folder)
    words = arguments(reports, study)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed}
    return subprocess.run(
        [sys.executable, "-m", "stages.report", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def call(folder: Path, reports: Path = REPORTS, study: Path = STUDY) -> str:
    """Run the stage in a folder, in this process; return what it says where it refuses."""
    write_parameters(folder)
    before = signal.getsignal(signal.SIGTERM)
    try:
        with contextlib.chdir(folder):
            stage.run(report.main, arguments(reports, study))
    except SystemExit as end:
        return str(end.code)
    finally:
        signal.signal(signal.SIGTERM, before)
    return ""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny study and its report."""
    folder = tmp_path_factory.mktemp("report") / "study"
    done = run(folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def broken(study: Path, tmp_path: Path) -> Path:
    """A copy of the study without its report, to damage."""
    shutil.copytree(study, tmp_path / "broken", ignore=shutil.ignore_patterns("report.*", *PAGES))
    return tmp_path / "broken"


@pytest.fixture(scope="module")
def page(study: Path) -> str:
    return (study / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module", params=PAGES)
def any_page(study: Path, request: pytest.FixtureRequest) -> str:
    """Each page of HTML."""
    return (study / request.param).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def text(study: Path) -> str:
    """The words of the PDF."""
    needs_program("pdftotext")
    command = ["pdftotext", "-layout", str(study / "report.pdf"), "-"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def words(study: Path) -> str:
    """The words of the HTML."""
    return words_of(study / "report.html")


def digests(study: Path) -> set[str]:
    return {digest(path) for path in (study / DATA).rglob("*") if path.is_file()}


def test_another_process_in_another_folder_gives_the_same_bytes(
    study: Path, tmp_path: Path
) -> None:
    again = tmp_path / "somewhere else"
    done = run(again, hash_seed="1")
    assert done.returncode == 0, done.stderr
    for name in ("report.pdf", *PAGES, "card.json", "clip.webp"):
        assert (again / name).read_bytes() == (study / name).read_bytes(), name


def test_every_printed_digest_is_one_of_an_artefact(study: Path, page: str, text: str) -> None:
    # The protocol names the digests of the frames and of the split that it was measured on.
    allowed = digests(study) | set(
        HEX.findall(json.dumps([report_numbers.models(), report_numbers.evaluation()]))
    )
    printed = set(HEX.findall(re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)))
    assert printed >= digests(study)
    assert printed <= allowed
    short = set(re.findall(r"\b[0-9a-f]{8}\b", text))
    assert short >= {name[:8] for name in digests(study)}
    dates = {name for name in short if name.isdigit()}
    assert short - dates <= {name[:8] for name in allowed}


def test_every_figure_says_what_it_was_made_from(any_page: str) -> None:
    figures = re.findall(r"<figure.*?</figure>", any_page, re.DOTALL)
    assert len(figures) >= 15
    bare = [figure for figure in figures if 'class="provenance"' not in figure]
    # The lists of artefacts and of parameters are themselves what things were made from.
    ids = [re.findall(r'id="(.*?)"', figure)[0] for figure in bare]
    assert set(ids) <= {"artefacts", "parameter-table-1"}


def test_the_numbers_of_the_metrics_are_in_the_text(words: str) -> None:
    metrics = report_numbers.models()
    expected = [f"{value:.3f}" for value in metrics["autoencoder"]["mse"].values()]
    expected += [f"{value:.2f}" for value in metrics["autoencoder"]["psnr"].values()]
    for prior in metrics["priors"].values():
        expected += [f"{value:.3f}" for value in prior["nll"].values()]
        expected += [f"{prior['bits']['test']:.2f}", f"{prior['parameters']:,}"]
        for baseline in prior["baselines"].values():
            expected += [f"{value:.3f}" for value in baseline.values()]
    evaluation = report_numbers.evaluation()
    for found in evaluation["predictors"].values():
        expected += [f"{value:.2f}" for value in found["psnr"].values()]
        expected += [f"{value:.3f}" for value in found["ssim"].values()]
    for found in filter(None, evaluation["differences"].values()):
        expected += [f"{abs(found['psnr'][end]):.2f}" for end in ("mean", "low", "high")]
    missing = [number for number in expected if number not in words]
    assert missing == []


def test_the_numbers_of_the_thesis_stand_beside_ours(words: str) -> None:
    rows = reading.load(THESIS)["rows"]
    measured = [f"{row['value']:.3f}" for row in rows if row.get("where")]
    assert len(measured) == 11
    assert [number for number in measured if number not in words] == []


def test_the_page_is_one_file(any_page: str) -> None:
    elements = Elements(any_page)
    for attributes in elements.of("img"):
        assert str(attributes["src"]).startswith("data:image/")
    for attributes in elements.of("a"):
        assert re.match(r"#|https://(arxiv\.org|doi\.org)/", str(attributes["href"]))
    assert list(elements.of("script")) == [{}] and not list(elements.of("link"))
    assert "url(" not in any_page and "@import" not in any_page


def test_links_within_the_page_arrive(any_page: str) -> None:
    elements = Elements(any_page)
    places = {attributes["id"] for _, attributes in elements.found if "id" in attributes}
    targets = {str(attributes["href"]) for attributes in elements.of("a")}
    assert {target[1:] for target in targets if target.startswith("#")} <= places


def test_every_picture_has_words_and_examples_play(page: str) -> None:
    pictures = list(Elements(page).of("img"))
    assert all(len(attributes["alt"] or "") > 20 for attributes in pictures)
    moving = [attributes for attributes in pictures if "image/webp" in str(attributes["src"])]
    shown = report_artefacts.parameters()["sampling"]["show"]
    # That of the opening; examples and rollouts; clips of each set and pairs of sets.
    assert len(moving) == 1 + 2 * shown + 6
    for name in ("gallery", "overview", "curve_top", "per_frame", "errors", "example_1"):
        assert f'<figure id="{name}"' in page


def test_the_pdf_is_archivable_and_its_lists_are_numbered(study: Path, text: str) -> None:
    content = (study / "report.pdf").read_bytes()
    assert b"pdfaid" in content and b"pdfuaid" in content
    for line in ("Figure 3.1 What the data look like", "Table 7.2 Negative log-likelihood"):
        assert line in re.sub(r" +", " ", text)
    assert str(study) not in text


def test_a_missing_number_stops_the_report_and_leaves_the_old_one(broken: Path) -> None:
    path = broken / "data/driving/models.json"
    models = json.loads(path.read_text())
    del models["compression"]["factor"]
    facts.write(path, "models", models)
    (broken / "report.pdf").write_bytes(b"old")
    said = call(broken)
    assert 'does not contain key "compression.factor"' in said
    assert (broken / "report.pdf").read_bytes() == b"old"
    assert not (broken / "report.html").exists()


def test_a_missing_artefact_is_named_with_its_cure(broken: Path) -> None:
    (broken / "data/driving/priors/top.json").unlink()
    said = call(broken)
    # In a folder nothing says which files belong there; the thesis's rows do.
    assert "nothing joins the row top / parameters" in said
    assert "If its result is missing, run `dvc repro`" in said


def test_a_missing_source_is_named_with_its_cure(broken: Path, tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    shutil.copytree(REPORTS, reports, ignore=shutil.ignore_patterns("driving", "driving_thesis"))
    (reports / "references.bib").unlink()
    said = call(broken, reports)
    assert "references.bib" in said


def words_of(path: Path) -> str:
    """Return the words of a page, without tags."""
    return re.sub(r"\s+", " ", re.sub("<.*?>", "", path.read_text(encoding="utf-8")))


def test_the_page_about_the_data_names_its_artefacts_and_no_others(study: Path) -> None:
    page = (study / "data.html").read_text(encoding="utf-8")
    names = ("frames.h5", "split.json", "inspection.json", "inspection.h5")
    made_from = [study / DATA / name for name in names]
    printed = set(HEX.findall(re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)))
    assert printed == {digest(path) for path in made_from}
    moving = [image for image in Elements(page).of("img") if "image/webp" in str(image["src"])]
    assert len(moving) == 6


def test_copies_across_sets_are_called_so_in_both_pages(study: Path) -> None:
    # The bar of the tiny study's pictures comes round again and again.
    found = facts.read(study / "data/driving/inspection.json", "inspection")["duplicates"]
    copies = sum(pair["identical"] for pair in found["pairs"].values())
    assert copies == 12
    for name in PAGES:
        assert f"{copies} clips of one set occur byte for byte in another" in words_of(study / name)


def test_the_stage_needs_no_torch() -> None:
    program = "import sys, stages.report; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_no_number_of_a_result_is_typed_by_hand() -> None:
    """Outside code and comments, the sources' prose holds no digits but those of section names."""
    files = sorted([*REPORTS.rglob("*.typ"), *(ROOT / "studies").rglob("*.typ")])
    assert len(files) >= 18
    source = "\n".join(path.read_text(encoding="utf-8") for path in files)
    prose = [line for line in source.splitlines() if re.match(r"[A-Z_][a-z]", line.strip())]
    typed = [line for line in prose if re.search(r"(?<![#\w.(\-])\d+\.\d+", line)]
    assert [line for line in typed if "figure" not in line and "table" not in line] == []


def test_a_reference_to_nothing_stops_the_report(broken: Path, tmp_path: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(STUDY, study)
    with (study / "chapters/models.typ").open("a", encoding="utf-8") as file:
        file.write("\nSee @no_such_figure.\n")
    said = call(broken, study=study)
    assert "label `<no_such_figure>` does not exist" in said


def test_a_leftover_and_a_row_that_joins_nothing_stop_the_report(
    broken: Path, tmp_path: Path
) -> None:
    study = tmp_path / "study"
    shutil.copytree(STUDY, study)
    text = (study / "thesis.yaml").read_text(encoding="utf-8")
    wrong = text.replace(
        "run: top, quantity: nll, where: test", "run: topp, quantity: nll, where: test"
    )
    assert wrong != text
    (study / "thesis.yaml").write_text(wrong, encoding="utf-8")
    said = call(broken, study=study)
    assert "nothing joins the row topp / nll / test" in said
    (broken / DATA / "notes.txt").write_text("left lying about", encoding="utf-8")
    said = call(broken)
    assert "notes.txt is explained by nothing" in said
    assert not (broken / "report.html").exists()
