"""Laws of the stage extract_latents: every clip, as the trained model sees it."""

from pathlib import Path

import h5py
import numpy
import pytest
import torch
from torch import Tensor

from foreframe import autoencoders
from foreframe.artefacts import hdf5
from foreframe.config.latents import LatentSettings
from foreframe.data import latents as latents_file
from foreframe.data.clips import Clips, load_split
from foreframe.data.normalization import Normalizer
from foreframe.errors import ArtefactError
from foreframe.priors import Codes
from stages import extract_latents
from tests.foreframe.data import seen
from tests.stages import evaluation_study
from tests.stages.autoencoder_study import COMPUTE, FRAMES, Study, make

SETS = ("train", "validation", "test")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = make(tmp_path_factory.mktemp("study"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(study.folder)
        study.train()
    extract(study, study.folder / "latents.h5")
    return study


def extract(study: Study, out: Path) -> None:
    extract_latents.main(
        **study.inputs,
        model=study.outputs["model"],
        latents=LatentSettings(train_stride=3),
        compute=COMPUTE,
        out=out,
    )


def codes_of(group: h5py.Group) -> dict[str, Tensor]:
    return {level: torch.from_numpy(group[level][:]).long() for level in ("top", "bottom")}


def test_every_clip_of_every_set_at_its_stride(study: Study) -> None:
    split = load_split(study.inputs["split"])
    with hdf5.opening(study.folder / "latents.h5", "latents") as file:
        assert latents_file.shapes(file) == {
            "top": Codes((2, 2, 2), 32),
            "bottom": Codes((4, 4, 4), 32),
        }
        for name, stride in (("train", 3), ("validation", 4), ("test", 4)):
            starts = seen.view().starts(split, name, stride)
            assert numpy.array_equal(file[name]["clip_start"][:], starts)
            for level, grid in (("top", (2, 2, 2)), ("bottom", (4, 4, 4))):
                codes = file[name][level]
                assert codes.shape == (len(starts), *grid)
                assert (codes.dtype, codes.chunks) == (numpy.int16, (1, *grid))
                assert codes.fletcher32
                assert 0 <= codes[:].min() <= codes[:].max() < 32


def test_decode_of_stored_codes_is_the_direct_reconstruction(study: Study) -> None:
    model = autoencoders.load(study.outputs["model"])
    normalizer = Normalizer.load(study.inputs["normalization"])
    with hdf5.opening(study.folder / "latents.h5", "latents") as file, torch.no_grad():
        for name in SETS:
            starts, latents = file[name]["clip_start"][:], codes_of(file[name])
            with Clips(study.inputs["frames"], starts, FRAMES) as source:
                for first in range(0, len(starts), extract_latents.BATCH):
                    part = slice(first, first + extract_latents.BATCH)
                    indices = numpy.arange(len(starts))[part]
                    clips = normalizer.normalize(source.read(indices))
                    stored = {level: ids[part] for level, ids in latents.items()}
                    assert torch.equal(model.decode(stored), model.reconstruct(clips))


def test_same_inputs_give_the_same_bytes(study: Study) -> None:
    extract(study, study.folder / "again.h5")
    first, second = study.folder / "latents.h5", study.folder / "again.h5"
    assert first.read_bytes() == second.read_bytes()


def test_the_model_is_left_as_it_is(study: Study) -> None:
    before = study.outputs["model"].read_bytes()
    extract(study, study.folder / "third.h5")
    assert study.outputs["model"].read_bytes() == before


def test_damaged_model_is_refused_and_nothing_is_written(study: Study, tmp_path: Path) -> None:
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(study.outputs["model"].read_bytes()[:-100])
    with pytest.raises(ArtefactError, match=r"broken\.safetensors"):
        extract_latents.main(
            **study.inputs,
            model=broken,
            latents=LatentSettings(train_stride=3),
            compute=COMPUTE,
            out=tmp_path / "latents.h5",
        )
    assert sorted(tmp_path.iterdir()) == [broken]


def test_without_actions_there_is_no_such_dataset(study: Study) -> None:
    with hdf5.opening(study.folder / "latents.h5", "latents") as file:
        assert "action_names" not in file.attrs
        assert all("actions" not in file[name] for name in SETS)
        assert latents_file.actions(file) is None


def test_the_actions_of_every_clip_stand_beside_its_codes(tmp_path: Path) -> None:
    study = evaluation_study.Study(tmp_path)
    recorded_NA = evaluation_study.driven()
    evaluation_study.make_data(study, recorded_NA)
    evaluation_study.make_models(study)
    evaluation_study.make_latents(study)
    with hdf5.opening(study.path("latents"), "latents") as file:
        for name in SETS:
            found_NTA, starts = file[name]["actions"], file[name]["clip_start"][:]
            assert found_NTA.shape == (len(starts), 8, 2)
            assert (found_NTA.dtype, found_NTA.chunks) == (numpy.float32, (1, 8, 2))
            for found_TA, start in zip(found_NTA, starts, strict=True):
                assert (found_TA[1:] == recorded_NA[start : start + 7]).all()
                # Episodes begin at the frames 0 and 48.
                before = recorded_NA[start - 1] if start not in (0, 48) else 0
                assert (found_TA[0] == before).all()
        taken = latents_file.actions(file)
        training_XA = file["train"]["actions"][:].reshape(-1, 2)
    assert taken is not None and (taken.names, taken.frames) == (("steer", "gas"), 8)
    assert numpy.allclose(taken.mean, training_XA.mean(axis=0), atol=1e-6)
    assert numpy.allclose(taken.std, training_XA.std(axis=0))
