"""How much each channel of a latent carries: strips of colour, a panel for each of some models.

What an analysis `channel_kl` stored: the mean KL of every channel, a strip for each level.
"""

from typing import Annotated, Any

from matplotlib.ticker import MaxNLocator
from pydantic import Field

from foreframe.analyses.channel_kl import PREFIX
from foreframe.errors import UserError
from foreframe.report.desk import Chart, Desk


class Settings(Chart):
    """`of` are titles by the run of an analysis; from `top` nats on the colour stays the same."""

    of: Annotated[dict[str, str], Field(min_length=1)]
    top: Annotated[float, Field(gt=0)]


def fill(canvas: Any, settings: Settings, desk: Desk) -> None:
    """Draw the levels one below the other, the coarsest first, on one scale from zero."""
    found = {run: _levels(run, desk) for run in settings.of}
    sizes = sorted({size for levels in found.values() for size in levels})
    every = canvas.subplots(len(sizes), len(found), squeeze=False)
    for column, (run, levels) in enumerate(found.items()):
        for axes, size in zip(every[:, column], sizes, strict=True):
            axes.set(yticks=[], xlim=(-0.5, len(levels.get(size, [0])) - 0.5))
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(visible=False)
            if size in levels:
                image = axes.imshow(
                    levels[size][None],
                    vmin=0,
                    vmax=settings.top,
                    cmap="magma",
                    aspect="auto",
                    interpolation="nearest",
                )
            if column == 0:
                axes.set_ylabel(f"{size}×{size}", rotation=0, ha="right", va="center")
        every[0, column].set_title(settings.of[run])
        every[-1, column].set_xlabel("channel")
    canvas.colorbar(image, ax=list(every.flat), label="KL (nats)", extend="max", pad=0.02)


def _levels(run: str, desk: Desk) -> dict[int, Any]:
    """Return the KL (Z,) of each channel by the rows of the level."""
    with desk.arrays("analysis_arrays", run) as file:
        names = [name for name in file if name.startswith(PREFIX)]
        found = {int(name.removeprefix(PREFIX)): file[name][:] for name in names}
    if not found:
        raise UserError(f"the analysis {run} has no KL of channels. Name one of channel_kl.")
    return found
