"""Modules are M networks of their own; a slot takes one, at a cost that has a closed form."""

from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from foreframe.networks import initialization
from foreframe.networks.gaussian import Gaussian
from foreframe.networks.modular_transition import (
    CERTAIN,
    Drawing,
    ModularTransition,
    TransitionSettings,
    chosen,
)
from foreframe.networks.noise import Fresh
from foreframe.randomness import generator

ROWS, SLOTS, DIM, PLACES, FEATURES, MODULES = 2, 3, 4, 9, 6, 5


def settings(**changes: int) -> TransitionSettings:
    known = {"modules": MODULES, "trunk": 8, "module": 7, "latent": 5, "key": 6}
    return TransitionSettings(**(known | changes))


def transition(**changes: int) -> ModularTransition:
    built = ModularTransition(DIM, FEATURES, settings(**changes))
    initialization.initialize(built, generator(0, "weights"))
    with torch.no_grad():
        for parameter in built.parameters():
            if parameter.dim() > 1:
                parameter.mul_(3)
    return built.double()


def slots() -> Tensor:
    return generator(0, "slots").normal((ROWS, SLOTS, DIM)).double()


def features() -> Tensor:
    return generator(0, "features").normal((ROWS, PLACES, FEATURES)).double()


def drawing(modules: Literal["soft", "hard", "likeliest"], scale: float = 1.0) -> Drawing:
    return Drawing(modules, scale, Fresh(generator(0, "noise"), ROWS, torch.device("cpu")))


def linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


@pytest.mark.parametrize(("modules", "width"), [(1, 641), (2, 320), (4, 160), (5, 128), (7, 91)])
def test_other_numbers_of_modules_have_the_same_weights_by_their_widths(
    modules: int, width: int
) -> None:
    design = TransitionSettings(modules=modules, trunk=128, module=width, latent=64, key=64)
    built = ModularTransition(64, 64, design)
    found = sum(each.numel() for each in built.parameters())
    trunk = linear(64, 128) + linear(128, 128) + 2 * 128
    proposals = modules * (linear(128, width) + linear(width, 64))
    keys = 3 * (linear(64, 64) + linear(64, 64))
    latents = linear(64, 64) + linear(128, 64) + 2 * linear(64, 128)
    target, norm = 3 * 64 * 64, 2 * 64
    assert found == trunk + proposals + keys + latents + target + norm
    assert abs(proposals - 5 * (linear(128, 128) + linear(128, 64))) <= 193 * modules


def test_a_module_has_its_own_weights_and_moves_its_own_proposal_alone() -> None:
    built = transition()
    before = built.candidates(slots())
    with torch.no_grad():
        for parameter in built.proposals[2].parameters():
            parameter.add_(0.5)
    moved = (built.candidates(slots()) - before).abs().amax(dim=(0, 1, 3)) > 1e-6
    assert moved.tolist() == [module == 2 for module in range(MODULES)]


def test_a_proposal_is_that_of_the_table() -> None:
    built = transition()
    linears = [each for each in built.proposals[1].children() if isinstance(each, nn.Linear)]
    trunk = built.trunk(slots())
    wanted = linears[1](linears[0](trunk).relu()).relu()
    torch.testing.assert_close(built.candidates(slots())[:, :, 1], wanted)
    torch.testing.assert_close(
        trunk.mean(dim=2), torch.zeros(ROWS, SLOTS).double(), atol=1e-6, rtol=0
    )


def test_slots_move_each_by_itself() -> None:
    built, order = transition(), [1, 2, 0]
    moved = built.expect(slots(), CERTAIN, 0, 1)
    torch.testing.assert_close(built.expect(slots()[:, order], CERTAIN, 0, 1), moved[:, order])
    other = slots()
    other[:, 1] += 1
    touched = (built.expect(other, CERTAIN, 0, 1) - moved).abs().amax(dim=(0, 2)) > 1e-9
    assert touched.tolist() == [False, True, False]


def test_features_belong_to_slots_that_compete_for_them() -> None:
    built, other = transition(), slots()
    other[:, 1] += 1
    touched = built.target(other, features()) - built.target(slots(), features())
    assert (touched.abs().amax(dim=(0, 2)) > 1e-9).all()


def test_shares_are_one_module_but_in_training() -> None:
    logits = generator(0, "logits").normal((ROWS, SLOTS, MODULES))
    soft, hard = drawing("soft").shares(logits, 0, 1), drawing("hard").shares(logits, 0, 1)
    torch.testing.assert_close(soft.sum(dim=2), torch.ones(ROWS, SLOTS))
    assert ((soft > 0) & (soft < 1)).all()
    # The same noise: what is drawn hard is what has the largest share.
    assert torch.equal(hard.argmax(dim=2), soft.argmax(dim=2))
    assert torch.equal(
        hard.sort(dim=2).values[..., -2:], torch.tensor([0.0, 1.0]).expand(ROWS, SLOTS, 2)
    )
    assert torch.equal(CERTAIN.shares(logits, 0, 1).argmax(dim=2), logits.argmax(dim=2))


def test_a_module_is_drawn_as_often_as_it_is_likely() -> None:
    logits = torch.tensor([0.0, 1.0, 2.0]).expand(1, 4000, -1)
    noise = Fresh(generator(0, "noise"), 1, torch.device("cpu"))
    drawn = Drawing("hard", 1.0, noise).shares(logits, 0, 1).mean(dim=(0, 1))
    torch.testing.assert_close(drawn, logits[0, 0].softmax(dim=0), atol=0.03, rtol=0)


def test_forced_modules_are_taken_and_others_left_to_the_prior() -> None:
    built, free = transition(), torch.full((ROWS, SLOTS), -1)
    wanted = built.expect(slots(), CERTAIN, 0, 1)
    assert torch.equal(built.expect(slots(), CERTAIN, 0, 1, free), wanted)
    candidates = built.candidates(slots())
    logits = built.logits(candidates, built.prior_query(slots()))
    likeliest = logits.argmax(dim=2)
    assert torch.equal(built.expect(slots(), CERTAIN, 0, 1, likeliest), wanted)
    least = free.clone()
    least[:, 1] = logits.argmin(dim=2)[:, 1]
    touched = (built.expect(slots(), CERTAIN, 0, 1, least) - wanted).abs().amax(dim=2) > 1e-9
    assert touched.tolist() == [[False, True, False]] * ROWS


def test_a_step_is_the_equations() -> None:
    built = transition()
    moved = built.infer(slots(), features(), CERTAIN, 0, 1)
    s, target = built.candidates(slots()), built.target(slots(), features())
    log_q = torch.einsum("bkme,bke->bkm", built.key(s), built.posterior_query(target))
    log_p = torch.einsum("bkme,bke->bkm", built.key(s), built.prior_query(slots()))
    q, p = (torch.distributions.Categorical(logits=each) for each in (log_q, log_p))
    picked = log_q.argmax(dim=2)
    f = s.gather(2, picked[..., None, None].expand(-1, -1, 1, DIM)).squeeze(2)
    normal = []
    for raw in (built.posterior_latent(torch.cat([f, target], dim=2)), built.prior_latent(f)):
        mean, scale = raw.chunk(2, dim=2)
        normal.append(torch.distributions.Normal(mean, torch.log1p(scale.exp()) + 1e-8))
    z = normal[0].mean
    kl = torch.distributions.kl_divergence
    torch.testing.assert_close(moved.kl_latent, kl(*normal).sum(dim=(1, 2)))
    torch.testing.assert_close(moved.kl_module, kl(q, p).sum(dim=1))
    ratio = (normal[1].log_prob(z) - normal[0].log_prob(z)).sum(dim=(1, 2))
    ratio = ratio + (p.log_prob(picked) - q.log_prob(picked)).sum(dim=1)
    torch.testing.assert_close(moved.log_ratio, ratio)
    wanted = torch.nn.functional.layer_norm(slots() + z + f, [DIM])
    torch.testing.assert_close(moved.slots, wanted)
    assert (moved.kl_module > 0.01).all()
    assert (moved.kl_latent > 0.01).all()


def test_what_no_frame_tells_costs_nothing() -> None:
    built = transition()
    with torch.no_grad():  # the posterior is the prior, whatever it is told
        built.posterior_query = built.prior_query
        built.target = lambda slots_BKD, features_BNF: slots_BKD  # type: ignore[method-assign]
        for parameter in (*built.prior_latent.parameters(), *built.posterior_latent.parameters()):
            parameter.zero_()
    moved = built.infer(slots(), features(), drawing("soft"), 0, 1)
    for cost in (moved.kl_latent, moved.kl_module, moved.log_ratio):
        torch.testing.assert_close(cost, torch.zeros(ROWS).double())


def test_latents_scale_with_what_is_asked_for() -> None:
    zeros = torch.zeros(ROWS, SLOTS, DIM)
    of = Gaussian(zeros + 2, zeros + 3)
    one, half = (drawing("hard", scale).latent(of, 0, 1) for scale in (1.0, 0.5))
    torch.testing.assert_close(half - 2, 0.5 * (one - 2))
    assert one.std() > 1
    assert torch.equal(drawing("hard", 0.0).latent(of, 0, 1), of.mean)


def test_candidates_are_mixed_by_their_shares() -> None:
    candidates = torch.arange(6.0).view(1, 1, 3, 2)
    shares = torch.tensor([[[0.5, 0.0, 0.5]]])
    assert chosen(candidates, shares).tolist() == [[[2.0, 3.0]]]
