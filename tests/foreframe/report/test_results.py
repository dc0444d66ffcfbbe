"""One flat table: every number of the artefacts is in it, with its interval and its file."""

import json
import math
from pathlib import Path

import numpy
import pytest

from foreframe.data import clips, writing
from foreframe.data.writing import Layout
from foreframe.errors import UserError
from foreframe.report.desk import Desk
from foreframe.report.library import Library
from foreframe.report.reading import Reader
from foreframe.report.results import Results, flat
from foreframe.sources import Block, Episode
from tests import report_artefacts
from tests import report_numbers as numbers


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    report_artefacts.make(folder / "data/driving")
    return folder


@pytest.fixture(scope="module")
def there(study: Path) -> Desk:
    return report_artefacts.desk(study, [study / "data/driving"], report_artefacts.parameters())


def test_a_tree_becomes_rows_of_sets_intervals_and_paths() -> None:
    tree = {
        "mse": {"train": 1.0, "test": 2.0},
        "psnr": {"mean": 3.0, "low": 2.5, "high": 3.5, "won": 0.5},
        "deep": {"by": [{"mean": 7.0}, {"mean": 8.0}], "grid": [1, 2]},
        "environment": {"python": "3.11"},
        "curve_checksum": ["sha256", "0"],
    }
    rows = {(path, where): value for _, path, where, value in flat(tree, "run")}
    assert rows.pop(("psnr", ""))["low"] == 2.5
    assert rows == {
        ("mse", "train"): 1.0, ("mse", "test"): 2.0, ("psnr.won", ""): 0.5,
        ("deep.by.1", ""): {"mean": 7.0}, ("deep.by.2", ""): {"mean": 8.0},
        ("deep.grid", ""): [1, 2],
    }  # fmt: skip


def test_every_measured_number_is_in_the_table_with_its_file(there: Desk) -> None:
    of, models, evaluation = there.results.of, numbers.models(), numbers.evaluation()
    for where in numbers.SETS:
        assert of("vqvae", "mse", where).value == models["autoencoder"]["mse"][where]
        for level, prior in models["priors"].items():
            assert of(level, "nll", where).value == prior["nll"][where]
            found = of(level, "baselines.bigram", where)
            assert found.value == prior["baselines"]["bigram"][where]
            assert found.artefact.endswith("data/driving/models.json")
    for name, scores in evaluation["predictors"].items():
        for metric, score in scores.items():
            found = of(name, metric, "driving")
            assert (found.value, found.low, found.high) == (
                score["mean"], score["low"], score["high"],
            )  # fmt: skip
    bits = of("main", "bits_per_dimension", "driving")
    assert (bits.value, bits.low, bits.high) == (3.25, 3.0, 3.5)
    assert of("main", "bits_per_dimension.kind", "driving").value == "elbo"
    for name, lead in evaluation["differences"].items():
        for metric, found in lead.items():
            assert of(name, f"lead.{metric}", "driving").value == found["mean"]
            assert of(name, f"lead.{metric}.won", "driving").value == found["won"]
    for name, states in evaluation["states"].items():
        assert of(name, "state.speed", "driving").low == states["speed"]["low"]


def test_a_lead_over_each_baseline_is_counted_from_the_first_frame_without_a_gap(
    there: Desk,
) -> None:
    table = numbers.per_frame().set_index(["predictor", "frame"])["psnr"]
    seen = set()
    for name in numbers.PREDICTORS:
        ours, leads = table[name].to_list(), [numbers.CLIP - numbers.CONTEXT]
        for other in {"copy_last_frame", "mean_frame", "linear_motion"} - {name}:
            ahead = [one > two for one, two in zip(ours, table[other], strict=True)]
            leads.append(ahead.index(False) if False in ahead else len(ahead))
            assert there.results.of(name, f"psnr.ahead.{other}", "driving").value == leads[-1]
        assert there.results.of(name, "psnr.ahead", "driving").value == min(leads)
        seen |= set(leads)
        assert there.results.of(name, "psnr.first", "driving").value == ours[0]
        assert there.results.of(name, "psnr.last", "driving").value == ours[-1]
    assert len(seen) > 2


def test_bits_are_nats_over_the_logarithm_of_two(there: Desk) -> None:
    for level in ("top", "bottom"):
        nats, bits = (there.results.of(level, name, "test").value for name in ("nll", "bits"))
        assert bits == pytest.approx(nats / math.log(2))


def test_a_number_that_does_not_depend_on_a_set_is_found_under_any(there: Desk) -> None:
    assert there.results.of("top", "chance", "test") == there.results.of("top", "chance")


def test_a_missing_number_is_answered_with_the_nearest_ones(there: Desk) -> None:
    for wrong, right in (
        (("topp", "nll", "test"), "top"),
        (("top", "nil", "test"), "nll"),
        (("top", "nll", "tests"), "test"),
    ):
        with pytest.raises(UserError, match=rf"no result .*Choose one of: {right}\b"):
            there.results.of(*wrong)


def test_all_of_it_is_json(there: Desk) -> None:
    text = json.dumps(there.results.facts(), allow_nan=False)
    found = json.loads(text)["driving"]["frames"]
    assert sum(found[name]["value"] for name in numbers.SETS) == found[""]["value"] == 400


def test_frames_are_counted_by_class_in_each_set(tmp_path: Path) -> None:
    path, episodes = tmp_path / "data/tiny", ((3, "cat"), (2, "dog"), (4, "cat"), (1, "hen"))
    path.mkdir(parents=True)
    animals = ("dog", "cat", "hen", "owl")
    layout = Layout(8, 8, 0.1, "images", (), (), {"animal": animals}, 8)
    with writing.creating(path / "frames.h5", layout) as writer:
        for length, animal in episodes:
            frames = numpy.zeros((length, 8, 8, 3), numpy.uint8)
            block = Block(frames, *2 * [numpy.zeros((length, 0), numpy.float32)])
            labels = {"animal": animals.index(animal)}
            list(writer.add(Episode(animal, 4, iter([block]), labels=labels)))
    runs = {"train": ((0, 2), (5, 9)), "validation": ((2, 4),), "test": ()}
    clips.save_split(path / "split.json", clips.SplitRuns(**runs))
    results = Results(Reader(Library([path])))
    each = [animal for length, animal in episodes for _ in range(length)]
    assert results.of("tiny", "label.animal").value == list(animals)
    for name, of_set in runs.items():
        there = [animal for start, stop in of_set for animal in each[start:stop]]
        for animal in animals:
            found = results.of("tiny", f"label.animal.{animal}", name)
            assert found.value == there.count(animal)
