"""Stage `report`: the study as a thesis, a PDF and a single HTML file, and a page about its data.

Every number is read from an artefact, every picture names the artefacts it was made from. The
sections of params.yaml are taken as plain values, so a change of a model's code leaves the report
as it is as long as its results do not change.
"""

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

from foreframe import stage
from foreframe.artefacts import atomic
from foreframe.config.protocols import MAIN
from foreframe.config.report import Report
from foreframe.report import data, figures, values
from foreframe.report.compile import compile_html, compile_pdf
from foreframe.report.sources import gather
from foreframe.report.study import Paths, Study, load

Section = dict[str, Any]

SOURCE, DATA_SOURCE = "report.typ", "data.typ"


def describe(folder: Path, study: Study, found: data.Inspection, report: Report) -> None:
    """Write the numbers, the settings and the pictures of a study into `folder`."""
    atomic.write_text(folder / "settings.json", values.as_json(study.settings))
    atomic.write_text(folder / "values.json", values.as_json(values.of(study, report)))
    atomic.write_text(folder / "data.json", values.as_json(data.of(found, study.settings, report)))
    figures.write_all(study, folder)
    data.write_all(found, folder)


def main(
    *,
    frames: Path,
    split: Path,
    normalization: Path,
    autoencoder: Path,
    autoencoder_facts: Path,
    autoencoder_curve: Path,
    autoencoder_epochs: Path,
    latents: Path,
    top: Path,
    top_facts: Path,
    top_curve: Path,
    top_epochs: Path,
    bottom: Path,
    bottom_facts: Path,
    bottom_curve: Path,
    bottom_epochs: Path,
    models: Path,
    examples: Path,
    samples: Path,
    evaluation: Path,
    per_frame: Path,
    inspection: Path,
    inspection_arrays: Path,
    template: Path,
    data_template: Path,
    chapters: tuple[Path, ...],
    style: Path,
    references: Path,
    published: Path,
    report: Report,
    seed: int,
    compute_settings: Section,
    source_settings: Section,
    clip_settings: Section,
    split_settings: Section,
    autoencoder_settings: Section,
    latents_settings: Section,
    priors_settings: Section,
    sampling_settings: Section,
    protocol_settings: Section,
    evaluation_settings: Section,
    pdf: Path,
    html: Path,
    data_html: Path,
) -> None:
    """Draw the pictures in a temporary folder, set the report there, publish its three files."""
    paths = Paths(
        frames=frames,
        split=split,
        normalization=normalization,
        autoencoder=autoencoder,
        autoencoder_facts=autoencoder_facts,
        autoencoder_curve=autoencoder_curve,
        autoencoder_epochs=autoencoder_epochs,
        latents=latents,
        top=top,
        top_facts=top_facts,
        top_curve=top_curve,
        top_epochs=top_epochs,
        bottom=bottom,
        bottom_facts=bottom_facts,
        bottom_curve=bottom_curve,
        bottom_epochs=bottom_epochs,
        models=models,
        examples=examples,
        samples=samples,
        evaluation=evaluation,
        per_frame=per_frame,
    )
    settings: dict[str, Any] = {
        "seed": seed,
        "compute": compute_settings,
        "source": source_settings,
        "clip": clip_settings,
        "split": split_settings,
        "autoencoder": autoencoder_settings,
        "latents": latents_settings,
        "priors": priors_settings,
        "sampling": sampling_settings,
        f"protocols.{MAIN}": protocol_settings,
        "evaluation": evaluation_settings,
    }
    found = data.load(data.Paths(frames, split, inspection, inspection_arrays))
    study = load(paths, settings)
    study = dataclasses.replace(study, artefacts={**study.artefacts, **found.artefacts})
    sources = {
        SOURCE: template,
        DATA_SOURCE: data_template,
        **{chapter.name: chapter for chapter in chapters},
        "style.typ": style,
        "references.bib": references,
        "published.json": published,
        "models.json": models,
        "evaluation.json": evaluation,
        "inspection.json": inspection,
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gather(folder, sources)
        describe(folder, study, found, report)
        pages, page = compile_pdf(folder / SOURCE), compile_html(folder / SOURCE)
        data_page = compile_html(folder / DATA_SOURCE)
    atomic.write_bytes(pdf, pages)
    atomic.write_bytes(html, page)
    atomic.write_bytes(data_html, data_page)


if __name__ == "__main__":
    stage.run(main)
