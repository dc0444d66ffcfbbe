"""What is left of a picture whose codes were moved a little?

Coppock (2020, figure 4.1) perturbs the codes of a face and looks at the decoded picture, without
saying by what. Here every chosen index of both levels is moved by a rounded Gaussian number, over a
grid of its widths and of the share of places that are moved. Where indices have no order, a step of
one index is a jump. The control moves the vectors of the codes instead, for which order is nothing.

The random numbers of a clip are the same for every model whose grids are alike, and for every cell
of the grid: a larger share moves the same places and more, a larger width moves them further.

Shapes: N clips, B of a batch, S widths, P shares, T H W the grid of a level, D numbers of a code.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from foreframe.autoencoders.two_levels import BOTTOM, TOP, TwoLevels
from foreframe.evaluation import columns
from foreframe.metrics.mse import mse
from foreframe.networks.index_noise import IndexNoise
from foreframe.questions import QuestionSettings
from foreframe.questions.subject import TEST, Answer, Codes, Subject, likeness
from foreframe.randomness import Numbers, generator
from foreframe.roots import root

INDICES, VECTORS = "indices", "vectors"

Width = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(gt=0, le=1)]
Cell = tuple[float, float]  # a width and a share
_Decode = Callable[[Codes, Cell, Sequence[int]], Tensor]  # frames uint8 (B,T,H,W,3) of a batch


class Settings(QuestionSettings):
    """The grid: `widths` in indices, `vector_widths` in deviations of the vectors that clips have.

    `shares` of the places are moved, one place at least. A width of 0 moves nothing.
    """

    kind: Literal["brittleness"]
    widths: Annotated[tuple[Width, ...], Field(min_length=1)]
    vector_widths: Annotated[tuple[Width, ...], Field(min_length=1)]
    shares: Annotated[tuple[Share, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _differ(self) -> Self:
        for name in ("widths", "vector_widths", "shares"):
            values = getattr(self, name)
            if len(set(values)) < len(values):
                raise ValueError(f"{name} has a number twice. Give each once.")
        return self


def answer(subject: Subject, settings: Settings) -> Answer:
    """Return the PSNR, in dB, of perturbed decodes against the clip's unperturbed decode.

    Under `indices`, and `vectors` where the autoencoder decodes vectors, then `width_S.share_P`.
    Equal decodes count as 100 dB. `other_clips` is the PSNR against the decode of the clip before:
    where that is high as well, decodes hardly depend on codes, and are not robust but blind. By
    clip stands the squared error, of frames in [0, 1]. Stored are, of the clips that are shown,
    `decoded` and the perturbed ones, as `indices/width_S.share_P`, and `indices_psnr` (S,P,N) of
    all.
    """
    ways = [_Way(INDICES, settings.widths, settings.shares, _Indices(subject))]
    if isinstance(subject.model, TwoLevels):
        vectors = _Vectors(subject, subject.model, deviations(subject))
        ways.append(_Way(VECTORS, settings.vector_widths, settings.shares, vectors))
    decoded: list[Tensor] = []
    for batch in subject.batches(TEST):
        codes = subject.encode(batch)
        own_BTHWC = subject.show(codes)
        left = max(settings.show - sum(map(len, decoded)), 0)
        decoded.append(own_BTHWC)
        for way in ways:
            way.update(codes, batch.numbers, own_BTHWC, left)
    decoded_NTHWC = torch.cat(decoded)
    subject.store("decoded", decoded_NTHWC[: settings.show])
    per_clip: dict[str, Tensor] = {}
    for way in ways:
        for (width, share), shown in way.shown.items():
            subject.store(f"{way.name}/{_width(width)}.{_share(share)}", torch.cat(shown))
        subject.store(f"{way.name}_psnr", way.grid(way.psnr))
        errors = way.grid(way.errors).flatten(0, 1)
        names = [f"{way.name}.{_width(one)}.{_share(other)}" for one, other in way.psnr]
        per_clip |= dict(zip(names, errors, strict=True))
    values = {way.name: way.means() for way in ways}
    if len(decoded_NTHWC) > 1:
        others_N = likeness(decoded_NTHWC, decoded_NTHWC.roll(1, dims=0))
        values["other_clips"] = columns.mean(others_N)
    return Answer(values, per_clip=per_clip)


class _Way:
    """One way to perturb, and what it did to the clips so far, by cell of its grid."""

    def __init__(
        self, name: str, widths: Sequence[float], shares: Sequence[float], decode: _Decode
    ) -> None:
        self.name, self.widths, self.shares, self._decode = name, widths, shares, decode
        cells = [(width, share) for width in widths for share in shares]
        self.psnr: dict[Cell, list[Tensor]] = {cell: [] for cell in cells}
        self.errors: dict[Cell, list[Tensor]] = {cell: [] for cell in cells}
        self.shown: dict[Cell, list[Tensor]] = {cell: [] for cell in cells}

    def update(self, codes: Codes, numbers: Sequence[int], own_BTHWC: Tensor, show: int) -> None:
        """Add clips, whose unperturbed decodes are given; `show` of them are kept as pictures."""
        for cell in self.psnr:
            made_BTHWC = self._decode(codes, cell, numbers)
            self.psnr[cell].append(likeness(own_BTHWC, made_BTHWC))
            self.errors[cell].append(mse(own_BTHWC, made_BTHWC).mean(dim=1))
            self.shown[cell].append(made_BTHWC[:show])

    def means(self) -> dict[str, Any]:
        """Return the PSNR by width, then share."""
        return {
            _width(width): {
                _share(share): columns.mean(torch.cat(self.psnr[width, share]))
                for share in self.shares
            }
            for width in self.widths
        }

    def grid(self, parts: Mapping[Cell, Sequence[Tensor]]) -> Tensor:
        """Return what is known of all cells as one tensor (S,P,...)."""
        joined = torch.stack([torch.cat(list(part)) for part in parts.values()])
        return joined.unflatten(0, (len(self.widths), len(self.shares)))


def _width(width: float) -> str:
    return f"width_{width:g}"


def _share(share: float) -> str:
    return f"share_{share:g}"


def moved(ids_THW: Tensor, codes: int, cell: Cell, noise: Numbers, order: Numbers) -> Tensor:
    """Return the indices (T,H,W) of a clip, those of some places moved by rounded Gaussian numbers.

    An index beyond the codebook of `codes` becomes its last one. `order` chooses the places.
    """
    width, share = cell
    gaussian = IndexNoise(sigma=width, sigma_is="deviation", gaussian="rounded", border="clamp")
    return torch.where(places(ids_THW, share, order), gaussian.move(ids_THW, codes, noise), ids_THW)


def places(ids_THW: Tensor, share: float, order: Numbers) -> Tensor:
    """Return which places (T,H,W) of a clip are moved, bool: this share of them, at least one."""
    count = max(1, round(share * ids_THW.numel()))
    chosen = torch.zeros(ids_THW.numel(), dtype=torch.bool)
    chosen[order.permutation(ids_THW.numel())[:count]] = True
    return chosen.view(ids_THW.shape)


def deviations(subject: Subject) -> dict[str, float]:
    """Return for each level the standard deviation of a number of a vector that test clips have.

    That is the root of the mean variance over the D numbers; codes that no clip has do not count.
    """
    found = {}
    for level, counts_K in subject.counts(TEST).items():
        codebook_KD = subject.quantised().codebook(level).double().cpu()
        share_K1 = (counts_K / counts_K.sum().double())[:, None]
        off_KD = codebook_KD - (share_K1 * codebook_KD).sum(dim=0)
        found[level] = float(root((share_K1 * off_KD.square()).sum(dim=0).mean()))
    return found


@dataclass(frozen=True)
class _Indices:
    """Decodes indices that were moved."""

    subject: Subject

    def __call__(self, codes: Codes, cell: Cell, numbers: Sequence[int]) -> Tensor:
        sizes = self.subject.model.codebook_sizes
        return self.subject.show(
            {
                level: torch.stack(
                    [
                        moved(
                            ids_THW,
                            sizes[level],
                            cell,
                            _numbers(self.subject, level, "noise", number),
                            _numbers(self.subject, level, "places", number),
                        )
                        for ids_THW, number in zip(ids_BTHW, numbers, strict=True)
                    ]
                )
                for level, ids_BTHW in codes.items()
            }
        )


@dataclass(frozen=True)
class _Vectors:
    """Decodes vectors with Gaussian noise on them, `spread` times the width."""

    subject: Subject
    model: TwoLevels
    spread: Mapping[str, float]

    def __call__(self, codes: Codes, cell: Cell, numbers: Sequence[int]) -> Tensor:
        found = {level: self._shaken(level, codes[level], cell, numbers) for level in codes}
        return self.subject.shown(self.model.decode_vectors(found[TOP], found[BOTTOM]))

    def _shaken(self, level: str, ids_BTHW: Tensor, cell: Cell, numbers: Sequence[int]) -> Tensor:
        width, share = cell
        own_BDTHW = self.model.codebook(level)[ids_BTHW.to(self.subject.device)].movedim(-1, 1)
        noise = []
        for ids_THW, number in zip(ids_BTHW, numbers, strict=True):
            drawn = _numbers(self.subject, level, "vectors", number).normal(own_BDTHW.shape[1:])
            order = _numbers(self.subject, level, "places", number)
            noise.append(drawn * places(ids_THW, share, order))
        return own_BDTHW + width * self.spread[level] * torch.stack(noise).to(own_BDTHW)


def _numbers(subject: Subject, level: str, what: str, number: int) -> Numbers:
    return generator(subject.seed, "brittleness", level, what, number)
