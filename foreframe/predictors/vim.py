"""VIM (Castrejon 2022, article 3): slots that move by modules which are chosen, and by a latent.

Slot Attention finds the slots h_0 in the first frame. With modules r and latents z of every slot
(`networks.modular_transition`),

    log p(x_t | h_t) - KL(q(z_t | r_t, x_t) || p(z_t | r_t)) - KL(q(r_t | x_t) || p(r_t))

is maximised over all frames; the first one has its likelihood alone, so clips of one frame train
the slots, and are the first phase of a plan. A frame is Gaussian around what the slots show, of a
fixed deviation. In training a slot takes shares of all modules (Gumbel-softmax), else one of them;
given frames are followed by the likeliest modules and the means of latents. Between two frames
there are `iterations` steps of all that (VIM-k), whose divergences add up.

Shapes: N clips, B futures or samples, C channels of the view, T frames, S scored ones, h predicted
ones, H rows, W columns, N features of F numbers, K slots of D numbers, M modules, I iterations.
"""

from typing import Annotated, Literal, NamedTuple, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from foreframe.data import views
from foreframe.networks.broadcast_decoder import Rendered, joined, over_steps
from foreframe.networks.gaussian import Gaussian
from foreframe.networks.modular_transition import (
    CERTAIN,
    Drawing,
    ModularTransition,
    Moved,
    TransitionSettings,
)
from foreframe.networks.noise import Noise
from foreframe.networks.slot_scene import SceneSettings, SlotScene
from foreframe.predictors import Context, LogWeights
from foreframe.predictors.learned import Given
from foreframe.predictors.recurrent import Terms
from foreframe.predictors.slots import Followed, Modular
from foreframe.predictors.variational import LatentOptions, Variational, VariationalSettings
from foreframe.randomness import Draws

LATENT, MODULE = "latent", "module"

Size = Annotated[int, Field(ge=1)]


class Settings(VariationalSettings):
    """The section of params.yaml; the thesis weighs both divergences by 1 throughout."""

    kind: Literal["vim"]
    scene: SceneSettings
    transition: TransitionSettings
    iterations: Size  # k, between two frames; 1
    deviation: Annotated[float, Field(gt=0)]  # of a value of a frame, in the view's units

    @model_validator(mode="after")
    def _sees_frames(self) -> Self:
        views.require(self.view, self.kind, of="frames", scaling="unit", dequantise=False)
        return self


class ModuleOptions(LatentOptions):
    """How modules and latents of a future are drawn; of a frame the mean is known alone."""

    frames: Literal["mean"]
    modules: Literal["likeliest", "sample"]

    @property
    def random(self) -> bool:
        """Whether anything is drawn."""
        return "sample" in (self.latents, self.modules)


class State(NamedTuple):
    """The slots (B,K,D) of the last frame."""

    slots: Tensor


def build(settings: Settings, given: Given) -> "VIM":
    """Return the predictor of these settings, not yet initialized.

    Raises:
        UserError: frames cannot be halved as often as is asked for.
    """
    return VIM(settings, given)


class VIM(Variational[State], Modular):
    """904,836 weights of the thesis's sizes, for three colours."""

    settings: Settings
    options = ModuleOptions
    likelihood_kind = "elbo"

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__()
        self.settings, self.given = settings, given
        shape = given.shape
        frame = (shape.channels, shape.height, shape.width)
        self.scene = SlotScene(settings.scene, frame, settings.kind)
        self.transition = ModularTransition(
            settings.scene.dim, settings.scene.encoder.width, settings.transition
        )
        self.slot_count, self.module_count = settings.scene.slots, settings.transition.modules
        self.iterations = settings.iterations

    @property
    def trained_from(self) -> int:
        """The first frame that the loss looks at: the one in which slots are found."""
        return 0

    def encode(self, x_NCtHW: Tensor) -> State:
        """Return the slots of the last given frame."""
        features_NtNF = self.scene.features(x_NCtHW)
        slots_NKD = self.scene.discover(features_NtNF[:, 0], None)
        for time, features_NNF in enumerate(features_NtNF[:, 1:].unbind(dim=1), start=1):
            slots_NKD = self._inferred(slots_NKD, features_NNF, CERTAIN, time)[-1].slots
        return State(slots_NKD)

    def start(self, seen: State, options: ModuleOptions, noise: Noise) -> State:
        """Return the state as it is."""
        return seen

    def advance(
        self, state: State, time: int, options: ModuleOptions, noise: Noise
    ) -> tuple[Tensor, State]:
        """Return frame `time` (B,C,H,W) and the state after it."""
        slots_BKD, drawing = state.slots, _as_asked(options, noise)
        for iteration in range(self.iterations):
            slots_BKD = self.transition.expect(slots_BKD, drawing, iteration, time)
        state = State(slots_BKD)
        return self.shown(state).frame, state

    def terms(self, x_BCTHW: Tensor, given: int, noise: Noise) -> Terms:
        """Return what frames cost; with `given` 0 the first one costs what its slots show amiss."""
        features_BTNF = self.scene.features(x_BCTHW)
        drawn = Drawing("soft" if self.training else "hard", 1.0, noise)
        # Beginnings are drawn in training alone, where no frame is given.
        slots_BKD = self.scene.discover(features_BTNF[:, 0], noise if self.training else None)
        slots, costs = [slots_BKD], [x_BCTHW.new_zeros(3, len(x_BCTHW))]
        for time in range(1, x_BCTHW.shape[2]):
            how = CERTAIN if time < given else drawn
            moved = self._inferred(slots[-1], features_BTNF[:, time], how, time)
            slots.append(moved[-1].slots)
            costs.append(
                torch.stack(
                    [
                        torch.stack([each.kl_latent, each.kl_module, each.log_ratio])
                        for each in moved
                    ]
                ).sum(dim=0)
            )
        latent_BS, module_BS, ratio_BS = torch.stack(costs[given:], dim=2)
        shown_BSCHW = over_steps(self.scene.decoder, torch.stack(slots[given:], dim=1)).frame
        nll_BS = self._surprisal(shown_BSCHW, x_BCTHW[:, :, given:].transpose(1, 2))
        kl = {LATENT: latent_BS} | ({MODULE: module_BS} if self.module_count > 1 else {})
        return Terms(nll_BS, kl, ratio_BS)

    def likelihood(self, context: Context, future_NhHWC: Tensor, draws: Draws) -> LogWeights:
        """Return log p(x, r, z) - log q(r, z | x) of whole trajectories.

        Raises:
            UserError: nothing is given, in which slots could be found.
        """
        self._require(context.given)
        return super().likelihood(context, future_NhHWC, draws)

    def surprisal(
        self, state: State, x_BCHW: Tensor, time: int, options: ModuleOptions, noise: Noise
    ) -> Tensor:
        """Return -log p(x | r, z) (B,) of frames `time`, in nats, of the prior's r and z."""
        frame_BCHW, _ = self.advance(state, time, options, noise)
        return self._surprisal(frame_BCHW[:, None], x_BCHW[:, None])[:, 0]

    def replay(self, x_BCTHW: Tensor, given: int, options: ModuleOptions, noise: Noise) -> Tensor:
        """Return the frames (B,C,S,H,W) from `given` on as the posterior says them."""
        return self.follow(x_BCTHW, None).rendered.frame[:, given:].transpose(1, 2)

    def follow(self, x_NCTHW: Tensor, iterations: int | None) -> Followed:
        """Return where slots are, by the likeliest modules and means; see `Slotted`."""
        features_NTNF = self.scene.features(x_NCTHW)
        slots_NKD = self.scene.discover(features_NTNF[:, 0], None)
        frames, steps, modules = [self.scene.decoder(slots_NKD)], [], []
        for time, features_NNF in enumerate(features_NTNF[:, 1:].unbind(dim=1), start=1):
            moved = self._inferred(slots_NKD, features_NNF, CERTAIN, time, iterations)
            slots_NKD = moved[-1].slots
            steps.append(
                over_steps(self.scene.decoder, torch.stack([each.slots for each in moved], dim=1))
            )
            frames.append(Rendered(*(each[:, -1] for each in steps[-1])))
            modules.append(torch.stack([each.shares.argmax(dim=2) for each in moved], dim=1))
        return Followed(joined(frames, 1), joined(steps, 1), torch.stack(modules, dim=1))

    def push(
        self, state: State, modules_NIK: Tensor, time: int, options: ModuleOptions, noise: Noise
    ) -> tuple[Rendered, State]:
        """Return frame `time` and the state after it, of named modules; see `Modular`."""
        slots_NKD, drawing = state.slots, _as_asked(options, noise)
        for iteration, forced_NK in enumerate(modules_NIK.unbind(dim=1)):
            slots_NKD = self.transition.expect(slots_NKD, drawing, iteration, time, forced_NK)
        state = State(slots_NKD)
        return self.shown(state), state

    def shown(self, state: State) -> Rendered:
        """Return what slots show; see `Modular`."""
        found: Rendered = self.scene.decoder(state.slots)
        return found

    def _inferred(
        self,
        slots_BKD: Tensor,
        features_BNF: Tensor,
        drawing: Drawing,
        time: int,
        iterations: int | None = None,
    ) -> list[Moved]:
        """Return what each iteration between two frames makes of slots; None: as in training."""
        found: list[Moved] = []
        for iteration in range(iterations or self.iterations):
            before_BKD = found[-1].slots if found else slots_BKD
            found.append(self.transition.infer(before_BKD, features_BNF, drawing, iteration, time))
        return found

    def _surprisal(self, shown_BSCHW: Tensor, true_BSCHW: Tensor) -> Tensor:
        """Return -log p (B,S) of frames, around what slots show."""
        deviation = shown_BSCHW.new_tensor(self.settings.deviation)
        density = Gaussian(shown_BSCHW, deviation).log_prob(true_BSCHW)
        return -density.flatten(2).sum(dim=2)


def _as_asked(options: ModuleOptions, noise: Noise) -> Drawing:
    return Drawing("hard" if options.modules == "sample" else "likeliest", options.scale, noise)
