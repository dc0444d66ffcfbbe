"""Points of a mixture and what models make of them: a column for each model, a row for each kind.

Rows are those of figure 4.8 of Mastropietro (2017): held-out points, their latents, what comes back
of them, what the prior draws, and what is made of that. Colours are components of the mixture.
"""

from typing import Annotated, Any

from pydantic import Field

from foreframe.report import style
from foreframe.report.desk import Chart, Desk

# Names of arrays, what a row is called, how far it reaches, and whether it has components.
ROWS = (
    ("points", "test points", 6.0, True),
    ("latents", "latents", 4.0, True),
    ("reconstructions", "reconstructions", 6.0, True),
    ("prior", "prior", 4.0, False),
    ("samples", "samples", 6.0, False),
)
SIZE = 1.2  # of a mark


class Settings(Chart):
    """`columns` are the analyses of a model's trainings, by its title.

    Of several the one that found most components is shown, the first of equal ones.
    """

    columns: Annotated[dict[str, list[str]], Field(min_length=1)]


def fill(canvas: Any, settings: Settings, desk: Desk) -> None:
    """Draw the planes; one of a model without an encoder stays empty."""
    every = canvas.subplots(len(ROWS), len(settings.columns), squeeze=False)
    for place, (title, runs) in enumerate(settings.columns.items()):
        best = max(runs, key=lambda run: desk.number(run, "modes.found").value)
        with desk.arrays("analysis_arrays", best) as file:
            shades_N = file["components"][:]
            for axes, (name, _, far, known) in zip(every[:, place], ROWS, strict=True):
                axes.set(xlim=(-far, far), ylim=(-far, far), aspect="equal", xticks=[], yticks=[])
                axes.grid(visible=False)
                if name not in file:
                    continue
                points_N2 = file[name][:]
                shade = {"c": shades_N, "cmap": "turbo"} if known else {"color": style.INK}
                axes.scatter(points_N2[:, 0], points_N2[:, 1], s=SIZE, linewidths=0, **shade)
        every[0, place].set_title(title)
    for axes, (_, label, _, _) in zip(every[:, 0], ROWS, strict=True):
        axes.set_ylabel(label)
