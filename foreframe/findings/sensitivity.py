"""What the top codes do to the bottom: likelihood and divergence under the right and a wrong top.

Xu 2022, 6.3: the top codes make no visible difference to what the bottom prior generates. Here the
bottom prior reads true bottom codes and is given the clip's own top, another clip's, or its own in
a random order. Without conditioning nothing may change, to the last bit.

Shapes: n clips, B clips of a batch, T H W code grid of a level, K codes, C = 3 colours.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from foreframe.errors import UserError
from foreframe.evaluation import columns
from foreframe.evaluation.columns import Columns
from foreframe.findings import light
from foreframe.priors import AutoregressivePrior
from foreframe.randomness import permutation

TOP = "top"


def another_clip(top_BTHW: Tensor) -> Tensor:
    """Return for each clip the top codes (B,T,H,W) of the one half of all clips further on.

    Raises:
        UserError: there is one clip only.
    """
    if len(top_BTHW) < 2:
        raise UserError(
            "the sensitivity to another clip's top codes needs two clips. Raise findings.clips."
        )
    return top_BTHW.roll(len(top_BTHW) // 2, dims=0)


def shuffled(top_BTHW: Tensor, seed: int) -> Tensor:
    """Return each clip's own top codes (B,T,H,W) at random places."""
    result = top_BTHW.flatten(1).clone()
    for clip, codes_N in enumerate(result):
        order = permutation(len(codes_N), seed, "shuffled top", clip)
        result[clip] = codes_N[order.to(codes_N.device)]
    return result.view_as(top_BTHW)


def measure(
    prior: AutoregressivePrior, bottom_BTHW: Tensor, top_BTHW: Tensor, wrong: Mapping[str, Tensor]
) -> dict[str, dict[str, Tensor]]:
    """Return, for each wrong top, mean NLL under either and their divergence, nats per code (B,).

    `divergence_map` is KL(p(. | right top) || p(. | wrong top)) at each position, (B,T,H,W).
    """
    with torch.inference_mode():
        right = _log_probabilities(prior, bottom_BTHW, top_BTHW)
        found = {}
        for kind, other_BTHW in wrong.items():
            other = _log_probabilities(prior, bottom_BTHW, other_BTHW)
            map_BTHW = (right.exp() * (right - other)).sum(dim=1).double()
            found[kind] = {
                "nll": _nll(right, bottom_BTHW),
                "nll_wrong": _nll(other, bottom_BTHW),
                "divergence": map_BTHW.flatten(1).mean(dim=1).cpu(),
                "divergence_map": map_BTHW.cpu(),
            }
    return found


def _log_probabilities(prior: AutoregressivePrior, bottom_BTHW: Tensor, top_BTHW: Tensor) -> Tensor:
    logits_BKTHW = prior.logits(bottom_BTHW, prior.condition({TOP: top_BTHW}))
    return functional.log_softmax(logits_BKTHW.float(), dim=1)


def _nll(logs_BKTHW: Tensor, codes_BTHW: Tensor) -> Tensor:
    taken = logs_BKTHW.gather(1, codes_BTHW.unsqueeze(1)).double()
    return -taken.flatten(1).mean(dim=1).cpu()


def pixels(right_BTHWC: Tensor, wrong_BTHWC: Tensor) -> Columns:
    """Return the mean absolute change of luma and of chroma between two decodes: (B,) grey levels.

    Both are uint8 frames, of the same bottom codes with the right and with a wrong top.
    """
    right, wrong = light.planes(right_BTHWC), light.planes(wrong_BTHWC)
    change = {name: (right[name] - wrong[name]).abs().flatten(1).mean(dim=1) for name in right}
    differs = (right_BTHWC != wrong_BTHWC).double().flatten(1).mean(dim=1)
    return {
        "luma": change["luma"],
        "chroma": (change["cb"] + change["cr"]) / 2,
        "values_changed": differs,
    }


def summarize(values: Columns) -> dict[str, Any]:
    """Return the cost of a wrong top for a bottom prior, in nats per code."""
    return {
        "nll": columns.mean(values["nll"]),
        "nll_wrong": columns.mean(values["nll_wrong"]),
        "loss": columns.difference(values["nll_wrong"], values["nll"]),
        "divergence": columns.mean(values["divergence"]),
        "largest_divergence": float(values["divergence_map"].max()),
    }


def summarize_pixels(values: Columns) -> dict[str, Any]:
    """Return how much another top changes the decoded picture, with the bottom left as it is."""
    return {name: columns.mean(values[name]) for name in values}
