"""The stage classify_latents: folds, tables and accuracies fit each other, and a report reads them.

The codes of most tests are written by hand over those that were extracted, so that what can be
known is known.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy
import pytest
import torch

from foreframe.artefacts import facts, hdf5
from foreframe.data import labels, latents
from foreframe.errors import UserError
from foreframe.probing import networks
from foreframe.randomness import generator
from foreframe.report.library import Library
from foreframe.report.reading import Reader
from foreframe.report.results import Results
from foreframe.training import checkpoints
from foreframe.training.checkpoints import Checkpoints
from stages import classify_latents
from tests.foreframe.probing import codes
from tests.stages import picture_study
from tests.stages.evaluation_study import COMPUTE
from tests.stages.picture_study import Study

SETS = ("train", "validation", "test")
ASKED: dict[str, Any] = {"label": "background", "sets": SETS, "training": {"epochs": 24}}
CLASSES = ("plain", "gradient", "stripes", "checks", "spots")
CLIPS = 84


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    """A study whose bottom codes lie near an index of the background; the top's do not."""
    folder = tmp_path_factory.mktemp("study")
    study = picture_study.make(folder)
    numbers = generator(0, "codes")
    with (
        hdf5.opening(study.path("frames"), "frames") as frames,
        hdf5.opening(study.path("latents"), "latents") as known,
    ):
        layout = latents.layout(known)
        content = {name: {key: known[name][key][:] for key in known[name]} for name in SETS}
        for rows in content.values():
            (own,) = labels.of_clips(frames, ["background"], rows["clip_start"]).values()
            near = 3 * own[:, None, None, None] + numbers.integers(0, 3, rows["bottom"].shape)
            rows["bottom"] = near.numpy().astype(numpy.int16)
            rows["top"] = numbers.integers(0, 12, rows["top"].shape).numpy().astype(numpy.int16)
    with hdf5.creating(study.path("latents"), "latents", latents.attributes(layout)) as file:
        for name, rows in content.items():
            group = file.create_group(name)
            for key, values in rows.items():
                hdf5.store(group, key, values)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # where checkpoints lie
        classify(study, study.folder / "analyses/backgrounds/vanilla.json", "index_mlp", "bottom")
        yield study


def kept(study: Study) -> Path:
    """Return where checkpoints lie, from which the stage was run."""
    return study.folder.parent.parent / ".checkpoints"


def classify(study: Study, found: Path, kind: str, level: str, **changes: Any) -> dict[str, Any]:
    """Run the stage; return the facts."""
    own = {
        name: changes.pop(name) for name in set(changes) & {"label", "sets", "folds", "training"}
    }
    settings = codes.settings(kind, level=level, **{**ASKED, **own})
    given: dict[str, Any] = study.paths("latents", "frames")
    given |= {"model": study.path("autoencoder"), "seed": 0} | changes
    found.parent.mkdir(parents=True, exist_ok=True)
    classify_latents.main(
        **given, classifier=settings, compute=COMPUTE, found=found, arrays=found.with_suffix(".h5")
    )
    return facts.read(found, "analysis")


def test_separable_codes_are_told_apart_and_others_are_not(study: Study, tmp_path: Path) -> None:
    near = facts.read(study.folder / "analyses/backgrounds/vanilla.json", "analysis")
    assert near["accuracy"]["mean"] > 0.85
    far = classify(study, tmp_path / "top.json", "index_mlp", "top")
    assert far["accuracy"]["mean"] < 0.45
    assert far["chance"] == near["chance"] == 0.2
    assert far["majority"] == near["majority"] < 0.45
    # Their clips are the same, so they are compared clip by clip.
    assert far["about"]["of"] == near["about"]["of"]


def test_table_folds_and_accuracies_fit_each_other(study: Study) -> None:
    found = facts.read(study.folder / "analyses/backgrounds/vanilla.json", "analysis")
    with hdf5.opening(study.folder / "analyses/backgrounds/vanilla.h5", "analysis") as file:
        table, folds = torch.from_numpy(file["confusion"][:]), file["folds"][:]
        assert tuple(file["classes"].asstr()[:]) == CLASSES
    assert found["about"]["classes"] == list(CLASSES)
    assert int(table.sum()) == found["clips"] == found["about"]["clips"] == len(folds) == CLIPS
    wrong = torch.tensor(found["per_clip"]["error"])
    assert int(table.sum() - table.diagonal().sum()) == int(wrong.sum())
    by_fold = [1 - float(wrong[folds == fold].mean()) for fold in range(3)]
    assert found["accuracy"]["folds"] == pytest.approx(by_fold)
    assert found["accuracy"]["mean"] == pytest.approx(sum(by_fold) / 3)
    recall = table.diagonal() / table.sum(dim=0)
    assert [found["recall"][name] for name in CLASSES] == pytest.approx(recall.tolist())
    assert found["macro_recall"] == pytest.approx(float(recall.mean()))


@pytest.mark.parametrize("kind", ["index_mlp", "vector_cnn"])
def test_equal_seeds_give_equal_bytes(kind: str, study: Study, tmp_path: Path) -> None:
    for name in ("one", "other"):
        classify(study, tmp_path / f"{name}.json", kind, "bottom", training={"epochs": 2})
    for suffix in (".json", ".h5"):
        one, other = (tmp_path / f"{name}{suffix}" for name in ("one", "other"))
        assert one.read_bytes() == other.read_bytes()


def test_the_report_reads_the_numbers(study: Study) -> None:
    path = study.folder / "analyses/backgrounds/vanilla.json"
    found = facts.read(path, "analysis")
    library = Library([study.folder / "analyses/backgrounds"])
    reader = Reader(library)
    results = Results(reader)
    for name in ("accuracy", "accuracy.deviation", "macro_recall", "majority", "recall.spots"):
        value: Any = found
        for part in name.split("."):
            value = value[part]
        wanted = value["mean"] if isinstance(value, dict) else value
        assert results.of("backgrounds/vanilla", name).value == wanted
    with reader.arrays("analysis_arrays", "backgrounds/vanilla") as file:
        assert file["confusion"].shape == (5, 5)
    library.refuse_leftovers(("backgrounds",))


def test_sets_that_are_named_alone_are_taken(study: Study, tmp_path: Path) -> None:
    found = classify(
        study, tmp_path / "train.json", "index_linear", "top", sets=("train",), folds=2
    )
    with hdf5.opening(study.path("latents"), "latents") as file:
        assert found["about"]["of"]["starts"] == file["train"]["clip_start"][:].tolist()


def test_a_killed_run_goes_on_to_the_same_bytes(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def often(*origin: Any) -> Checkpoints:
        return Checkpoints(checkpoints.checkpoints(*origin).folder, steps=5)

    whole = study.folder / "analyses/backgrounds/vanilla.json"
    monkeypatch.setattr(classify_latents, "checkpoints", often)
    read = networks.predicted
    calls = iter((read, stopped))
    with monkeypatch.context() as killed:
        killed.setattr(classify_latents, "predicted", lambda *given: next(calls)(*given))
        with pytest.raises(KeyboardInterrupt):
            classify(study, tmp_path / "vanilla.json", "index_mlp", "bottom")
    assert len(list(kept(study).iterdir())) == 2 and not list(tmp_path.iterdir())
    classify(study, tmp_path / "vanilla.json", "index_mlp", "bottom")
    for suffix in (".json", ".h5"):
        found = (tmp_path / "vanilla.json").with_suffix(suffix).read_bytes()
        assert found == whole.with_suffix(suffix).read_bytes()


def stopped(*given: Any) -> torch.Tensor:
    raise KeyboardInterrupt


def test_no_checkpoint_is_left(study: Study) -> None:
    assert not kept(study).exists() or not list(kept(study).iterdir())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"level": "middle"}, "level is middle, but the levels of codes are: top, bottom"),
        ({"label": "mood"}, "mood is no label of the data"),
        ({"label": "shape", "folds": 20}, "fewer than the 20 folds: lower folds"),
    ],
)
def test_what_is_not_there_is_said(
    changes: dict[str, Any], said: str, study: Study, tmp_path: Path
) -> None:
    chosen = {"level": "top"} | changes
    with pytest.raises(UserError, match=said):
        classify(study, tmp_path / "found.json", "index_linear", **chosen)
    assert not list(tmp_path.iterdir())


def test_data_without_labels_are_refused(study: Study, tmp_path: Path) -> None:
    picture_study.pictures(tmp_path / "frames.h5", train=60, test=24, labelled=False)
    with pytest.raises(UserError, match=r"background is no label of the data\. There are: none\."):
        classify(study, tmp_path / "a.json", "index_linear", "top", frames=tmp_path / "frames.h5")


def test_codes_of_another_autoencoder_are_refused(study: Study, tmp_path: Path) -> None:
    changed = tmp_path / "latents.h5"
    shutil.copy(study.path("latents"), changed)
    with h5py.File(changed, "r+") as file:
        text = file.attrs["layout"].decode().replace('"size":12', '"size":13')
        del file.attrs["layout"]
        file.attrs.create("layout", numpy.bytes_(text.encode()))
    with pytest.raises(UserError, match="are not of this autoencoder: extract them again"):
        classify(study, tmp_path / "found.json", "index_linear", "top", latents=changed)
