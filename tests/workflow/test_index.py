"""The index opens what was made here and nothing else; README.md shows what the report wrote."""

import re
import shutil
from pathlib import Path

import pytest
from PIL import Image
from ruamel.yaml import YAML

from foreframe.artefacts import facts
from foreframe.artefacts.digest import digest
from foreframe.errors import UserError
from tests.smoke import ROOT
from workflow import index, showcase

NUMBER = {
    "label": "PSNR", "unit": "dB", "digits": 2, "better": "higher", "ahead": False,
    "ours": {"name": "argmax", "value": 18.098, "low": None, "high": None},
    "theirs": {"name": "last frame", "value": 20.087, "low": None, "high": None},
}  # fmt: skip
UNKNOWN = {**NUMBER, "label": "SSIM", "ahead": None, "ours": {"name": "argmax", "value": None}}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of three studies in which nothing was run."""
    shutil.copytree(
        ROOT / "reports", tmp_path / "reports", ignore=shutil.ignore_patterns("*.html", "*.pdf")
    )
    for name in ("learned_simulator", "driving_thesis"):
        (tmp_path / "studies" / name).mkdir(parents=True)
        (tmp_path / "studies" / name / "dvc.yaml").touch()
        shutil.rmtree(tmp_path / "reports" / name, ignore_errors=True)
    shutil.rmtree(tmp_path / "reports/driving", ignore_errors=True)
    return tmp_path


def make(project: Path, study: str, pages: list[str]) -> None:
    folder = project / "reports" / study
    folder.mkdir(parents=True)
    card = {
        "title": f"On {study}", "sentence": f"What {study} is about.", "clip": "clip",
        "alt": "A clip of true and predicted frames.", "pages": pages,
        "numbers": [NUMBER, UNKNOWN], "artefacts": [],
    }  # fmt: skip
    facts.write(folder / "card.json", "card", card)
    Image.new("RGB", (8, 4), "red").save(folder / "clip.webp")


def test_where_nothing_was_made_it_says_so(project: Path) -> None:
    with pytest.raises(UserError, match="no report has been made here yet"):
        index.run(project)
    assert not (project / "reports/index.html").exists()


def test_it_opens_one_study_alone_and_later_all(project: Path) -> None:
    make(project, "learned_simulator", ["report.pdf", "report.html"])
    first = index.run(project).read_text()
    assert links(first) == ["learned_simulator/report.html", "learned_simulator/report.pdf"]
    assert "1 study made here" in first
    make(project, "driving", ["report.pdf", "report.html", "more.html"])
    page = index.run(project).read_text()
    # The main study comes first.
    assert [link.partition("/")[0] for link in links(page)] == ["driving"] * 3 + [
        "learned_simulator"
    ] * 2
    assert page.count('class="clip"') == page.count("data:image/webp") == 2
    words = re.sub(r"\s+", " ", re.sub("<.*?>", " ", page))
    assert "PSNR 18.10 dB argmax, not better than last frame: 20.09 dB" in words
    assert "SSIM – argmax, beside last frame" in words
    assert index.run(project).read_text() == page


def links(page: str) -> list[str]:
    return re.findall(r'<a href="([^#"]*)"', page)


def test_a_damaged_card_is_named(project: Path) -> None:
    make(project, "driving", ["report.html"])
    card = project / "reports/driving/card.json"
    card.write_text(card.read_text().replace("18.098", "28.098"))
    with pytest.raises(UserError, match=r"card\.json is damaged"):
        index.run(project)


def test_the_readme_gets_the_clip_and_the_line_between_its_marks(project: Path) -> None:
    make(project, "driving", ["report.html"])
    (project / "docs").mkdir()
    for between in ("", "something old\n"):
        text = f"# Title\n\n{showcase.BEGIN}{between}{showcase.END}\nMore.\n"
        (project / "README.md").write_text(text)
        showcase.run(project)
        before, shown, after = showcase.parts((project / "README.md").read_text())
        assert (before, after) == (
            f"# Title\n\n{showcase.BEGIN}", f"{showcase.END}\nMore.\n",
        )  # fmt: skip
        picture, numbers = filter(None, shown.splitlines())
        assert picture == "![A clip of true and predicted frames.](docs/futures.webp)"
        assert numbers == (
            "PSNR 18.10 dB by argmax (best baseline, last frame: 20.09 dB); "
            "SSIM – by argmax (best baseline, last frame: 20.09 dB)."
        )
    made = project / "reports/driving/clip.webp"
    assert (project / showcase.CLIP).read_bytes() == made.read_bytes()


def test_the_readme_of_this_project_shows_the_study_of_its_lock() -> None:
    """Where the lock knows a card, the copies are its bytes, and the line has its numbers."""
    _, shown, _ = showcase.parts((ROOT / "README.md").read_text(encoding="utf-8"))
    stages = YAML(typ="safe").load((ROOT / "dvc.lock").read_text())["stages"]
    locked = {out["path"]: out["md5"] for out in stages["report"]["outs"]}
    copies = {"card.json": ROOT / showcase.CARD, "clip.webp": ROOT / showcase.CLIP}
    expected = {name: locked.get(f"reports/driving/{name}") for name in copies}
    assert {n: digest(p) if p.exists() else None for n, p in copies.items()} == expected
    card = ROOT / showcase.CARD
    assert shown == (showcase.block(facts.read(card, "card")) if card.exists() else "")
