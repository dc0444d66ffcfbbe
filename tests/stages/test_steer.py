"""Laws of the stage steer: what it writes, that it repeats itself, and what it refuses."""

from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from numpy.typing import NDArray

from foreframe.artefacts import facts, hdf5, tables
from foreframe.config.steering import Steering
from foreframe.data import actions
from foreframe.errors import UserError
from foreframe.findings.steering import HELD, MEASURES, SEQUENCES
from foreframe.predictors import Context
from foreframe.randomness import Draws
from foreframe.report import desk, style
from foreframe.report.results import Number
from stages import steer
from tests import report_artefacts
from tests.stages import evaluation_study as tiny

COLUMNS = ("clip", "actions", "steering", *MEASURES)
INPUTS = ("frames", "split", "normalization", "latents")
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


def run(
    study: tiny.Study,
    folder: Path,
    settings: Steering = SETTINGS,
    models: tuple[Path, ...] | None = None,
) -> None:
    folder.mkdir()
    steer.main(
        **{name: study.path(name) for name in INPUTS},
        models=models or study.models,
        steering=settings,
        futures=tiny.PROTOCOL.futures,
        compute=tiny.COMPUTE,
        facts=folder / "steering.json",
        table=folder / "steering.csv",
        rollouts=folder / "steering.h5",
    )


@pytest.fixture(scope="module")
def outs(study: tiny.Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("outs") / "one"
    run(study, folder)
    return folder


def test_futures_are_those_of_the_predictor_with_the_steering_held(
    study: tiny.Study, outs: Path
) -> None:
    written = facts.read(outs / "steering.json", "steering")
    predictor, draws = study.predictor(), Draws.first(7, [1, 3])

    def future(led: torch.Tensor) -> NDArray[numpy.uint8]:
        given = Context(context, draws.clips, led)
        found: NDArray[numpy.uint8] = predictor.predict(
            given, 4, SETTINGS.choice, draws
        ).frames.numpy()
        return found

    with hdf5.opening(study.path("latents"), "latents") as file:
        training = file["train"]["actions"][:].reshape(-1, 2)
    # The first two middles of the thirds of six clips, numbers 1 and 3.
    recorded = actions.read(study.path("frames"), [72, 80], 8)
    with hdf5.opening(outs / "steering.h5", "steering_rollouts") as file:
        context = torch.from_numpy(file["context"][...])
        assert file["real"].shape == (2, 4, 16, 16, 3)
        for name, share in zip(HELD, (0.1, 0.5, 0.9), strict=True):
            action = training.mean(axis=0)
            action[0] = numpy.quantile(training[:, 0], share)
            assert written["held"][name] == pytest.approx(action.tolist(), abs=1e-5)
            led = recorded.clone()
            led[:, 4:] = torch.tensor(written["held"][name])
            assert numpy.array_equal(file[name][...], future(led))
        assert numpy.array_equal(file["recorded"][...], future(recorded))
        assert (file["left"][...] != file["right"][...]).any()


def test_numbers_are_those_of_the_table(outs: Path) -> None:
    written = facts.read(outs / "steering.json", "steering")
    table = tables.read(outs / "steering.csv", COLUMNS, written["table_checksum"])
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
    found = facts.read(outs / "steering.json", "steering")["likelihood"]
    for level in ("top", "bottom"):
        each = found[level]
        assert each["shuffled"] - each["recorded"] == pytest.approx(each["gain"]["mean"])
        assert each["recorded"] > 0


def test_the_same_inputs_give_the_same_bytes(study: tiny.Study, outs: Path, tmp_path: Path) -> None:
    run(study, tmp_path / "again")
    for path in outs.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes(), path.name


def test_figures_show_the_means_the_clips_and_the_frames(outs: Path, tmp_path: Path) -> None:
    written = facts.read(outs / "steering.json", "steering")
    sections = {
        "sampling": {"choices": {}},
        "report": {"title": "t", "author": "a", "protocol": None},
    }
    there = report_artefacts.desk(tmp_path, sorted(outs.iterdir()), sections)
    declared = report_artefacts.declared("learned_simulator")
    declared["steered"]["given"] = "steering / shown_context"
    there.results.numbers["steering"]["shown_context"] = {"": Number(4, None, None, "")}
    with style.drawing():
        drawn = {
            name: desk.draw(name, declared[name], there)[0]
            for name in ("steering_means", "steering_clips", "steered")
        }
        means: Any = drawn["steering_means"].content
        points = [line.get_xdata()[0] for line in means.axes[0].lines if line.get_marker() == "o"]
        clips: Any = drawn["steering_clips"].content
        recorded = clips.axes[1].lines[0].get_xydata()
    expected = written["measures"]["turn"]["mean"]
    kinds = ("left", "straight", "right", "recorded", "shuffled", "real", "reconstruction")
    assert points == [expected[kind]["mean"] for kind in reversed(kinds)]
    table = tables.read(outs / "steering.csv", COLUMNS, written["table_checksum"])
    rows = table[table["actions"] == "recorded"]
    numpy.testing.assert_array_equal(recorded, rows[["steering", "turn"]])
    assert len(drawn["steered"].clip) == 8


def test_priors_and_data_that_do_not_fit_are_refused(study: tiny.Study, tmp_path: Path) -> None:
    plain = tiny.Study(tmp_path / "plain")
    plain.folder.mkdir()
    tiny.make_data(plain)
    tiny.make_models(plain)
    with pytest.raises(UserError, match=r"take no actions.*actions: input"):
        run(study, tmp_path / "one", models=plain.models)
    with pytest.raises(UserError, match=r"channel is wheel; the data has the actions steer, gas"):
        run(study, tmp_path / "two", SETTINGS.model_copy(update={"channel": "wheel"}))
    with pytest.raises(UserError, match=r"has 6 clips"):
        run(study, tmp_path / "three", SETTINGS.model_copy(update={"clips": 7}))
