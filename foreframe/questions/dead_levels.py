"""Which level of codes carries nothing?

Coppock (2020, figure 4.11c) met autoencoders whose top level was blank: all that a picture needs
went through the bottom. Such a level has few codes in use, or its codes can be exchanged for those
of other clips and the reconstruction stays as it was.

Shapes: N clips, T H W the grid of a level.
"""

from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from foreframe.errors import UserError
from foreframe.evaluation import columns
from foreframe.metrics.code_counts import CodeCounts
from foreframe.metrics.codebook import codebook_use
from foreframe.metrics.mse import mse
from foreframe.questions import QuestionSettings
from foreframe.questions.subject import TEST, Answer, Codes, Subject, likeness
from foreframe.randomness import Numbers, generator


class Settings(QuestionSettings):
    """From where on a level carries something.

    perplexity: of its codes, from 1, a single code; share: of what clips differ by, how much the
    reconstruction changes when the level's codes are exchanged.
    """

    kind: Literal["dead_levels"]
    perplexity: Annotated[float, Field(ge=1)]
    share: Annotated[float, Field(ge=0, lt=1)]

    @model_validator(mode="after")
    def _shows_nothing(self) -> Self:
        if self.show:
            raise ValueError(f"show is {self.show}, but this question shows no clips. Set it to 0.")
        return self


def answer(subject: Subject, settings: Settings) -> Answer:
    """Return which levels are `dead`, and why.

    Of each LEVEL: `perplexity`; `change`, the mean squared difference, of frames in [0, 1], between
    a clip's decode and that with the level's codes of another clip; `share`, that over the
    difference of the two clips; `psnr_lost`, by how many dB the decode is further from the clip;
    `dead`, whether perplexity or share are below the settings'. Of all levels exchanged together:
    `change`. It is no measure for a share: of an autoencoder whose decoder ignores all codes, one
    level would still have most of nothing.

    Raises:
        UserError: there are no two test clips.
    """
    parts: dict[str, list[Tensor]] = {level: [] for level in subject.model.levels}
    real: list[Tensor] = []
    for batch in subject.batches(TEST):
        real.append(batch.frames)
        for level, ids_BTHW in subject.encode(batch).items():
            parts[level].append(ids_BTHW)
    codes = {level: torch.cat(part) for level, part in parts.items()}
    real_NTHWC = torch.cat(real)
    if len(real_NTHWC) < 2:
        raise UserError("there is 1 test clip, and codes are exchanged between two: raise clips.")
    others_N = partners(len(real_NTHWC), generator(subject.seed, "dead_levels"))
    own_NTHWC = subject.show(codes)
    own_N = likeness(real_NTHWC, own_NTHWC)
    whole = _exchanged(subject, codes, subject.model.levels, others_N)
    apart = float(mse(real_NTHWC, real_NTHWC[others_N]).mean())
    values: dict[str, Any] = {"change": columns.mean(mse(own_NTHWC, whole).mean(dim=1))}
    dead = []
    for level in subject.model.levels:
        made_NTHWC = _exchanged(subject, codes, (level,), others_N)
        change_N = mse(own_NTHWC, made_NTHWC).mean(dim=1)
        counts = CodeCounts(subject.model.codebook_sizes[level])
        counts.update(codes[level])
        perplexity = codebook_use(counts.total()).perplexity
        # Where clips do not differ, there is nothing to carry.
        share = float(change_N.mean()) / apart if apart else 0.0
        if perplexity < settings.perplexity or share < settings.share:
            dead.append(level)
        values[level] = {
            "perplexity": perplexity,
            "change": columns.mean(change_N),
            "share": share,
            "psnr_lost": columns.difference(own_N, likeness(real_NTHWC, made_NTHWC)),
            "dead": level in dead,
        }
    return Answer({**values, "dead": dead})


def partners(count: int, numbers: Numbers) -> Tensor:
    """Return for each of `count` clips another one, int64 (N,); each is a partner once."""
    order_N = numbers.permutation(count)
    found_N = torch.empty_like(order_N)
    found_N[order_N] = order_N.roll(1)
    return found_N


def _exchanged(subject: Subject, codes: Codes, levels: tuple[str, ...], others_N: Tensor) -> Tensor:
    """Return the frames, uint8 (N,T,H,W,3), with the codes of some levels of other clips."""
    return subject.show(
        {level: ids[others_N] if level in levels else ids for level, ids in codes.items()}
    )
