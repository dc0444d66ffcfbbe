"""Laws of the stage train_prior: what it writes, that it learns, and that it repeats itself."""

import json
import math
from pathlib import Path

import numpy
import pytest
import torch

from foreframe import priors
from foreframe.artefacts import hdf5
from foreframe.config.compute import Compute
from foreframe.data import latents as latents_file
from foreframe.data.latents import CodeGrid
from foreframe.errors import UserError
from foreframe.priors import PriorSettings
from foreframe.training import record
from stages import train_prior
from tests.foreframe.priors import tiny

COMPUTE = Compute(device="cpu", instructions="portable", threads=1, precision="float32")
OUTS = ("model", "record")


def write_latents(path: Path, driven: bool = False) -> None:
    """Write codes that repeat along each row, so that a prior has something to learn.

    Where the clips are driven, the first action of a code-frame names the codes of its first row.
    """
    numbers = numpy.random.Generator(numpy.random.Philox(1))
    layout = {
        "top": CodeGrid(shape=(1, 2, 3), size=5),
        "bottom": CodeGrid(shape=(2, 4, 6), size=7),
    }
    attributes = latents_file.attributes(layout)
    if driven:
        attributes["action_names"] = json.dumps(["steer"])
    with hdf5.creating(path, "latents", attributes) as file:
        for name, count in (("train", 9), ("validation", 3), ("test", 2)):
            group = file.create_group(name)
            hdf5.store(group, "clip_start", numpy.arange(count, dtype=numpy.int64))
            for level, grid, size in (("top", (1, 2, 3), 5), ("bottom", (2, 4, 6), 7)):
                rows = numbers.integers(size, size=(count, *grid[:2], 1))
                codes = numpy.broadcast_to(rows, (count, *grid)).astype(numpy.int16)
                hdf5.store(group, level, codes, (1, *grid))
                if driven and level == "bottom":
                    steer_NT1 = rows[:, :, :1, 0].repeat(2, axis=1).astype(numpy.float32)
                    hdf5.store(group, "actions", 3 * steer_NT1 + 1, (1, 4, 1))


def train(folder: Path, prior: PriorSettings, latents: Path) -> dict[str, Path]:
    outs = {name: folder / name for name in OUTS}
    folder.mkdir()
    train_prior.main(latents=latents, prior=prior, seed=3, compute=COMPUTE, **outs)
    return outs


@pytest.fixture
def latents(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_latents(tmp_path / "latents.h5")
    return tmp_path / "latents.h5"


@pytest.mark.parametrize("level", ["top", "bottom"])
def test_it_learns_and_writes_a_prior_with_its_record(level: str, latents: Path) -> None:
    training = tiny.TRAINING.model_copy(update={"epochs": 12})
    settings = getattr(tiny, f"{level}_settings")(training=training)
    outs = train(latents.parent / "outs", settings, latents)
    prior = priors.load(outs["model"], level)
    assert (prior.grid, prior.codebook_size) == {
        "top": ((1, 2, 3), 5),
        "bottom": ((2, 4, 6), 7),
    }[level]
    known = record.read(outs["record"])
    found = known.facts
    assert found["parameters"] == sum(value.numel() for value in prior.parameters())
    assert (found["steps"], found["samples"]) == (60, 108)
    assert found["environment"]["threads"] == 1
    assert found["flops_per_clip"] > 0
    assert found["final"]["train_loss"] < 0.8 * math.log(prior.codebook_size)
    assert len(known.curve) == 60
    assert known.epochs["validation_loss"].iloc[-1] == found["final"]["validation_loss"]


def test_the_same_inputs_give_the_same_bytes(latents: Path) -> None:
    first, second = (
        train(latents.parent / name, tiny.bottom_settings(), latents) for name in ("one", "two")
    )
    for name in OUTS:
        assert first[name].read_bytes() == second[name].read_bytes(), name


def test_a_level_that_is_not_there_is_named(latents: Path) -> None:
    with pytest.raises(UserError, match=r"no level middle.*top, bottom"):
        train(latents.parent / "outs", tiny.top_settings(level="middle"), latents)


def test_operations_grow_with_the_grid_alone() -> None:
    def count(half: int) -> int:
        return int(train_prior.facts_of(tiny.bottom((half, 2, 2)))["flops_per_clip"])

    first, second, third = count(1), count(2), count(3)
    assert 0 < first < second
    # Beyond the borders of the grid every code-frame costs the same.
    assert third - second == second - first


def test_a_set_is_read_in_the_order_asked_for(latents: Path) -> None:
    with hdf5.opening(latents, "latents") as file:
        samples = train_prior.samples(file["train"], tiny.bottom_settings())
        batch = samples.read(torch.tensor([4, 0, 4]))
        assert samples.count == 9 and set(batch) == {"top", "bottom"}
        for row, index in enumerate((4, 0, 4)):
            assert batch["bottom"][row].tolist() == file["train"]["bottom"][index].tolist()
            assert batch["bottom"].dtype == torch.int64


@pytest.mark.parametrize("level", ["top", "bottom"])
def test_a_prior_that_takes_actions_learns_from_them(
    level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_latents(tmp_path / "latents.h5", driven=True)
    training = tiny.TRAINING.model_copy(update={"epochs": 12})
    losses = {}
    for actions in ("none", "input"):
        settings = getattr(tiny, f"{level}_settings")(training=training, actions=actions)
        outs = train(tmp_path / actions, settings, tmp_path / "latents.h5")
        found = record.read(outs["record"]).facts
        losses[actions] = found["final"]["train_loss"]
        prior = priors.load(outs["model"], level)
        assert found["parameters"] == sum(value.numel() for value in prior.parameters())
    assert prior.actions is not None and prior.actions.names == ("steer",)
    with hdf5.opening(tmp_path / "latents.h5", "latents") as file:
        values = file["train"]["actions"][:]
    assert prior.actions.mean[0] == pytest.approx(values.mean(), rel=1e-6)
    assert prior.actions.std[0] == pytest.approx(values.std(), rel=1e-6)
    if level == "bottom":
        # A row of codes in each code-frame need no longer be guessed.
        assert losses["input"] < losses["none"]


def test_actions_that_are_not_there_are_refused(latents: Path) -> None:
    with pytest.raises(UserError, match=r"level top takes actions .* Set its actions to none"):
        train(latents.parent / "outs", tiny.top_settings(actions="input"), latents)
