"""Trained predictors from their files, given in any order: each file says itself what it is."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from foreframe import autoencoders, priors
from foreframe.artefacts import tensors
from foreframe.autoencoders import Autoencoder
from foreframe.data.normalization import Normalizer
from foreframe.data.scaling import Scaling
from foreframe.errors import UserError
from foreframe.predictors import Predictor, learned
from foreframe.predictors.latent import Latent
from foreframe.predictors.learned import LearnedPredictor
from foreframe.priors import Prior

TOGETHER = "Give an autoencoder and the priors that were trained on its codes, one for each level."


def load(paths: Sequence[Path], normalization: Path, device: torch.device) -> Predictor:
    """Read a predictor onto a device.

    Raises:
        UserError: the files do not make one predictor.
        ArtefactError: a file is missing or damaged.
    """
    if len(paths) == 1 and schema_of(paths[0]) == learned.SCHEMA:
        return trained(paths[0], normalization, device)
    return latent(paths, normalization, device)


def trained(path: Path, normalization: Path, device: torch.device) -> LearnedPredictor:
    """Read a predictor that was trained on frames.

    Raises:
        ArtefactError: a file is missing or damaged.
    """
    model = learned.ROLE.load(path).to(device)
    model.scaling = Scaling.load(model.settings.view, normalization)
    return model


def schema_of(path: Path) -> str:
    """Return the schema that a file of weights says it has."""
    return str(tensors.header(path).get("schema")).removeprefix("foreframe/")


def latent(paths: Sequence[Path], normalization: Path, device: torch.device) -> Latent:
    """Read a predictor of codes: an autoencoder, and a prior for each of its levels.

    Raises:
        UserError: a file is neither, or they do not fit each other.
        ArtefactError: a file is missing or damaged.
    """
    found: list[Autoencoder] = []
    levels: dict[str, Prior] = {}
    for path in paths:
        header = tensors.header(path)
        schema = schema_of(path)
        if schema == autoencoders.SCHEMA:
            found.append(autoencoders.load(path).to(device))
            continue
        if schema != priors.SCHEMA:
            raise UserError(f"{path} is no autoencoder and no prior ({schema}). {TOGETHER}")
        level = str(header.get("settings", {}).get("level"))
        if level in levels:
            raise UserError(f"{path} is a second prior of the level {level}. {TOGETHER}")
        levels[level] = priors.load(path, level).to(device)
    if len(found) != 1:
        raise UserError(f"{len(found)} of the models are autoencoders, not one. {TOGETHER}")
    check(found[0], levels)
    return Latent(found[0], ordered(levels), Normalizer.load(normalization), device)


def ordered(levels: Mapping[str, Prior]) -> dict[str, Prior]:
    """Return priors so that each comes after those of the levels that it is given.

    Raises:
        UserError: one is given a level that has no prior, or that is given it in turn.
    """
    result: dict[str, Prior] = {}
    while len(result) < len(levels):
        ready = [
            level
            for level, prior in levels.items()
            if level not in result and not prior.conditions.keys() - result.keys()
        ]
        if not ready:
            waiting = {
                level: sorted(prior.conditions.keys() - result.keys())
                for level, prior in levels.items()
                if level not in result
            }
            raise UserError(f"These levels wait for one another or for none: {waiting}. {TOGETHER}")
        result |= {level: levels[level] for level in sorted(ready)}
    return result


def check(autoencoder: Autoencoder, levels: Mapping[str, Prior]) -> None:
    """Refuse priors of other codes than the autoencoder's, or than one another's.

    Raises:
        UserError: they do not fit; the message names the level.
    """
    own, strides = set(autoencoder.levels), autoencoder.settings.strides()
    if levels.keys() != own:
        raise UserError(
            f"The autoencoder has the levels {', '.join(sorted(own))}, the priors "
            f"{', '.join(sorted(levels)) or 'none'}. {TOGETHER}"
        )
    shapes = {
        level: tuple(size * step for size, step in zip(prior.grid, strides[level], strict=True))
        for level, prior in levels.items()
    }
    if len(set(shapes.values())) > 1:
        raise UserError(f"The priors model clips of different shapes: {shapes}. {TOGETHER}")
    for level, prior in levels.items():
        if prior.codebook_size != autoencoder.codebook_sizes[level]:
            raise UserError(
                f"The prior of the level {level} models {prior.codebook_size} codes, and the "
                f"autoencoder has {autoencoder.codebook_sizes[level]}. {TOGETHER}"
            )
        for other, codes in prior.conditions.items():
            if other in levels and codes != levels[other].codes:
                raise UserError(
                    f"The prior of the level {level} is given other codes of the level {other} "
                    f"than its prior models. {TOGETHER}"
                )
    channels = {prior.actions.names for prior in levels.values() if prior.actions is not None}
    if len(channels) > 1:
        raise UserError(f"The priors take different actions: {sorted(channels)}. {TOGETHER}")
