"""The stage question: every kind is answered, the answer repeats itself, and a report reads it."""

from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from foreframe import autoencoders, kinds
from foreframe.artefacts import facts, hdf5
from foreframe.data.clips import Clips
from foreframe.evaluation import statistics
from foreframe.questions import PACKAGE
from foreframe.report.library import Library
from foreframe.report.reading import Reader
from foreframe.report.results import Results
from stages import compare_analyses, question
from tests.stages import picture_study
from tests.stages.evaluation_study import COMPUTE
from tests.stages.picture_study import Study

ASKED: dict[str, dict[str, Any]] = {
    "codebook_order": {"clips": None, "show": 0},
    "brittleness": {
        "clips": 9,
        "show": 2,
        "widths": (0.5, 2.0),
        "vector_widths": (0.5,),
        "shares": (0.1, 1.0),
    },
    "index_interpolation": {"clips": 16, "show": 2, "steps": 4},
    "dead_levels": {"clips": 10, "show": 0, "perplexity": 1.1, "share": 0.001},
    "reconstruction": {"clips": 9, "show": 3, "drop": ()},
    "index_pictures": {"clips": None, "show": 3},
    "pose_between": {"clips": 9, "show": 2, "steps": 3},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study with an answer to every question."""
    study = picture_study.make(tmp_path_factory.mktemp("study"))
    for kind in ASKED:
        ask(study, kind, study.folder / f"analyses/{kind}/vanilla.json")
    return study


def ask(study: Study, kind: str, found: Path, **changes: Any) -> dict[str, Any]:
    """Run the stage; return the facts."""
    settings = kinds.find(PACKAGE, kind).Settings(**{**ASKED[kind], "kind": kind})
    given: dict[str, Any] = study.paths("frames", "split", "normalization")
    given |= {"model": study.path("autoencoder"), "weights": Path("no weights"), "seed": 0}
    given |= changes
    found.parent.mkdir(parents=True, exist_ok=True)
    arrays = found.with_suffix(".h5")
    question.main(**given, question=settings, compute=COMPUTE, found=found, arrays=arrays)
    return facts.read(found, "analysis")


def test_every_kind_is_asked() -> None:
    # It takes more clips than there are here; test_scattered_codes.py asks it.
    assert sorted([*ASKED, "scattered_codes"]) == kinds.available(PACKAGE)


@pytest.mark.parametrize("kind", ASKED)
def test_equal_seeds_give_equal_bytes(kind: str, study: Study, tmp_path: Path) -> None:
    ask(study, kind, tmp_path / "vanilla.json")
    for name in ("vanilla.json", "vanilla.h5"):
        first = study.folder / "analyses" / kind / name
        assert (tmp_path / name).read_bytes() == first.read_bytes()


def test_another_seed_moves_other_codes(study: Study, tmp_path: Path) -> None:
    cells = [
        facts.read(study.folder / "analyses/brittleness/vanilla.json", "analysis"),
        ask(study, "brittleness", tmp_path / "other.json", seed=1),
    ]
    assert cells[0]["indices"] != cells[1]["indices"]
    assert cells[0]["about"]["of"] == cells[1]["about"]["of"]


def test_the_report_reads_the_numbers_and_the_arrays(study: Study) -> None:
    library = Library([study.folder / "analyses"])
    reader = Reader(library)
    results = Results(reader)
    assert set(results.numbers) == {f"{kind}/vanilla" for kind in ASKED}
    facts_of = {
        kind: facts.read(study.folder / f"analyses/{kind}/vanilla.json", "analysis")
        for kind in ASKED
    }
    cell = facts_of["brittleness"]["indices"]["width_0.5"]["share_0.1"]
    number = results.of("brittleness/vanilla", "indices.width_0.5.share_0.1")
    assert (number.value, number.low, number.high) == (cell["mean"], cell["low"], cell["high"])
    assert number.low is not None and cell["clips"] == 9 > statistics.SMALLEST
    order = facts_of["codebook_order"]["top"]
    assert (
        results.of("codebook_order/vanilla", "top.perplexity", "train").value
        == (order["perplexity"]["train"])
    )
    assert results.of("codebook_order/vanilla", "top.all.codes").value == 12
    found = results.of("reconstruction/vanilla", "ssim.test")
    assert found.value == facts_of["reconstruction"]["ssim"]["test"]["mean"]
    why = results.of("reconstruction/vanilla", "missing.lpips_alex").value
    assert why == facts_of["reconstruction"]["missing"]["lpips_alex"]
    between = results.of("pose_between/vanilla", "over_blend")
    assert between.low is not None and between.low <= between.value <= between.high
    assert results.of("dead_levels/vanilla", "dead").value == facts_of["dead_levels"]["dead"]
    series = reader.series("analysis", "index_interpolation/vanilla")
    assert set(series["predictor"]) == {"indices", "outputs", "blend"}
    assert set(series["frame"]) == {1, 2, 3, 4}
    with reader.arrays("analysis_arrays", "codebook_order/vanilla") as file:
        assert file["bottom_points"].shape == (16, 2)
    library.refuse_leftovers(tuple(ASKED))


def test_pictures_are_of_test_clips_evenly_spread(study: Study) -> None:
    about = facts.read(study.folder / "analyses/reconstruction/vanilla.json", "analysis")["about"]
    assert (about["clips"], about["training_clips"]) == (9, 9)
    assert about["settings"] == ASKED["reconstruction"] | {"kind": "reconstruction", "drop": []}
    starts = about["of"]["starts"]
    assert len(set(numpy.diff(starts))) <= 2 and min(starts) >= 60
    with Clips(study.path("frames"), starts[:3], 1) as clips:
        real = clips.read([0, 1, 2])
    model = autoencoders.load(study.path("autoencoder"))
    with torch.no_grad():
        x = model.reconstruct(real.movedim(-1, 1) / 255 * 2 - 1)
    decoded = ((x + 1) / 2 * 255).round().clamp(0, 255).to(torch.uint8).movedim(1, -1)
    with hdf5.opening(study.folder / "analyses/reconstruction/vanilla.h5", "analysis") as file:
        assert numpy.array_equal(file["real"][:], real.numpy())
        assert numpy.abs(file["decoded"][:].astype(int) - decoded.numpy()).max() <= 1


def test_two_models_are_compared_clip_by_clip(study: Study, tmp_path: Path) -> None:
    folder = tmp_path / "data/tiny/analyses/brittleness"
    model = picture_study.network()
    for parameter in model.parameters():
        parameter.data.mul_(0.9)
    autoencoders.save(tmp_path / "other.safetensors", model)
    ask(study, "brittleness", folder / "vanilla.json")
    ask(study, "brittleness", folder / "other.json", model=tmp_path / "other.safetensors")
    out = tmp_path / "data/tiny/pairs/brittleness.json"
    compare_analyses.main(found=folder, out=out)
    number = Results(Reader(Library([out]))).of(
        "other", "over.vanilla.indices.width_2.share_1", "brittleness"
    )
    assert number.low is not None and number.low <= number.value <= number.high
