"""What a network's output says of a frame: the Gaussian with one deviation."""

import pytest
import torch
from torch.distributions import Normal
from torch.nn import functional

from foreframe.networks.initialization import initialize
from foreframe.networks.likelihoods.outputs import Frames, GaussianFrames, MixtureFrames
from foreframe.randomness import Draws, generator

SIDE = 4


@pytest.mark.parametrize("deviation", [1.0, -1.5])
def test_a_gaussian_has_one_deviation_for_all_values(deviation: float) -> None:
    output = GaussianFrames(3, deviation)
    with torch.no_grad():
        output.raw_deviation.fill_(0.0)
    initialize(output, generator(0, "weights"))
    assert output.raw_deviation.item() == deviation
    numbers = generator(0, "frames")
    raw, x = (numbers.normal((2, 3, SIDE, SIDE)) for _ in range(2))
    normal = Normal(raw.sigmoid(), functional.softplus(torch.tensor(deviation)))
    torch.testing.assert_close(output.nll(x, raw), -normal.log_prob(x).sum(dim=(1, 2, 3)))
    noise = torch.full_like(x, 2.0)
    torch.testing.assert_close(output.sample(raw, noise), normal.mean + 2 * normal.stddev)
    assert torch.equal(output.mean(raw), normal.mean)


@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("kind", ["gaussian", "mixture"])
def test_an_output_knows_how_much_a_network_says_and_a_sample_takes(
    kind: str, colours: int
) -> None:
    gaussian = kind == "gaussian"
    output: Frames = GaussianFrames(colours, 1.0) if gaussian else MixtureFrames(colours, 2)
    draws = Draws.first(0, [4, 5])
    drawing = draws.normal if output.noise == "normal" else draws.gumbel
    noise = drawing("frame", (), (output.noise_channels, SIDE, SIDE))
    raw = generator(0, "raw").normal((2, output.channels, SIDE, SIDE))
    x = output.sample(raw, noise)
    assert x.shape == output.mean(raw).shape == (2, colours, SIDE, SIDE)
    assert output.nll(x, raw).shape == (2,)
