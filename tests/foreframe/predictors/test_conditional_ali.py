"""Conditional ALI: another label is another picture, and a pair is judged with its own labels."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.errors import UserError
from foreframe.predictors.adversarial import CRITIC, GENERATOR
from foreframe.predictors.ali import build
from foreframe.randomness import Draws, generator
from foreframe.training.samples import Samples
from tests.foreframe.predictors import pairs
from tests.foreframe.predictors.pairs import (
    BLACK,
    PLAIN,
    context,
    given,
    moment,
    pictures,
    plan,
    told,
)
from tests.foreframe.predictors.test_ali import BOTH, NO_DROP, conditional
from tests.foreframe.training import games


def test_another_label_makes_another_picture_of_the_same_latents() -> None:
    chosen = conditional()
    z_BZ = generator(0, "z").normal((1, 3)).expand(6, -1)
    labels = {
        "digit": torch.tensor([0, 1, 2] * 2), "slanted": torch.tensor([0, 0, 0, 1, 1, 1])
    }  # fmt: skip
    made = chosen.made(z_BZ, labels).detach()
    assert len({tuple(each.flatten().tolist()) for each in made}) == 6
    same = chosen.made(z_BZ, {name: each[:1].expand(6) for name, each in labels.items()})
    torch.testing.assert_close(same, made[:1].expand_as(same))
    # All three nets are told; what they are told moves with the generator.
    x_B = pictures(6)[0]
    posterior = chosen.posterior(x_B[:1].expand(6, -1, -1, -1, -1), labels).mean
    logits = chosen.judge(x_B[:1].expand(6, -1, -1, -1, -1), z_BZ, labels)
    assert len(posterior.unique(dim=0)) == len(logits.unique()) == 6
    assert chosen.embedding in chosen.players()[GENERATOR]
    assert chosen.embedding not in chosen.players()[CRITIC]


def test_a_true_and_a_made_pair_are_judged_with_the_same_labels() -> None:
    chosen = conditional(**NO_DROP).train()
    labels = {"digit": torch.tensor([0, 1, 2, 2]), "slanted": torch.tensor([1, 0, 0, 1])}
    seen: list[Any] = []
    chosen.critic.register_forward_hook(lambda _, inputs, out: seen.append(inputs[2]))
    chosen.objective().losses({"x": pictures(4)[0], "labels": labels}, moment(), BOTH)
    [told_BE11] = seen
    wanted = chosen.told(labels)
    assert wanted is not None
    torch.testing.assert_close(told_BE11, torch.cat([wanted, wanted]))


def test_a_conditional_prediction_is_of_the_labels_of_its_clip() -> None:
    chosen = conditional()
    known = context(3, digit=torch.tensor([0, 2, 1]), slanted=torch.tensor([1, 0, 0]))
    draws = Draws.first(0, known.numbers)
    found = chosen.predict(known, 1, PLAIN, draws).frames
    z_NZ = draws.normal("predict prior", (0,), (3,))
    made = chosen.made(z_NZ, known.labels)
    wanted = (255 * made[:, 0]).round().to(torch.uint8)
    assert ((found[..., 0].int() - wanted.int()).abs() <= 1).all()


def test_a_run_that_is_repeated_gives_the_same_weights(tmp_path: Path) -> None:
    x_B, label_B = pictures(10)
    labels = {"digit": label_B, "slanted": label_B % 2}

    def read(rows: Tensor) -> dict[str, Any]:
        return {"x": x_B[rows], "labels": {name: each[rows] for name, each in labels.items()}}

    ends = []
    for name in ("one", "two"):
        chosen = build(told(training=plan(games.phase(epochs=2))), given(labels=pairs.TOLD))
        result = pairs.trained(chosen, tmp_path / name, Samples(10, read), Samples(10, read))
        assert result.epochs["validation_probability_real"].between(0, 1).all()
        ends.append(chosen.state_dict())
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])


def test_labels_that_it_was_not_trained_with_are_refused() -> None:
    chosen = conditional()
    draws = Draws.first(0, [20])
    known = context(1, digit=torch.tensor([0]))
    with pytest.raises(UserError, match="is told the label slanted, which these clips do not"):
        chosen.predict(known, 1, PLAIN, draws)
    for label in (-1, 3):
        known = context(1, digit=torch.tensor([label]), slanted=torch.tensor([0]))
        with pytest.raises(UserError, match="has a digit that is none of the 3 classes"):
            chosen.predict(known, 1, PLAIN, draws)


def test_a_conditional_model_gives_no_latents_of_pictures_alone() -> None:
    with pytest.raises(UserError, match=r"is told labels.*Ask a model without labels"):
        conditional().latents(BLACK, [0], 0)
