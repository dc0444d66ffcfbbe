"""What lies half way between two pictures, index by index?

i(t) = round((1 - t) i_A + t i_B) at every place of both levels goes from the codes of one clip to
those of another (Coppock 2020, figure 4.4). Where indices have an order, what is between should be
pictures; the author suspects that they are mere overlays. So beside the row of pictures stand two
distances: to the blend of both ends' decodes, which an overlay is, and to the nearest real clip.
Mixing what the encoder gives, before codes are chosen, is the continuous variant of the same.

Shapes: P pairs of clips, S steps, N clips, V values of a clip, T frames, H rows, W columns.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from foreframe.autoencoders.two_levels import BOTTOM, TOP, TwoLevels
from foreframe.errors import UserError
from foreframe.evaluation import columns
from foreframe.questions import QuestionSettings
from foreframe.questions.subject import TEST, TRAIN, Answer, Batch, Codes, Subject
from foreframe.randomness import generator
from foreframe.roots import root

INDICES, OUTPUTS, BLEND = "indices", "outputs", "blend"


class Settings(QuestionSettings):
    """`steps` of each pair, with both ends; `show` is how many pairs are shown.

    Clips are paired in their order, so there are half as many pairs as test clips.
    """

    kind: Literal["index_interpolation"]
    steps: Annotated[int, Field(ge=3)]


def answer(subject: Subject, settings: Settings) -> Answer:
    """Return how far what lies between is from an overlay, and from real clips.

    Of `indices`, and of `outputs` where the autoencoder has two levels: `to_blend`, the distance to
    the blend of both ends' decodes, and `to_real`, that to the nearest training clip looked at; of
    `blend` itself `to_real`, and `apart`, how far its ends are. All are root mean squares of frames
    in [0, 1], means over pairs and the steps between the ends; the rows are by step, from 1. The
    pictures are stored under the three names, (P,S,T,H,W,3).

    Raises:
        UserError: there are no two test clips.
    """
    if len(subject.sets[TEST]) < 2:
        raise UserError("there is 1 test clip, and two are mixed: raise clips, or collect more.")
    shares = torch.linspace(0, 1, settings.steps, dtype=torch.float64)
    rows: dict[str, list[Tensor]] = {}
    for batch in subject.batches(TEST):
        for pair in _pairs(subject, batch, shares):
            for name, row in pair.items():
                rows.setdefault(name, []).append(row)
    found = {name: {"to_real": nearest} for name, nearest in _nearest(subject, rows).items()}
    for name in rows.keys() - {BLEND}:
        pairs = zip(rows[name], rows[BLEND], strict=True)
        to_blend = [distance(_unit(row), _unit(blend)) for row, blend in pairs]
        found[name]["to_blend"] = torch.stack(to_blend)
    values: dict[str, Any] = {"pairs": len(rows[BLEND])}
    series = []
    for name in rows:
        subject.store(name, torch.stack(rows[name])[: settings.show])
        values[name] = {}
        for which, each_PS in found[name].items():
            values[name][which] = columns.mean(each_PS[:, 1:-1].mean(dim=1))
            series += columns.rows(each_PS, samples="model", predictor=name, quantity=which)
    apart = [distance(ends[0], ends[1]) for ends in (_unit(row[[0, -1]]) for row in rows[BLEND])]
    values[BLEND]["apart"] = columns.mean(torch.stack(apart))
    return Answer(values, series)


def between(first: Codes, second: Codes, shares_S: Tensor) -> dict[str, Tensor]:
    """Return {level: round((1 - t) i_A + t i_B) (S,T,H,W)} of the codes (T,H,W) of two clips."""
    share_S111 = shares_S[:, None, None, None]
    return {
        level: ((1 - share_S111) * first[level] + share_S111 * second[level]).round().long()
        for level in first
    }


def blend(ends_2THWC: Tensor, shares_S: Tensor) -> Tensor:
    """Return the overlays uint8 (S,T,H,W,3) of two pictures, from the first to the second."""
    share_S1111 = shares_S[:, None, None, None, None]
    first, second = ends_2THWC.double()
    return ((1 - share_S1111) * first + share_S1111 * second).round().to(torch.uint8)


def distance(one: Tensor, other: Tensor) -> Tensor:
    """Return the root mean square (...) of the difference of values (...,V)."""
    return root((one - other).square().mean(dim=-1))


def _pairs(subject: Subject, batch: Batch, shares_S: Tensor) -> Iterator[dict[str, Tensor]]:
    """Yield the pictures (S,T,H,W,3) between neighbours of a batch, uint8, by what is mixed."""
    codes = subject.encode(batch)
    mixed = None
    if isinstance(subject.model, TwoLevels):
        mixed = Outputs(subject.model, batch.x)
    # A batch has an even number of clips unless it is the last, whose odd one has no partner.
    for place in range(0, len(batch.numbers) - 1, 2):
        first, second = (
            {level: ids_BTHW[each] for level, ids_BTHW in codes.items()}
            for each in (place, place + 1)
        )
        indices_STHWC = subject.show(between(first, second, shares_S))
        found = {INDICES: indices_STHWC, BLEND: blend(indices_STHWC[[0, -1]], shares_S)}
        if mixed is not None:
            found[OUTPUTS] = subject.show(mixed.between(place, shares_S))
        yield found


class Outputs:
    """What the encoder gives for the clips of a batch, before codes are chosen."""

    def __init__(self, model: TwoLevels, x_BCTHW: Tensor) -> None:
        self._quantizers = {TOP: model.top_quantizer, BOTTOM: model.bottom_quantizer}
        # In eval mode nothing is drawn.
        self._found = model.quantize(x_BCTHW, generator(0))

    def between(self, place: int, shares_S: Tensor) -> dict[str, Tensor]:
        """Return the codes (S,T,H,W) nearest to what lies between two neighbours' outputs."""
        codes = {}
        for level, quantizer in self._quantizers.items():
            z_BDTHW = self._found[level].z
            share = shares_S.to(z_BDTHW)[:, None, None, None, None]
            mixed = (1 - share) * z_BDTHW[place] + share * z_BDTHW[place + 1]
            codes[level] = quantizer.ids(mixed).cpu()
        return codes


def _nearest(subject: Subject, rows: Mapping[str, Sequence[Tensor]]) -> dict[str, Tensor]:
    """Return the distances (P,S) of pictures to the nearest training clip, by name."""
    found = {
        name: torch.full((len(row), len(row[0])), torch.inf, dtype=torch.float64)
        for name, row in rows.items()
    }
    for batch in subject.batches(TRAIN):
        real_BV = _unit(batch.frames)
        for name, row in rows.items():
            # A pair at a time: as float64 all of them would take eight times their memory.
            for nearest_S, row_STHWC in zip(found[name], row, strict=True):
                exact = "donot_use_mm_for_euclid_dist"
                away_SB = torch.cdist(_unit(row_STHWC), real_BV, compute_mode=exact)
                away_SB /= real_BV.shape[1] ** 0.5
                torch.minimum(nearest_S, away_SB.min(dim=1).values, out=nearest_S)
    return found


def _unit(frames_BTHWC: Tensor) -> Tensor:
    """Return frames as values from 0 to 1, float64 (B,V)."""
    return frames_BTHWC.flatten(1).double() / 255
