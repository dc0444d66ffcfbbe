"""Stage train_prior: fits one level's prior to the codes of all training clips (Xu 2022, 5.3).

Teacher-forced: the codes of earlier positions and of the levels above are the true ones, so all
positions are trained at once. The loss is the mean negative log-likelihood of a code, in nats.
A prior with `actions: input` is also given the actions that led to the clips' frames.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import h5py
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from foreframe import priors
from foreframe.artefacts import hdf5
from foreframe.config.compute import Compute
from foreframe.data import latents as latents_file
from foreframe.kinds import Kind
from foreframe.models import layers
from foreframe.priors import (
    ACTIONS,
    AutoregressivePrior,
    Codes,
    ImplicitPrior,
    Prior,
    PriorSettings,
)
from foreframe.priors.actions import Actions
from foreframe.randomness import generator
from foreframe.running import compute as computing
from foreframe.running import stage
from foreframe.training.result import Result
from foreframe.training.run import Origin, train
from foreframe.training.samples import Samples

NAME = "train_prior"


def one_clip(prior: Prior) -> dict[str, Tensor]:
    """Return what a prior takes of one clip, without numbers, on the meta device."""
    shapes = {prior.settings.level: prior.codes, **prior.conditions}
    batch = {
        level: torch.empty((1, *shape.grid), dtype=torch.int64, device="meta")
        for level, shape in shapes.items()
    }
    if prior.actions is not None:
        size = (1, prior.actions.frames, len(prior.actions.names))
        batch[ACTIONS] = torch.empty(size, device="meta")
    return batch


def facts_of(prior: Prior) -> dict[str, Any]:
    """Return what the record says of the prior besides its training.

    One with a density has `flops_per_clip`, the floating-point operations of one clip's likelihood
    (a multiply-add is two), and the table of its `layers`; another one has what it drew by phase.
    """
    if isinstance(prior, ImplicitPrior):
        drawn = prior.drawn_by_phase()
        return {"grid": prior.grid, "codebook_size": prior.codebook_size, "drawn": drawn}
    assert isinstance(prior, AutoregressivePrior)
    batch = one_clip(prior)

    def call(empty: Any) -> object:
        return empty.log_prob(batch[prior.settings.level], empty.condition(batch))

    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        call(priors.ROLE.build(prior.settings, prior.given))
    operations = counter.get_total_flops()
    return {
        "grid": prior.grid,
        "flops_per_clip": operations,
        "layers": layers.table(prior, call),
    }


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
    record: Path,
) -> None:
    """Train on the training clips' codes, validate on the validation clips' after each epoch."""
    device = computing.prepare(compute)
    purpose = f"{NAME} {prior.level}"
    origin = Origin(
        inputs=[latents],
        settings={"prior": prior.model_dump(mode="json")},
        code=[f"stages.{NAME}", f"{priors.PACKAGE}.{prior.kind}"],
    )
    with hdf5.opening(latents, latents_file.SCHEMA) as file:
        shapes = latents_file.shapes(file)
        actions = latents_file.actions(file)
        network = new(prior, shapes, actions)
        network.initialize(generator(seed, purpose, "weights"))

        def finish(result: Result) -> dict[str, object]:
            priors.save(model, network)
            return facts_of(network)

        train(
            network.objective(),
            lambda phase: samples(file["train"], prior),
            lambda phase: samples(file["validation"], prior),
            prior.training.plan(),
            purpose=purpose,
            origin=origin,
            seed=seed,
            compute=compute,
            device=device,
            out=record,
            finish=finish,
        )


if __name__ == "__main__":
    stage.run(main)
