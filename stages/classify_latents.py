"""Stage classify_latents: reads a label off the codes of one level, under cross-validation.

The codes are those that were stored without noise; each fold has a network of its own, trained on
the clips of all others, and no number of a fold decides anything about its training.

Shapes: N clips, T H W the grid of the level, C classes, F folds.
"""

from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy
import torch
from torch import Tensor

from foreframe import autoencoders
from foreframe.analyses import SCHEMA
from foreframe.artefacts import facts, hdf5
from foreframe.artefacts.digest import digest
from foreframe.autoencoders import Autoencoder, Quantised
from foreframe.config.compute import Compute
from foreframe.data import folds, labels
from foreframe.data import frames as frames_file
from foreframe.data import latents as latents_file
from foreframe.errors import UserError
from foreframe.priors import Codes
from foreframe.probing import ProbeSettings, confusion
from foreframe.probing.networks import Given, fitted, predicted
from foreframe.running import stage
from foreframe.running.compute import environment, prepare
from foreframe.training.checkpoints import checkpoints
from foreframe.training.step import Run

NAME = "classify_latents"


def level_of(file: h5py.File, model: Autoencoder, level: str) -> Codes:
    """Return the grid and the codebook's size of a level.

    Raises:
        UserError: there is no such level of codes, or the codes are of another autoencoder.
    """
    known = latents_file.shapes(file)
    if level not in known:
        raise UserError(f"level is {level}, but the levels of codes are: {', '.join(known)}.")
    if (model.grids().get(level), model.codebook_sizes.get(level)) != (
        known[level].grid,
        known[level].codebook_size,
    ):
        raise UserError(
            f"the codes of {level} in {file.filename} are not of this autoencoder: extract them "
            "again."
        )
    return known[level]


def codebook_of(model: Autoencoder, settings: ProbeSettings) -> Tensor | None:
    """Return the vectors (K,D) of a level, if the network looks them up.

    Raises:
        UserError: the autoencoder has none.
    """
    if not settings.kind.startswith("vector"):
        return None
    if not isinstance(model, Quantised):
        raise UserError(
            f"the autoencoder {model.settings.kind} has no vectors of codes: choose a kind that "
            "reads an index."
        )
    return model.codebook(settings.level)


def data(
    latents: h5py.File, frames: h5py.File, settings: ProbeSettings
) -> tuple[Tensor, Tensor, list[int]]:
    """Return codes int16 (N,T,H,W), labels int64 (N,) and first frames of the clips of all sets.

    Raises:
        UserError: the data have no such label.
    """
    codes = numpy.concatenate([latents[name][settings.level][:] for name in settings.sets])
    starts = numpy.concatenate([latents[name]["clip_start"][:] for name in settings.sets])
    found = labels.of_clips(frames, [settings.label], starts)[settings.label]
    return torch.from_numpy(codes), found, starts.tolist()


def main(
    *,
    latents: Path,
    frames: Path,
    model: Path,
    classifier: ProbeSettings,
    seed: int,
    compute: Compute,
    found: Path,
    arrays: Path,
) -> None:
    """Write how often classes are told from codes, and the table of what was taken for what.

    Raises:
        UserError: level, label or vectors are not there, or the clips do not fill the folds.
    """
    device = prepare(compute)
    autoencoder = autoencoders.load(model)
    with (
        hdf5.opening(latents, latents_file.SCHEMA) as codes,
        frames_file.opening(frames) as file,
    ):
        shape = level_of(codes, autoencoder, classifier.level)
        ids_NTHW, labels_N, starts = data(codes, file, classifier)
        classes = labels.classes(file)[classifier.label]
    folds_N = folds.stratified(labels_N, classes, classifier.folds, seed)
    given = Given(
        shape.grid, shape.codebook_size, len(classes), codebook_of(autoencoder, classifier)
    )
    about = {
        "settings": classifier.model_dump(mode="json"),
        "environment": environment(device, compute),
    }
    chosen_N = torch.empty_like(labels_N)
    # Open until all is written: of a killed run the folds that were done need few steps again.
    with ExitStack() as stack:
        for fold in range(classifier.folds):
            purpose = f"{NAME} fold {fold + 1}"
            kept = checkpoints(
                purpose.replace(" ", "-"),
                [latents, frames, model],
                {**about, "seed": seed},
                [f"stages.{NAME}"],
            )
            run = Run(seed, purpose, compute, device, stack.enter_context(kept))
            tested_N = folds_N == fold
            network = fitted(classifier, given, ids_NTHW[~tested_N], labels_N[~tested_N], run)
            size = classifier.training.batch_size
            chosen_N[tested_N] = predicted(network, ids_NTHW[tested_N], size)
        tables_FCC = torch.stack(
            [
                confusion.table(chosen_N[folds_N == fold], labels_N[folds_N == fold], len(classes))
                for fold in range(classifier.folds)
            ]
        )
        with hdf5.creating(arrays, SCHEMA, {}) as stored:
            hdf5.store(stored, "confusion", tables_FCC.sum(dim=0).numpy())
            hdf5.store(stored, "classes", list(classes))
            hdf5.store(stored, "folds", folds_N.numpy())
        wrong_N = (chosen_N != labels_N).double()
        clips = {"clips": len(labels_N), "of": {"frames": digest(frames), "starts": starts}}
        clips["classes"] = list(classes)  # in their order, which names in facts lose
        values = {
            **confusion.summary(tables_FCC, classes),
            "series": [],
            "per_clip": {"error": wrong_N.tolist()},
            "about": {**about, **clips},
        }
        facts.write(found, SCHEMA, values)


if __name__ == "__main__":
    stage.run(main)
