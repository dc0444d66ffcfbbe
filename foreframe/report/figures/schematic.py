"""Networks as boxes and arrows, with the numbers of a run's own settings."""

from typing import Literal

from foreframe.report.desk import Desk, Picture, Spec
from foreframe.report.schematics import conditional_pixel_snail, pixel_snail, vqvae
from foreframe.report.schematics.diagram import Diagram


class Settings(Spec):
    """`of` is the run, `codes` that of the autoencoder whose codes they are.

    `data` is the data set whose latents and clips have the sizes that it shows.
    """

    of: str
    codes: str
    data: str
    show: Literal["overview", "stacks", "pixel_snail", "gated_layer", "attention", "bottom_prior"]


def draw(settings: Settings, desk: Desk) -> list[Picture]:
    """Return the drawing."""
    desk.note("training", settings.of)
    return [Picture(diagram(settings, desk).figure)]


def diagram(settings: Settings, desk: Desk) -> Diagram:
    """Return the boxes and arrows."""
    run, data = desk.run(settings.of), settings.data
    grids = {level: (grid[0], grid[1], grid[2]) for level, grid in desk.grids(data).items()}
    codes = int(desk.run(settings.codes)["codebook_size"])
    if settings.show in ("overview", "stacks"):
        frames = int(desk.number(settings.of, "clip_frames").value)
        height, width = (int(desk.number(data, name).value) for name in ("height", "width"))
        clip = (frames, height, width)
        return getattr(vqvae, settings.show)(run, clip, grids)
    if settings.show == "gated_layer":
        return pixel_snail.gated_layer(run["channels"], pixel_snail.KERNEL)
    if settings.show == "bottom_prior":
        return conditional_pixel_snail.network(run, dict.fromkeys(grids, codes), grids)
    grid = grids[run["level"]]
    if settings.show == "attention":
        return pixel_snail.attention(run, grid)
    return pixel_snail.network(run, codes, grid)
