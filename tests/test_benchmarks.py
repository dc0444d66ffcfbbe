"""Benchmarks are run by hand; here they are only read, and given their sizes, to stay in step."""

import importlib
import pkgutil

import pytest
import torch

import benchmarks
from benchmarks import paired, recurrent, recurrent_models, recurrent_peers, sizes, work
from foreframe.priors.engines import Step
from foreframe.priors.engines.naive import Naive


@pytest.mark.parametrize("name", [each.name for each in pkgutil.iter_modules(benchmarks.__path__)])
def test_a_benchmark_can_be_read(name: str) -> None:
    importlib.import_module(f"benchmarks.{name}")


def test_sizes_are_those_of_the_presets_and_multiples() -> None:
    grids = {level: prior.grid for level, prior in sizes.parse("smoke*2").priors().items()}
    assert grids == {"top": (4, 8, 8), "bottom": (8, 16, 16)}


def test_a_study_of_pictures_gives_its_priors_with_engines_and_no_games() -> None:
    # A step's work is counted where engines are timed: in inference mode.
    with torch.inference_mode():
        found = sizes.parse("noisy_codes/smoke").priors()
        naive = Step(torch.tensor([10]), 10)
        work_of = {level: work.counted(prior, Naive, naive, 1) for level, prior in found.items()}
    assert {level: prior.grid for level, prior in found.items()} == {
        "top": (1, 8, 8),
        "bottom": (1, 16, 16),
    }
    assert {prior.settings.kind for prior in found.values()} == {"image_pixel_snail"}
    assert min(work_of.values()) > 0


def test_a_study_whose_games_stand_first_gives_those_after_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    size = sizes.parse("noisy_codes/smoke")
    whole = size._study()
    games_first = dict(sorted(whole.priors.items(), key=lambda each: "gan" not in each[0]))
    study = whole.model_copy(update={"priors": games_first})
    monkeypatch.setattr(sizes.Size, "_study", lambda self: study)
    with torch.device("meta"):
        kinds = {level: prior.settings.kind for level, prior in size.untrained().items()}
    assert kinds == {"top": "image_pixel_snail", "bottom": "image_pixel_snail"}


@pytest.mark.parametrize("kind", recurrent_models.KINDS)
def test_predictors_can_be_built_at_all_sizes_and_drawn_as_it_is_said(kind: str) -> None:
    with torch.device("meta"):
        model = recurrent_models.build(kind)
        if kind in recurrent_peers.PEERS:
            peer = recurrent_peers.PEERS[kind]
            assert recurrent_models.build(kind, peer.rows, **peer.changes).trainable()
    options = model.options.model_validate(recurrent.OPTIONS.get(kind, {}))
    assert (kind in recurrent.OPTIONS) == options.random


def test_a_step_moves_weights_and_its_arithmetic_is_that_of_its_clips() -> None:
    model = recurrent_models.predictor("conv_lstm_autoencoder")
    before = [weight.detach().clone() for weight in model.parameters()]
    one, two = (recurrent_models.Lesson(model, batch) for batch in (1, 2))
    assert two.operations == 2 * one.operations
    one.take()
    assert not any(map(torch.equal, before, model.parameters()))


def test_a_round_that_was_disturbed_changes_no_ratio() -> None:
    times = {"one": (2.0, 8.0, 1.0), "other": (1.0, 4.0, 4.0)}
    assert paired.ratio(times, "one", "other") == 2
