"""PredNet (Lotter, Kreiman and Cox 2017): layers that predict what comes and pass on their errors.

With A_0 the frame and E = 0, R = 0 before the first one, a step updates the states from the top
down and the errors from the bottom up (eq. 1 to 4):

    R_l = ConvLSTM([E_l of the step before; R_l+1 enlarged], R_l of the step before)
    Ahat_0 = min(ReLU(conv(R_0)), 1),  Ahat_l = ReLU(conv(R_l))
    E_l = [ReLU(A_l - Ahat_l); ReLU(Ahat_l - A_l)],  A_l+1 = maxima of ReLU(conv(E_l))

Ahat_0 is the frame that is predicted. Further frames are predicted with predictions in the place of
frames, as in the paper, but without training for it. A layer's channels are those of A and of R, as
in all networks of the paper.

Shapes: B clips, C channels of the view, T frames, t given ones, S scored ones, H rows, W columns; a
layer l has H/2^l x W/2^l.
"""

from typing import Annotated, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from foreframe.config.sampling import Options
from foreframe.errors import UserError
from foreframe.networks.conv_lstm import ConvLSTM, Pair
from foreframe.networks.noise import Noise
from foreframe.networks.pooling import enlarge, maxima
from foreframe.predictors.deterministic import Deterministic, DeterministicSettings
from foreframe.predictors.learned import Given
from foreframe.predictors.recurrent import Terms

# What the error of a layer above the pixels weighs under `errors: all` (L_all of the paper).
WEIGHT_ABOVE = 0.1

Width = Annotated[int, Field(ge=1)]


class Settings(DeterministicSettings):
    """The section of params.yaml; the paper's driving network has the widths 48, 96, 192."""

    kind: Literal["prednet"]
    widths: Annotated[tuple[Width, ...], Field(min_length=1)]  # of the layers above the pixels
    errors: Literal["pixels", "all"]  # whose are minimised: L_0 and L_all of the paper


class State(NamedTuple):
    """What a step leaves, by layer: (R, memory) and the errors E (B,2C,H,W)."""

    representations: list[Pair]
    errors: list[Tensor]


def build(settings: Settings, given: Given) -> "PredNet":
    """Return the predictor of these settings, not yet initialized.

    Raises:
        UserError: frames cannot be halved for every layer above the pixels.
    """
    return PredNet(settings, given)


class PredNet(Deterministic[State]):
    """Four layers of 3, 48, 96 and 192 channels have 6,915,948 weights (the paper: 6.9 M)."""

    settings: Settings

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__()
        _check_shape(given, 2 ** len(settings.widths))
        self.settings, self.given = settings, given
        self.channels = (given.shape.channels, *settings.widths)
        above = (*settings.widths, 0)
        self.cells = nn.ModuleList(
            [ConvLSTM(2 * own + top, own) for own, top in zip(self.channels, above, strict=True)]
        )
        self.predictions = nn.ModuleList([_convolution(own, own) for own in self.channels])
        self.upward = nn.ModuleList(
            [
                _convolution(2 * own, top)
                for own, top in zip(self.channels, settings.widths, strict=False)
            ]
        )

    def encode(self, x_NCtHW: Tensor) -> State:
        """Return the state after the given frames."""
        state = self._begin(x_NCtHW)
        for x_NCHW in x_NCtHW.unbind(dim=2):
            _, state = self._step(state, x_NCHW)
        return state

    def start(self, seen: State, options: Options, noise: Noise) -> State:
        """Return the state as it is: nothing is drawn."""
        return seen

    def advance(
        self, state: State, time: int, options: Options, noise: Noise
    ) -> tuple[Tensor, State]:
        """Return the frame (B,C,H,W) that is predicted, and the state as if it had come so."""
        return self._step(state, None)

    def terms(self, x_BCTHW: Tensor, given: int, noise: Noise) -> Terms:
        """Return as `nll` the mean of each layer's errors, weighted and added up (eq. 5).

        The pixels' is half the mean absolute error: of its two errors a value has one that is 0.
        """
        state, found = self._begin(x_BCTHW), []
        for x_BCHW in x_BCTHW.unbind(dim=2):
            _, state = self._step(state, x_BCHW)
            found.append(self._error(state.errors))
        return Terms(torch.stack(found, dim=1)[:, given:])

    def _error(self, errors: list[Tensor]) -> Tensor:
        """Return the weighted sum (B,) of the layers' mean errors."""
        means = [error_BEHW.flatten(1).mean(dim=1) for error_BEHW in errors]
        if self.settings.errors == "pixels":
            return means[0]
        return means[0] + WEIGHT_ABOVE * torch.stack(means[1:]).sum(dim=0)

    def _begin(self, x_BCTHW: Tensor) -> State:
        rows, height, width = len(x_BCTHW), *x_BCTHW.shape[-2:]
        representations, errors = [], []
        for layer, channels in enumerate(self.channels):
            size = (height >> layer, width >> layer)
            zeros = x_BCTHW.new_zeros(rows, channels, *size)
            representations.append((zeros, zeros))
            errors.append(x_BCTHW.new_zeros(rows, 2 * channels, *size))
        return State(representations, errors)

    def _step(self, state: State, x_BCHW: Tensor | None) -> tuple[Tensor, State]:
        """Return the prediction of a frame and the state after it; None: it is as predicted."""
        representations = self._downward(state)
        errors: list[Tensor] = []
        for layer, (r_BCHW, _) in enumerate(representations):
            a_hat = self.predictions[layer](r_BCHW).relu()
            if layer == 0:
                a_hat = frame = a_hat.clamp(max=1)
                a = frame if x_BCHW is None else x_BCHW
            else:
                # The same as of ReLU, which has only the largest to look at so.
                a = maxima(self.upward[layer - 1](errors[-1])).relu()
            difference = a - a_hat
            errors.append(torch.cat([difference, -difference], dim=1).relu())
        return frame, State(representations, errors)

    def _downward(self, state: State) -> list[Pair]:
        """Return the states (R, memory) of all layers, of which the highest is first to know."""
        found: list[Pair] = []
        for layer in reversed(range(len(self.channels))):
            told = [state.errors[layer]]
            if found:
                told.append(enlarge(found[-1][0]))
            found.append(self.cells[layer](torch.cat(told, dim=1), state.representations[layer]))
        return found[::-1]


def _convolution(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def _check_shape(given: Given, step: int) -> None:
    shape = given.shape
    if shape.height % step or shape.width % step:
        raise UserError(
            f"The predictor prednet takes frames whose rows and columns are multiples of {step}, "
            f"not {shape.height} x {shape.width}. Change source.height and source.width, or leave "
            "out a width."
        )
