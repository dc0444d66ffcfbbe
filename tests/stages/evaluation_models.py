"""The networks of the tiny study: untrained, with every number drawn from a seed."""

from collections.abc import Mapping
from typing import Literal

from foreframe import autoencoders, priors
from foreframe.autoencoders import Autoencoder, vqvae
from foreframe.config.training import Training
from foreframe.models import Shape
from foreframe.networks.index_noise import IndexNoise
from foreframe.priors import Prior, conditional_pixel_snail, pixel_snail
from foreframe.priors.actions import Actions
from foreframe.randomness import generator
from tests.foreframe.data import seen

CODES = 12
TRAINING = Training(
    optimizer="adamw",
    learning_rate=1e-3,
    weight_decay=0.0,
    batch_size=2,
    epochs=1,
    gradient_clip=None,
    schedule="constant",
    warmup_steps=0,
    log_every=1,
    diverging="stop",
    shards=1,
)


def autoencoder_settings() -> vqvae.Settings:
    """Return the settings of a tiny autoencoder."""
    return vqvae.Settings(
        kind="vqvae",
        view=seen.view(train_stride=1),
        training=TRAINING,
        width=8,
        residual_width=4,
        residual_layers=1,
        residual_kernel=(1, 3, 3),
        code_dim=4,
        codebook_size=CODES,
        upsampling_init="rescaled",
        codebook_init="normal",
        commitment=0.25,
        ema_decay=0.99,
        ema_epsilon=1e-5,
        ema_initial_count=0.0,
        restart_threshold=0.0,
        index_noise=IndexNoise(sigma=0.0, sigma_is="deviation", gaussian="rounded", border="clamp"),
        bottom_sees_top=False,
        bottom_dropout=0.0,
    )


def prior_settings(
    actions: Literal["none", "input"] = "none",
) -> Mapping[str, priors.PriorSettings]:
    """Return the settings of two tiny priors."""
    top = pixel_snail.Settings(
        kind="pixel_snail",
        level="top",
        condition_on=(),
        actions=actions,
        training=TRAINING,
        channels=4,
        residual_layers=1,
        blocks=1,
        key_channels=2,
        value_channels=4,
        attention_scale="key",
    )
    bottom = conditional_pixel_snail.Settings(
        kind="conditional_pixel_snail",
        level="bottom",
        condition_on=("top",),
        actions=actions,
        training=TRAINING,
        channels=4,
        residual_layers=1,
        blocks=1,
        kernel=(3, 3, 3),
        condition_layers=1,
        condition_channels=4,
        condition_kernel=(3, 3, 3),
        conditioning="input",
    )
    return {"top": top, "bottom": bottom}


def autoencoder(shape: Shape) -> Autoencoder:
    """Return an autoencoder of clips of a shape, in eval mode."""
    model = autoencoders.build(autoencoder_settings(), shape).eval()
    model.initialize(generator(0, "test"))
    for parameter in model.parameters():
        parameter.data.mul_(2)  # so that codes differ and values leave the range
    return model


def priors_of(model: Autoencoder, actions: Actions | None = None) -> dict[str, Prior]:
    """Return a prior for each level of an autoencoder, top first; they take `actions`."""
    shapes = {level: priors.Codes(grid, CODES) for level, grid in model.grids().items()}
    found = {}
    for level, settings in prior_settings("none" if actions is None else "input").items():
        given = {other: shapes[other] for other in settings.condition_on}
        found[level] = priors.build(settings, shapes[level], given, actions)
        found[level].initialize(generator(0, "test", level))
    return found
