"""SCOFF (Goyal et al. 2020): object files that schemata update, one for each in every step.

The files h_0 are the slots of the first frame. From a frame to the next, of file k and schema m,

    u^k = a mean of the frame's features that file k attends to, in competition with the others,
    h^{k,m} = GRU_m(u^k, h^k),  m* = argmax_m Key(h^{k,m}) . Query(h^k) / sqrt(d),  h'^k = h^{k,m*},

and the next frame is what the files show. Nothing is drawn but, in training, Gumbel noise of the
choice, whose gradient is that of its softmax. With one schema this is RIM. Encoder, slots and
decoder are VIM's (Castrejon 2022, 8.5), so that dynamics alone are compared, and files do not
speak with each other, as VIM's slots do not. The first frame's cost is what its slots show amiss,
so clips of one frame train the slots.

Shapes: N clips, B futures, C channels of the view, T frames, S scored ones, h predicted ones, H
rows, W columns, N features of F numbers, K files of D numbers, M schemata.
"""

import math
from typing import Annotated, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from foreframe.config.sampling import Options
from foreframe.errors import UserError
from foreframe.networks.broadcast_decoder import Rendered, over_steps
from foreframe.networks.modular_transition import chosen, one_hot
from foreframe.networks.noise import Noise
from foreframe.networks.slot_attention import competing
from foreframe.networks.slot_scene import SceneSettings, SlotScene
from foreframe.predictors.deterministic import Deterministic, DeterministicSettings
from foreframe.predictors.learned import Given
from foreframe.predictors.recurrent import Terms
from foreframe.predictors.slots import Followed, Modular

Size = Annotated[int, Field(ge=1)]


class Settings(DeterministicSettings):
    """The section of params.yaml."""

    kind: Literal["scoff"]
    scene: SceneSettings
    schemata: Size  # M; 5 of SCOFF, 1 of RIM
    key: Size  # of keys and queries, 64


class State(NamedTuple):
    """The files (B,K,D) that were told of every frame but the last, and that one (B,C,H,W)."""

    files: Tensor
    frame: Tensor


def build(settings: Settings, given: Given) -> "SCOFF":
    """Return the predictor of these settings, not yet initialized.

    Raises:
        UserError: frames cannot be halved as often as is asked for.
    """
    return SCOFF(settings, given)


class SCOFF(Deterministic[State], Modular):
    """Object files and schemata."""

    settings: Settings

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__()
        self.settings, self.given = settings, given
        shape, scene = given.shape, settings.scene
        frame = (shape.channels, shape.height, shape.width)
        self.scene = SlotScene(scene, frame, settings.kind)
        self.update = Schemata(scene.dim, scene.encoder.width, settings.schemata, settings.key)
        self.slot_count, self.module_count = scene.slots, settings.schemata

    @property
    def trained_from(self) -> int:
        """The first frame that the loss looks at: the one in which slots are found."""
        return 0

    def encode(self, x_NCtHW: Tensor) -> State:
        """Return files that were told of all given frames but the last."""
        features_NtNF = self.scene.features(x_NCtHW)
        files_NKD, *_ = self._along(features_NtNF[:, :-1], features_NtNF[:, 0], None)
        return State(files_NKD[:, -1], x_NCtHW[:, :, -1])

    def start(self, seen: State, options: Options, noise: Noise) -> State:
        """Return the state as it is: nothing is drawn."""
        return seen

    def advance(
        self, state: State, time: int, options: Options, noise: Noise
    ) -> tuple[Tensor, State]:
        """Return the frame (B,C,H,W) that is predicted, and the state as if it had come so."""
        files_BKD, _ = self.update(state.files, self.scene.encoder(state.frame))
        frame_BCHW = self.scene.decoder(files_BKD).frame
        return frame_BCHW, State(files_BKD, frame_BCHW)

    def terms(self, x_BCTHW: Tensor, given: int, noise: Noise) -> Terms:
        """Return as `nll` the squared error of a frame, summed over its values."""
        features_BTNF = self.scene.features(x_BCTHW)
        drawn = noise if self.training else None
        files_BTKD, _ = self._along(features_BTNF[:, :-1], features_BTNF[:, 0], drawn)
        shown_BSCHW = over_steps(self.scene.decoder, files_BTKD[:, given:]).frame
        error = shown_BSCHW - x_BCTHW[:, :, given:].transpose(1, 2)
        return Terms(error.square().flatten(2).sum(dim=2))

    def follow(self, x_NCTHW: Tensor, iterations: int | None) -> Followed:
        """Return what is predicted of each frame from the true ones before it; see `Slotted`.

        Raises:
            UserError: several iterations are asked for.
        """
        if iterations not in (None, 1):
            raise UserError(
                f"iterations is {iterations}, but SCOFF takes one step between two frames. Set it "
                "to null."
            )
        features_NTNF = self.scene.features(x_NCTHW)
        files_NTKD, shares = self._along(features_NTNF[:, :-1], features_NTNF[:, 0], None)
        rendered = over_steps(self.scene.decoder, files_NTKD)
        refined = Rendered(*(each[:, 1:, None] for each in rendered))
        modules_NTK = torch.stack([each.argmax(dim=2) for each in shares], dim=1)
        return Followed(rendered, refined, modules_NTK[:, :, None])

    def push(
        self, state: State, modules_NIK: Tensor, time: int, options: Options, noise: Noise
    ) -> tuple[Rendered, State]:
        """Return frame `time` and the state after it, of named schemata; see `Modular`."""
        features_NNF = self.scene.encoder(state.frame)
        for modules_NK in modules_NIK.unbind(dim=1):
            files_NKD, _ = self.update(state.files, features_NNF, forced_BK=modules_NK)
        state = State(files_NKD, state.frame)
        rendered = self.shown(state)
        return rendered, state._replace(frame=rendered.frame)

    def shown(self, state: State) -> Rendered:
        """Return what files show; see `Modular`."""
        found: Rendered = self.scene.decoder(state.files)
        return found

    def _along(
        self, told_BTNF: Tensor, first_BNF: Tensor, noise: Noise | None
    ) -> tuple[Tensor, list[Tensor]]:
        """Return files (B,T+1,K,D), at first and told of each frame, and shares (B,K,M) of these.

        What is random in training is so where there is `noise`.
        """
        files, shares = [self.scene.discover(first_BNF, noise)], []
        for time, features_BNF in enumerate(told_BTNF.unbind(dim=1), start=1):
            gumbel_BKM = None
            if noise is not None:
                gumbel_BKM = noise.gumbel("schema", time, (self.slot_count, self.module_count))
            files_BKD, shares_BKM = self.update(files[-1], features_BNF, gumbel_BKM)
            files.append(files_BKD)
            shares.append(shares_BKM)
        return torch.stack(files, dim=1), shares


class Schemata(nn.Module):
    """Attention of files to a frame, M cells, and the choice of one of these for each file."""

    def __init__(self, dim: int, features: int, schemata: int, key: int) -> None:
        super().__init__()
        self.frame_query = nn.Linear(dim, dim, bias=False)
        self.frame_key = nn.Linear(features, dim, bias=False)
        self.frame_value = nn.Linear(features, dim, bias=False)
        self.cells = nn.ModuleList(nn.GRUCell(dim, dim) for _ in range(schemata))
        self.key, self.query = nn.Linear(dim, key), nn.Linear(dim, key)

    def forward(
        self,
        files_BKD: Tensor,
        features_BNF: Tensor,
        gumbel_BKM: Tensor | None = None,
        forced_BK: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return the files (B,K,D) after a frame, and the schema of each as (B,K,M) of 0 and 1.

        `gumbel_BKM` is noise of the choice; `forced_BK` names schemata, -1 where there is a choice.
        """
        keys_BND = self.frame_key(features_BNF)
        _, weights_BKN = competing(self.frame_query(files_BKD), keys_BND)
        told_BKD = weights_BKN @ self.frame_value(features_BNF)
        flat = told_BKD.flatten(0, 1), files_BKD.flatten(0, 1)
        proposed_BKMD = torch.stack([cell(*flat) for cell in self.cells], dim=1)
        proposed_BKMD = proposed_BKMD.unflatten(0, files_BKD.shape[:2])
        queries_BKE = self.query(files_BKD)
        logits_BKM = (self.key(proposed_BKMD) @ queries_BKE[..., None]).squeeze(-1)
        logits_BKM = logits_BKM / math.sqrt(queries_BKE.shape[2])
        if gumbel_BKM is not None:
            logits_BKM = logits_BKM + gumbel_BKM
        places_BK = logits_BKM.argmax(dim=2)
        if forced_BK is not None:
            places_BK = torch.where(forced_BK < 0, places_BK, forced_BK)
        soft_BKM = logits_BKM.softmax(dim=2)
        # The value of one schema alone, with the gradient of shares.
        shares_BKM = one_hot(places_BK, soft_BKM) + (soft_BKM - soft_BKM.detach())
        return chosen(proposed_BKMD, shares_BKM), shares_BKM
