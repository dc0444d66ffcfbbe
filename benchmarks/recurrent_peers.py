"""Training steps of public code of the same models, taking turns with ours at equal settings.

    python -m benchmarks.recurrent OUT.json --peer svg=CHECKOUT --peer rfn=CHECKOUT ...

A checkout is one that the user made of the repository named at `PEERS`; its network files are
imported from there, and nothing of it is kept here. It is code of 2017 to 2021, written for a GPU.
While it is loaded and run, in a process of its own, three things stand in for what is not there:
moving something to the GPU leaves it where it is, a tensor type of the GPU is that of the CPU, and
`vrnn_layers`, which improved_vrnn imports and does not have, is its `layers`. Each trains with its
own loss and Adam, as its script does.

What is equal: the size and number of clips, the layers and their channels, the threads, the
instructions. What is not is said with each. Printed as JSON; operations are those of a whole step.
`products` is the share of a step that passes in the kernels of convolutions and matrix products,
which both codes leave to torch; `at_most` is how many times as fast as theirs ours would be if all
else in ours took no time.
"""

import argparse
import json
import subprocess
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foreframe.running import instructions

instructions.adopt()  # before torch is loaded

import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.profiler import ProfilerActivity, profile  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from benchmarks import paired, recurrent_models  # noqa: E402
from benchmarks.recurrent_models import FRAMES, KINDS, Lesson  # noqa: E402
from foreframe.randomness import generator  # noqa: E402

# Where torch computes them on the CPU, forward and backward. The first is a transposed convolution:
# of others it only chooses the kernel, in no time of its own.
PRODUCTS = (
    "aten::_convolution",
    "aten::mkldnn_convolution",
    "aten::_slow_conv2d_forward",
    "aten::slow_conv_transpose2d",
    "aten::convolution_backward",
    "aten::mm",
    "aten::addmm",
    "aten::bmm",
    "aten::baddbmm",
)

BATCH = 8
RATE = 1e-4
Step = Callable[[], object]


@dataclass(frozen=True)
class Peer:
    """Where public code is, what ours has other than `KINDS`, and what remains different."""

    repository: str
    make: Callable[[Any], tuple[list[nn.Module], Step]]
    rows: int
    changes: dict[str, Any]
    notes: str


def stand_in() -> None:
    """Replace what old code expects of torch and what is not there; for this process only."""
    same = lambda self, *_, **__: self  # noqa: E731
    setattr(Tensor, "cuda", same)  # noqa: B010, typed otherwise
    setattr(nn.Module, "cuda", same)  # noqa: B010
    setattr(torch.cuda, "FloatTensor", torch.FloatTensor)  # noqa: B010


def _clips(rows: int) -> Tensor:
    """Return clips (B,T,1,H,W) of numbers from 0 to 1."""
    return generator(0, "clips").uniform((BATCH, FRAMES, 1, rows, rows))


def _adam(modules: Iterable[nn.Module]) -> list[torch.optim.Optimizer]:
    return [torch.optim.Adam(module.parameters(), lr=RATE) for module in modules]


def _steps(modules: list[nn.Module], loss: Callable[[], Tensor]) -> tuple[list[nn.Module], Step]:
    # Some parts are made at the first call and would else never be moved.
    loss()
    optimizers = _adam(modules)

    def take() -> None:
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss().backward()
        for optimizer in optimizers:
            optimizer.step()

    return modules, take


def svg(ours: dict[str, Any]) -> tuple[list[nn.Module], Step]:
    """Return SVG-LP, whose script has the loop over frames, so that it is written anew here."""
    from models import dcgan_64, lstm  # type: ignore[import-not-found]

    features, hidden, latent = ours["features"], ours["hidden"], ours["latent_dim"]
    layers = (ours["latent_layers"], BATCH)
    encoder, decoder = dcgan_64.encoder(features, 1), dcgan_64.decoder(features, 1)
    prior, posterior = (lstm.gaussian_lstm(features, latent, hidden, *layers) for _ in range(2))
    predictor = lstm.lstm(features + latent, features, hidden, ours["predictor_layers"], BATCH)
    modules: list[nn.Module] = [encoder, decoder, prior, posterior, predictor]
    x_TBCHW = _clips(64).transpose(0, 1)

    def loss() -> Tensor:
        for memory in (prior, posterior, predictor):
            memory.hidden = memory.init_hidden()
        found, skips = torch.zeros(()), None
        for time in range(1, FRAMES):
            vector, before = encoder(x_TBCHW[time - 1])
            after, _ = encoder(x_TBCHW[time])
            skips = before if time < ours["context"] else skips
            z, mean, log_variance = posterior(after)
            _, prior_mean, prior_log_variance = prior(vector)
            hat = decoder([predictor(torch.cat([vector, z], 1)), skips])
            apart = (log_variance.exp() + (mean - prior_mean) ** 2) / prior_log_variance.exp()
            divergence = 0.5 * (prior_log_variance - log_variance + apart - 1).sum() / BATCH
            found = found + nn.functional.mse_loss(hat, x_TBCHW[time]) + 1e-4 * divergence
        return found

    return _steps(modules, loss)


def prednet(ours: dict[str, Any]) -> tuple[list[nn.Module], Step]:
    from prednet import PredNet  # type: ignore[import-not-found]

    channels = (1, *ours["widths"])
    model = PredNet(channels, channels, output_mode="error")
    x_BTCHW = _clips(32)
    weights = torch.full((len(channels), 1), 0.1)
    weights[0] = 1.0

    def loss() -> Tensor:
        return (model(x_BTCHW)[:, :, 1:].mean(dim=2) @ weights).mean()

    return _steps([model], loss)


def hierarchical_vrnn(ours: dict[str, Any]) -> tuple[list[nn.Module], Step]:
    import layers  # type: ignore[import-not-found]

    sys.modules["vrnn_layers"] = layers
    import train_fns  # type: ignore[import-not-found]
    from models.vrnn_hier import Model  # type: ignore[import-not-found]

    context = ours["context"]
    model = Model(1, context, n_hid=ours["width"], n_z=ours["latents"][0]["channels"])
    config = {"n_ctx": context, "n_steps": FRAMES - context, "rec_loss": "l1", "beta": 1.0}
    config |= {"apex": False}
    x_BTCHW = _clips(64)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, weight_decay=1e-4)
    return [model], lambda: train_fns.train_step(model, config, x_BTCHW, optimizer, 0)


def rfn(ours: dict[str, Any]) -> tuple[list[nn.Module], Step]:
    from RFN.RFN_new import RFN  # type: ignore[import-not-found]

    shape, widths, conditioning = [BATCH, 1, 32, 32], ours["widths"], ours["conditioning"]
    first = widths[0] // 2
    before = [[first, first], *([width] for width in widths[:-1])]
    down = [[*pair, "pool", width] for pair, width in zip(before, widths, strict=True)]
    up = [["upsample", width, width] for width in conditioning[-2::-1]]
    arguments = Namespace(
        batch_size=BATCH, x_dim=shape, condition_dim=shape, n_bits=8, free_bits=-1.0,
        h_dim=ours["hidden"], a_dim=ours["hidden"], z_dim=ours["latent"],
        L=ours["levels"], K=ours["steps"], n_units_affine=ours["coupling_width"],
        n_units_prior=ours["base_width"], prior_structure=list(ours["latent_network"]),
        encoder_structure=list(ours["latent_network"]), extractor_structure=down,
        upscaler_structure=[[2 * conditioning[-1], conditioning[-1]], *up],
        skip_connection_features=True, skip_connection_flow="without_skip",
        norm_type="none", norm_type_features="batchnorm", structure_scaler=2, temperature=0.7,
        downscaler_tanh=False, upscaler_tanh=False, enable_smoothing=True, res_q=False, D=0,
        overshot_w=1.0, learn_prior=True, LU_decomposed=True, non_lin_glow="relu",
        make_conditional=True, flow_norm="actnorm", base_norm="actnorm",
        flow_batchnorm_momentum=0.0, clamp_type="realnvp", split2d_act="softplus",
    )  # fmt: skip
    model = RFN(arguments)
    x_BTCHW = _clips(32) - 0.5

    def loss() -> Tensor:
        divergence, _, nll = model.loss(x_BTCHW, 0)
        return nll + divergence

    return _steps([model], loss)


def _convolutional(ours: dict[str, Any], kind: Any) -> tuple[list[nn.Module], Step]:
    shape = [BATCH, 1, 32, 32]
    arguments = Namespace(
        norm_type="batchnorm", batch_size=BATCH, condition_dim=shape, x_dim=shape,
        a_dim=ours["hidden"], h_dim=ours["hidden"], z_dim=ours["latent_dim"],
        enable_smoothing=True, res_q=False, num_shots=0, overshot_w=1.0, loss_type="mol",
        n_bits=8, dequantize=False, preprocess_range="1.0",
        n_logistics=ours["output"]["mixtures"],
    )  # fmt: skip
    model = kind(arguments)
    x_BTCHW = 2 * _clips(32) - 1

    def loss() -> Tensor:
        divergence, nll = model.loss(x_BTCHW)
        return nll + divergence

    return _steps([model], loss)


def srnn(ours: dict[str, Any]) -> tuple[list[nn.Module], Step]:
    from SRNN.SRNN import SRNN  # type: ignore[import-not-found]

    return _convolutional(ours, SRNN)


def vrnn(ours: dict[str, Any]) -> tuple[list[nn.Module], Step]:
    from VRNN.VRNN import VRNN  # type: ignore[import-not-found]

    return _convolutional(ours, VRNN)


THESIS = "github.com/cdglissov/recurrent-flows-msc"
# Of their files all but the state is fixed.
FIXED: dict[str, Any] = {
    "features": (64, 128, 256), "latent_features": 128, "hidden": 64, "trunk": 256,
    "heads": (512, 256), "decoder": (512, 256, 64, 64, 32),
}  # fmt: skip
PEERS: dict[str, Peer] = {
    "rfn": Peer(THESIS, rfn, 32, {}, "peepholes, and a chain of its own for the prior"),
    "srnn": Peer(THESIS, srnn, 32, FIXED, "peepholes, and a chain of its own for the prior"),
    "vrnn": Peer(THESIS, vrnn, 32, FIXED, "peepholes"),
    "svg": Peer(
        "github.com/edenton/svg", svg, 64, {"width": 64, "features": 128, "hidden": 256},
        "one frame at a time, of which most are encoded twice",
    ),
    "hierarchical_vrnn": Peer(
        "github.com/facebookresearch/improved_vrnn", hierarchical_vrnn, 64,
        {
            "width": 16, "decoder_cells": 6, "state_groups": 16,
            "latents": (
                {"shrink": "whole", "channels": 32},
                {"shrink": 8, "channels": 128},
                {"shrink": 2, "channels": 32},
            ),
        },
        "levels of the prior that do not see one another",
    ),
    "prednet": Peer(
        "github.com/leido/pytorch-prednet", prednet, 32, {},
        "a convolution of the memory into the gates, as peepholes",
    ),
}  # fmt: skip


def compare(kind: str, checkout: Path, rounds: int) -> dict[str, Any]:
    """Return what both do in a second."""
    chosen = PEERS[kind]
    ours = KINDS[kind] | chosen.changes
    lesson = Lesson(recurrent_models.predictor(kind, chosen.rows, **chosen.changes), BATCH)
    stand_in()
    sys.path.insert(0, str(checkout.resolve()))
    modules, take = chosen.make(ours)
    times = paired.in_turn({"theirs": take, "ours": lesson.take}, rounds)
    weights = sum(
        each.numel() for module in modules for each in module.parameters() if each.requires_grad
    )
    found = {"theirs": (weights, take), "ours": (lesson.weights, lesson.take)}
    faster = paired.ratio(times, "theirs", "ours")
    share = products(lesson.take)
    return {
        "kind": kind,
        "repository": chosen.repository,
        "commit": _commit(checkout),
        "settings": f"{BATCH} clips of {FRAMES} frames of {chosen.rows} x {chosen.rows}, grey",
        "notes": chosen.notes,
        "times_theirs": faster,
        "products": share,
        "at_most": faster / share,
        **{
            who: {
                "weights": count,
                "steps_per_second": 1 / paired.median(times, who),
                "operations": _counted(step),
            }
            for who, (count, step) in found.items()
        },
    }


def products(step: Step) -> float:
    """Return the share of a step's time that passes in convolutions and matrix products."""
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        step()
    own = {each.key: each.self_cpu_time_total for each in seen.key_averages()}
    return sum(own.get(name, 0.0) for name in PRODUCTS) / sum(own.values())


def _counted(step: Step) -> int:
    with FlopCounterMode(display=False) as counter:
        step()
    return int(counter.get_total_flops())


def _commit(checkout: Path) -> str:
    command = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def main() -> None:
    """Print the findings as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=PEERS)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    recurrent_models.prepare(options.threads)
    print(json.dumps(compare(options.kind, options.checkout, options.rounds)))


if __name__ == "__main__":
    main()
