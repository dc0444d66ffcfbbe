"""The stage analyse: what it hands to an analysis, that it repeats itself, and what it refuses."""

from pathlib import Path
from typing import Any

import numpy
import pytest
import torch

from foreframe import kinds
from foreframe.analyses import PACKAGE
from foreframe.artefacts import facts, hdf5
from foreframe.config.sampling import Sampling
from foreframe.config.split import Split
from foreframe.data import normalization, writing
from foreframe.data.writing import Layout
from foreframe.errors import UserError
from foreframe.evaluation.contexts import Continued
from foreframe.predictors import learned
from foreframe.report.library import Library
from foreframe.report.reading import Reader
from foreframe.report.results import Results
from foreframe.sources import moving_digits
from stages import analyse, compare_analyses, split
from tests.foreframe.predictors import test_prednet, test_rfn
from tests.foreframe.sources import synthetic_episodes
from tests.stages.evaluation_study import COMPUTE, protocol

FRAMES, EPISODES = test_rfn.FRAMES, 10
FUTURES = protocol(clips=None, stride=FRAMES, context=1, horizon=FRAMES - 1).futures
FLOW = {"choices": {"flow": {"flow": 0.5, "prior": 1.0}}}
MODELS = ("rfn", "other")
PLAIN: dict[str, Any] = {"choices": {"plain": {}}}
STEPS: dict[str, Any] = {
    "kind": "one_step",
    "clips": None,
    "show": 2,
    "events": {"right": {"states": ("x_1",)}},
}


def digits(path: Path, *, states: bool = True) -> None:
    """Write clips of a digit that all begin with one frame."""
    size = {"height": test_rfn.SIDE, "width": test_rfn.SIDE, "frames_per_episode": FRAMES}
    count = {"train_episodes": 5, "test_episodes": EPISODES, "digits": 1}
    chosen = synthetic_episodes.settings("moving_digits", shared="first_frame", **size, **count)
    stream = moving_digits.stream(chosen, 0, Path(), 1, 0)
    layout = Layout(
        height=chosen.height,
        width=chosen.width,
        frame_interval=chosen.frame_interval,
        source=chosen.kind,
        actions=stream.actions,
        states=stream.states if states else (),
        labels=stream.labels,
        chunk=FRAMES,
    )
    with writing.creating(path, layout) as writer:
        for episode in stream.episodes:
            for _ in writer.add(episode):
                pass


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a study: a flow and a predictor without latents, and the stage's answer."""
    folder = tmp_path_factory.mktemp("study") / "data/tiny"
    folder.mkdir(parents=True)
    digits(folder / "frames.h5")
    shares = Split(by="official", train=0.8, validation=0.1, test=0.1)
    split.main(frames=folder / "frames.h5", split=shares, out=folder / "split.json")
    grey = numpy.zeros((1, 2, 2, 3), numpy.uint8)
    normalization.save(folder / "normalization.json", normalization.measure([grey]))
    learned.ROLE.save(folder / "rfn.safetensors", test_rfn.ready().float())
    learned.ROLE.save(folder / "prednet.safetensors", test_prednet.model())
    run(folder, STEPS, folder / "analyses/steps/rfn.json")
    return folder


def run(study: Path, asked: dict[str, Any], found: Path, **changes: Any) -> dict[str, Any]:
    """Run the stage; return the facts."""
    model = changes.pop("model", "rfn")
    analysis = kinds.find(PACKAGE, asked["kind"]).Settings(**asked)
    sampling = Sampling(show=1, means={}, **(FLOW if model in MODELS else PLAIN))
    given: dict[str, Any] = {name: study / f"{name}.json" for name in ("split", "normalization")}
    given |= {"frames": study / "frames.h5", "models": (study / f"{model}.safetensors",)}
    given |= {"sampling": sampling, "futures": FUTURES, "compute": COMPUTE} | changes
    found.parent.mkdir(parents=True, exist_ok=True)
    analyse.main(**given, analysis=analysis, found=found, arrays=found.with_suffix(".h5"))
    return facts.read(found, "analysis")


def test_the_same_inputs_give_the_same_bytes(study: Path, tmp_path: Path) -> None:
    run(study, STEPS, tmp_path / "rfn.json")
    for name in ("rfn.json", "rfn.h5"):
        assert (tmp_path / name).read_bytes() == (study / "analyses/steps" / name).read_bytes()


def test_states_and_frames_are_those_of_the_clips(study: Path) -> None:
    with hdf5.opening(study / "frames.h5", "frames") as file:
        x_NT = file["states"][:, 0].reshape(-1, FRAMES)[-EPISODES:]
        real = file["frames"][:].reshape(-1, FRAMES, *file["frames"].shape[1:])[-EPISODES:]
    found = facts.read(study / "analyses/steps/rfn.json", "analysis")
    shares = [row["mean"] for row in found["series"] if row["predictor"] == "right"]
    assert shares == pytest.approx((x_NT > 0).mean(axis=0)[1:].tolist())
    assert len(set(shares)) > 1
    with hdf5.opening(study / "analyses/steps/rfn.h5", "analysis") as file:
        assert numpy.array_equal(file["real"][:], real[:2])


@pytest.mark.parametrize(
    ("wanted", "kept"), [(None, [0, 1, 2, 3, 4, 5]), (9, [0, 1, 2, 3, 4, 5]), (2, [1, 4])]
)
def test_some_clips_are_evenly_spread_and_at_most_all(wanted: int | None, kept: list[int]) -> None:
    numbers = numpy.arange(6) * 3
    found = analyse.some(Continued(numbers, 10 * numbers), wanted)
    assert found.numbers.tolist() == numbers[kept].tolist()
    assert found.starts.tolist() == (10 * numbers[kept]).tolist()


def test_the_facts_say_what_was_asked_of_which_clips(study: Path, tmp_path: Path) -> None:
    few = {"kind": "future_nll", "clips": 3, "show": 0, "samples": 1}
    found = run(study, few, tmp_path / "rfn.json")
    assert found["about"] | {"clips": 3, "context": 1, "horizon": 4} == found["about"]
    assert found["about"]["settings"] == few
    assert found["bits"]["first"]["clips"] == 3


def test_the_report_finds_an_answer_by_its_analysis_and_its_model(study: Path) -> None:
    asked = {"kind": "sequence_interpolation", "clips": 4, "show": 0, "between": 1}
    run(study, asked, study / "analyses/between/rfn.json")
    library = Library([study / "analyses"])
    reader = Reader(library)
    results, found = Results(reader), facts.read(study / "analyses/steps/rfn.json", "analysis")
    first = found["model"]["kl_z"]["first"]
    number = results.of("steps/rfn", "model.kl_z.first")
    assert (number.value, number.low, number.high) == (first["mean"], first["low"], first["high"])
    assert results.of("steps/rfn", "prior.bits").value == found["prior"]["bits"]["mean"]
    assert results.of("between/rfn", "pairs").value == 2
    assert not [name for name in results.numbers["steps/rfn"] if name.startswith("series")]
    series = reader.series("analysis", "steps/rfn")
    assert set(series["samples"]) == {"steps/rfn"} and len(series) == len(found["series"])
    with reader.arrays("analysis_arrays", "between/rfn") as file:
        assert file["between"].shape[:2] == (3, FRAMES)
    library.refuse_leftovers(("steps", "between"))
    with pytest.raises(UserError, match=r"between/rfn\.json is of the run between/rfn, .*delete"):
        library.refuse_leftovers(("steps", "rfn"))


def test_two_models_are_compared_clip_by_clip(study: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data/tiny/analyses/steps"
    network = test_rfn.ready().float()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(0.9)
    learned.ROLE.save(study / "other.safetensors", network)
    found = {name: run(study, STEPS, folder / f"{name}.json", model=name) for name in MODELS}
    out = tmp_path / "data/tiny/pairs/steps.json"
    compare_analyses.main(found=folder, out=out)
    number = Results(Reader(Library([out]))).of("other", "over.rfn.bound", "steps")
    means = [found[name]["model"]["bound"]["mean"] for name in MODELS]
    assert number.value == pytest.approx(means[1] - means[0]) and number.value != 0
    assert number.low is not None and number.low < number.value
    # Of other clips they are not compared.
    few = STEPS | {"clips": 9}
    run(study, few, folder / "rfn.json")
    with pytest.raises(UserError, match="not of the same clips"):
        compare_analyses.main(found=folder, out=out)


def test_a_predictor_without_latents_is_refused(study: Path, tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=r"^PredNet draws no latents frame by frame\. Give [^.]*\.$"
    ):
        run(study, STEPS, tmp_path / "prednet.json", model="prednet")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("states", "known"), [(True, "x_1, y_1, bounce_1"), (False, "none")])
def test_an_unknown_state_is_answered_with_those_that_there_are(
    states: bool, known: str, study: Path, tmp_path: Path
) -> None:
    frames = tmp_path / "frames.h5"
    digits(frames, states=states)
    asked = STEPS | {"events": {"hit": {"states": ("bounce_2",)}}}
    with pytest.raises(UserError, match=rf"no state bounce_2\. Name one of: {known}\."):
        run(study, asked, tmp_path / "rfn.json", frames=frames)


def test_data_without_states_can_be_asked_about_the_rest(study: Path, tmp_path: Path) -> None:
    frames = tmp_path / "frames.h5"
    digits(frames, states=False)
    found = run(study, STEPS | {"events": {}}, tmp_path / "rfn.json", frames=frames)
    wanted = facts.read(study / "analyses/steps/rfn.json", "analysis")["prior"]["bits"]["mean"]
    assert found["prior"]["bits"]["mean"] == wanted
