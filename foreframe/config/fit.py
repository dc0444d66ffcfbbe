"""How data, autoencoders and priors of a study fit: the sizes of frames, and the grids of codes.

Only dvc.yaml says which entries meet, so what some other entry can be meant for is right. But where
nothing else takes frames, data that fit no autoencoder are a mistake, and a study's own data are
for its own autoencoders.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import torch

from foreframe import autoencoders, priors
from foreframe.autoencoders import AutoencoderSettings
from foreframe.config.sections import Study
from foreframe.config.training import Plan
from foreframe.config.variants import Raw
from foreframe.errors import UserError
from foreframe.models import Shape
from foreframe.priors import Codes, PriorSettings


class Pair(NamedTuple):
    """An autoencoder and data that may meet, by name."""

    autoencoder: str
    data: str


def misfits(study: Study, base: Raw) -> Iterator[str]:
    """Yield what of a study does not fit; `base` is what it builds on, right itself, or empty."""
    for name, autoencoder in study.autoencoders.items():
        factor, frames = _factors(autoencoder)[0], autoencoder.view.frames
        if frames % factor:
            needs = f"a {autoencoder.kind} autoencoder needs a multiple of {factor}"
            yield f"autoencoders.{name}.view.frames is {frames}; {needs}."
    pairs = _pairs(study, base)
    yield from _size_misfits(study, pairs)
    own = {name: each for name, each in study.priors.items() if name not in base.get("priors", {})}
    yield from _prior_misfits(study, pairs, own)


def _only_autoencoders(study: Study) -> bool:
    """Return whether nothing but autoencoders takes the frames of a study."""
    return not study.predictors and not study.classifiers


def _pairs(study: Study, base: Raw) -> list[Pair]:
    """Return what may meet, those with the study's own autoencoders first."""
    lent = {section: base.get(section, {}) for section in ("autoencoders", "data")}
    both_own = all(getattr(study, section).keys() - names for section, names in lent.items())
    apart = both_own and _only_autoencoders(study)
    found = [
        Pair(autoencoder, data)
        for autoencoder in study.autoencoders
        for data in study.data
        if not apart or (autoencoder in lent["autoencoders"]) == (data in lent["data"])
    ]
    return sorted(found, key=lambda pair: pair.autoencoder in lent["autoencoders"])


def _size_misfits(study: Study, pairs: Sequence[Pair]) -> Iterator[str]:
    unfit = {pair: [*_unfit(study, pair)] for pair in pairs}
    named = set()
    for name in study.data if _only_autoencoders(study) else ():
        found = [unfit[pair] for pair in pairs if pair.data == name]
        if found and all(found):
            named.add(name)
            yield from min(found, key=len)
    for name in study.autoencoders:
        met = [pair for pair in pairs if pair.autoencoder == name and pair.data not in named]
        if all(unfit[pair] for pair in met):
            yield from (problem for pair in met for problem in unfit[pair])


def _unfit(study: Study, pair: Pair) -> Iterator[str]:
    """Yield which side of the data is no multiple of what a code of the autoencoder covers."""
    autoencoder, source = study.autoencoders[pair.autoencoder], study.data[pair.data].source
    for side, factor in zip(("height", "width"), _factors(autoencoder)[1:], strict=True):
        if (size := getattr(source, side)) % factor:
            yield (
                f"data.{pair.data}.source.{side} is {size}; a {autoencoder.kind} autoencoder needs "
                f"a multiple of {factor}."
            )


def _factors(autoencoder: AutoencoderSettings) -> list[int]:
    """Return what frames, rows and columns have to be multiples of."""
    return [max(sizes) for sizes in zip(*autoencoder.strides().values(), strict=True)]


def _prior_misfits(
    study: Study, pairs: Sequence[Pair], own: Mapping[str, PriorSettings]
) -> Iterator[str]:
    """Yield which priors the codes of no autoencoder fit, of those that are trained in phases.

    They are built, as only they know how far their phases reach; on the meta device that takes no
    memory. The others know no phases, and their layers would load torch's compiler there.
    """

    @cache
    def codes(pair: Pair) -> Mapping[str, Codes]:
        return _codes(study, pair)

    for name, prior in own.items():
        if not isinstance(prior.training, Plan):
            continue
        first = None
        for pair in pairs:
            if not {prior.level, *prior.condition_on} <= codes(pair).keys():
                continue
            problem = _refusal(prior, codes(pair))
            if problem is None:
                break
            where = f"autoencoders.{pair.autoencoder} on data.{pair.data}"
            first = first or f"priors.{name} does not fit the codes of {where}: {problem}"
        else:
            if first:
                yield first


def _codes(study: Study, pair: Pair) -> Mapping[str, Codes]:
    """Return the codes of each level of an autoencoder on data; none where it cannot be built."""
    settings, source = study.autoencoders[pair.autoencoder], study.data[pair.data].source
    shape = Shape(settings.view.colours, settings.view.frames, source.height, source.width)
    try:
        with torch.device("meta"):
            model = autoencoders.build(settings, shape)
    except UserError:
        return {}
    grids = model.grids()
    return {level: Codes(grids[level], model.codebook_sizes[level]) for level in model.levels}


def _refusal(prior: PriorSettings, codes: Mapping[str, Codes]) -> str | None:
    """Return why a prior cannot be of these codes, or None."""
    given = {level: codes[level] for level in prior.condition_on}
    try:
        with torch.device("meta"):
            priors.build(prior, codes[prior.level], given)
    except UserError as error:
        return str(error)
    return None
