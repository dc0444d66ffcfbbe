"""Stage `report_replication`: the thesis, table by table and figure by figure, in PDF and HTML.

As in the stage `report`, every number is read from an artefact, and every picture names those that
it was made from. The files of parameters are read whole: an appendix lists them.
"""

import tempfile
from pathlib import Path

from foreframe import stage
from foreframe.artefacts import atomic
from foreframe.config.report import Report
from foreframe.report import figures as main_figures
from foreframe.report import values as main_values
from foreframe.report.compile import compile_html, compile_pdf
from foreframe.report.replication import figures, values
from foreframe.report.replication.study import Inputs, Replication, load, read_settings
from foreframe.report.sources import gather


def describe(folder: Path, replication: Replication) -> None:
    """Write the numbers, the settings and the pictures of both studies into `folder`."""
    main = replication.main
    report = Report.model_validate(replication.settings["report"])
    for name, content in (
        ("settings", main.settings),
        ("values", main_values.of(main, report)),
        ("replication", values.of(replication)),
        ("models", main.models),
        ("evaluation", main.evaluation),
        ("findings", replication.findings),
        ("search", replication.search),
        ("steering", replication.steering),
        ("joint", replication.joint),
    ):
        atomic.write_text(folder / f"{name}.json", main_values.as_json(content))
    main_figures.write_all(main, folder)
    figures.write_all(replication, folder)


def main(
    *,
    study: tuple[Path, ...],
    trainings: tuple[Path, ...],
    curves: tuple[Path, ...],
    epochs: tuple[Path, ...],
    evaluations: tuple[Path, ...],
    per_frame: tuple[Path, ...],
    comparisons: tuple[Path, ...],
    joint: Path,
    search: tuple[Path, ...],
    findings: tuple[Path, ...],
    steering: tuple[Path, ...],
    small: Path,
    diverse: Path,
    variants: Path,
    params: Path,
    study_params: Path,
    template: Path,
    chapters: tuple[Path, ...],
    references: Path,
    published: Path,
    pdf: Path,
    html: Path,
) -> None:
    """Draw the pictures in a temporary folder, set the report there, publish its two files."""
    inputs = Inputs(
        study=study,
        trainings=trainings,
        curves=curves,
        epochs=epochs,
        evaluations=evaluations,
        per_frame=per_frame,
        comparisons=comparisons,
        joint=joint,
        search=search,
        findings=findings,
        steering=steering,
        small=small,
        diverse=diverse,
        variants=variants,
    )
    replication = load(inputs, read_settings(params), read_settings(study_params))
    sources = {chapter.name: chapter for chapter in chapters}
    sources |= {"report.typ": template, "references.bib": references, "published.json": published}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gather(folder, sources)
        describe(folder, replication)
        pages, page = (make(folder / "report.typ") for make in (compile_pdf, compile_html))
    atomic.write_bytes(pdf, pages)
    atomic.write_bytes(html, page)


if __name__ == "__main__":
    stage.run(main)
