"""The deterministic autoencoder of Glissov and Konradsen 2021, fig. 2.2: what it cannot know blurs.

    h_t = ConvLSTM(encoder(x_t-1), h_t-1),  x^_t = sigmoid(decoder(h_t))

The thesis says no more of it. Encoder and decoder here are those of its stochastic recurrent
network without the latent, so that the two can be compared. The loss is the squared error or the
cross-entropy of a pixel, the mean over a frame.

Shapes: B clips, C channels of the view, T frames, t given ones, S scored ones, H rows, W columns, F
channels of the state, H' = H/8, W' = W/8.
"""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from foreframe.config.sampling import Options
from foreframe.errors import UserError
from foreframe.networks.conv_lstm import ConvLSTM, LearnedState, Pair
from foreframe.networks.frame_vae import REDUCTION, frame_decoder, frame_features, over_time
from foreframe.networks.noise import Noise
from foreframe.predictors.deterministic import Deterministic, DeterministicSettings
from foreframe.predictors.learned import Given
from foreframe.predictors.recurrent import Terms

Size = Annotated[int, Field(ge=1)]


class Settings(DeterministicSettings):
    """The section of params.yaml; named is what the stochastic network has."""

    kind: Literal["conv_lstm_autoencoder"]
    features: tuple[Size, Size, Size]  # of frames, after each halving; 64, 128, 256
    hidden: Size  # channels of the state; 256
    decoder: tuple[Size, Size, Size, Size, Size]  # 512, 256, 64, 64, 32
    error: Literal["squared", "cross_entropy"]


def build(settings: Settings, given: Given) -> "ConvLSTMAutoencoder":
    """Return the predictor of these settings, not yet initialized.

    Raises:
        UserError: rows or columns are no multiples of 8.
    """
    return ConvLSTMAutoencoder(settings, given)


class ConvLSTMAutoencoder(Deterministic[Pair]):
    """9,323,553 weights at the widths that are named, for one channel and 64 rows.

    Its state is (h, memory), (B,F,H',W') each, after the last frame.
    """

    settings: Settings

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__()
        shape = given.shape
        if shape.height % REDUCTION or shape.width % REDUCTION:
            raise UserError(
                f"The predictor {settings.kind} halves frames three times, but these have "
                f"{shape.height} x {shape.width} pixels. Set source.height and source.width to "
                f"multiples of {REDUCTION}."
            )
        self.settings, self.given = settings, given
        self.encoder = frame_features(shape.channels, settings.features)
        self.cell = ConvLSTM(settings.features[-1], settings.hidden)
        size = (settings.hidden, shape.height // REDUCTION, shape.width // REDUCTION)
        self.first_h, self.first_c = LearnedState(*size), LearnedState(*size)
        self.decoder = frame_decoder(settings.hidden, settings.decoder, shape.channels)

    def encode(self, x_NCtHW: Tensor) -> Pair:
        """Return the state after the given frames."""
        return self._read(x_NCtHW)[-1]

    def start(self, seen: Pair, options: Options, noise: Noise) -> Pair:
        """Return the state as it is: nothing is drawn."""
        return seen

    def advance(
        self, state: Pair, time: int, options: Options, noise: Noise
    ) -> tuple[Tensor, Pair]:
        """Return the frame (B,C,H,W) that is predicted, and the state as if it had come so."""
        frame = self.decoder(state[0]).sigmoid()
        return frame, self.cell(self.encoder(frame), state)

    def terms(self, x_BCTHW: Tensor, given: int, noise: Noise) -> Terms:
        """Return the error of each frame as `nll`, the mean over its values."""
        states = self._read(x_BCTHW[:, :, :-1])[given - 1 :]
        logits = over_time(self.decoder, torch.stack([h for h, _ in states], dim=1))
        x_BSCHW = x_BCTHW[:, :, given:].transpose(1, 2)
        if self.settings.error == "squared":
            error = (logits.sigmoid() - x_BSCHW).square()
        else:
            error = functional.binary_cross_entropy_with_logits(logits, x_BSCHW, reduction="none")
        return Terms(error.flatten(2).mean(dim=2))

    def _read(self, x_BCTHW: Tensor) -> list[Pair]:
        """Return the state after each frame."""
        state = (self.first_h(len(x_BCTHW)), self.first_c(len(x_BCTHW)))
        states = []
        for features_BFHW in over_time(self.encoder, x_BCTHW.transpose(1, 2)).unbind(dim=1):
            state = self.cell(features_BFHW, state)
            states.append(state)
        return states
