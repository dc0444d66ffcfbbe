"""From features of a frame and latents at several resolutions to the next frame.

Castrejon et al. 2019 (thesis of 2022, table 4.5): a recurrent cell at every resolution. In the
capacity ladder (table 4.1) only the first ones have it.

Shapes: B clips, D context frames, S steps, I and C channels, Z channels of a latent, H rows,
W columns. A resolution is named by its rows; states are kept by resolution.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from foreframe.networks.conv_lstm import ConvLSTM, Pair
from foreframe.networks.latent_hierarchy import Cell, Layout, StartingState, each_step, over_time
from foreframe.networks.recomputed import Layers
from foreframe.networks.residual_frames import enlarging, normalized


class Stage(nn.Module):
    """One resolution of the decoder: a recurrent cell, if any, then the way to the next one."""

    def __init__(self, layout: Layout, size: int, inputs: int, colours: int) -> None:
        super().__init__()
        inputs += layout.latents.get(size, 0)
        outputs, top, last = inputs, size == layout.sizes[0], size == layout.sizes[-1]
        self.cell: Cell | None = None
        self.starting: StartingState | None = None
        if size in layout.recurrent:
            outputs = layout.widening * layout.hidden[size]
            # A single place is little to normalise: the published top cell does without.
            self.cell = ConvLSTM(inputs, outputs) if top else layout.cell(inputs, outputs)
            # As published; the ladder's counts say 1.
            kernel = 3 if size == layout.sizes[1] and layout.cells == "normalized" else 1
            self.starting = StartingState(layout, size, outputs, kernel)
        if last:
            width = layout.hidden[size]
            self.leave: nn.Sequential = Layers(
                normalized(outputs, width, 3, layout.style.groups, layout.style),
                nn.Conv2d(width, colours, 3, padding=1),
            )
        else:
            above = layout.sizes[layout.sizes.index(size) + 1]
            self.leave = enlarging(outputs, layout.hidden[above], size, layout.style)

    def forward(self, x_BSIHW: Tensor, pair: Pair | None) -> tuple[Tensor, Pair | None]:
        """Return what goes to the next resolution (B,S,C,H,W), and the state after the steps."""
        if self.cell is not None:
            assert pair is not None
            x_BSIHW, pair = over_time(self.cell, x_BSIHW, pair)
        return each_step(self.leave, x_BSIHW), pair


class RecurrentDecoder(nn.Module):
    """The top features of the frame before and all latents to the next frame.

    Nothing else of the frame before comes here: detail comes through the states alone, which the
    context begins.
    """

    def __init__(self, layout: Layout, colours: int) -> None:
        super().__init__()
        inputs = {size: layout.hidden[size] for size in layout.sizes[1:]} | {1: layout.features[1]}
        self.stages = nn.ModuleDict(
            {str(size): Stage(layout, size, inputs[size], colours) for size in layout.sizes}
        )

    def start(self, features: Mapping[int, Tensor]) -> dict[int, Pair | None]:
        """Return the state of each resolution, of features (B,D,C,H,W) of the context."""
        return {
            size: None if stage.starting is None else stage.starting(features[size])
            for size, stage in self._stages().items()
        }

    def forward(
        self,
        top_BSC11: Tensor,
        latents: Mapping[int, Tensor],
        states: Mapping[int, Pair | None],
    ) -> tuple[Tensor, dict[int, Pair | None]]:
        """Return what says the frames (B,S,C,H,W) of the steps, and the states after them."""
        x_BSCHW, after = top_BSC11, {}
        for size, stage in self._stages().items():
            if size in latents:
                x_BSCHW = torch.cat([x_BSCHW, latents[size]], dim=2)
            x_BSCHW, after[size] = stage(x_BSCHW, states[size])
        return x_BSCHW, after

    def _stages(self) -> dict[int, Stage]:
        stages = {}
        for name, stage in self.stages.items():
            assert isinstance(stage, Stage)
            stages[int(name)] = stage
        return stages
