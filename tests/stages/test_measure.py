"""Stage `measure` on a tiny study: numbers equal direct computation, and bad input is named."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy
import pytest
import torch

from foreframe import autoencoders, priors
from foreframe.artefacts import hdf5
from foreframe.artefacts.digest import digest
from foreframe.data import normalization
from foreframe.data.clips import load_split
from foreframe.evaluation.protocol import SetProtocol
from foreframe.metrics import code_baselines
from foreframe.metrics.code_counts import CodeCounts
from foreframe.metrics.codebook import codebook_use
from stages import measure
from tests.stages.evaluation_models import CODES
from tests.stages.evaluation_study import FRAMES, LEVELS, SIZE, Study, make

OUTPUTS = ("measured", "metrics", "examples")


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return make(tmp_path)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = make(tmp_path_factory.mktemp("study"))
    study.measure()
    return study


def leaves(values: Any) -> list[Any]:
    """Return the numbers of nested facts, in the order of their keys."""
    if isinstance(values, dict):
        return [leaf for key in sorted(values) for leaf in leaves(values[key])]
    return [values]


def test_the_sets_are_whole(done: Study) -> None:
    assert done.measured()["clips"] == {"train": 11, "validation": 4, "test": 6}


def test_the_error_is_that_of_direct_reconstruction(done: Study) -> None:
    model = autoencoders.load(done.path("autoencoder"))
    normalizer = normalization.Normalizer.load(done.path("normalization"))
    view, runs = model.settings.view, load_split(done.path("split"))
    with view.clips(done.path("frames"), runs, "test") as clips:
        shown = clips.read(numpy.arange(len(clips)))
    real = normalizer.normalize(shown)
    with torch.no_grad():
        found = model.reconstruct(real)
    expected = (found - real).double().square().mean().item()
    assert done.measured()["autoencoder"]["mse"]["test"] == pytest.approx(expected, rel=1e-5)
    # Of 8-bit frames, and a mean over frames: not that of the mean error.
    squares = (normalizer.denormalize(found).double() - shown.double()).square()
    decibels = 10 * (255**2 / squares.mean(dim=(2, 3, 4))).log10().mean().item()
    assert done.measured()["autoencoder"]["psnr"]["test"] == pytest.approx(decibels, rel=1e-5)


def test_the_likelihood_is_that_of_one_pass_over_the_set(done: Study) -> None:
    with h5py.File(done.path("latents")) as file:
        codes = {level: torch.from_numpy(file["test"][level][:]).long() for level in LEVELS}
    for level in LEVELS:
        prior = priors.density(priors.load(done.path(level), level))
        with torch.no_grad():
            expected = -prior.log_prob(codes[level], prior.condition(codes)).double().mean().item()
        assert done.measured()["priors"][level]["nll"]["test"] == pytest.approx(expected, rel=1e-5)


def test_baselines_are_fitted_on_the_training_codes(done: Study) -> None:
    counts = {}
    with h5py.File(done.path("latents")) as file:
        for name in ("train", "test"):
            for level in LEVELS:
                counts[name, level] = CodeCounts(CODES)
                counts[name, level].update(torch.from_numpy(file[name][level][:]).long())
    for level in LEVELS:
        fitted, test = code_baselines.fit(counts["train", level]), counts["test", level]
        expected = {
            "unigram": fitted.unigram_nats(test),
            "copy_previous": fitted.copy_previous_nats(test),
            "bigram": fitted.bigram_nats(test),
        }
        baselines = done.measured()["priors"][level]["baselines"]
        assert {name: found["test"] for name, found in baselines.items()} == pytest.approx(expected)


def test_the_use_of_codes_is_that_of_the_training_set(done: Study) -> None:
    uses = {}
    with h5py.File(done.path("latents")) as file:
        for name in ("train", "test"):
            for level in LEVELS:
                totals = numpy.bincount(file[name][level][:].ravel(), minlength=CODES)
                uses[name, level] = asdict(codebook_use(torch.from_numpy(totals)))
    for level in LEVELS:
        assert done.measured()["autoencoder"]["codebook"][level] == uses["train", level]
        assert uses["train", level]["perplexity"] != uses["test", level]["perplexity"]


def test_untrained_priors_are_near_chance(done: Study) -> None:
    for prior in done.measured()["priors"].values():
        assert prior["chance"] == pytest.approx(numpy.log(CODES))
        for value in prior["nll"].values():
            assert value == pytest.approx(prior["chance"], abs=0.5)


def test_sizes_do_not_count_the_codebooks(done: Study) -> None:
    model = autoencoders.load(done.path("autoencoder"))
    everything = sum(value.numel() for value in model.state_dict().values())
    codebooks = 2 * CODES * 4
    assert done.measured()["autoencoder"]["parameters"] <= everything - codebooks


def test_examples_are_test_clips_and_the_parts_of_their_codes(done: Study) -> None:
    with hdf5.opening(done.path("examples"), "examples") as file:
        assert set(file) == {"original", "reconstruction", "top_only", "bottom_only"}
        for name in file:
            assert file[name].shape == (2, FRAMES, SIZE, SIZE, 3)
            assert file[name].dtype == numpy.uint8
        with h5py.File(done.path("frames")) as frames:
            # The middles of both halves of the test set's six clips.
            expected = [frames["frames"][start : start + FRAMES] for start in (72, 84)]
        assert (file["original"][:] == numpy.stack(expected)).all()
        assert (file["top_only"][:] != file["bottom_only"][:]).any()


def test_the_protocol_names_the_data_and_its_digest_can_be_recomputed(done: Study) -> None:
    values = done.measured()
    assert values["protocol"]["dataset"] == digest(done.path("frames"))
    assert values["protocol"]["clip_strides"] == {"train": 4, "validation": 4, "test": 4}
    assert SetProtocol(**values["protocol"]).digest() == values["protocol_digest"]


@pytest.mark.parametrize("batch_size", [1, 100])
def test_the_batch_size_changes_no_number(done: Study, study: Study, batch_size: int) -> None:
    study.measure(batch_size)
    ours, theirs = study.measured(), done.measured()
    assert ours["autoencoder"].pop("run") == theirs["autoencoder"].pop("run") == "autoencoder"
    for name in ("autoencoder", "priors", "compression"):
        assert leaves(ours[name]) == pytest.approx(leaves(theirs[name]), rel=1e-5), name
    assert ours["protocol_digest"] == theirs["protocol_digest"]


def test_the_same_inputs_give_the_same_bytes(done: Study, study: Study) -> None:
    study.measure()
    for name in OUTPUTS:
        assert study.path(name).read_bytes() == done.path(name).read_bytes(), name


def spoil_prior(study: Study) -> None:
    """Make the top prior one whose training diverged."""
    prior = priors.load(study.path("top"), "top")
    with torch.no_grad():
        next(prior.parameters()).fill_(float("nan"))
    priors.save(study.path("top"), prior)


def spoil_codes(study: Study) -> None:
    """Put a code into the latents that the codebook does not have."""
    with h5py.File(study.path("latents"), "r+") as file:
        file["test"]["top"][0, 0, 0, 0] = CODES


@pytest.mark.parametrize(
    ("spoil", "message"), [(spoil_prior, "diverged"), (spoil_codes, "outside 0..11")]
)
def test_bad_input_is_named_and_no_number_is_written(
    study: Study, spoil: Any, message: str
) -> None:
    spoil(study)
    with pytest.raises(ValueError, match=message):
        study.measure()
    assert not study.path("measured").exists()


@pytest.mark.parametrize(
    ("starts", "expected"), [([0, 4, 8, 100], 4), ([0, 100, 130], 30), ([0, 100], 0), ([0], 0)]
)
def test_the_stride_is_that_within_a_run(starts: list[int], expected: int) -> None:
    assert measure.stride(numpy.array(starts), [(0, 50), (50, 200)]) == expected
