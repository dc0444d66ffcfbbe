"""One small network of every kind of every role, each as its tests make it; also a program.

A new kind adds its line here, and with it obeys what every trained network promises.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import torch

from foreframe import autoencoders, classifiers, priors
from foreframe.models import Model, Role
from foreframe.predictors import learned
from foreframe.randomness import generator
from tests.foreframe.autoencoders import small, test_separate_tiers, test_vqvae2
from tests.foreframe.classifiers import locators
from tests.foreframe.classifiers import small as clips
from tests.foreframe.predictors import (
    cascades,
    flowing,
    hierarchical,
    pairs,
    rendered,
    sequential,
    sliding,
    test_cascade_of_classes,
    test_conv_lstm_autoencoder,
    test_g_swm,
    test_gan,
    test_glow,
    test_prednet,
    test_rali,
    test_rfn,
    test_scoff,
    test_semi_supervised,
    test_sequence_vae,
    test_srnn,
    test_svg,
    test_vae,
    test_vrnn,
)
from tests.foreframe.priors import grey_maps, maps, tiny, transformers

ROLES: tuple[Role[Model], ...] = (
    autoencoders.ROLE,
    priors.ROLE,
    learned.ROLE,
    classifiers.ROLE,
)  # type: ignore[assignment]

# Under its role's schema and its own name.
KINDS: dict[tuple[str, str], Callable[[], Model]] = {
    ("autoencoder", "vqvae"): lambda: small.model(bottom_sees_top=True),
    ("autoencoder", "vqvae2"): lambda: test_vqvae2.tiny(),
    ("autoencoder", "separate_tiers"): lambda: test_separate_tiers.tiny(),
    ("prior", "pixel_snail"): lambda: tiny.top(actions="input"),
    ("prior", "conditional_pixel_snail"): lambda: tiny.bottom(actions="input"),
    ("prior", "causal_transformer"): lambda: transformers.driven(),
    ("prior", "dcgan"): lambda: grey_maps.fresh(grey_maps.plain()),
    ("prior", "image_pixel_snail"): lambda: maps.prior(above=True),
    ("prior", "progressive_gan"): lambda: grey_maps.fresh(grey_maps.paired()),
    ("predictor", "ali"): lambda: test_semi_supervised.model(critic=pairs.small_critic()),
    ("predictor", "cascade"): lambda: cascades.ready(cascades.told()),
    ("predictor", "cascade_of_classes"): lambda: test_cascade_of_classes.model(),
    ("predictor", "conv_lstm_autoencoder"): lambda: test_conv_lstm_autoencoder.model(),
    ("predictor", "feature_flow"): lambda: flowing.model(),
    ("predictor", "g_swm"): lambda: test_g_swm.model(),
    ("predictor", "gan"): lambda: test_gan.model("posthoc"),
    ("predictor", "giraffe"): lambda: rendered.model("giraffe"),
    ("predictor", "glow"): lambda: test_glow.ready(told=True, hole=8),
    ("predictor", "hierarchical_vrnn"): lambda: hierarchical.model(),
    ("predictor", "inferno"): lambda: rendered.model("inferno"),
    ("predictor", "nerf_autoencoder"): lambda: rendered.model("nerf_autoencoder"),
    ("predictor", "prednet"): lambda: test_prednet.model(),
    ("predictor", "rali"): lambda: test_rali.model(),
    ("predictor", "rfn"): lambda: test_rfn.ready(smoothing=True).float(),
    ("predictor", "scoff"): lambda: test_scoff.model(),
    ("predictor", "sequence_vae"): lambda: test_sequence_vae.made(smoothing=True),
    ("predictor", "slot_autoencoder"): lambda: rendered.model("slot_autoencoder"),
    ("predictor", "srnn"): lambda: sequential.ready(test_srnn.settings(smoothing=True)),
    ("predictor", "svg"): lambda: test_svg.model(),
    ("predictor", "vae"): lambda: test_vae.model(),
    ("predictor", "vim"): lambda: sliding.model(),
    ("predictor", "vrnn"): lambda: sequential.ready(test_vrnn.settings()),
    ("classifier", "conv3d"): lambda: clips.model("conv3d"),
    ("classifier", "conv3d_conv_lstm"): lambda: clips.model("conv3d_conv_lstm"),
    ("classifier", "conv_lstm"): lambda: clips.model("conv_lstm"),
    ("classifier", "relation_network"): lambda: clips.model("relation_network"),
    ("classifier", "snitch"): lambda: locators.model(),
    ("classifier", "stream"): lambda: clips.model("stream"),
}


def role_of(schema: str) -> Role[Model]:
    return next(role for role in ROLES if role.schema == schema)


def main(folder: Path, seed: int) -> None:
    """Write every kind's starting weights, under a global seed of this process's own."""
    torch.manual_seed(seed)
    for (schema, kind), make in KINDS.items():
        model = make()
        model.initialize(generator(0, "weights"))
        role_of(schema).save(folder / f"{schema}.{kind}.safetensors", model)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
