"""The game of K + 1 classes: its closed forms, what labels reach, the classes it learns."""

from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from foreframe.data import normalization, writing
from foreframe.data.clips import SplitRuns, save_split
from foreframe.errors import UserError
from foreframe.models import learning
from foreframe.networks.noise import Fresh
from foreframe.predictors.adversarial import CRITIC, GENERATOR
from foreframe.predictors.ali import ALI, build
from foreframe.predictors.learned import ROLE
from foreframe.randomness import Draws, generator
from foreframe.sources import Block, Episode
from foreframe.training.objective import Moment
from foreframe.training.samples import Samples
from stages import train_predictor
from tests.foreframe.predictors import pairs
from tests.foreframe.predictors.pairs import (
    DIGITS,
    ali_settings,
    batch,
    given,
    moment,
    pictures,
    plan,
    ready,
    supervised,
)
from tests.foreframe.training import games, runs

BOTH = (GENERATOR, CRITIC)
WEIGHT = 0.7


def few(**changes: Any) -> Any:
    """Return settings whose supervision has a weight of its own, without dropout unless asked."""
    supervision = supervised(weight=WEIGHT).supervision
    return ali_settings(
        **{"critic": pairs.small_critic(drop=0.0), "supervision": supervision, **changes}
    )


def model(*, lively: bool = True, **changes: Any) -> ALI:
    found: ALI = ready(build(few(**changes), given(labels=DIGITS)), lively=lively)
    return found


def drawn(chosen: ALI, x_B: Tensor, noise: Fresh) -> tuple[Tensor, Tensor, Tensor]:
    """Return the critic's logits (B,K) of true and of made pairs, and its latents."""
    inferred, z = chosen.infer(x_B, {}, noise), chosen.drawn(noise)
    made = chosen.made(z, {})
    return chosen.logits(x_B, inferred, {}), chosen.logits(made, z, {}), inferred


def test_losses_are_those_of_one_softmax_over_k_and_one_more_class() -> None:
    chosen, told = model(lively=False, deviation=0.4), batch(6)
    found = chosen.objective().losses(told, moment(), BOTH)
    numbers = moment().numbers
    noise = Fresh(numbers, 6, told["x"].device)
    real_BK, fake_BK, _ = drawn(chosen, told["x"], noise)
    partners, label_B = told["partners"]["x"], told["partners"]["labels"]["digit"]
    labelled_BK = chosen.logits(partners, chosen.infer(partners, {}, noise), {})
    # All K + 1 classes, of which the last is what is made.
    real, fake, known = (
        functional.pad(each, (0, 1)).softmax(dim=1) for each in (real_BK, fake_BK, labelled_BK)
    )
    given_true = known[:, :-1] / (1 - known[:, -1:])
    sup = -given_true[torch.arange(6), label_B].log().mean()
    uns = -0.5 * (1 - real[:, -1]).log().mean() - 0.5 * fake[:, -1].log().mean()
    torch.testing.assert_close(found[CRITIC]["loss"], sup + WEIGHT * uns)
    torch.testing.assert_close(found[CRITIC]["supervised"], sup)
    maker = -real[:, -1].log().mean() - (1 - fake[:, -1]).log().mean()
    torch.testing.assert_close(found[GENERATOR]["loss"], maker)
    wrong = (labelled_BK.argmax(dim=1) != label_B).float().mean()
    assert found[CRITIC]["labelled_error"] == wrong


def test_a_pair_is_true_with_z_of_z_and_one() -> None:
    chosen, x_B = model(lively=False, deviation=0.4), pictures(6)[0]
    z = chosen.drawn(Fresh(moment().numbers, 6, x_B.device))
    total = chosen.logits(x_B, z, {}).exp().sum(dim=1)
    torch.testing.assert_close(chosen.judge(x_B, z, {}).sigmoid(), total / (total + 1))


def test_labels_move_the_critic_and_not_the_generator() -> None:
    chosen = model()
    told, other = batch(6), batch(6)
    other["partners"]["labels"]["digit"] = (other["partners"]["labels"]["digit"] + 1) % 3
    players = chosen.players()
    gradients: dict[str, list[Tensor]] = {}
    for name in BOTH:
        weights = [each for part in players[name] for each in part.parameters()]
        for labels in (told, other):
            found = chosen.objective().losses(labels, moment(), BOTH)
            parts = torch.autograd.grad(found[name]["loss"], weights)
            gradients.setdefault(name, []).append(torch.cat([each.flatten() for each in parts]))
    assert torch.equal(*gradients[GENERATOR])
    supervised = chosen.objective().losses(told, moment(), BOTH)[CRITIC]["supervised"]
    assert chosen.encoder is not None
    into = torch.autograd.grad(supervised, [*chosen.encoder.parameters()], allow_unused=True)
    assert all(each is None for each in into)
    assert not torch.equal(*gradients[CRITIC])


def test_the_error_of_a_validation_batch_is_that_of_the_likeliest_class() -> None:
    chosen, (x_B, label_B) = model(), pictures(6)
    found = chosen.objective().measure({"x": x_B, "labels": {"digit": label_B}}, moment())
    noise = Fresh(moment().numbers, 6, x_B.device)
    drawn(chosen, x_B, noise)
    logits_BK = chosen.logits(x_B, chosen.infer(x_B, {}, noise), {})
    assert found["error"] == (logits_BK.argmax(dim=1) != label_B).float().mean()
    assert {"accuracy_real", "probability_fake"} <= found.keys()


def test_log_probabilities_of_classes_are_a_pictures_own() -> None:
    chosen, x_B = model(), pictures(11)[0]
    frames_NHWC = (255 * x_B.clamp(0, 1)).round().to(torch.uint8)[:, 0, 0, :, :, None]
    frames_NHWC = frames_NHWC.expand(-1, -1, -1, 3)
    numbers = list(range(30, 41))
    found_NK = chosen.classify(frames_NHWC, numbers, 0)
    torch.testing.assert_close(found_NK.exp().sum(dim=1), torch.ones(11))
    for row in (0, 10):
        alone = chosen.classify(frames_NHWC[row : row + 1], numbers[row : row + 1], 0)
        assert torch.equal(alone[0], found_NK[row])
    x = frames_NHWC[:, None, None, :, :, 0].float() / 255
    q = chosen.posterior(x, {})
    z = q.sample(Draws.first(0, numbers).normal("classify infer", (0,), (3,)))
    torch.testing.assert_close(found_NK, chosen.logits(x, z, {}).log_softmax(dim=1))


def test_it_learns_classes_from_few_labels_and_is_judged_by_its_average(tmp_path: Path) -> None:
    x_N, label_N = pictures(60)

    def read(rows: Tensor) -> dict[str, Any]:
        partners = rows % 6  # two of each class
        labels = {"digit": label_N[partners]}
        return {"x": x_N[rows], "partners": {"x": x_N[partners], "labels": labels}}

    training = plan(games.phase(steps=60, batch_size=20), average=0.9)
    chosen = build(few(training=training), given(labels=DIGITS))
    x_B, label_B = pictures(20, "validation")
    held_out = {"x": x_B, "labels": {"digit": label_B}}
    result = pairs.trained(chosen, tmp_path, Samples(60, read), Samples(20, lambda _: held_out))
    assert result.epochs["validation_error"].iloc[-1] < 0.1
    # The validation was one of the averaged critic.
    [average] = result.averaged
    game = chosen.eval().objective()
    found = []
    for weights in (chosen.critic.state_dict(), average.state_dict()):
        chosen.critic.load_state_dict(weights)
        at = Moment(60, 60, 0, 60, 60, generator(0, "test", "validation", 0))
        found.append(game.measure(held_out, at)["probability_real"].item())
    logged = result.epochs["validation_probability_real"].iloc[-1]
    assert found[1] == pytest.approx(logged, rel=1e-5)
    assert found[0] != pytest.approx(logged, rel=1e-3)


COUNT, SIDE = 24, 8


def data(folder: Path, poisoned: bool = False) -> learning.Files:
    """Write pictures of 8 x 8 and their digits; of what is labelled later, other ones."""
    folder.mkdir()
    found = learning.Files(*(folder / name for name in ("frames", "split", "normalization")))
    x_N, label_N = pictures(COUNT)
    layout = writing.Layout(SIDE, SIDE, 1.0, "made", (), (), DIGITS, 4)
    with writing.creating(found.frames, layout) as writer:
        for number in range(COUNT):
            grey = (255 * x_N[number, 0].clamp(0, 1)).round().to(torch.uint8)[..., None]
            block = Block(
                grey.expand(-1, -1, -1, 3).contiguous().numpy(),
                numpy.empty((1, 0), numpy.float32),
                numpy.empty((1, 0), numpy.float32),
            )
            label = int(label_N[number])
            if poisoned and 6 <= number < COUNT // 2:
                label = (label + 1) % 3
            list(writer.add(Episode(str(number), 1, iter([block]), "", {"digit": label})))
    half, most = COUNT // 2, 3 * COUNT // 4
    runs_of = [(number, number + 1) for number in range(COUNT)]
    sets = (tuple(runs_of[:half]), tuple(runs_of[half:most]), tuple(runs_of[most:]))
    save_split(found.split, SplitRuns(*sets))
    grey_2 = numpy.zeros((1, 2, 2, 3), numpy.uint8)
    normalization.save(found.normalization, normalization.measure([grey_2]))
    return found


def run(files: learning.Files, out: Path, **changes: Any) -> dict[str, Tensor]:
    chosen = ali_settings(
        supervision=supervised(**changes).supervision, training=plan(games.phase(epochs=1))
    )
    out.mkdir()
    train_predictor.main(
        frames=files.frames, split=files.split, normalization=files.normalization,
        predictor=chosen, seed=0, compute=runs.COMPUTE, model=out / "m", record=out / "r",
    )  # fmt: skip
    return ROLE.load(out / "m").state_dict()


def test_the_stage_trains_it_and_other_labels_change_no_weight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = data(tmp_path / "files")
    one = run(files, tmp_path / "one")
    other = run(data(tmp_path / "poisoned", poisoned=True), tmp_path / "other")
    third = run(files, tmp_path / "third", first=1)
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert not all(torch.equal(value, third[name]) for name, value in one.items())
    with pytest.raises(UserError, match=r"supervision\.labelled is 9, but from clip 0"):
        run(files, tmp_path / "more", labelled=9)


def test_one_class_is_nothing_to_learn() -> None:
    with pytest.raises(UserError, match=r"The label digit has one class.*do without the label"):
        build(supervised(), given(labels={"digit": ("zero",)}))


@pytest.mark.parametrize(("name", "value"), [("labelled", 0), ("first", -1), ("weight", 0.0)])
def test_numbers_that_are_none_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match="greater than"):
        supervised(**{name: value})
