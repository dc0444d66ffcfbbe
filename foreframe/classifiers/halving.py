"""What classifiers share whose layers halve the picture until a single place is left."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from foreframe.classifiers import ClassifierSettings
from foreframe.config.training import Plan
from foreframe.errors import UserError
from foreframe.models import Shape
from foreframe.networks.clip_trunk import halved

Width = Annotated[int, Field(ge=1)]
Widths = Annotated[tuple[Width, ...], Field(min_length=1)]


class HalvingSettings(ClassifierSettings):
    """What they all have.

    The thesis says nothing of their training; Adam with 0.001, batches of 32 and at most 50 epochs,
    judged by the validation error, is what is recommended.
    """

    training: Plan
    widths: Widths  # channels of each layer

    @model_validator(mode="after")
    def _learns_whole_clips(self) -> Self:
        for number, phase in enumerate(self.training.phases, 1):
            if phase.frames not in (None, self.view.frames):
                raise ValueError(
                    f"Phase {number} of the training has clips of {phase.frames} frames, but "
                    f"view.frames is {self.view.frames}. Set its frames to null."
                )
        return self


class VolumeSettings(HalvingSettings):
    """Of those whose convolutions are of several frames, the fewer the later."""

    kernels: Widths  # frames of each layer's kernel

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.kernels) != len(self.widths):
            raise ValueError(
                f"There are {len(self.kernels)} kernels, but {len(self.widths)} widths. Give a "
                "number of each for every layer."
            )
        if list(self.kernels) != sorted(self.kernels, reverse=True):
            raise ValueError(
                f"kernels are {list(self.kernels)}, but early layers see most frames. Let no "
                "kernel be larger than the one before."
            )
        needed = self.view.frames + 1 - self.steps
        if self.steps < 1:
            raise ValueError(
                f"view.frames is {self.view.frames}, but the kernels take {needed} frames, since "
                f"time is never padded. Set view.frames to {needed} or more, or lower kernels."
            )
        return self

    @property
    def steps(self) -> int:
        """How many steps are left of a clip's frames."""
        return self.view.frames - sum(kernel - 1 for kernel in self.kernels)


def sizes(kind: str, shape: Shape, layers: int) -> list[tuple[int, int]]:
    """Return rows and columns after each layer.

    Raises:
        UserError: more than a single place is left.
    """
    found = [
        (halved(shape.height, times), halved(shape.width, times)) for times in range(1, layers + 1)
    ]
    rows, columns = found[-1]
    if rows * columns > 1:
        needed = (max(shape.height, shape.width) - 1).bit_length()
        raise UserError(
            f"The classifier {kind} halves frames {layers} times, and of {shape.height} x "
            f"{shape.width} pixels {rows} x {columns} places are left, not one. Give it {needed} "
            "layers, or lower source.height and source.width."
        )
    return found
