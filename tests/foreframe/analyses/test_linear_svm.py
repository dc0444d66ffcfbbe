"""Linear machines on what an encoder sees: draws, costs, errors, the same every time."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from torch import Tensor

from foreframe.analyses import linear_svm
from foreframe.analyses.subject import Found, Subject
from foreframe.artefacts import facts, hdf5
from foreframe.config.futures import FutureSettings
from foreframe.config.sampling import Sampling
from foreframe.errors import UserError
from foreframe.predictors.learned import ROLE
from foreframe.randomness import generator
from stages import analyse
from tests.foreframe.analyses.asked import subject
from tests.foreframe.analyses.asked import told as no_encoder
from tests.foreframe.predictors import pairs, test_ali, test_semi_supervised
from tests.foreframe.training import runs

COUNT, POOL, PLAIN = 30, 60, pairs.PLAIN


def settings(**changes: Any) -> linear_svm.Settings:
    known: dict[str, Any] = {
        "kind": "linear_svm",
        "clips": None,
        "show": 0,
        "label": "digit",
        "layers": 2,
        "pool": "train",
        "held_out": 15,
        "labelled": 4,
        "draws": 5,
        "costs": linear_svm.Costs(first=-6.0, last=4.0, count=6),
        "iterations": 1000,
    }
    return linear_svm.Settings(**(known | changes))


def clips(count: int, name: str, mixed: bool) -> tuple[Tensor, Tensor]:
    """Return pictures (N,1,8,8,3) and their classes, which say nothing if mixed."""
    x_N, label_N = pairs.pictures(count, name)
    grey = (255 * x_N.clamp(0, 1)).round().to(torch.uint8)[:, 0, :, :, :, None]
    if mixed:
        label_N = label_N[generator(0, "mixed", name).permutation(count)]
    return grey.expand(-1, -1, -1, -1, 3), label_N


def analysed(
    path: Path,
    chosen: linear_svm.Settings,
    *,
    mixed: bool = False,
    model: Any = None,
    **labels: Any,
) -> tuple[Found, dict[str, Any]]:
    model = model or test_ali.model()
    with hdf5.creating(path, "analysis", {}) as file:

        def of(count: int, name: str) -> Subject:
            frames, label_N = clips(count, name, mixed)
            known = subject(file, model, frames, given=0, options=PLAIN)
            return replace(known, labels={"digit": labels.get(name, label_N)})

        def other(name: str) -> Subject:
            assert name == chosen.pool
            return of(POOL, "pool")

        with torch.no_grad():
            found = linear_svm.analyse(replace(of(COUNT, "tested"), other=other), chosen)
    with hdf5.opening(path, "analysis") as file:
        return found, {name: file[name][:] for name in file}


def test_classes_that_are_apart_are_learnt_and_mixed_ones_are_not(tmp_path: Path) -> None:
    found, stored = analysed(tmp_path / "a.h5", settings())
    assert found.values["features"] == 128 + 8 + 3
    assert found.values["error"]["mean"] < 0.1
    assert found.values["error"]["draws"] == 5 == len(stored["errors"])
    again, same = analysed(tmp_path / "b.h5", settings())
    assert again == found
    assert all(numpy.array_equal(each, same[name]) for name, each in stored.items())
    chance, stored = analysed(tmp_path / "c.h5", settings(), mixed=True)
    assert 0.4 < chance.values["error"]["mean"] < 0.9
    errors = stored["errors"]
    assert chance.values["error"]["mean"] == pytest.approx(errors.mean())
    assert chance.values["error"]["std"] == pytest.approx(errors.std(ddof=1))
    assert len(set(errors)) > 1
    # The first of the smallest held-out errors.
    place = stored["held_out_errors"].argmin()
    assert chance.values["cost"] == pytest.approx(stored["costs"][place])
    assert chance.values["held_out_error"] == stored["held_out_errors"].min()


def test_costs_are_even_in_their_logarithm() -> None:
    found = numpy.log(linear_svm.Costs(first=-20.0, last=20.0, count=50).values())
    numpy.testing.assert_allclose(found, numpy.linspace(-20, 20, 50))


def test_a_draw_has_as_many_of_each_class_and_is_its_own() -> None:
    labels_N = torch.arange(40) % 4
    draws = [linear_svm.draw(labels_N, settings(labelled=6), 0, number) for number in (0, 1, 0)]
    for each in draws:
        assert numpy.bincount(labels_N[each.places]).tolist() == [6] * 4
        assert len(set(each.places.tolist())) == 24
    assert numpy.array_equal(draws[0].places, draws[2].places)
    assert draws[0].state == draws[2].state != draws[1].state
    assert not numpy.array_equal(draws[0].places, draws[1].places)


def test_a_machine_minimises_squared_hinges() -> None:
    """At the minimum of 1/2 |w|^2 + cost sum max(0, 1 - y w.x)^2 the gradient is 0."""
    numbers = generator(0, "rows")
    rows_NF = numbers.normal((60, 3)).double()
    label_N = (rows_NF[:, 0] + 0.5 * numbers.normal((60,)) > 0).long()
    found = linear_svm.fitted(rows_NF.numpy(), label_N.numpy(), 0.3, 0, settings())
    w = torch.tensor([*found.coef_[0], *found.intercept_]).requires_grad_()
    x = torch.cat([rows_NF, torch.ones(60, 1)], dim=1)
    slack = (1 - (2 * label_N - 1) * (x @ w)).clamp(min=0)
    (w.square().sum() / 2 + 0.3 * slack.square().sum()).backward()
    assert w.grad is not None and w.grad.abs().max() < 0.02 < w.detach().abs().max()


def test_errors_are_those_of_machines_that_learn_from_draws_1_and_on(tmp_path: Path) -> None:
    found, stored = analysed(tmp_path / "a.h5", settings(), mixed=True)
    model, chosen = test_ali.model(), settings()
    (pool, pool_N), (tested, tested_N) = (
        clips(count, name, mixed=True) for count, name in ((POOL, "pool"), (COUNT, "tested"))
    )
    known, asked = (model.features(frames[:, 0], 2).numpy() for frames in (pool, tested))
    for number, error in enumerate(stored["errors"], start=1):
        one = linear_svm.draw(pool_N[:-15], chosen, 0, number)
        rows, label = known[one.places], pool_N[one.places].numpy()
        machine = linear_svm.fitted(rows, label, found.values["cost"], one.state, chosen)
        wrong = machine.predict(asked) != tested_N.numpy()
        assert error == pytest.approx(wrong.mean())


def test_a_machine_begins_from_its_own_random_numbers() -> None:
    rows_NF, label_N = generator(0, "rows").normal((20, 60)).numpy(), numpy.arange(20) % 2
    few = settings(iterations=3)
    one, same, other = (
        linear_svm.fitted(rows_NF, label_N, 1.0, state, few).coef_ for state in (1, 1, 2)
    )
    assert numpy.array_equal(one, same) and not numpy.array_equal(one, other)


def test_the_last_of_the_pool_are_held_out(tmp_path: Path) -> None:
    """Other labels there change the choice of a cost, and no example that is drawn."""
    label_N = pairs.pictures(POOL, "pool")[1]
    turned = label_N.clone()
    turned[-15:] = (turned[-15:] + 1) % 3
    found, _ = analysed(tmp_path / "a.h5", settings(), pool=turned)
    assert found.values["held_out_error"] > 0.9
    assert found.values["error"]["mean"] < 0.1


def test_machines_that_are_left_as_they_are_are_counted(tmp_path: Path) -> None:
    found, _ = analysed(tmp_path / "a.h5", settings(iterations=1))
    assert found.values["unfinished"] == 1
    found, _ = analysed(tmp_path / "b.h5", settings(iterations=100_000))
    assert found.values["unfinished"] == 0


@pytest.mark.parametrize(
    ("changes", "more", "said"),
    [
        ({"held_out": POOL}, {}, "held_out is 60, but the pool has 60 clips"),
        ({"labelled": 16}, {}, "labelled is 16, but the pool has 15 clips of the class 0 of digit"),
        ({"label": "person"}, {}, "not every clip has the label person"),
        ({}, {"pool": torch.zeros(POOL, dtype=torch.int64)}, "have one class of digit"),
        ({}, {"pool": torch.arange(POOL) % 3 - 1}, "not every clip has the label digit"),
        ({}, {"model": no_encoder()}, "Told encodes no pictures"),
    ],
)
def test_what_cannot_be_asked_is_refused(
    changes: dict[str, Any], more: dict[str, Any], said: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=said):
        analysed(tmp_path / "a.h5", settings(**changes), **more)


def test_the_pool_is_not_what_is_tested(tmp_path: Path) -> None:
    chosen = settings(pool="validation")
    with hdf5.creating(tmp_path / "a.h5", "analysis", {}) as file:
        frames, _ = clips(COUNT, "tested", mixed=False)
        known = subject(file, test_ali.model(), frames, given=0, options=PLAIN)
        futures = known.futures.model_copy(update={"set": "validation"})
        with pytest.raises(UserError, match="pool is validation, the set that is tested"):
            linear_svm.analyse(replace(known, futures=futures), chosen)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"show": 1}, "show is 1, but there is nothing to show"),
        ({"costs": {"first": 1.0, "last": 1.0, "count": 2}}, "costs go from 1 to 1"),
    ],
)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        settings(**changes)


def test_the_stage_gives_it_the_pool_and_what_is_tested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = test_semi_supervised.data(tmp_path / "files")
    ROLE.save(tmp_path / "model", test_ali.model())
    futures = FutureSettings(
        set="test", clips=None, stride=1, context=0, context_encoding="context_only", horizon=1,
        samples=1, keep=0, seed=0,
    )  # fmt: skip
    sampling = Sampling(show=1, means={}, choices={"plain": {"temperature": 1.0}})
    found = tmp_path / "digits" / "svm.json"
    found.parent.mkdir()
    analyse.main(
        frames=files.frames, split=files.split, normalization=files.normalization,
        models=(tmp_path / "model",), sampling=sampling, futures=futures,
        analysis=settings(held_out=3, labelled=2), compute=runs.COMPUTE, found=found,
        arrays=found.with_suffix(".h5"),
    )  # fmt: skip
    known = facts.read(found, "analysis")
    # 12 clips to train on, of which 3 are held out, and 6 to test.
    assert known["about"]["clips"] == 6
    assert known["features"] == 128 + 8 + 3
    assert 6 * known["error"]["mean"] * 5 == pytest.approx(round(30 * known["error"]["mean"]))
    assert 3 * known["held_out_error"] == pytest.approx(round(3 * known["held_out_error"]))
    assert known["error"]["mean"] < 0.3
