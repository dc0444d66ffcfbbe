"""Latents of any layout come back as they were stored, under what the file says that they are."""

from pathlib import Path

import numpy
import pytest
import torch

from foreframe.artefacts import hdf5
from foreframe.config.split import SETS
from foreframe.data import latents
from foreframe.data.latents import CodeGrid, Latent, Vectors
from foreframe.errors import ArtefactError
from foreframe.priors import Codes
from foreframe.randomness import numpy_generator

LAYOUT: dict[str, Latent] = {
    "top": CodeGrid(shape=(2, 3, 4), size=32),
    "image": CodeGrid(shape=(5, 6), size=512),
    "slots": Vectors(shape=(7, 3)),
    "scene": Vectors(shape=(9,)),
}


def write(path: Path, attributes: dict[str, str], drop: str = "") -> dict[str, numpy.ndarray]:
    """Write four clips of each set; return the training set's latents by level."""
    rng, values = numpy_generator(0), {}
    for name, latent in LAYOUT.items():
        numbers = rng.integers(0, 30, (4, *latent.shape))
        values[name] = (numbers + (0.5 if latent.kind == "vectors" else 0)).astype(latent.dtype)
    with hdf5.creating(path, latents.SCHEMA, attributes) as file:
        for group in SETS:
            for name, value in values.items():
                if f"{group}/{name}" != drop:
                    hdf5.store(file, f"{group}/{name}", value, (1, *value.shape[1:]))
    return values


def test_levels_of_any_layout_come_back_in_order(tmp_path: Path) -> None:
    written = write(tmp_path / "latents.h5", latents.attributes(LAYOUT))
    with hdf5.opening(tmp_path / "latents.h5", latents.SCHEMA) as file:
        assert list(latents.layout(file).items()) == list(LAYOUT.items())
        found = latents.read(file["train"], LAYOUT, torch.tensor([2, 0]))
    for name, values in written.items():
        kind = torch.int64 if LAYOUT[name].kind == "codes" else torch.float32
        assert found[name].dtype == kind
        assert numpy.array_equal(found[name], values[[2, 0]])


def test_a_prior_over_clips_is_offered_their_codes_alone(tmp_path: Path) -> None:
    write(tmp_path / "latents.h5", latents.attributes(LAYOUT))
    with hdf5.opening(tmp_path / "latents.h5", latents.SCHEMA) as file:
        assert latents.shapes(file) == {"top": Codes((2, 3, 4), 32)}


OTHER: dict[str, dict[str, Latent]] = {
    "rank": {**LAYOUT, "top": CodeGrid(shape=(6, 4), size=32)},
    "kind": {**LAYOUT, "scene": CodeGrid(shape=(9,), size=32)},
    "level": {**LAYOUT, "bottom": Vectors(shape=(9,))},
}


@pytest.mark.parametrize(
    "attributes",
    [
        *({**latents.attributes(other)} for other in OTHER.values()),
        {},
        {"layout": "{"},
        {"layout": '{"top": {"kind": "pixels", "shape": [2, 3, 4]}}'},
        {"layout": '{"top": {"kind": "codes", "shape": [2, 3, 4]}}'},
        {"layout": '{"top": {"kind": "codes", "shape": [2, 3, 4], "size": 0}}'},
    ],
)
def test_a_layout_that_is_not_the_files_is_refused(
    attributes: dict[str, str], tmp_path: Path
) -> None:
    write(tmp_path / "latents.h5", attributes)
    refused = pytest.raises(ArtefactError, match=r"latents\.h5 is damaged")
    with hdf5.opening(tmp_path / "latents.h5", latents.SCHEMA) as file, refused:
        latents.layout(file)


def test_a_level_that_one_set_lacks_is_named(tmp_path: Path) -> None:
    write(tmp_path / "latents.h5", latents.attributes(LAYOUT), drop="test/slots")
    refused = pytest.raises(ArtefactError, match="test/slots is not what it says")
    with hdf5.opening(tmp_path / "latents.h5", latents.SCHEMA) as file, refused:
        latents.layout(file)
