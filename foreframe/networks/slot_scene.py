"""A scene as slots: features of a frame, slots that are found in them, and a frame drawn of slots.

What models of dynamics over slots share (Castrejon 2022, Tables 8.1 and 8.2). All sizes are
settings; those named in comments are the thesis's, for frames of 32 x 32.

Shapes: B rows, T frames, C channels, H rows, W columns, N = H W / 4^halvings features of F numbers,
K slots of D numbers.
"""

from typing import Annotated, Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from foreframe.config.base import Strict
from foreframe.errors import UserError
from foreframe.networks.broadcast_decoder import BroadcastDecoder
from foreframe.networks.frame_vae import over_time
from foreframe.networks.noise import Noise
from foreframe.networks.positions import positions
from foreframe.networks.recomputed import Recomputed
from foreframe.networks.slot_attention import SlotAttention
from foreframe.randomness import generator

Size = Annotated[int, Field(ge=1)]


class Convolutions(Strict):
    """Layers of one width, the first `scaled` of which halve a frame, or double it."""

    width: Size  # 64
    layers: Size  # 4 of the encoder; 3 of the decoder, before the one that draws
    kernel: Size  # 5
    scaled: Annotated[int, Field(ge=0)]  # 0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.kernel % 2 == 0:
            raise ValueError(
                f"kernel is {self.kernel}; only an odd one keeps a frame's size. Add 1."
            )
        if self.scaled > self.layers:
            raise ValueError(
                f"scaled is {self.scaled}, but there are {self.layers} layers. Lower it, or add "
                "layers."
            )
        return self


class SceneSettings(Strict):
    """How frames become slots and back."""

    slots: Size  # K, 4: for three balls
    dim: Size  # D, 64
    iterations: Size  # of Slot Attention, 3
    hidden: Size  # width of its perceptron, 128
    waves: Annotated[int, Field(ge=0, le=8)]  # of `positions`; 0
    encoder: Convolutions
    decoder: Convolutions


class FrameFeatures(Recomputed):
    """Table 8.1: convolutions, positions, a normalisation and a perceptron at each place."""

    def __init__(self, channels: int, waves: int, design: Convolutions) -> None:
        super().__init__()
        width, parts = design.width, list[nn.Module]()
        for layer in range(design.layers):
            stride, inputs = 2 if layer < design.scaled else 1, width if layer else channels
            padding = design.kernel // 2
            parts += [nn.Conv2d(inputs, width, design.kernel, stride, padding), nn.ReLU()]
        self.convolutions = nn.Sequential(*parts, positions(width, waves))
        # The last layer is linear, as in Slot Attention; the table says ReLU.
        self.perceptron = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)
        )

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return features (B,N,F)."""
        maps_BFHW = self.convolutions(x_BCHW)
        features_BNF: Tensor = self.perceptron(maps_BFHW.flatten(2).transpose(1, 2))
        return features_BNF


class SlotScene(nn.Module):
    """Encoder, Slot Attention and decoder of a `frame` of channels, rows and columns.

    Raises:
        UserError: it cannot be halved as often as is asked for; `who` is for the message.
    """

    def __init__(self, settings: SceneSettings, frame: tuple[int, int, int], who: str) -> None:
        super().__init__()
        step = 2 ** max(settings.encoder.scaled, settings.decoder.scaled)
        channels, height, width = frame
        if height % step or width % step:
            raise UserError(
                f"The predictor {who} takes frames whose rows and columns are multiples of {step}, "
                f"not {height} x {width}. Change source.height and source.width, or lower scaled."
            )
        self.settings = settings
        drawn = settings.decoder
        self.encoder = FrameFeatures(channels, settings.waves, settings.encoder)
        self.attention = SlotAttention(
            settings.encoder.width,
            settings.slots,
            settings.dim,
            settings.iterations,
            settings.hidden,
            background=False,
        )
        self.decoder = BroadcastDecoder(
            settings.dim,
            channels,
            (height, width),
            width=drawn.width,
            layers=drawn.layers,
            kernel=drawn.kernel,
            doublings=drawn.scaled,
            waves=settings.waves,
        )

    def features(self, x_BCTHW: Tensor) -> Tensor:
        """Return features (B,T,N,F) of every frame."""
        return over_time(self.encoder, x_BCTHW.transpose(1, 2))

    def discover(self, features_BNF: Tensor, noise: Noise | None) -> Tensor:
        """Return the slots (B,K,D) of a frame.

        Without `noise` they begin at the same numbers in every clip: what is found is then a
        function of the frame alone.
        """
        shape = (self.settings.slots, self.settings.dim)
        if noise is None:
            numbers_KD = generator(0, "slots").normal(shape).to(features_BNF)
            numbers_BKD = numbers_KD.expand(len(features_BNF), -1, -1)
        else:
            numbers_BKD = noise.normal("slots", 0, shape)
        slots_BKD: Tensor
        slots_BKD, _ = self.attention(features_BNF, numbers_BKD)
        return slots_BKD
