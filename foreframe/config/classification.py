"""A section of params.yaml that says how trained classifiers are measured."""

from typing import Annotated

from pydantic import Field

from foreframe.config.base import Strict


class Classification(Strict):
    """What is measured beside how often a classifier errs.

    merged: other labels of the data, to whose classes those of the classifier are taken together;
    of Dynamics `path` and `speed`, the seven simpler labels. nearest: the sides of a picture, in
    pixels, in which the nearest training frame is looked for, a control without training, or null.
    train_clips: of how many training clips the error is measured, drawn at random, or null for all.
    """

    merged: tuple[str, ...]
    nearest: Annotated[int, Field(ge=1)] | None
    train_clips: Annotated[int, Field(ge=1)] | None
