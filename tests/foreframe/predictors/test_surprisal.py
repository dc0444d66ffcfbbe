"""What every kind expects of a frame, and what it says of one once it has seen it.

Shapes: B clips, C channels of the view, T frames, S scored ones, H rows, W columns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from foreframe.networks.gaussian import Gaussian
from foreframe.networks.likelihoods import unit_scale
from foreframe.networks.noise import Noise
from foreframe.networks.residual_frames import SilentNorm
from foreframe.predictors.hierarchical_vrnn import HierarchicalVRNN
from foreframe.predictors.rfn import Temperatures
from foreframe.predictors.variational import LatentOptions
from tests.foreframe.predictors import hierarchical, test_convolutional, test_hierarchical_vrnn
from tests.foreframe.predictors import test_rfn as flows
from tests.foreframe.predictors.sequential import (
    MEAN_FRAMES,
    MIXTURE,
    Same,
    agree,
    clips,
    cost,
    ready,
)

WARM = LatentOptions(latents="sample", temperature=0.5, frames="mean")


@dataclass(frozen=True)
class Example:
    """A small model, its clips (B,C,T,H,W), and options under which latents are the prior's."""

    model: Any
    clips: Tensor
    options: Any

    @property
    def noise(self) -> Noise:
        return Same(len(self.clips), apart=False)

    def state(self, given: int, options: Any = None) -> Any:
        """Return the state after so many given frames."""
        seen = self.model.encode(self.clips[:, :, :given])
        return self.model.start(seen, options or self.options, self.noise)


def convolutional(kind: dict[str, Any], **changes: Any) -> Example:
    model = ready(test_convolutional.settings(kind, **changes))
    if model.settings.output.kind == "gaussian":
        model.output.raw_deviation.data.fill_(-2)  # so that frames tell small differences
    return Example(model, clips(model), MEAN_FRAMES)


def flow() -> Example:
    return Example(flows.ready(), flows.clips(), flows.PLAIN)


def hierarchy(**changes: Any) -> Example:
    options = test_hierarchical_vrnn.SAMPLED
    return Example(hierarchical.woken(**changes), test_hierarchical_vrnn.clips(), options)


@torch.no_grad()
def blind(model: HierarchicalVRNN) -> None:
    """Let prior and posterior say the same, whatever they are told."""
    model.network.posterior.load_state_dict(model.network.prior.state_dict())
    for part in (model.network.prior, model.network.posterior):
        for module in part.modules():
            if isinstance(module, SilentNorm):
                module.weight.zero_()


def agreed(example: Example) -> Example:
    """Let the posterior say what the prior does."""
    if isinstance(example.model, HierarchicalVRNN):
        blind(example.model)
    else:
        agree(example.model.posterior, example.model.prior)
    return example


MAKERS: dict[str, Callable[[], Example]] = {
    "srnn": lambda: convolutional(test_convolutional.SRNN),
    "srnn of a mixture": lambda: convolutional(test_convolutional.SRNN, output=MIXTURE),
    "vrnn": lambda: convolutional(test_convolutional.VRNN),
    "rfn": flow,
    "hierarchical_vrnn": hierarchy,
}


@pytest.mark.parametrize("kind", MAKERS)
@torch.no_grad()
def test_with_the_prior_for_a_posterior_a_frame_is_as_surprising_as_it_costs(kind: str) -> None:
    example = agreed(MAKERS[kind]())
    model, x_BCTHW, found = example.model, example.clips, []
    for given in range(model.needs, x_BCTHW.shape[2]):
        wanted = model.terms(x_BCTHW, given, example.noise).nll[:, 0]
        x_BCHW = x_BCTHW[:, :, given]
        found.append(
            model.surprisal(example.state(given), x_BCHW, given, example.options, example.noise)
        )
        torch.testing.assert_close(found[-1], wanted, rtol=1e-5, atol=1e-3)
    # And frames do not all cost the same.
    assert torch.stack(found).std(dim=0).min() > 0.1


@pytest.mark.parametrize("kind", ["srnn", "vrnn", "hierarchical_vrnn"])
@torch.no_grad()
def test_the_mean_that_follows_is_the_least_surprising_frame(kind: str) -> None:
    example = MAKERS[kind]()
    model, given = example.model, example.model.needs
    state = example.state(given, WARM)
    mean_BCHW, _ = model.advance(state, given, WARM, example.noise)

    def surprisal(x_BCHW: Tensor) -> Tensor:
        found: Tensor = model.surprisal(state, x_BCHW, given, WARM, example.noise)
        return found

    least = surprisal(mean_BCHW)
    if kind == "hierarchical_vrnn":
        constant = torch.tensor(unit_scale.CONSTANTS["laplace"] * mean_BCHW[0].numel())
    else:
        constant = cost(model, mean_BCHW[:1, :, None], mean_BCHW[:1, :, None]).squeeze()
    torch.testing.assert_close(least, constant.expand(len(least)))
    for other in (mean_BCHW + 0.01, mean_BCHW - 0.01, example.clips[:, :, given]):
        assert (surprisal(other) > least).all()


@pytest.mark.parametrize("kind", test_convolutional.ALL)
@torch.no_grad()
def test_replayed_means_cost_what_the_terms_say(kind: dict[str, Any]) -> None:
    example = convolutional(kind)
    for given in (1, 3):
        terms = example.model.terms(example.clips, given, example.noise)
        means = example.model.replay(example.clips, given, MEAN_FRAMES, example.noise)
        found = cost(example.model, example.clips[:, :, given:], means)
        torch.testing.assert_close(found, terms.nll, rtol=1e-5, atol=1e-3)


@torch.no_grad()
def test_frames_are_replayed_with_numbers_of_their_own() -> None:
    example = convolutional(test_convolutional.SRNN)
    drawn = LatentOptions(latents="sample", temperature=1.0, frames="sample")
    noise = Same(3)
    means, frames = (
        example.model.replay(example.clips, 2, options, noise) for options in (MEAN_FRAMES, drawn)
    )
    deviation = torch.nn.functional.softplus(example.model.output.raw_deviation)
    for step, time in enumerate(range(2, 5)):
        numbers = noise.normal("frame", time, frames[0, :, step].shape)
        torch.testing.assert_close(frames[:, :, step], means[:, :, step] + deviation * numbers)


@torch.no_grad()
def test_the_hierarchy_replays_the_means_of_its_terms() -> None:
    example = hierarchy(likelihood="gaussian")
    given = hierarchical.CONTEXT + 1
    terms = example.model.terms(example.clips, given, example.noise)
    means = example.model.replay(example.clips, given, example.options, example.noise)
    log_p = torch.distributions.Normal(means, 1.0).log_prob(example.clips[:, :, given:])
    torch.testing.assert_close(-log_p.sum(dim=(1, 3, 4)), terms.nll)


@torch.no_grad()
def test_a_flow_replays_frames_of_the_conditions_and_the_base_of_its_terms() -> None:
    model: Any = flows.ready()
    x_BCTHW, noise = flows.clips(), Same(2)
    scored: list[Any] = []
    log_prob = model.flow.log_prob

    def kept(x_BCHW: Tensor, conditions: list[Tensor], base: Gaussian) -> Tensor:
        scored.extend([conditions, base])
        return log_prob(x_BCHW, conditions, base)

    model.flow.log_prob = kept
    model.terms(x_BCTHW, 2, noise)
    conditions, base = scored
    options = Temperatures(flow=0.5, prior=2.0)
    frames_BCSHW = model.replay(x_BCTHW, 2, options, noise)
    noises = [
        torch.stack([noise.normal(f"flow {level}", time, shape) for time in (2, 3, 4)], dim=1)
        for level, shape in enumerate(model.flow.noise_shapes, start=1)
    ]
    wanted = model.flow.sample([each.flatten(0, 1) for each in noises], conditions, base, 0.5)
    torch.testing.assert_close(frames_BCSHW.transpose(1, 2).flatten(0, 1), wanted)
    # Of the base, what was drawn is mean + temperature x deviation x noise.
    latents = model.flow.latents(frames_BCSHW.transpose(1, 2).flatten(0, 1), conditions)
    torch.testing.assert_close(latents[-1], base.sample(noises[-1].flatten(0, 1), 0.5))
