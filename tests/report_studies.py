"""Tiny artefacts of all studies, and the words of a report that is set from them without pictures.

A report is set twice from numbers that say the opposite, or from data of another kind, and its
verdicts are read. Pictures take most of a report's time and say nothing in words: each is blank.
"""

import contextlib
import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from unittest import mock

import pandas
from PIL import Image

from foreframe.artefacts import facts, tables
from foreframe.config import study as study_settings
from foreframe.report import desk
from foreframe.report.compile import compile_html
from foreframe.report.desk import Desk, Picture
from stages import report
from tests import report_artefacts
from tests import report_numbers as numbers
from tests.smoke import ROOT
from tests.stages import findings_study

Facts = dict[str, Any]
DRIVING = Path("data/driving")
AUTOENCODERS = (
    "searched", "reference", "plain", "heavy_dropout", "kernel_333", "normal_codebook",
    "index_noise",
)  # fmt: skip
CORRELATIONS = ("real", "reconstruction", "recorded", "shuffled", "shuffled_with_recorded")
PRIORS = {
    "top_small": "top", "top_large": "top", "top_dense": "top",
    "bottom_unclipped": "bottom", "bottom_unconditioned": "bottom",
    "top_noisy": "top", "bottom_noisy": "bottom",
}  # fmt: skip

STUDIES = {
    "driving": ("driving",),
    "driving_thesis": ("driving", "driving_thesis"),
    "learned_simulator": ("driving", "learned_simulator"),
}


def words(folder: Path, study: str, sections: Mapping[str, Any] | None = None) -> str:
    """Return the words of a study's report, set from the artefacts below `folder`/data."""
    (folder / "params.yaml").write_text(json.dumps(sections or parameters()), encoding="utf-8")
    used = STUDIES[study]
    settings = [Path("params.yaml")]
    if len(used) > 1:
        settings += _resolved(folder, study)
    homes = [ROOT / "studies" / name for name in used]
    reports = ROOT / "reports"
    shared = [*sorted(reports.glob("*.typ")), reports / "references.bib", reports / "chapters"]
    sources = [*shared, *(home / "chapters" for home in homes)]
    figures = [ROOT / "reports/inspection.yaml"] if study == "driving" else []
    page = folder / "page"
    shutil.rmtree(page, ignore_errors=True)
    page.mkdir()
    report.gather(page, [*sources, homes[-1] / "report.typ"])
    with contextlib.chdir(folder), mock.patch.object(desk, "draw", _blank):
        report.describe(
            page,
            tuple(Path("data") / name for name in used),
            tuple(settings),
            (*figures, *(home / "figures.yaml" for home in homes)),
            tuple(home / "thesis.yaml" for home in homes if (home / "thesis.yaml").exists()),
        )
    text = compile_html(page / "report.typ").decode()
    text = re.sub(r"<(style|script).*?</\1>", "", text, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub("<.*?>", "", text))


def parameters() -> dict[str, Any]:
    """Return the driving study's sections, with the folder of videos that its schema asks for."""
    sections = report_artefacts.parameters()
    sections["data"]["driving"]["videos"] = "data/videos"
    return sections


def change(path: Path, schema: str, how: Callable[[Facts], Any]) -> None:
    """Let `how` change the facts in a file."""
    content = facts.read(path, schema)
    how(content)
    facts.write(path, schema, content)


def make_thesis(folder: Path) -> None:
    """Write what the thesis study's report reads beside the driving study's artefacts."""
    own = folder / "data/driving_thesis"
    for name in AUTOENCODERS:
        _like(folder / DRIVING / "vqvae", own / "autoencoders" / name)
    for name, base in PRIORS.items():
        _like(folder / DRIVING / "priors" / base, own / "priors" / name)
    _like(folder / DRIVING / "vqvae", own / "joint/joint")
    facts.write(own / "joint/models.json", "models", numbers.models())
    noisy = numbers.models()
    noisy["autoencoder"]["run"] = "index_noise"
    (own / "noisy").mkdir()
    facts.write(own / "noisy/models.json", "models", noisy)
    for run in ("full_clip", "top_small", "unconditioned", "joint", "noisy"):
        scores = numbers.evaluation()
        (own / "evaluations" / run).mkdir(parents=True)
        facts.write(own / f"evaluations/{run}/driving.json", "evaluation", scores)
    (own / "analyses/order").mkdir(parents=True)
    for run in ("vqvae", "index_noise"):
        facts.write(own / f"analyses/order/{run}.json", "analysis", order({"top": 1, "bottom": 1}))
    runs = [f"data/driving_thesis/autoencoders/{name}.safetensors" for name in AUTOENCODERS]
    runs += ["data/driving/vqvae.safetensors", "data/driving_thesis/joint/vqvae.safetensors"]
    _compared(own / "comparisons/driving.json", runs)
    _search(own / "search")
    _findings(own, folder / "analysed")


def order(adjacency: Mapping[str, float]) -> Facts:
    """Return what is found of the order of codes, by how far neighbours are apart in each level."""
    return {
        level: {
            "used": {"adjacency": value, "spearman": 1 - value},
            "usage": {"train": 0.8, "test": 0.7},
        }
        for level, value in adjacency.items()
    }


def make_simulator(folder: Path) -> None:
    """Write what the learned simulator's report reads beside the driving study's artefacts."""
    own = folder / "data/learned_simulator"
    _like(folder / DRIVING / "vqvae", own / "autoencoders/diverse")
    for level in ("top", "bottom"):
        _like(folder / DRIVING / "priors" / level, own / "priors" / f"{level}_actions")
    (own / "evaluations/actions").mkdir(parents=True)
    facts.write(own / "evaluations/actions/driving.json", "evaluation", numbers.evaluation())
    runs = [f"data/{name}.safetensors" for name in ("driving/vqvae", f"{own.name}/diverse")]
    for data in ("driving", "diverse"):
        _compared(own / f"comparisons/{data}.json", runs)
    gain = numbers.around(0.03, 0.01)
    measure = {
        "mean": {
            kind: numbers.around(value, 0.05)
            for kind, value in (("left", -0.3), ("straight", 0.0), ("right", 0.3))
        },
        "right_less_left": numbers.around(0.6, 0.1),
        "follows": {**numbers.around(0.8, 0.1), "clips": 32},
        "right_of_left": numbers.around(0.9, 0.05),
        "correlation": dict.fromkeys(CORRELATIONS, 0.7),
    }
    likelihood = {"recorded": 1.7, "shuffled": 1.73, "gain": gain}
    content = {
        "likelihood": {"top": likelihood, "bottom": likelihood},
        "measures": {"turn": measure, "read": measure},
    }
    facts.write(own / "steering.json", "steering", content)


def _blank(name: str, raw: Mapping[str, Any], there: Desk) -> list[Picture]:
    """Return blank pictures, as many as the figure declares."""
    count = int(there.settings.section("sampling.show")) if name in ("example", "rollout") else 0
    blank = Image.new("RGB", (8, 8))
    return [Picture(blank, number=each) for each in range(1, count + 1)] or [Picture(blank)]


def _resolved(folder: Path, study: str) -> list[Path]:
    """Write a study's own parameters, and those of all its runs; return the files."""
    own = Path("studies") / study / "params.yaml"
    (folder / own).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / own, folder / own)
    found = study_settings.load(folder / own)
    resolved = Path("data") / study / "settings.json"
    facts.write(folder / resolved, "settings", {**found.sections, "like": found.like, "code": {}})
    return [own, resolved]


def _like(base: Path, name: Path) -> None:
    """Copy a training and its weights."""
    name.parent.mkdir(parents=True, exist_ok=True)
    for suffix in (".json", ".safetensors"):
        shutil.copyfile(base.with_suffix(suffix), name.with_suffix(suffix))


def _compared(path: Path, runs: list[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    use = {"usage": 0.7, "perplexity": 14.2, "size": numbers.CODES}
    names = ("psnr", "psnr_top_only", "psnr_bottom_only", "mse")
    test: Facts = {name: numbers.around(25.0, 0.4) for name in names}
    test["codebook"] = {"top": use, "bottom": use}
    models = numbers.models()
    about = {name: models[name] for name in ("protocol", "protocol_digest", "environment")}
    found = {run: {"parameters": 98765, "test": test} for run in runs}
    facts.write(path, "autoencoders", {"autoencoders": found, **about})


def _search(folder: Path) -> None:
    folder.mkdir(parents=True)
    trials = pandas.DataFrame(
        {"flops_per_clip": [1000, 2000], "samples": [64, 64], "steps": [8, 8],
         "parameters": [5000, 9000]}
    )  # fmt: skip
    one = {"choices": [16, 32]}
    span = {"low": 1, "high": 3, "log": False}
    space: Facts = dict.fromkeys(("width", "residual_width", "codebook_size", "code_dim"), one)
    space |= {"training.batch_size": one, "residual_layers": span}
    space |= {"training.learning_rate": {"low": 1e-4, "high": 1e-2, "log": True}}
    content = {
        "space": space,
        "changes": {"training": {"epochs": 2}},
        "trials": 2,
        "failed": 0,
        "best_trial": 1,
        "best_values": dict.fromkeys(space, 16),
        "lowest_loss": 0.1,
        "highest_loss": 0.4,
        "autoencoder": parameters()["autoencoders"]["vqvae"],
        "correlations": {name: {"spearman": -0.8, "p": 0.01} for name in space},
        "trials_checksum": tables.write(folder / "trials.csv", trials),
    }
    facts.write(folder / "search.json", "search", content)


def _findings(own: Path, folder: Path) -> None:
    """Write the findings of a study of untrained networks, under the names of these choices."""
    folder.mkdir()
    found = findings_study.make(folder).facts
    del found["series_checksum"]
    text = json.dumps(found).replace('"drawn"', '"sampled"')
    facts.write(own / "findings.json", "findings", json.loads(text))
