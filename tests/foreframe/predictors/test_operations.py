"""What drawing a future takes, as predictors of frames say it, is what it does take."""

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from foreframe.config.sampling import Options
from foreframe.data.normalization import Normalizer
from foreframe.data.scaling import Scaling
from foreframe.errors import UserError
from foreframe.predictors import Context
from foreframe.predictors.adversarial import Latents
from foreframe.predictors.recurrent import WIDTH, FrameByFrame
from foreframe.predictors.rfn import Temperatures
from foreframe.predictors.svg import LatentsOnly
from foreframe.predictors.variational import LatentOptions
from foreframe.randomness import Draws, generator
from tests.foreframe.models.every import KINDS
from tests.foreframe.predictors import test_prednet

DRAWN: dict[type[Options], Options] = {
    Options: Options(),
    Latents: Latents(temperature=0.5),
    LatentOptions: LatentOptions(latents="sample", temperature=0.5, frames="mean"),
    LatentsOnly: LatentsOnly(latents="sample", temperature=0.5, frames="mean"),
    Temperatures: Temperatures(flow=0.7, prior=1.0),
}


def made(name: str) -> FrameByFrame[Any]:
    network: Any = KINDS["predictor", name]()
    network.scaling = Scaling(network.settings.view, Normalizer((0.5,) * 3, (0.2,) * 3))
    network.eval().requires_grad_(False)
    assert isinstance(network, FrameByFrame)
    return network


# Those with slots are none of these: all rows of a call are told of their places at once.
@pytest.mark.parametrize("further", [1, 3])
@pytest.mark.parametrize(
    "name",
    [
        "conv_lstm_autoencoder",
        "feature_flow",
        "g_swm",
        "hierarchical_vrnn",
        "prednet",
        "rfn",
        "srnn",
        "svg",
        "vrnn",
    ],
)
def test_a_prediction_takes_what_its_parts_take(name: str, further: int) -> None:
    network = made(name)
    given, shape = network.needs + 2, network.given.shape
    frames = generator(0, "x").integers(0, 256, (2, given, shape.height, shape.width, 3))
    context = Context(frames.to(torch.uint8), [3, 8])
    with FlopCounterMode(display=False) as counter:
        network.predict(context, further, DRAWN[network.options], Draws.each(0, [3, 8], range(3)))
    parts = network.operations(given)["frames"]
    # Six futures are drawn at once, with copies of the last one beside them.
    futures = WIDTH * (parts["start"] + further * parts["frame"])
    assert counter.get_total_flops() == 2 * parts["given"] + futures > 0


def test_a_prednet_takes_its_step_for_every_given_frame_and_for_every_further_one() -> None:
    network = test_prednet.model()
    parts = [network.operations(given)["frames"] for given in (1, 4)]
    step = parts[0]["frame"]
    assert parts == [{"given": given * step, "start": 0, "frame": step} for given in (1, 4)]


def test_a_context_that_is_too_short_is_refused_before_anything_is_counted() -> None:
    with pytest.raises(UserError, match=r"is given 1 frames and needs 2\. Raise the protocol"):
        made("hierarchical_vrnn").operations(1)
