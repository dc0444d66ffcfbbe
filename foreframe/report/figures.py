"""Every picture of the report: drawn, written, and described with the artefacts it was made from.

A picture NAME is NAME.svg or NAME.png, with NAME.webp beside it where it also plays; NAME.json
holds its alternative text and its artefacts, and is where the Typst source reads both.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from matplotlib.figure import Figure
from PIL import Image

from foreframe.artefacts import atomic
from foreframe.report import animations, curves, pictures, plots, strips, style, values
from foreframe.report.schematics import conditional_pixel_snail, pixel_snail, vqvae
from foreframe.report.schematics.diagram import size
from foreframe.report.study import LEVELS, Artefact, Study


@dataclass(frozen=True)
class Drawing:
    """One picture before it is written."""

    name: str
    alt: str  # what it shows, for readers who cannot see it
    roles: Sequence[str]  # of the artefacts it was made from
    content: Figure | Image.Image
    clip: Sequence[Image.Image] = ()  # the same frames, playing


def write_all(study: Study, folder: Path) -> None:
    """Write every picture of a study, and its description, into `folder`."""
    with style.drawing():
        for drawing in drawings(study):
            write(drawing, study, folder)


class Sources(Protocol):
    """What a drawing's roles are looked up in, and how fast its clip plays."""

    @property
    def artefacts(self) -> Mapping[str, Artefact]:
        """Artefacts by role."""

    @property
    def frame_interval(self) -> float:
        """Seconds from one frame to the next."""


def write(drawing: Drawing, study: Sources, folder: Path) -> None:
    """Write one picture and its description."""
    suffix = "svg" if isinstance(drawing.content, Figure) else "png"
    path = folder / f"{drawing.name}.{suffix}"
    if isinstance(drawing.content, Figure):
        style.save(drawing.content, path)
    else:
        strips.save(drawing.content, path)
    if drawing.clip:
        animations.save(drawing.clip, study.frame_interval, path.with_suffix(".webp"))
    description = {
        "alt": drawing.alt,
        "file": path.name,
        "clip": path.with_suffix(".webp").name if drawing.clip else None,
        "artefacts": [study.artefacts[role].facts() for role in drawing.roles],
    }
    atomic.write_text(path.with_suffix(".json"), values.as_json(description))


def drawings(study: Study) -> Iterator[Drawing]:
    """Yield the pictures in the order in which the report shows them."""
    for part in PARTS:
        yield from part(study)


def _data(study: Study) -> Iterator[Drawing]:
    yield Drawing(
        "gallery",
        f"{len(study.gallery)} frames, evenly spread over the whole recording.",
        ("frames",),
        pictures.gallery(study.gallery),
    )
    yield Drawing(
        "split",
        "A bar along the recording's time, coloured by set: training, validation, test.",
        ("split", "frames"),
        plots.split(study.split, study.episodes, study.frame_interval),
    )


def _schematics(study: Study) -> Iterator[Drawing]:
    for name, alt, roles, diagram in (
        *_autoencoder_schematics(study),
        *_top_schematics(study),
        *_bottom_schematics(study),
    ):
        yield Drawing(name, alt, roles, diagram.figure)


def _autoencoder_schematics(study: Study) -> Iterator[values.Schematic]:
    settings, roles = study.settings["autoencoder"], ("autoencoder_facts", "latents")
    clip = values.clip_shape(study)
    yield (
        "overview",
        "A clip passes a bottom encoder and on to a top encoder; both outputs are quantised, the "
        "top is upsampled, both are concatenated and decoded to a reconstruction.",
        roles,
        vqvae.overview(settings, clip, study.grids),
    )
    yield (
        "stacks",
        "Layers from input to output of the bottom encoder, the top encoder, the decoder and of "
        "one residual layer, with channels and kernel sizes.",
        roles,
        vqvae.stacks(settings, clip, study.grids),
    )


def _top_schematics(study: Study) -> Iterator[values.Schematic]:
    settings, grid = study.settings["priors"]["top"], study.grids["top"]
    codes, roles = study.settings["autoencoder"]["codebook_size"], ("top_facts", "latents")
    yield (
        "pixel_snail",
        "Left: one-hot codes pass a causal convolution, blocks with an outer skip connection, and "
        "a pointwise convolution to log-probabilities. Right: a block joins a path of gated "
        "residual layers and a path of causal attention.",
        roles,
        pixel_snail.network(settings, codes, grid),
    )
    yield (
        "gated_layer",
        "Two convolutions with ELU, a gate that multiplies one half of the channels with the "
        "sigmoid of the other, and a skip connection.",
        roles,
        pixel_snail.gated_layer(settings["channels"], pixel_snail.KERNEL),
    )
    yield (
        "attention",
        "Query, key and value are pointwise convolutions of one input; masked scores pass a "
        "softmax and weigh the values.",
        roles,
        pixel_snail.attention(settings, grid),
    )


def _bottom_schematics(study: Study) -> Iterator[values.Schematic]:
    settings = study.settings["priors"]["bottom"]
    yield (
        "bottom_prior",
        "Top codes are upsampled, pass residual layers and are added to the features of the "
        "bottom codes, which a causal network turns into log-probabilities.",
        ("bottom_facts", "latents"),
        conditional_pixel_snail.network(settings, values.codebook_sizes(study), study.grids),
    )


def _optimisation(study: Study) -> Iterator[Drawing]:
    autoencoder = study.trainings["autoencoder"]
    yield Drawing(
        "curve_autoencoder",
        "Training loss by step with validation loss by epoch, and the parts of the loss.",
        ("autoencoder_curve", "autoencoder_epochs"),
        curves.autoencoder(autoencoder, LEVELS),
    )
    yield Drawing(
        "codebooks",
        "Share of codes in use and perplexity of the codes after each epoch, for both levels.",
        ("autoencoder_epochs",),
        curves.codebooks(autoencoder, values.codebook_sizes(study)),
    )
    for level in LEVELS:
        yield Drawing(
            f"curve_{level}",
            f"Training loss of the {level} prior by step with validation loss by epoch.",
            (f"{level}_curve", f"{level}_epochs", "models"),
            curves.loss(
                study.trainings[level],
                "nats per code",
                study.models["priors"][level]["chance"],
            ),
        )


def _results(study: Study) -> Iterator[Drawing]:
    yield Drawing(
        "likelihood",
        "Bars of bits per test code for the prior, its three baselines and chance, at both levels.",
        ("models",),
        plots.likelihood(study.models["priors"], LEVELS),
    )
    yield Drawing(
        "per_frame",
        "PSNR, SSIM and, if measured, sharpness by predicted frame for every predictor.",
        ("per_frame",),
        plots.per_frame(study.per_frame, values.compared(study)),
    )


def _examples(study: Study) -> Iterator[Drawing]:
    for number in range(len(study.examples["original"])):
        yield Drawing(
            f"example_{number + 1}",
            f"Example {number + 1} in rows: original, reconstruction, decoded from the top codes "
            "alone, decoded from the bottom codes alone.",
            ("examples",),
            pictures.example(study.examples, number),
            pictures.example_clip(study.examples, number),
        )


def _rollouts(study: Study) -> Iterator[Drawing]:
    rollouts = study.rollouts
    for number in range(len(rollouts.real)):
        yield Drawing(
            f"rollout_{number + 1}",
            f"Test clip {number + 1} in rows: the real clip, its futures as predicted, and the "
            "last given frame repeated.",
            ("samples",),
            pictures.rollout(rollouts, number),
            pictures.rollout_clip(rollouts, number),
        )
    yield Drawing(
        "errors",
        f"Maps of the mean absolute error over frames of {size(rollouts.real.shape[2:4])} pixels, "
        "a row for each predictor, a column for each predicted frame.",
        ("samples",),
        pictures.errors(rollouts),
    )


PARTS: tuple[Callable[[Study], Iterator[Drawing]], ...] = (
    _data,
    _schematics,
    _optimisation,
    _results,
    _examples,
    _rollouts,
)
