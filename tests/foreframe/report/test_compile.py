"""The Typst call: errors in plain words with their place; nothing outside the folder is read."""

from pathlib import Path

import pytest

from foreframe.errors import UserError
from foreframe.report.compile import compile_html, compile_pdf


def write(folder: Path, source: str) -> Path:
    (folder / "values.json").write_text('{"a": 1.5}')
    path = folder / "report.typ"
    path.write_text(f'#set document(title: "T", date: auto)\n{source}\n')
    return path


def test_a_number_that_is_not_there_stops_the_report(tmp_path: Path) -> None:
    source = write(tmp_path, '#json("values.json").nothing')
    for compiled in (compile_pdf, compile_html):
        with pytest.raises(UserError, match=r'report\.typ:2:.*key "nothing".*dvc repro'):
            compiled(source)


def test_both_forms_hold_the_number(tmp_path: Path) -> None:
    source = write(tmp_path, '= Chapter\nIt is #json("values.json").a.')
    assert compile_pdf(source).startswith(b"%PDF-")
    assert "It is 1.5." in compile_html(source).decode()


def test_the_same_source_elsewhere_gives_the_same_bytes(tmp_path: Path) -> None:
    results = []
    for name in ("one", "another place"):
        folder = tmp_path / name
        folder.mkdir()
        source = write(folder, "= Chapter\nText.")
        results.append((compile_pdf(source), compile_html(source)))
    assert results[0] == results[1]


def test_files_outside_the_folder_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    with pytest.raises(UserError):
        compile_pdf(write(folder, '#read("../secret.txt")'))
