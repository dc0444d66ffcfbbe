"""Does the index of a code mean anything, and are all codes in use?

Coppock (2020, figure 4.2) shows the codebooks in a plane, each code coloured by its index, and
judges by eye whether colours are mixed and how many codes lie at the origin. Numbers stand beside
that here: whether neighbours by index lie near each other, and what the clips make of the codes.

Shapes: K codes of D numbers each, P pairs of codes, B clips, T H W the grid of a level.
"""

from typing import Any, Literal, Self

import torch
from pydantic import model_validator
from torch import Tensor

from foreframe.metrics.codebook import codebook_use
from foreframe.questions import QuestionSettings
from foreframe.questions.subject import TEST, TRAIN, Answer, Subject
from foreframe.randomness import generator
from foreframe.roots import root

ORIGIN = 1e-3  # a code that is shorter lies at the origin, as one does that was never chosen


class Settings(QuestionSettings):
    """Nothing of its own; figures show all codes, and no clips."""

    kind: Literal["codebook_order"]

    @model_validator(mode="after")
    def _shows_codes(self) -> Self:
        if self.show:
            raise ValueError(f"show is {self.show}, but a codebook shows no clips. Set it to 0.")
        return self


def answer(subject: Subject, settings: Settings) -> Answer:
    """Return how ordered and how spread each codebook is, and the use of its codes by set.

    Of each LEVEL `all` codes are looked at, and those `used` by training clips, whose order no dead
    code blurs; `LEVEL_points` (K,2) are the codes in the plane of their two largest principal
    components, `LEVEL_counts` (K,) how often training clips have each. `outputs` is the mean length
    of what the encoder gives for test clips.

    Raises:
        UserError: the autoencoder has no codebooks.
    """
    model = subject.quantised()
    counts = {name: subject.counts(name) for name in (TRAIN, TEST)}
    lengths = _lengths(subject)
    values: dict[str, Any] = {}
    for level in model.levels:
        codebook_KD = model.codebook(level).double().cpu()
        points_K2, explained = plane(codebook_KD)
        trained_K = counts[TRAIN][level]
        subject.store(f"{level}_points", points_K2)
        subject.store(f"{level}_counts", trained_K)
        uses = {name: codebook_use(counts[name][level]) for name in counts}
        values[level] = {
            "all": structure(codebook_KD),
            "used": structure(codebook_KD[trained_K > 0]),
            "usage": {name: use.usage for name, use in uses.items()},
            "perplexity": {name: use.perplexity for name, use in uses.items()},
            "explained": explained,
            "outputs": lengths[level],
        }
    return Answer(values)


def structure(codes_KD: Tensor) -> dict[str, Any]:
    """Return what codes (K,D), float64, in the order of their indices say of themselves.

    adjacency: mean |e_k - e_k+1| over mean |e_i - e_j| of all pairs: 1 without order, small for a
    chain; spearman: the rank correlation of |i - j| with |e_i - e_j|: 0 without order, 1 on a line;
    at_origin: codes shorter than `ORIGIN`; norm: the mean length; log_determinant: of the
    covariance, the volume of the codebook on a logarithmic scale. None where it is not defined: of
    codes that are all alike or too few, or that do not fill their space.
    """
    lengths_K = codes_KD.norm(dim=1)
    found: dict[str, Any] = {
        "codes": len(codes_KD),
        "at_origin": int((lengths_K < ORIGIN).sum()),
        "norm": float(lengths_K.mean()),
        "adjacency": None,
        "spearman": None,
        "log_determinant": _log_determinant(codes_KD),
    }
    if len(codes_KD) < 2:
        return found
    first_P, second_P = torch.triu_indices(len(codes_KD), len(codes_KD), offset=1)
    exact = "donot_use_mm_for_euclid_dist"
    distance_P = torch.cdist(codes_KD, codes_KD, compute_mode=exact)[first_P, second_P]
    if distance_P.max() > 0:
        step_P = (second_P - first_P).double()
        found["adjacency"] = float(distance_P[step_P == 1].mean() / distance_P.mean())
        found["spearman"] = spearman(step_P, distance_P)
    return found


def spearman(one_P: Tensor, other_P: Tensor) -> float | None:
    """Return the correlation of the ranks of two rows (P,) of numbers; equal ones share a rank.

    None where all of one row are equal.
    """
    both_2P = torch.stack([_ranks(one_P), _ranks(other_P)])
    off_2P = both_2P - both_2P.mean(dim=1, keepdim=True)
    scale = root(off_2P.square().sum(dim=1).prod())
    return float(off_2P.prod(dim=0).sum() / scale) if scale > 0 else None


def plane(codes_KD: Tensor) -> tuple[Tensor, float | None]:
    """Return codes in the plane of their two largest principal components, float64 (K,2).

    Beside it the share of the variance that lies in it, None where there is none. Each component's
    largest coordinate by size is positive, so that equal codes give equal pictures.
    """
    off_KD = codes_KD - codes_KD.mean(dim=0)
    _, sizes, axes_RD = torch.linalg.svd(off_KD, full_matrices=False)
    axes_RD = axes_RD[:2]
    largest_R1 = axes_RD.gather(1, axes_RD.abs().argmax(dim=1, keepdim=True))
    points_K2 = torch.zeros(len(codes_KD), 2, dtype=torch.float64)
    points_K2[:, : len(axes_RD)] = off_KD @ (axes_RD * largest_R1.sign()).T
    total = float(sizes.square().sum())
    return points_K2, float(sizes[:2].square().sum()) / total if total else None


def _ranks(values_P: Tensor) -> Tensor:
    _, place_P, count = values_P.unique(return_inverse=True, return_counts=True)
    return (count.cumsum(0) - (count - 1) / 2).double()[place_P]


def _log_determinant(codes_KD: Tensor) -> float | None:
    """Return ln det of the covariance (divided by K), None where it is 0 up to rounding."""
    if len(codes_KD) < 2:
        return None
    variances = torch.linalg.eigvalsh(torch.atleast_2d(torch.cov(codes_KD.T, correction=0)))
    rounding = torch.finfo(torch.float64).eps * len(codes_KD)
    if variances[0] <= rounding * variances[-1]:
        return None
    return float(variances.log().sum())


def _lengths(subject: Subject) -> dict[str, float]:
    """Return the mean length of the encoder's outputs for the test clips, by level."""
    model = subject.quantised()
    sums = dict.fromkeys(model.levels, 0.0)
    places = dict.fromkeys(model.levels, 0)
    for batch in subject.batches(TEST):
        # In eval mode nothing is drawn.
        for level, found in model.quantize(batch.x, generator(0)).items():
            lengths_BTHW = found.z.double().norm(dim=1)
            sums[level] += float(lengths_BTHW.sum())
            places[level] += lengths_BTHW.numel()
    return {level: sums[level] / places[level] for level in sums}
