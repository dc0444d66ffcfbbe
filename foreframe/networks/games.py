"""What two players of a game minimise, of logits of being true, and what the critic then knows.

Goodfellow et al. 2014 with the generator's loss that does not saturate. A game over pairs (Dumoulin
et al. 2017, algorithm 1) has an encoder and a decoder as its generator, so there it is moved by
the pairs of true pictures too. Shapes: B rows.
"""

from torch import Tensor
from torch.nn import functional


def critic_loss(real_B: Tensor, fake_B: Tensor) -> Tensor:
    """Return -log D(real) - log(1 - D(fake)), a mean."""
    return functional.softplus(-real_B).mean() + functional.softplus(fake_B).mean()


def generator_loss(fake_B: Tensor) -> Tensor:
    """Return -log D(fake), a mean."""
    return functional.softplus(-fake_B).mean()


def pair_loss(real_B: Tensor, fake_B: Tensor) -> Tensor:
    """Return -log(1 - D(real pair)) - log D(fake pair), a mean: of both joints against the critic.

    That is the critic's loss with the two exchanged.
    """
    return critic_loss(fake_B, real_B)


def known(real_B: Tensor, fake_B: Tensor) -> dict[str, Tensor]:
    """Return the shares of true and of made rows that a critic takes for what they are."""
    shares = {"accuracy_real": real_B > 0, "accuracy_fake": fake_B <= 0}
    return {name: right.float().mean() for name, right in shares.items()}


def believed(real_B: Tensor, fake_B: Tensor) -> dict[str, Tensor]:
    """Return the mean probabilities that a critic gives to what true and made rows are."""
    return {
        "probability_real": real_B.sigmoid().mean(),
        "probability_fake": (-fake_B).sigmoid().mean(),
    }
