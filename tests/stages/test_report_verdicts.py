"""What reports conclude follows their numbers: each is set from results and from their opposite."""

import math
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from foreframe.artefacts import facts
from tests import report_artefacts, report_studies
from tests import report_numbers as numbers
from tests.report_studies import DRIVING, Facts, change

THESIS, SIMULATOR = Path("data/driving_thesis"), Path("data/learned_simulator")
# A constant image is the strongest rule, and both models fall behind it.
BEHIND = {
    "copy_last_frame": 22.0,
    "mean_frame": 23.6,
    "linear_motion": 21.0,
    "argmax": 18.1,
    "sampled": 19.2,
    "reconstruction": 29.31,
}
VIDEO = {"kind": "video_folder", "height": 24, "width": 32, "frame_interval": 0.1}
CARLA = {
    **VIDEO, "kind": "carla", "episodes": 2, "frames_per_episode": 200, "host": "127.0.0.1",
    "port": 2000, "traffic_port": 8000, "timeout": 60.0, "step": 0.05, "warm_up": 2.0,
    "town": "Town03", "weather": "ClearNoon", "vehicle": "vehicle.tesla.model3",
    "other_vehicles": 50,
    "camera": {
        "forward": 1.5, "right": 0.0, "up": 1.6, "pitch": 0.0, "yaw": 0.0, "field_of_view": 90.0,
    },
}  # fmt: skip
# By study: what its report says of results, and of the opposite.
VERDICTS = {
    "driving": (
        (
            "both are better than the best simple baseline",
            "against 21.2 dB for the strongest rule without a network (copy last frame)",
            "The best way to predict by PSNR is argmax, with 22.83 dB",
            "1.66 dB (1.06 to 2.32) above the strongest rule without a network, copy last frame",
            "0.041 (0.031 to 0.052) above copy last frame",
            "The mean PSNR is above those of all such rules in every predicted frame",
            "The latent space was learned",
            "More than half of the codes of both levels are in use",
            "both priors predict unseen codes better than their best baseline",
        ),
        (
            "neither is better than the best simple baseline",
            "against 23.6 dB for the strongest rule without a network (mean frame)",
            "The best way to predict by PSNR is sampled, with 19.20 dB",
            "4.40 dB (3.74 to 5.00) below the strongest rule without a network, mean frame",
            "0.110 (0.099 to 0.120) below mean frame",
            "The mean PSNR is first no higher than that of copy last frame in predicted frame 1, "
            "that of linear motion in predicted frame 1 and that of mean frame in predicted "
            "frame 1",
            "The latent space was not learned",
            "At least one level leaves more than half of its codes unused",
            "neither prior predicts unseen codes better than its best baseline",
        ),
    ),
    "driving_thesis": (
        (
            "1.66 dB (1.06 to 2.32) above the strongest rule without a network, copy last frame",
            "have 5.0 frames in a row that are nearer to the truth than those of every such rule",
            "change the loss of the bottom prior by +0.30 nats",
            "It can be learned",
            "both priors need fewer bits for unseen codes than the best rule without a network",
            "does use the top where it is given it",
            "With the condition, as the thesis describes it, the bottom uses the top",
            "the top alone changes by +2.0 dB from plain",
            "of the top codes 30 % occur in its first epoch and 75 % in the last of 3, less than "
            "half in epoch 1 and half or more again in epoch 2",
            "+0.50 (+0.40 to +0.61) dB (argmax)",
            "errors run to the right, as the thesis saw",
            "Noise has given the indices of both levels an order",
            "0.60 in the top (without noise 1.02) and 0.70 in the bottom (without noise 0.97)",
            "Its futures are better: the intervals of their PSNR do not meet",
        ),
        (
            "4.40 dB (3.74 to 5.00) below the strongest rule without a network, mean frame",
            "have 2.0 frames in a row that are nearer to the truth than those of every such rule",
            "change the loss of the bottom prior by −0.30 nats",
            "It was not learned in this run",
            "neither prior beats the best rule without a network",
            "was not shown to use the top even where it is given it",
            "That the bottom uses the top even with the condition was not shown",
            "the top alone changes by −2.0 dB from plain",
            "of the top codes 30 % occur in its first epoch and 20 % in the last of 3, always less "
            "than half from epoch 1 on",
            "−0.50 (−0.60 to −0.39) dB (argmax)",
            "errors run to the left",
            "Noise has given the indices of neither level an order",
            "0.95 in the top (without noise 1.02) and 0.70 in the bottom (without noise 0.75)",
            "Its futures are worse: the intervals of their PSNR do not meet",
        ),
    ),
    "learned_simulator": (
        (
            "Both priors guess better with the right actions",
            "turn further right than those that are steered left",
            "To be told the actions changes the PSNR by +1.00 dB",
            "loses 3.0 dB against one that knows such scenes",
        ),
        (
            "Neither prior guesses reliably better with the right actions",
            "that they follow was not shown",
            "which is not beyond chance",
            "To be told the actions changes the PSNR by −1.00 dB",
            "is no worse than one that knows such scenes",
        ),
    ),
}


def around(value: float, width: float) -> dict[str, float]:
    return numbers.around(value, width)


def findings(sign: int, choice: str, frames: float) -> Any:
    """Return what changes findings to be clear of zero, in one direction."""

    def how(content: Facts) -> None:
        content["sensitivity"]["bottom"]["another_clip"]["loss"] = around(sign * 0.3, 0.1)
        content["corrupted_code"]["same_code_frame"]["right_minus_left"] = around(sign * 0.2, 0.1)
        for each in content["leak"]["choices"].values():
            each["gain"] = around(sign * 0.5, 0.1)
        for name, each in content["rollouts"]["study"]["choices"].items():
            right = frames if name == choice else 7.0
            each["good_frames"]["in_a_row"] = around(right, 0.5)

    return how


def top_alone(gain: float) -> Any:
    """Return what sets the PSNR of the top alone, by how much heavy dropout is above the others."""

    def how(content: Facts) -> None:
        for path, each in content["autoencoders"].items():
            value = 20.0 + (gain if "heavy_dropout" in path else 0)
            each["test"]["psnr_top_only"] = around(value, 0.2)

    return how


def abroad(gain: float) -> Any:
    """Return what sets by how much the autoencoder of varied data is above the plain one."""

    def how(content: Facts) -> None:
        for path, each in content["autoencoders"].items():
            value = 20.0 + (gain if "diverse" in path else 0)
            each["test"]["psnr"] = around(value, 0.2)

    return how


def moved(predictors: dict[str, float], gain: float) -> dict[str, float]:
    """Return the PSNR of predictors, those of models by `gain` higher."""
    models = ("argmax", "sampled")
    return {name: value + gain * (name in models) for name, value in predictors.items()}


def write_noise(folder: Path, predictors: dict[str, float], orders: tuple[float, ...]) -> None:
    """Write the futures of noisy codes, and the order of either level, without noise and with."""
    own = folder / THESIS
    scores = numbers.evaluation(predictors)
    facts.write(own / "evaluations/noisy/driving.json", "evaluation", scores)
    for run, found in (("vqvae", orders[:2]), ("index_noise", orders[2:])):
        content = report_studies.order(dict(zip(("top", "bottom"), found, strict=True)))
        facts.write(own / f"analyses/order/{run}.json", "analysis", content)


def write_actions(folder: Path, predictors: dict[str, float], gain: float) -> None:
    path = folder / SIMULATOR / "evaluations/actions/driving.json"
    facts.write(path, "evaluation", numbers.evaluation(moved(predictors, gain)))
    change(folder / SIMULATOR / "comparisons/diverse.json", "autoencoders", abroad(3.0 * gain))


@pytest.fixture(scope="module")
def right(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny artefacts of all studies, whose models are good."""
    folder = tmp_path_factory.mktemp("verdicts") / "right"
    report_artefacts.make(folder / DRIVING)
    report_studies.make_thesis(folder)
    report_studies.make_simulator(folder)
    change(folder / THESIS / "findings.json", "findings", findings(1, "argmax", 5.0))
    change(folder / THESIS / "comparisons/driving.json", "autoencoders", top_alone(2.0))
    write_noise(folder, moved(numbers.PREDICTORS, 3.0), (1.02, 0.97, 0.6, 0.7))
    write_actions(folder, numbers.PREDICTORS, 1.0)
    return folder


@pytest.fixture(scope="module")
def wrong(right: Path) -> Path:
    """The same with the opposite numbers."""
    folder = shutil.copytree(right, right.with_name("wrong"))
    change(folder / DRIVING / "models.json", "models", _bad_models)
    for path in folder.glob("data/*/evaluations/**/driving.json"):
        facts.write(path, "evaluation", numbers.evaluation(BEHIND))
    change(folder / THESIS / "findings.json", "findings", findings(-1, "sampled", 2.0))
    change(folder / THESIS / "comparisons/driving.json", "autoencoders", top_alone(-2.0))
    change(folder / THESIS / "autoencoders/plain.json", "training", _dead)
    write_noise(folder, moved(BEHIND, -3.0), (1.02, 0.75, 0.95, 0.7))
    write_actions(folder, BEHIND, -1.0)
    change(folder / SIMULATOR / "steering.json", "steering", _steers_wrongly)
    return folder


def _bad_models(content: Facts) -> None:
    content["autoencoder"]["mse"]["test"] = 3.0
    for use in content["autoencoder"]["codebook"].values():
        use["usage"] = 0.2
    for prior in content["priors"].values():
        prior["baselines"]["bigram"]["test"] = 0.1


def _dead(content: Facts) -> None:
    content["epochs"]["train_usage_top"] = [0.3, 0.1, 0.2]


def _steers_wrongly(content: Facts) -> None:
    for each in content["likelihood"].values():
        each["gain"] = around(-0.03, 0.01)
    for each in content["measures"].values():
        each["right_less_left"] = around(-0.6, 0.1)
        each["follows"] |= around(0.1, 0.1)


@pytest.mark.parametrize("study", VERDICTS)
def test_verdicts_follow_the_numbers(right: Path, wrong: Path, study: str) -> None:
    pages = [report_studies.words(folder, study) for folder in (right, wrong)]
    for page, said, unsaid in zip(pages, VERDICTS[study], reversed(VERDICTS[study]), strict=True):
        assert [words for words in said if words not in page] == []
        assert [words for words in unsaid if words in page] == []


def test_where_the_model_falls_behind_a_constant_image_is_said(right: Path, tmp_path: Path) -> None:
    """Ahead of the last given frame all the way, it is still no better than an image that stays."""
    folder = shutil.copytree(right, tmp_path / "crossing")
    path = folder / DRIVING / "evaluations/driving.json"

    def crosses(content: Facts) -> None:
        table = content["per_frame"]
        for row, (name, frame) in enumerate(zip(table["predictor"], table["frame"], strict=True)):
            level = {"mean_frame": 20.0, "argmax": 24.5 - frame, "reconstruction": 40.0}
            table["psnr"][row] = level.get(name, 10.0 - frame)

    change(path, "evaluation", crosses)
    for study in ("driving", "driving_thesis"):
        page = report_studies.words(folder, study)
        assert "no higher than that of mean frame in predicted frame 5." in page
        assert "above those of all such rules" not in page


def test_a_best_forecast_that_is_a_mean_of_futures_is_called_so(right: Path) -> None:
    sections = report_studies.parameters()
    choices = sections["sampling"]["choices"]
    sections["sampling"] |= {
        "choices": {"sampled": choices["sampled"]},
        "means": {"argmax": {"of": "sampled", "futures": 4}},
    }
    page = report_studies.words(right, "driving", sections)
    single = numbers.PREDICTORS["sampled"]
    assert f"by argmax, the mean of 4 futures (a single future: {single:.1f} dB)" in page
    assert "argmax is the mean of 4 futures by sampled, pixel by pixel" in page
    assert f"A single future by sampled has {single:.2f} dB and is by PSNR" in page
    assert "the mean of 4 futures" not in report_studies.words(right, "driving")


def test_an_interval_that_holds_zero_settles_nothing(right: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(right, tmp_path / "unsettled")

    def unsettled(content: Facts) -> None:
        content["differences"]["argmax"]["psnr"] |= around(0.2, 0.5)

    change(folder / DRIVING / "evaluations/driving.json", "evaluation", unsettled)
    for study in ("driving", "driving_thesis"):
        page = report_studies.words(folder, study)
        assert "not clearly apart (+0.20 dB, −0.30 to +0.75) from the strongest rule" in page


def test_a_clip_takes_the_bits_of_its_codes_under_the_priors(right: Path) -> None:
    page = report_studies.words(right, "driving")
    grids = report_artefacts.grids(report_artefacts.Size())
    priors = numbers.models()["priors"]
    bits = sum(math.prod(grids[level]) * priors[level]["bits"]["test"] for level in grids)
    assert f"a test clip would take {bits:,.0f} bits" in page


def test_the_variance_that_is_explained_is_that_of_the_test_pixels(right: Path) -> None:
    page = report_studies.words(right, "driving")
    pixels = facts.read(right / DRIVING / "inspection.json", "inspection")["pixels"]["test"]
    training = facts.read(right / DRIVING / "normalization.json", "normalization")["std"]
    shares = [(test / 255 / std) ** 2 for test, std in zip(pixels["std"], training, strict=True)]
    explained = 1 - numbers.models()["autoencoder"]["mse"]["test"] / (sum(shares) / len(shares))
    assert abs(sum(shares) / len(shares) - 1) > 0.02
    assert f"it explains {100 * explained:.1f} % of the variance of the test pixels" in page


@pytest.mark.parametrize("study", ["driving", "driving_thesis"])
def test_a_report_about_other_video_speaks_of_video(right: Path, study: str) -> None:
    sections = report_studies.parameters()
    sections["data"]["driving"]["source"] = VIDEO
    page = report_studies.words(right, study, sections)
    assert "pixels from a folder of videos" in page
    # Without what the thesis is called, what it asked, and what names are of files and runs.
    kept = re.sub(r"Learning To Model .*?Environments|Open Urban Driving Simulator", "", page)
    kept = re.sub(r"[a-z_/.=]*(driving_thesis|learned_simulator|data/driving)\S*", "", kept)
    prose = kept.split("Appendix" if "Appendix" in kept else "Bibliography")[0]
    if study == "driving":
        before = prose.split("Parameters in params.yaml")[0]
        assert before.startswith("A Learned Model of Video")
        assert re.findall(r"\S+ \S*(?i:driving|simulator|steering)\b", before) == []
    assert "latent space of video be learned" in page
    assert "can video be continued with it" in page
    own = report_studies.words(right, study)
    assert "latent space of driving be learned" in own and "a folder of videos" not in own


def test_a_simulator_of_the_thesis_is_not_called_another(right: Path) -> None:
    sections = report_studies.parameters()
    sections["data"]["driving"]["source"] = CARLA
    for study in ("driving", "driving_thesis"):
        page = report_studies.words(right, study, sections)
        assert "from the simulator CARLA" in page
        assert not re.search("another (simulator|source)|far simpler|CarRacing environment", page)
