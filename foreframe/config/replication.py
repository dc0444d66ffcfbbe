"""The parameters of the replication study: the driving study's runs with some values changed.

A variant names only what differs, so it follows the main study to any preset. `resolve` gives the
whole sections, checked like those of params.yaml.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from foreframe.analysis.settings import Analysis
from foreframe.config import params, reading
from foreframe.config.base import Strict
from foreframe.config.finetune import Finetune
from foreframe.config.futures import FutureSettings
from foreframe.config.latents import LatentSettings
from foreframe.config.params import Name
from foreframe.config.protocols import MAIN
from foreframe.config.report import Report
from foreframe.config.search import Search
from foreframe.config.steering import Steering
from foreframe.errors import UserError
from foreframe.kinds import Kind

# The thesis's networks: the study's stages name the code versions of these kinds.
THESIS = {"autoencoder": "vqvae", "top": "pixel_snail", "bottom": "conditional_pixel_snail"}

Changes = dict[str, Any]  # of a section's values, nested as in the section


class PriorChanges(Strict):
    """A prior like the main study's of one level, with some values changed."""

    like: str
    changes: Changes


class Replication(Strict):
    """The sections of a replication study's params.yaml, variants still as changes."""

    search: Search
    sources: dict[Name, Changes]
    autoencoders: dict[Name, Changes]
    latents: dict[Name, Changes]
    priors: dict[Name, PriorChanges]
    futures: dict[Name, Changes]  # of the main protocol's
    finetune: Finetune
    steering: Steering
    analysis: Analysis
    report: Report


@dataclass(frozen=True)
class Variants:
    """Whole sections by variant, as plain JSON values that their schemas accept."""

    sources: Mapping[str, Any]
    autoencoders: Mapping[str, Any]
    latents: Mapping[str, Any]
    priors: Mapping[str, Any]
    futures: Mapping[str, Any]
    protocols: Mapping[str, Any]  # the main one, with these futures


def load(path: Path, main: Path) -> Variants:
    """Read and check a replication study's parameters beside those of the main study.

    Raises:
        UserError: a value is wrong, in a section or in a variant; the message names it.
    """
    params.load(main)
    return resolve(reading.load(path), reading.load(main), str(path))


def resolve(content: Mapping[str, Any], main: Mapping[str, Any], where: str) -> Variants:
    """Return the whole sections of every variant; `where` names the place in messages.

    Raises:
        UserError: as `load`.
    """
    study: Replication = reading.validate(Replication, content, where)
    _check_kinds(main)
    protocol = main["protocols"][MAIN]
    futures = _changed(protocol["futures"], study.futures, FutureSettings, f"{where}: futures")
    return Variants(
        sources=_changed(main["source"], study.sources, _kind("sources"), f"{where}: sources"),
        autoencoders=_changed(
            main["autoencoder"], study.autoencoders, _kind("autoencoders"), f"{where}: autoencoders"
        ),
        latents=_changed(main["latents"], study.latents, LatentSettings, f"{where}: latents"),
        priors=_priors(main["priors"], study.priors, f"{where}: priors"),
        futures=futures,
        protocols={name: {**protocol, "futures": each} for name, each in futures.items()},
    )


def _kind(package: str) -> Any:
    return Annotated[object, Kind(f"foreframe.{package}")]


def _check_kinds(main: Mapping[str, Any]) -> None:
    found = {"autoencoder": main["autoencoder"]["kind"]}
    found |= {level: prior["kind"] for level, prior in main["priors"].items()}
    for name, kind in THESIS.items():
        if found.get(name) != kind:
            raise UserError(
                f"params.yaml: the replication study is about the kind {kind} ({name}), but the "
                f"main study has {found.get(name)}. Run it with the thesis's networks."
            )


def _changed(
    base: Mapping[str, Any], variants: Mapping[str, Changes], schema: Any, where: str
) -> dict[str, Any]:
    result = {}
    for name, changes in variants.items():
        result[name] = reading.merged(base, changes)
        reading.validate(schema, result[name], f"{where}.{name}")
    return result


def _priors(
    levels: Mapping[str, Any], variants: Mapping[str, PriorChanges], where: str
) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, variant in variants.items():
        if variant.like not in levels:
            raise UserError(
                f"{where}.{name}.like is {variant.like}; choose one of: {', '.join(levels)}."
            )
        changed = {name: variant.changes}
        result |= _changed(levels[variant.like], changed, _kind("priors"), where)
    return result
