"""Laws of the stage steer: what it writes, that it repeats itself, and what it refuses."""

from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from foreframe import actions
from foreframe.artefacts import facts, hdf5, tables
from foreframe.config.steering import Steering
from foreframe.errors import UserError
from foreframe.predictors import latent_predictor
from foreframe.report import style
from foreframe.report.replication import steering as figures
from foreframe.steering import HELD, MEASURES, SEQUENCES
from stages import steer
from tests.stages import evaluation_study as tiny

INPUTS = ("frames", "split", "normalization", "autoencoder", "top", "bottom", "latents")
SETTINGS = Steering.model_validate(
    {
        "clips": 3, "channel": "steer", "left": 0.1, "straight": 0.5, "right": 0.9, "show": 2,
        "choice": {"mode": "sample", "temperature": 1.0, "top_k": 0, "top_p": 1.0},
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> tiny.Study:
    study = tiny.Study(tmp_path_factory.mktemp("driven"))
    tiny.make_data(study, tiny.driven())
    tiny.make_models(study, tiny.ACTIONS)
    tiny.make_latents(study)
    return study


def run(study: tiny.Study, folder: Path, settings: Steering = SETTINGS, **paths: Path) -> None:
    folder.mkdir()
    inputs = {name: study.path(name) for name in INPUTS}
    steer.main(
        **(inputs | paths),
        steering=settings,
        protocol=tiny.PROTOCOL,
        compute=tiny.COMPUTE,
        facts=folder / "steer.json",
        table=folder / "steer.csv",
        rollouts=folder / "steer.h5",
    )


@pytest.fixture(scope="module")
def outs(study: tiny.Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outs") / "one"
    run(study, folder)
    return folder


def test_futures_are_those_of_the_predictor_with_the_steering_held(
    study: tiny.Study, outs: Path
) -> None:
    written = facts.read(outs / "steer.json", "steering")
    predictor = latent_predictor.load(
        study.path("autoencoder"),
        {level: study.path(level) for level in ("top", "bottom")},
        study.path("normalization"),
        torch.device("cpu"),
    )
    with hdf5.opening(study.path("latents"), "latents") as file:
        training = file["train"]["actions"][:].reshape(-1, 2)
    starts, numbers = [72, 80], [1, 3]  # the first two middles of the thirds of six clips
    recorded = actions.read(study.path("frames"), starts, 8)
    with hdf5.opening(outs / "steer.h5", "steering_rollouts") as file:
        context = torch.from_numpy(file["context"][...])
        assert file["real"].shape == (2, 4, 16, 16, 3)
        for name, share in zip(HELD, (0.1, 0.5, 0.9), strict=True):
            action = training.mean(axis=0)
            action[0] = numpy.quantile(training[:, 0], share)
            assert written["held"][name] == pytest.approx(action.tolist(), abs=1e-5)
            led = recorded.clone()
            led[:, 4:] = torch.tensor(written["held"][name])
            expected = predictor.predict(context, 4, SETTINGS.choice, 7, numbers, led)
            assert numpy.array_equal(file[name][...], expected.numpy())
        expected = predictor.predict(context, 4, SETTINGS.choice, 7, numbers, recorded)
        assert numpy.array_equal(file["recorded"][...], expected.numpy())
        assert (file["left"][...] != file["right"][...]).any()


def test_numbers_are_those_of_the_table(outs: Path) -> None:
    written = facts.read(outs / "steer.json", "steering")
    table = tables.read(outs / "steer.csv", figures.COLUMNS, written["table_checksum"])
    assert len(table) == 3 * (len(SEQUENCES) + 2)
    for name in MEASURES:
        values = table.pivot_table(index="clip", columns="actions", values=name)
        found = written["measures"][name]
        for kind in values:
            assert found["mean"][kind]["mean"] == pytest.approx(values[kind].mean())
        order = (values["left"] < values["straight"]) & (values["straight"] < values["right"])
        assert found["follows"]["mean"] == pytest.approx(order.mean())
    steered = table.pivot_table(index="clip", columns="actions", values="steering")
    assert (steered["real"] == steered["recorded"]).all()
    assert (steered["left"] < steered["straight"]).all()
    assert sorted(steered["shuffled"]) == pytest.approx(sorted(steered["recorded"]))


def test_the_gain_is_what_other_actions_cost(study: tiny.Study, outs: Path) -> None:
    found = facts.read(outs / "steer.json", "steering")["likelihood"]
    for level in ("top", "bottom"):
        each = found[level]
        assert each["shuffled"] - each["recorded"] == pytest.approx(each["gain"]["mean"])
        assert each["recorded"] > 0


def test_the_same_inputs_give_the_same_bytes(study: tiny.Study, outs: Path, tmp_path: Path) -> None:
    run(study, tmp_path / "again")
    for path in outs.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name


def test_figures_can_be_drawn(outs: Path, tmp_path: Path) -> None:
    written = facts.read(outs / "steer.json", "steering")
    table = tables.read(outs / "steer.csv", figures.COLUMNS, written["table_checksum"])
    frames = figures.read_frames(outs / "steer.h5")
    with style.drawing():
        for number, figure in enumerate((figures.means(written), figures.scatter(written, table))):
            style.save(figure, tmp_path / f"{number}.svg")
            assert (tmp_path / f"{number}.svg").stat().st_size > 1000
        assert figures.strip(frames, 0).size[0] > 100
        assert len(figures.clip(frames, 0)) == 8


def test_priors_and_data_that_do_not_fit_are_refused(study: tiny.Study, tmp_path: Path) -> None:
    plain = tiny.Study(tmp_path / "plain")
    plain.folder.mkdir()
    tiny.make_data(plain)
    tiny.make_models(plain)
    levels: dict[str, Any] = {level: plain.path(level) for level in ("top", "bottom")}
    with pytest.raises(UserError, match=r"take no actions.*actions: input"):
        run(study, tmp_path / "one", **levels)
    with pytest.raises(UserError, match=r"channel is wheel; the data has the actions steer, gas"):
        run(study, tmp_path / "two", SETTINGS.model_copy(update={"channel": "wheel"}))
    with pytest.raises(UserError, match=r"has 6 clips"):
        run(study, tmp_path / "three", SETTINGS.model_copy(update={"clips": 7}))
