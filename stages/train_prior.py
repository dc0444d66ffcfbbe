"""Stage train_prior: fits one level's prior to the codes of all training clips (Xu 2022, 5.3).

Teacher-forced: the codes of earlier positions and of the levels above are the true ones, so all
positions are trained at once. The loss is the mean negative log-likelihood of a code, in nats.
A prior with `actions: input` is also given the actions that led to the clips' frames.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import h5py
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from foreframe import compute as computing
from foreframe import latents as latents_file
from foreframe import priors, stage
from foreframe.artefacts import hdf5
from foreframe.config.compute import Compute
from foreframe.kinds import Kind
from foreframe.networks.initialization import initialize
from foreframe.priors import ACTIONS, Codes, Prior, PriorSettings
from foreframe.priors.actions import Actions
from foreframe.randomness import generator
from foreframe.training import record
from foreframe.training.checkpoints import checkpoints
from foreframe.training.loop import fit
from foreframe.training.samples import Samples

NAME = "train_prior"


def count_operations(
    settings: PriorSettings, shapes: Mapping[str, Codes], actions: Actions | None
) -> int:
    """Return the floating-point operations of one clip's likelihood; a multiply-add is two."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        codes = {
            level: torch.empty((1, *shape.grid), dtype=torch.int64)
            for level, shape in shapes.items()
        }
        if actions is not None:
            codes[ACTIONS] = torch.empty(1, actions.frames, len(actions.names))
        prior = new(settings, shapes, actions)
        prior.log_prob(codes[settings.level], prior.condition(codes))
    return counter.get_total_flops()


def new(settings: PriorSettings, shapes: Mapping[str, Codes], actions: Actions | None) -> Prior:
    """Return an untrained prior for an autoencoder with these levels, and data with these actions.

    Raises:
        UserError: a level is not there, its grid does not fit, or there are no actions to take.
    """
    latents_file.require(shapes, (settings.level, *settings.condition_on))
    conditions = {level: shapes[level] for level in settings.condition_on}
    return priors.build(settings, shapes[settings.level], conditions, actions)


def samples(group: h5py.Group, settings: PriorSettings) -> Samples[dict[str, Tensor]]:
    """Return the clips of a set as a training run takes them, with what the prior is given."""
    names = (settings.level, *settings.given)
    return Samples(
        len(group["clip_start"]), lambda indices: latents_file.read(group, names, indices)
    )


def main(
    *,
    latents: Path,
    prior: Annotated[PriorSettings, Kind("foreframe.priors")],
    seed: int,
    compute: Compute,
    model: Path,
    facts: Path,
    curve: Path,
    epochs: Path,
) -> None:
    """Train on the training clips' codes, validate on the validation clips' after each epoch."""
    device = computing.prepare(compute)
    environment = computing.environment(device, compute)
    purpose = f"{NAME} {prior.level}"
    settings = {"prior": prior.model_dump(mode="json"), "seed": seed, **environment}
    code = [f"stages.{NAME}", f"foreframe.priors.{prior.kind}"]
    with (
        hdf5.opening(latents, latents_file.SCHEMA) as file,
        checkpoints(f"{NAME}-{prior.level}", [latents], settings, code) as kept,
    ):
        shapes = latents_file.shapes(file)
        actions = latents_file.actions(file)
        network = new(prior, shapes, actions)
        initialize(network, generator(seed, purpose, "weights"))

        def loss(codes: dict[str, Tensor], noise: torch.Generator) -> dict[str, Tensor]:
            log_prob = network.log_prob(codes[prior.level], network.condition(codes))
            return {"loss": -log_prob.mean()}

        result = fit(
            model=network,
            loss=loss,
            train=samples(file["train"], prior),
            validation=samples(file["validation"], prior),
            training=prior.training,
            seed=seed,
            purpose=purpose,
            compute=compute,
            device=device,
            checkpoints=kept,
        )
        priors.save(model, network)
        record.write(
            result,
            network,
            environment,
            {"flops_per_clip": count_operations(prior, shapes, actions), "grid": network.grid},
            facts_path=facts,
            curve_path=curve,
            epochs_path=epochs,
        )


if __name__ == "__main__":
    stage.run(main)
