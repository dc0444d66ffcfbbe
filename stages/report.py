"""Stage `report`: any study as a document, in PDF and in single files of HTML.

Every number is read from an artefact, every picture names the artefacts it was made from. Settings
are taken as plain values, so a change of a model's code leaves the report as it is as long as its
results do not change.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from foreframe.artefacts import atomic, facts
from foreframe.errors import UserError
from foreframe.report import desk, document, opening
from foreframe.report import settings as settings_file
from foreframe.report import thesis as thesis_file
from foreframe.report.compile import compile_html, compile_pdf
from foreframe.report.library import Library
from foreframe.report.reading import Reader
from foreframe.report.results import Results
from foreframe.running import stage

SOURCES = (".typ", ".bib")
FORMS: Mapping[str, Callable[[Path], bytes]] = {".pdf": compile_pdf, ".html": compile_html}


def gather(folder: Path, sources: Iterable[Path]) -> None:
    """Copy Typst sources, files or all those below a folder, into one folder.

    Raises:
        UserError: one is missing, or two have one name.
    """
    for path in _files(sources):
        if (folder / path.name).exists():
            raise UserError(f"{path}: another source has the same name. Rename one of them.")
        shutil.copyfile(path, folder / path.name)


def _files(sources: Iterable[Path]) -> Iterator[Path]:
    for path in sources:
        if not path.exists():
            raise UserError(f"{path} does not exist. Get it back with git.")
        inside = sorted(each for each in path.rglob("*") if each.suffix in SOURCES)
        yield from [path] if path.is_file() else inside


def describe(
    folder: Path,
    results: tuple[Path, ...],
    settings: tuple[Path, ...],
    figures: tuple[Path, ...],
    thesis: tuple[Path, ...],
) -> None:
    """Write the numbers, the settings, the pictures and the opening of a study into `folder`."""
    library, declared = Library(results), desk.read(figures)
    known = desk.whole_runs(declared.runs, settings_file.load(settings), library)
    library.refuse_leftovers([*known.names(), *declared.runs])
    numbers = Results(Reader(library))
    stated = thesis_file.joined(thesis_file.load(thesis), numbers, known)
    pictures = desk.write_all(declared.figures, library, numbers, known, folder)
    for name, content in (
        ("results", numbers.facts()),
        ("thesis", stated),
        ("document", document.of(library, known, declared.runs, pictures)),
        ("opening", opening.of(declared.opening, desk.Desk(library, numbers, known))),
    ):
        atomic.write_text(folder / f"{name}.json", desk.as_json(content))


def main(
    *,
    results: tuple[Path, ...],
    settings: tuple[Path, ...],
    figures: tuple[Path, ...],
    thesis: tuple[Path, ...],
    sources: tuple[Path, ...],
    out: tuple[Path, ...],
    card: Path,
    clip: Path,
) -> None:
    """Draw the pictures in a temporary folder, set the documents there, publish them.

    `results` and `sources` are files or folders; NAME.pdf or NAME.html is set from NAME.typ.
    `card` and `clip` are what the index of all reports shows of this one.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gather(folder, sources)
        describe(folder, results, settings, figures, thesis)
        made = [FORMS[path.suffix](folder / f"{path.stem}.typ") for path in out]
        values, shown = opening.card(folder, [path.name for path in out])
    for path, content in zip((*out, clip), (*made, shown), strict=True):
        atomic.write_bytes(path, content)
    facts.write(card, opening.SCHEMA, values)


if __name__ == "__main__":
    stage.run(main)
