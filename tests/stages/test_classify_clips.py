"""The stage classify_clips: errors, tables and controls fit each other and what is known."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from foreframe.artefacts import facts, hdf5
from foreframe.config.classification import Classification
from foreframe.errors import UserError
from foreframe.report.library import Library
from foreframe.report.reading import Reader
from foreframe.report.results import Results
from stages import classify_clips
from tests.foreframe.classifiers import small
from tests.stages import classes_study
from tests.stages.classes_study import COUNTS, TONES, Study
from tests.stages.evaluation_study import COMPUTE

ASKED = Classification(merged=("side",), nearest=4, train_clips=None)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    folder = tmp_path_factory.mktemp("classes")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # where checkpoints lie
        yield classes_study.make(folder)


def classify(
    study: Study, out: Path, *models: str, seen: Any = None, **changes: Any
) -> dict[str, Any]:
    """Run the stage on frames, or on what each of the classifiers sees; return the facts."""
    files = [study.seen(of) for of in (seen or ["frames"])]
    given: dict[str, Any] = {key: tuple(each[key] for each in files) for key in files[0]}
    given |= {"classification": ASKED, "seed": 0} | changes
    classify_clips.main(
        **given,
        models=tuple(study.path(f"{name}_model") for name in models),
        compute=COMPUTE,
        found=out,
        arrays=out.with_suffix(".h5"),
    )
    return facts.read(out, "analysis")


def test_a_classifier_that_is_right_has_no_error_and_a_diagonal(
    study: Study, tmp_path: Path
) -> None:
    found = classify(study, tmp_path / "found.json", "tones")
    for name, count in COUNTS.items():
        assert found["error"][name]["mean"] == 0
        table = torch.tensor(found["confusion"][name])
        assert torch.equal(table, table.diagonal().diag())
        assert int(table.sum()) == count == found["error"][name]["clips"]
        assert set(found["by_class"][name].values()) <= {0.0, None}
        assert found["merged"]["side"]["error"][name]["mean"] == 0
    assert found["nearest"]["error"]["test"]["mean"] == 0
    assert found["per_clip"]["error"] == 12 * [0.0]
    with hdf5.opening(tmp_path / "found.h5", "analysis") as file:
        assert file["confusion"][:].tolist() == found["confusion"]["validation"]
        assert tuple(file["classes"].asstr()[:]) == TONES == tuple(found["about"]["classes"])


def test_a_classifier_that_has_hardly_learned_errs_and_less_so_by_fewer_classes(
    study: Study, tmp_path: Path
) -> None:
    study.train("poor", steps=1)
    found = classify(study, tmp_path / "found.json", "poor")
    for name, count in COUNTS.items():
        error = found["error"][name]["mean"]
        assert 0.2 < error < 1
        table = torch.tensor(found["confusion"][name])
        assert int(table.sum() - table.diagonal().sum()) == round(error * count)
        assert found["merged"]["side"]["error"][name]["mean"] <= error
    assert sum(found["per_clip"]["error"]) == pytest.approx(
        12 * found["error"]["validation"]["mean"]
    )


def test_a_classifier_beside_itself_is_itself(study: Study, tmp_path: Path) -> None:
    alone = classify(study, tmp_path / "alone.json", "motions", seen=["flow"])
    twice = classify(study, tmp_path / "twice.json", "motions", "motions", seen=["flow"])
    assert alone["error"]["train"]["mean"] > 0.2
    assert alone == twice


def test_frames_and_their_flow_are_judged_together(study: Study, tmp_path: Path) -> None:
    found = classify(study, tmp_path / "found.json", "tones", "motions", seen=["frames", "flow"])
    # One that is sure beside one that is not.
    assert found["error"]["train"]["mean"] < 0.1
    assert found["nearest"]["error"]["test"]["mean"] == 0


def test_equal_seeds_give_equal_bytes(study: Study, tmp_path: Path) -> None:
    for name in ("one", "other"):
        classify(study, tmp_path / f"{name}.json", "tones")
    for suffix in (".json", ".h5"):
        one, other = (tmp_path / f"{name}{suffix}" for name in ("one", "other"))
        assert one.read_bytes() == other.read_bytes()


def test_without_controls_there_are_none(study: Study, tmp_path: Path) -> None:
    asked = Classification(merged=(), nearest=None, train_clips=None)
    found = classify(study, tmp_path / "found.json", "tones", classification=asked)
    assert "nearest" not in found and found["merged"] == {}


def test_training_clips_may_be_told_in_part_and_all_else_stays(
    study: Study, tmp_path: Path
) -> None:
    study.train("poor", steps=1)
    every = classify(study, tmp_path / "every.json", "poor")
    asked = ASKED.model_copy(update={"train_clips": 7})
    some = classify(study, tmp_path / "some.json", "poor", classification=asked)
    for key, found in (("error", some["error"]), ("by_class", some["by_class"])):
        assert {name: found[name] for name in COUNTS if name != "train"} == {
            name: values for name, values in every[key].items() if name != "train"
        }
    assert some["nearest"] == every["nearest"]
    assert some["error"]["train"]["clips"] == 7
    table, whole = (torch.tensor(each["confusion"]["train"]) for each in (some, every))
    assert int(table.sum()) == 7 and bool((table <= whole).all())


def test_the_report_reads_the_numbers(study: Study) -> None:
    folder = study.folder / "analyses/classes"
    folder.mkdir(parents=True)
    found = classify(study, folder / "tones.json", "tones")
    library = Library([folder])
    results = Results(Reader(library))
    number = results.of("classes/tones", "error.validation")
    ends = found["error"]["validation"]
    assert (number.value, number.low, number.high) == (ends["mean"], ends["low"], ends["high"])
    assert results.of("classes/tones", "merged.side.error.test").value == 0
    library.refuse_leftovers(("classes",))


# ------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"merged": ("mood",)}, "mood is no label of the data"),
        ({"merged": ("order",)}, "have 2 classes of the label order, so it does not take"),
        ({"train_clips": 99}, "has 40 clips, so not 99 of them can be told. Set train_clips"),
        ({"nearest": 5}, "Frames of 16 x 16 pixels have no 5 x 5 equal blocks. Set nearest"),
    ],
)
def test_what_cannot_be_measured_is_said(
    changes: dict[str, Any], said: str, study: Study, tmp_path: Path
) -> None:
    asked = Classification(**(ASKED.model_dump() | changes))
    with pytest.raises(UserError, match=said):
        classify(study, tmp_path / "found.json", "tones", classification=asked)
    assert not list(tmp_path.iterdir())


def test_files_that_are_neither_one_nor_as_many_as_classifiers_are_refused(
    study: Study, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="There are 3 classifiers and 2 files of frames"):
        classify(study, tmp_path / "a.json", "tones", "tones", "tones", seen=["frames", "flow"])


def test_clips_of_other_episodes_are_not_judged_together(study: Study, tmp_path: Path) -> None:
    study.train("short", view=small.view(frames=2, train_stride=2, evaluation_stride=2), steps=1)
    with pytest.raises(UserError, match="are not of the same episodes in the same order"):
        classify(study, tmp_path / "found.json", "tones", "short")


def test_classifiers_of_different_labels_are_not_judged_together(
    study: Study, tmp_path: Path
) -> None:
    study.train("sides", label="side", steps=1)
    with pytest.raises(UserError, match=r"tells the tone, but .* the side\. Give"):
        classify(study, tmp_path / "found.json", "tones", "sides")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tones": ("black", "dark", "light", "pink")}, "knows other classes of tone than"),
        ({"height": 32}, "sees frames of 16 x 16 pixels, but those of .* have 32 x 16"),
    ],
)
def test_frames_that_a_classifier_was_not_trained_on_are_refused(
    changes: dict[str, Any], said: str, study: Study, tmp_path: Path
) -> None:
    other = tmp_path / "frames.h5"
    classes_study.frames(other, **changes)
    with pytest.raises(UserError, match=said):
        classify(study, tmp_path / "found.json", "tones", frames=(other,))
