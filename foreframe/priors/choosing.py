"""Choosing a code from logits and noise, and telling which choices rounding could turn over.

A choice is the first (lowest) code of the largest score among the kept codes. All functions work
in the precision of the logits they are given.

Shapes: ... any, K codes.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from foreframe.config.sampling import Choice


def pick(logits_K: Tensor, choice: Choice, noise_K: Tensor | None) -> Tensor:
    """Return the chosen codes (...) for logits (...,K) and Gumbel noise of the same shape.

    `noise` is None for argmax.
    """
    # torch.argmax returns the first of several maxima.
    return _scores(logits_K, choice, noise_K, slack=0.0).argmax(dim=-1)


def doubtful(logits_K: Tensor, choice: Choice, noise_K: Tensor | None, slack: float) -> Tensor:
    """Return where (...) another code might be chosen if each logit were up to `slack` wrong."""
    wide_K = _scores(logits_K, choice, noise_K, slack)
    if wide_K.shape[-1] == 1:
        return torch.zeros(wide_K.shape[:-1], dtype=torch.bool, device=wide_K.device)
    best = wide_K.topk(2, dim=-1)
    close = best.values[..., 0] - best.values[..., 1] <= 2 * slack / choice.temperature
    if _keeps_all(choice):
        return close
    surely_kept = kept(logits_K, choice, -slack).gather(-1, best.indices[..., :1])[..., 0]
    return close | ~surely_kept


def _scores(logits_K: Tensor, choice: Choice, noise_K: Tensor | None, slack: float) -> Tensor:
    if choice.mode == "argmax":
        return logits_K
    assert noise_K is not None
    scores_K = logits_K / choice.temperature + noise_K
    if _keeps_all(choice):
        return scores_K
    return scores_K.masked_fill(~kept(logits_K, choice, slack), -torch.inf)


def _keeps_all(choice: Choice) -> bool:
    return choice.top_k == 0 and choice.top_p == 1


def kept(logits_K: Tensor, choice: Choice, slack: float) -> Tensor:
    """Return which codes (...,K) may be chosen: top-k, then top-p of what top-k leaves.

    Codes with equal logits are kept or dropped together. A positive slack keeps every code that
    could be kept if each logit were that much wrong; a negative one those that surely would be.
    """
    sorted_K = logits_K.sort(dim=-1, descending=True).values
    size = sorted_K.shape[-1]
    first_k = sorted_K[..., : choice.top_k or size]
    # Errors in all logits change a probability by a factor of e^(2 slack / T) at most.
    margin = math.copysign(math.expm1(2 * abs(slack) / choice.temperature), slack)
    before_k = _mass_before(first_k / choice.temperature)
    inside_k = (before_k < choice.top_p + margin) | (choice.top_p == 1)
    count = inside_k.sum(dim=-1, keepdim=True).clamp(min=1)
    if slack < 0:
        dropped = functional.pad(sorted_K, (0, 1), value=-torch.inf).gather(-1, count)
        return logits_K > dropped - 2 * slack
    return logits_K >= sorted_K.gather(-1, count - 1) - 2 * slack


def _mass_before(sorted_k: Tensor) -> Tensor:
    """Return the probability of all codes before each one of the sorted logits."""
    count = sorted_k.shape[-1]
    before_kk = torch.ones(count, count, dtype=sorted_k.dtype, device=sorted_k.device).triu(1)
    # A matrix product, because a cumulative sum has no deterministic kernel on a GPU.
    return sorted_k.softmax(dim=-1) @ before_kk
