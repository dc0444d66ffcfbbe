"""The whole of params.yaml: every section checked, then how the sections fit together.

A stage reads its own sections and never this module, which knows them all.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from foreframe.autoencoders import AutoencoderSettings
from foreframe.config import explaining, reading
from foreframe.config.base import Folder, Strict
from foreframe.config.compute import Compute
from foreframe.config.evaluation import Evaluation
from foreframe.config.latents import LatentSettings
from foreframe.config.protocols import MAIN, REPORTED, ProtocolSettings
from foreframe.config.report import Report
from foreframe.config.sampling import Choice, Sampling
from foreframe.config.split import Split
from foreframe.errors import UserError
from foreframe.kinds import Kind
from foreframe.priors import PriorSettings
from foreframe.sources import SourceSettings

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]


class Params(Strict):
    """params.yaml after every check; `priors` by level name, in the order they are sampled."""

    seed: Annotated[int, Field(ge=0, lt=2**63)]
    compute: Compute
    videos: Folder
    source: SourceSettings
    split: Split
    autoencoder: AutoencoderSettings
    latents: LatentSettings
    priors: dict[Name, PriorSettings]
    sampling: Sampling
    protocols: dict[Name, ProtocolSettings]
    evaluation: Evaluation
    report: Report


# Sections whose schema is their kind's own; Params holds their common base.
KINDS = {
    "source": Kind("foreframe.sources"),
    "autoencoder": Kind("foreframe.autoencoders"),
    "priors": Kind("foreframe.priors"),
}


def load(path: Path) -> Params:
    """Read and check a whole params.yaml.

    Raises:
        UserError: every section's mistakes, or those between sections, a line each.
    """
    return check(reading.load(path), str(path))


def check(content: dict[str, Any], where: str) -> Params:
    """Check parameters that were read from `where`; see `load`."""
    _raise(list(_top_level(content, where)))
    values = {}
    mistakes = []
    for name in Params.model_fields:
        try:
            values[name] = _section(name, content[name], f"{where}: {name}")
        except UserError as error:
            mistakes.append(str(error))
    _raise(mistakes)
    params = Params.model_construct(**values)
    _raise([f"{where}: {text}" for text in _contradictions(params)])
    return params


def _top_level(content: dict[str, Any], where: str) -> Iterator[str]:
    known = list(Params.model_fields)
    for name in content:
        if name not in known:
            key = explaining.shown(str(name))
            yield f"{where}: {key} is no parameter. Remove it; allowed: {', '.join(known)}."
    for name in known:
        if name not in content:
            yield f"{where}: the parameter {name} is missing. Add it."


def _section(name: str, raw: Any, where: str) -> Any:
    field = Params.model_fields[name]
    if name not in KINDS:
        annotation = Annotated[field.annotation, *field.metadata] if field.metadata else None
        return reading.validate(annotation or field.annotation, raw, where)
    settings = Annotated[object, KINDS[name]]
    if name != "priors":
        return reading.validate(settings, raw, where)
    reading.validate(dict[Name, Any], raw, where)
    return {level: reading.validate(settings, raw[level], f"{where}.{level}") for level in raw}


def _raise(mistakes: list[str]) -> None:
    if mistakes:
        raise UserError("\n".join(mistakes))


def _contradictions(params: Params) -> Iterator[str]:
    """Yield what is wrong between sections that are each right by themselves."""
    view, source = params.autoencoder.view, params.source
    strides = params.autoencoder.strides()
    for axis, name, size in (
        (0, "autoencoder.view.frames", view.frames),
        (1, "source.height", source.height),
        (2, "source.width", source.width),
    ):
        factor = max(stride[axis] for stride in strides.values())
        if size % factor:
            kind = params.autoencoder.kind
            yield f"{name} is {size}; a {kind} autoencoder needs a multiple of {factor}."
    yield from _prior_contradictions(params, set(strides))
    yield from _unknown_choices(params)
    yield from _protocol_contradictions(params)


def _prior_contradictions(params: Params, levels: set[str]) -> Iterator[str]:
    done: set[str] = set()
    for name, prior in params.priors.items():
        if name != prior.level:
            yield f"priors.{name}.level is {prior.level}; it must be {name}."
        for condition in prior.condition_on:
            if condition not in done:
                yield (
                    f"priors.{name}.condition_on names {condition}, which no prior above it "
                    f"models. Write the priors in the order they are sampled."
                )
        done.add(prior.level)
    if missing := levels - done:
        yield f"priors: the levels {', '.join(sorted(missing))} have no prior. Add one for each."
    if foreign := done - levels:
        yield f"priors: {', '.join(sorted(foreign))} are no levels of the autoencoder. Remove them."


def _unknown_choices(params: Params) -> Iterator[str]:
    try:
        params.sampling.drawings(Choice)
    except UserError as error:
        yield from str(error).splitlines()


def _protocol_contradictions(params: Params) -> Iterator[str]:
    window = params.autoencoder.view.frames
    cover = max(stride[0] for stride in params.autoencoder.strides().values())
    for name, protocol in params.protocols.items():
        if protocol.futures.context > window - cover:
            yield (
                f"protocols.{name}.futures.context is {protocol.futures.context}; priors of "
                f"{window} frames (autoencoder.view.frames) can go on from at most "
                f"{window - cover}."
            )
    if MAIN not in params.protocols:
        yield f"protocols.{MAIN} is missing; the report is about it. Add it."
    else:
        yield from _main_contradictions(params, params.protocols[MAIN])


def _main_contradictions(params: Params, protocol: ProtocolSettings) -> Iterator[str]:
    show = params.sampling.show
    futures, measures = protocol.futures, protocol.measures
    if futures.clips is not None and show > futures.clips:
        yield (
            f"sampling.show is {show}, but only protocols.{MAIN}.futures.clips = {futures.clips} "
            "clips are continued."
        )
    if not futures.context or not futures.keep:
        yield f"protocols.{MAIN}.futures: context and keep must be 1 or more, as the report shows."
    if missing := [name for name in REPORTED if name not in measures.metrics]:
        yield (
            f"protocols.{MAIN}.measures.metrics lacks {' and '.join(missing)}, which the report "
            "needs."
        )
