"""The loop: its curves, its limits, and that its order depends on seed and epoch alone."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas
import pytest
import torch
from torch import Tensor

from foreframe.errors import UserError
from foreframe.randomness import Numbers, generator, permutation
from foreframe.training.checkpoints import Checkpoints
from foreframe.training.samples import Samples, shuffled
from tests.foreframe.training.runs import COUNT, TRAIN, Network, run, samples, training

STEPS = 18  # 3 epochs of 6 batches
NAIVE = [(1.0, "cosine", "adamw"), (None, "constant", "adamw"), (0.1, "cosine", "adam")]


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "checkpoints")


def test_rows_of_the_curves(checkpoints: Checkpoints) -> None:
    result = run(Network(), checkpoints)
    assert (result.steps, result.samples) == (STEPS, 3 * COUNT)
    assert list(result.curve["step"]) == [5, 10, 15, 18]
    assert list(result.curve["samples"]) == [20, 38, 56, 66]
    assert list(result.epochs["epoch"]) == [1, 2, 3]
    assert list(result.epochs["step"]) == [6, 12, 18]
    assert list(result.curve.columns[:4]) == ["epoch", "step", "samples", "loss"]
    assert {"gradient_norm", "learning_rate", "usage_top", "perplexity_top"} <= {*result.curve}
    assert {"train_loss", "validation_loss", "train_usage_top"} <= {*result.epochs}
    assert not result.curve.isna().any().any()
    assert not result.epochs.isna().any().any()


def test_curve_is_the_mean_over_its_steps(checkpoints: Checkpoints) -> None:
    seen: list[tuple[float, int]] = []
    network = Network()

    def loss(batch: Tensor, noise: Numbers) -> dict[str, Tensor]:
        values = network.loss(batch, noise)
        if network.training:
            seen.append((values["loss"].item(), len(batch)))
        return values

    result = run(network, checkpoints, loss=loss)
    for row, (first, last) in zip(result.curve["loss"], [(0, 5), (5, 10)], strict=False):
        assert row == pytest.approx(_mean(seen[first:last]))
    assert result.epochs["train_loss"].iloc[1] == pytest.approx(_mean(seen[6:12]))


def _mean(values: list[tuple[float, int]]) -> float:
    return sum(value * count for value, count in values) / sum(count for _, count in values)


def test_logging_and_checkpoints_do_not_touch_the_result(tmp_path: Path) -> None:
    found = []
    for name, steps, log_every in (("a", None, 1), ("b", 1, 7), ("c", 4, 100)):
        network = Network()
        checkpoints = Checkpoints(tmp_path / name, steps=steps)
        result = run(network, checkpoints, training=training(log_every=log_every))
        found.append((network.layer.weight, result.epochs))
    for weight, epochs in found[1:]:
        assert torch.equal(weight, found[0][0])
        pandas.testing.assert_frame_equal(epochs, found[0][1])


def test_global_random_state_is_neither_read_nor_changed(tmp_path: Path) -> None:
    weights = []
    for seed in (1, 2):
        network = Network()
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        run(network, Checkpoints(tmp_path / str(seed)))
        assert torch.equal(torch.get_rng_state(), before)
        weights.append(network.layer.weight)
    assert torch.equal(weights[0], weights[1])


def test_every_epoch_sees_every_sample_once() -> None:
    for epoch in range(3):
        groups = shuffled(COUNT, 4, 0, "test", epoch)
        assert [len(group) for group in groups] == [4, 4, 4, 4, 4, 2]
        assert sorted(torch.cat(groups).tolist()) == list(range(COUNT))


def test_validation_is_in_eval_mode_and_without_gradients(checkpoints: Checkpoints) -> None:
    network = Network()
    modes: list[tuple[bool, bool, int]] = []

    def loss(batch: Tensor, noise: Numbers) -> dict[str, Tensor]:
        modes.append((network.training, torch.is_grad_enabled(), len(batch)))
        return network.loss(batch, noise)

    run(network, checkpoints, loss=loss)
    sizes = [size for train, _, size in modes if not train]
    assert sizes == [4, 2] * 3
    assert all(train == gradients for train, gradients, _ in modes)


def _spoiled(network: Network, bad: float, at: int) -> Callable[..., dict[str, Tensor]]:
    """Return the network's loss, but `bad` times it from training step `at` on."""
    steps = 0

    def loss(batch: Tensor, noise: Numbers) -> dict[str, Tensor]:
        nonlocal steps
        steps += network.training
        values = network.loss(batch, noise)
        spoiled = network.training and steps >= at
        return {**values, "loss": values["loss"] * (bad if spoiled else 1.0)}

    return loss


@pytest.mark.parametrize(("clip", "schedule", "kind"), NAIVE)
@pytest.mark.parametrize("size", [4, 7])
def test_a_plain_objective_is_the_loop_that_anyone_would_write(
    checkpoints: Checkpoints, size: int, clip: float | None, schedule: str, kind: str
) -> None:
    settings = training(batch_size=size, gradient_clip=clip, schedule=schedule, optimizer=kind)
    network, expected = Network(), Network()
    result = run(network, checkpoints, training=settings, seed=5)
    optimizers = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    optimizer = optimizers[kind](
        expected.parameters(), betas=(0.9, 0.999), weight_decay=0.01, fused=True
    )
    steps, step, losses = 3 * -(-COUNT // size), 0, []
    for epoch in range(3):
        for indices in permutation(COUNT, 5, "test", "order", epoch).split(size):
            loss = expected.loss(TRAIN.read(indices), generator(5, "test", "step", step))["loss"]
            optimizer.zero_grad()
            loss.backward()
            if clip is not None:
                torch.nn.utils.clip_grad_norm_(expected.parameters(), clip)
            rate = 0.05 * min(1, (step + 1) / 2)
            if schedule == "cosine" and step >= 2:
                rate *= 0.5 * (1 + math.cos(math.pi * (step - 2) / (steps - 2)))
            optimizer.param_groups[0]["lr"] = rate
            optimizer.step()
            losses.append((loss.item(), len(indices)))
            step += 1
    for name, value in expected.state_dict().items():
        assert torch.equal(network.state_dict()[name], value), name
    assert result.curve["loss"].iloc[0] == pytest.approx(_mean(losses[:5]), rel=1e-12)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("log_every", [1, 5, 100])
def test_divergence_names_the_step_and_the_cure(
    checkpoints: Checkpoints, bad: float, log_every: int
) -> None:
    network = Network()
    loss = _spoiled(network, bad, 4)
    with pytest.raises(UserError, match=r"step 4 .*gradient_clip"):
        run(network, checkpoints, loss=loss, training=training(log_every=log_every))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize(
    ("at", "logged", "epochs"),
    [
        (4, [3], [3]),
        (6, [5], [5]),
        (7, [5, 6], [6]),
        (8, [5, 7], [6, 7]),
        (18, [5, 10, 15, 17], [6, 12, 17]),
    ],
)
def test_a_recorded_divergence_ends_the_run_before_its_step(
    checkpoints: Checkpoints, bad: float, at: int, logged: list[int], epochs: list[int]
) -> None:
    network, straight = Network(), Network()
    loss = _spoiled(network, bad, at)
    result = run(network, checkpoints, loss=loss, training=training(diverging="record"))
    assert result.diverged_at == at
    assert result.steps == at - 1
    assert list(result.curve["step"]) == logged
    assert list(result.epochs["step"]) == epochs
    assert not result.curve.isna().any().any()
    assert not result.epochs.isna().any().any()
    # Up to there it is the run that it would have been anyway.
    other = Checkpoints(checkpoints.folder.with_name("straight"))
    whole = run(straight, other)
    assert whole.diverged_at is None
    same = (at - 1) // 5
    pandas.testing.assert_frame_equal(result.curve[:same], whole.curve[:same])
    assert all(value.isfinite().all() for value in network.state_dict().values())


def test_a_step_that_is_not_taken_moves_no_buffer(checkpoints: Checkpoints) -> None:
    """The forward pass of the step that diverges has moved the network's moving average."""
    network, before = Network(), dict[str, Tensor]()
    spoiled = _spoiled(network, float("nan"), 9)

    def loss(batch: Tensor, noise: Numbers) -> dict[str, Tensor]:
        if network.training:
            before.update({name: value.clone() for name, value in network.state_dict().items()})
        return spoiled(batch, noise)

    result = run(network, checkpoints, loss=loss, training=training(diverging="record"))
    assert result.diverged_at == 9
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("calls", [3, 7, 9, 10])
def test_a_recorded_divergence_is_found_again_after_a_stop(tmp_path: Path, calls: int) -> None:
    """Stopped while training and while validating, with a checkpoint after every step."""
    results = []
    for name, stop in (("straight", None), ("stopped", calls)):
        folder = tmp_path / name
        if stop is not None:
            stopped = Network()
            with pytest.raises(KeyboardInterrupt):
                run(
                    stopped,
                    Checkpoints(folder, steps=1),
                    loss=_until(_spoiled(stopped, float("nan"), 9), stop),
                    training=training(diverging="record"),
                )
            (last, *_) = sorted(folder.iterdir(), reverse=True)
        network = Network()
        taken = int(last.stem.removeprefix("step-")) if stop is not None else 0
        loss = _spoiled(network, float("nan"), 9 - taken)
        settings = training(diverging="record")
        results.append((run(network, Checkpoints(folder), loss=loss, training=settings), network))
    (first, one), (second, two) = results
    assert first.diverged_at == second.diverged_at == 9
    pandas.testing.assert_frame_equal(first.curve, second.curve)
    pandas.testing.assert_frame_equal(first.epochs, second.epochs)
    for name, value in one.state_dict().items():
        assert torch.equal(value, two.state_dict()[name])


def _until(loss: Callable[..., dict[str, Tensor]], calls: int) -> Callable[..., dict[str, Tensor]]:
    left = calls

    def stopping(batch: Tensor, noise: Numbers) -> dict[str, Tensor]:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return loss(batch, noise)

    return stopping


@pytest.mark.parametrize("diverging", ["stop", "record"])
def test_a_loss_that_is_bad_from_the_start_is_an_error(
    checkpoints: Checkpoints, diverging: str
) -> None:
    network = Network()
    loss = _spoiled(network, float("nan"), 1)
    with pytest.raises(UserError, match="step 1 "):
        run(network, checkpoints, loss=loss, training=training(diverging=diverging))


@pytest.mark.parametrize("diverging", ["stop", "record"])
def test_a_bad_validation_is_an_error_or_a_gap(checkpoints: Checkpoints, diverging: str) -> None:
    network = Network()

    def loss(batch: Tensor, noise: Numbers) -> dict[str, Tensor]:
        values = network.loss(batch, noise)
        return values if network.training else {**values, "loss": values["loss"] / 0}

    settings = training(diverging=diverging)
    if diverging == "stop":
        with pytest.raises(UserError, match="validation loss after step 6"):
            run(network, checkpoints, loss=loss, training=settings)
        return
    result = run(network, checkpoints, loss=loss, training=settings)
    assert result.epochs["validation_loss"].isna().all()
    assert result.epochs["train_loss"].notna().all()


def test_an_error_while_reading_is_the_readers_own(checkpoints: Checkpoints) -> None:
    def read(indices: Tensor) -> Tensor:
        raise UserError(f"clip {int(indices[0])} is damaged")

    with pytest.raises(UserError, match="is damaged"):
        run(Network(), checkpoints, train=Samples(COUNT, read))


def test_dictionaries_of_tensors_are_batches(checkpoints: Checkpoints) -> None:
    network = Network()

    def as_dictionary(source: Samples[Tensor]) -> Samples[dict[str, Tensor]]:
        return Samples(source.count, lambda indices: {"x": source.read(indices)})

    def loss(batch: dict[str, Tensor], noise: Numbers) -> Any:
        return network.loss(batch["x"], noise)

    plain = Network()
    first = run(plain, checkpoints)
    second = run(
        network,
        Checkpoints(checkpoints.folder.with_name("other")),
        loss=loss,
        train=as_dictionary(samples()),
        validation=as_dictionary(samples(6, "validation")),
    )
    pandas.testing.assert_frame_equal(first.epochs, second.epochs)
