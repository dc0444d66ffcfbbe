"""Laws of the stage extract_latents: every clip, as the trained model sees it."""

import json
from pathlib import Path

import h5py
import numpy
import pytest
import torch
from torch import Tensor

from foreframe import autoencoders
from foreframe.artefacts import hdf5
from foreframe.clips import Clips, load_split
from foreframe.config.latents import LatentSettings
from foreframe.errors import ArtefactError
from foreframe.normalization import Normalizer
from stages import extract_latents
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
        assert json.loads(file.attrs["levels"]) == ["top", "bottom"]
        assert json.loads(file.attrs["codebook_size"]) == {"top": 32, "bottom": 32}
        for name, stride in (("train", 3), ("validation", 4), ("test", 4)):
            starts = split.starts(name, stride)
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
