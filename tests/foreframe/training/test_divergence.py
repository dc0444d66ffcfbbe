"""A step that is not taken leaves the codebooks, which move without a gradient, as they were."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from foreframe.randomness import Numbers, generator
from foreframe.training.checkpoints import Checkpoints
from foreframe.training.objective import Moment
from foreframe.training.samples import Samples
from tests.foreframe.autoencoders import small
from tests.foreframe.training.runs import run, training

BAD_STEP = 3
CLIPS = small.moving_stripes(12)
DATA = Samples(len(CLIPS), lambda indices: CLIPS[indices])


@pytest.mark.parametrize("pixel", [math.nan, math.inf, 1e30])
def test_a_batch_that_cannot_be_learned_from_moves_no_codebook(
    tmp_path: Path, pixel: float
) -> None:
    network = small.model(restart_threshold=0.5)
    before: list[dict[str, Tensor]] = []

    def loss(clips_BCTHW: Tensor, numbers: Numbers) -> dict[str, Tensor]:
        if network.training:
            before.append({name: value.clone() for name, value in network.state_dict().items()})
            if len(before) == BAD_STEP:
                clips_BCTHW = clips_BCTHW.clone()
                clips_BCTHW[0, 0, 0, 0, 0] = pixel
        return network.loss({"x": clips_BCTHW}, Moment(0, 1, 0, 0, 1, numbers))

    result = run(
        network,
        Checkpoints(tmp_path),
        loss=loss,
        train=DATA,
        validation=DATA,
        training=training(diverging="record", learning_rate=0.003),
    )
    assert (result.diverged_at, result.steps, len(before)) == (BAD_STEP, BAD_STEP - 1, BAD_STEP)
    # Steps that are taken do move the codebooks, so that there is something to keep.
    assert not torch.equal(before[1]["top_quantizer.count"], before[2]["top_quantizer.count"])
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[-1][name]), name
    # The last row of the table is of the network that is kept.
    errors = [loss(part, generator(0))["loss"].item() for part in CLIPS.split(4)]
    assert result.epochs["validation_loss"].iloc[-1] == pytest.approx(sum(errors) / len(errors))
