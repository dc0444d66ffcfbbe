"""G-SWM (Lin et al. 2020): objects with boxes that are discovered in frames, and that go on.

In every frame what is known of objects goes on (`networks.object_world`): by the prior in a future,
by the posterior, which sees a glimpse of each, in a given frame. `propagations` times in a row is
the multi-step form (Castrejon 2022, 8.5). Then each cell of a grid may discover an object, but none
that known ones cover already; of all the most present are kept. The bound

    log p(x_t | objects) - KL(discovery) - KL(propagation)

is maximised, with a frame Gaussian around what objects show (`networks.object_frames`). Discovered
attributes are N(0, 1) around the middle of their cell, and the size that is expected, before any
frame. In training presence is relaxed (of temperature 1), else 0 or 1. There is no background.

What differs from the paper: presence of discovered objects has one prior probability throughout,
and the glimpse is moved by what is expected of the object alone.

Shapes: as in `object_world`; T frames, S scored ones, M cells, K = N + 1 slots, the ground last.
"""

import math
from typing import Annotated, Literal, NamedTuple, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from foreframe.data import views
from foreframe.errors import UserError
from foreframe.networks import glimpses
from foreframe.networks.broadcast_decoder import joined
from foreframe.networks.gaussian import Gaussian, total
from foreframe.networks.noise import Noise
from foreframe.networks.object_draws import (
    CERTAIN,
    DYNAMICS,
    PRESENCE,
    Costs,
    Drawing,
    costs_of,
    most_present,
    together,
)
from foreframe.networks.object_frames import ObjectFrames, covered
from foreframe.networks.object_world import (
    LOWEST,
    PLACED,
    Course,
    Objects,
    Others,
    Said,
    bernoulli_divergence,
    boxes,
    cells,
    glimpse_encoder,
)
from foreframe.predictors.learned import Given
from foreframe.predictors.recurrent import Terms
from foreframe.predictors.slots import Followed, Slotted
from foreframe.predictors.svg import LatentsOnly
from foreframe.predictors.variational import Variational, VariationalSettings

WIDER = 1.0  # by which the size of a glimpse is above that of its object, before its sigmoid
INSIDE = 0.99  # of the frame: how far out an object may be discovered

Size = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Settings(VariationalSettings):
    """The section of params.yaml; those named are for scenes of small balls."""

    kind: Literal["g_swm"]
    grid: Size  # cells in a row and in a column, 4
    objects: Size  # N, 10 at most
    looks: Size  # Z, 64
    dynamics: Size  # Y, 128
    hidden: Size  # of cells that remember, and of all perceptrons, 128
    width: Size  # channels of convolutions, 64
    glimpse: Size  # G, 16
    size: Share  # of a box that is discovered, as a share of a frame's side, before it is seen
    presence: Share  # probability of an object in a cell, before it is seen
    rejection: Share  # covered by more than this, what is discovered is known already; 0.8
    propagations: Size  # k, 1
    deviation: Annotated[float, Field(gt=0)]  # of a value of a frame, 0.2

    @model_validator(mode="after")
    def _fits(self) -> Self:
        views.require(self.view, self.kind, of="frames", scaling="unit", dequantise=False)
        if self.glimpse < LOWEST or self.glimpse & (self.glimpse - 1):
            raise ValueError(
                f"glimpse is {self.glimpse}, but its rows are halved down to {LOWEST}. Choose 4, "
                "8, 16, ..."
            )
        if self.objects > self.grid**2:
            raise ValueError(
                f"objects is {self.objects}, but {self.grid**2} cells discover one each. Lower "
                "objects, or raise grid."
            )
        return self


class State(NamedTuple):
    """What is known of objects after a frame."""

    objects: Objects


def build(settings: Settings, given: Given) -> "GSWM":
    """Return the predictor of these settings, not yet initialized.

    Raises:
        UserError: frames are not square, or their rows no power of two of the grid's.
    """
    shape = given.shape
    cell = shape.height // settings.grid
    square = shape.height == shape.width == cell * settings.grid
    if not square or cell & (cell - 1):
        raise UserError(
            f"The predictor g_swm takes square frames of {settings.grid} x 1, 2, 4, ... rows, not "
            f"{shape.height} x {shape.width}. Change grid, or source.height and source.width."
        )
    return GSWM(settings, given)


class GSWM(Variational[State], Slotted):
    """Discovery, propagation by prior and posterior, and frames of objects."""

    settings: Settings
    options = LatentsOnly

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__()
        self.settings, self.given = settings, given
        shape, hidden, count = given.shape, settings.hidden, PLACED + settings.looks
        self.slot_count, self.iterations = settings.objects + 1, settings.propagations
        size = (shape.height, shape.width)
        halvings = (shape.height // settings.grid).bit_length() - 1
        said = 2 * count + 1 + 2 * settings.dynamics
        self.discovery = cells(2 * shape.channels, halvings, settings.width, said)
        known = count + 1 + settings.dynamics
        self.others = Others(known, hidden)
        self.glance = glimpse_encoder(shape.channels, settings.glimpse, settings.width, hidden)
        self.look = nn.Linear(hidden, 4)
        self.prior = Course(known + hidden, hidden, count, settings.dynamics)
        self.posterior = Course(known + 2 * hidden, hidden, count, settings.dynamics)
        self.frames = ObjectFrames(
            settings.looks, shape.channels, settings.glimpse, settings.width, size
        )

    @property
    def trained_from(self) -> int:
        """The first frame that the loss looks at: the first one."""
        return 0

    def encode(self, x_NCtHW: Tensor) -> State:
        """Return what is known of objects after the given frames."""
        objects = self._nothing(x_NCtHW)
        for time, x_NCHW in enumerate(x_NCtHW.unbind(dim=2)):
            objects = self._after(objects, x_NCHW, time, CERTAIN, None)[-1][0]
        return State(objects)

    def start(self, seen: State, options: LatentsOnly, noise: Noise) -> State:
        """Return the state as it is."""
        return seen

    def advance(
        self, state: State, time: int, options: LatentsOnly, noise: Noise
    ) -> tuple[Tensor, State]:
        """Return frame `time` (B,C,H,W) and the state after it; nothing new is discovered."""
        drawing, objects = Drawing(options.scale, soft=False, noise=noise), state.objects
        for step in range(self.iterations):
            objects, _ = self._propagated(objects, None, f"{step}", time, drawing)
        return self.frames(objects).frame, State(objects)

    def terms(self, x_BCTHW: Tensor, given: int, noise: Noise) -> Terms:
        """Return what frames cost, and the divergences of what is drawn of objects."""
        drawn = Drawing(1.0, soft=self.training, noise=noise)
        objects, nll, costs = self._nothing(x_BCTHW), [], []
        for time, x_BCHW in enumerate(x_BCTHW.unbind(dim=2)):
            how = CERTAIN if time < given else drawn
            steps = self._after(objects, x_BCHW, time, how, None)
            objects = steps[-1][0]
            if time >= given:
                shown_BCHW = self.frames(objects).frame
                density = Gaussian(shown_BCHW, shown_BCHW.new_tensor(self.settings.deviation))
                nll.append(-total(density.log_prob(x_BCHW)))
                costs.append(together([cost for _, cost in steps]))
        kl = {name: torch.stack([each[name] for each in costs], dim=1) for name in costs[0]}
        return Terms(torch.stack(nll, dim=1), kl)

    def follow(self, x_NCTHW: Tensor, iterations: int | None) -> Followed:
        """Return where objects are and, last of the slots, the ground; see `Slotted`."""
        objects, frames, steps = self._nothing(x_NCTHW), [], []
        for time, x_NCHW in enumerate(x_NCTHW.unbind(dim=2)):
            found = self._after(objects, x_NCHW, time, CERTAIN, iterations)
            objects = found[-1][0]
            rendered = [self.frames(each) for each, _ in found]
            frames.append(rendered[-1])
            if time:
                steps.append(joined(rendered, 1))
        return Followed(joined(frames, 1), joined(steps, 1), None)

    def _after(
        self, objects: Objects, x_BCHW: Tensor, time: int, how: Drawing, iterations: int | None
    ) -> list[tuple[Objects, Costs]]:
        """Return what is known after each propagation into a frame, with what the last discovers.

        Nothing goes on into the first frame.
        """
        steps: list[tuple[Objects, Costs]] = []
        for step in range(iterations or self.iterations) if time else ():
            objects, costs = self._propagated(objects, x_BCHW, f"{step}", time, how)
            steps.append((objects, costs))
        objects, costs = self._discovered(objects, x_BCHW, time, how)
        if steps:
            costs = together([costs, steps[-1][1]])
        return [*steps[:-1], (objects, costs)]

    def _propagated(
        self, objects: Objects, x_BCHW: Tensor | None, step: str, time: int, how: Drawing
    ) -> tuple[Objects, Costs]:
        """Return objects that go on, as a frame shows them or, without it, as the prior says."""
        told = torch.cat([objects.known, self.others(objects.known, objects.presence)], dim=2)
        expected = self.prior.remember(told, objects.expected, objects.expected_memory)
        moved, course, state = self.prior.moved(expected[0]), self.prior, expected
        seen = objects.seen, objects.seen_memory
        if x_BCHW is not None:
            glimpse_BNH = self._glimpsed(objects, expected[0], x_BCHW)
            seen = self.posterior.remember(torch.cat([told, glimpse_BNH], dim=2), *seen)
            course, state = self.posterior, seen
        own = course.moved(state[0])
        dynamics_BNY = how.latent(own, f"{DYNAMICS} {step}", time)
        said = course.said(state[0], dynamics_BNY)
        costs: Costs = {}
        if x_BCHW is not None:
            prior = self.prior.said(expected[0], dynamics_BNY)
            kept = objects.presence
            costs = costs_of(said, prior.attributes, own, moved, kept)
            costs[PRESENCE] = total(kept * bernoulli_divergence(said.presence, prior.presence))
        return Objects(
            objects.attributes + how.latent(said.attributes, f"change {step}", time),
            objects.presence * how.presence(said.presence, f"{PRESENCE} {step}", time),
            dynamics_BNY,
            *expected,
            *seen,
        ), costs

    def _glimpsed(self, objects: Objects, expected_BNH: Tensor, x_BCHW: Tensor) -> Tensor:
        """Return what is seen around each object (B,N,hidden)."""
        wider = objects.attributes.new_tensor([WIDER, WIDER, 0, 0])
        gaze_BN4 = boxes(objects.attributes[..., :4] + self.look(expected_BNH) + wider)
        cut_BNCGG = glimpses.cut(x_BCHW, gaze_BN4, self.settings.glimpse)
        seen_BNH: Tensor = self.glance(cut_BNCGG.flatten(0, 1))
        return seen_BNH.unflatten(0, cut_BNCGG.shape[:2])

    def _discovered(
        self, objects: Objects, x_BCHW: Tensor, time: int, how: Drawing
    ) -> tuple[Objects, Costs]:
        """Return the most present of known objects and of those that cells discover."""
        settings = self.settings
        raw_BXGG = self.discovery(torch.cat([x_BCHW, self.frames(objects).frame], dim=1))
        raw_BMX = raw_BXGG.flatten(2).transpose(1, 2)
        count = raw_BMX.shape[2] - 2 * settings.dynamics
        said, moved = Said.of(raw_BMX[..., :count]), Gaussian.of(raw_BMX[..., count:], dim=2)
        drawn_BMA = how.latent(said.attributes, "discovered", time)
        presence_BM1 = how.presence(said.presence, "discovered presence", time)
        hidden_BMH = drawn_BMA.new_zeros(*drawn_BMA.shape[:2], settings.hidden)
        dynamics_BMY = how.latent(moved, "discovered dynamics", time)
        attributes_BMA = self._in_cells(drawn_BMA)
        new = Objects(attributes_BMA, presence_BM1, dynamics_BMY, *[hidden_BMH] * 4)
        known_BNHW = objects.presence[..., None] * self.frames.drawn(objects)[1]
        hidden_BM = covered(self.frames.drawn(new)[1], known_BNHW) > settings.rejection
        new = new._replace(presence=torch.where(hidden_BM[..., None], 0.0, presence_BM1))
        standard, still = Gaussian.standard(drawn_BMA), Gaussian.standard(dynamics_BMY)
        costs = costs_of(said, standard, moved, still, new.presence)
        before = said.presence.new_tensor(math.log(settings.presence / (1 - settings.presence)))
        costs[PRESENCE] = total(bernoulli_divergence(said.presence, before))
        return most_present(objects, new), costs

    def _in_cells(self, drawn_BMA: Tensor) -> Tensor:
        """Return attributes of objects around the middles of cells, of the expected size."""
        size = math.log(self.settings.size / (1 - self.settings.size))
        grid = self.settings.grid
        middles_G = (2 * torch.arange(grid, device=drawn_BMA.device) + 1).to(drawn_BMA) / grid - 1
        y_GG, x_GG = torch.meshgrid(middles_G, middles_G, indexing="ij")
        middles_M2 = torch.stack([x_GG, y_GG], dim=2).flatten(0, 1)
        places_BM2 = (middles_M2 + drawn_BMA[..., 2:4].tanh() / grid) * INSIDE
        return torch.cat([size + drawn_BMA[..., :2], places_BM2.atanh(), drawn_BMA[..., 4:]], dim=2)

    def _nothing(self, x_BCTHW: Tensor) -> Objects:
        """Return what is known before the first frame: N objects that are not there."""
        settings = self.settings
        widths = (PLACED + settings.looks, 1, settings.dynamics, *[settings.hidden] * 4)
        rows = (len(x_BCTHW), settings.objects)
        return Objects(*(x_BCTHW.new_zeros(*rows, width) for width in widths))
