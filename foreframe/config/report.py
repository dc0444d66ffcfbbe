"""The section `report` of params.yaml: what stands on the title page, and what it is about."""

from typing import Annotated

from pydantic import Field

from foreframe.config.base import Strict


class Report(Strict):
    """Title and author of the report, as plain text; the protocol that it is about, or null.

    Without a title the report has one that its data allow: of driving, or of video.
    """

    title: Annotated[str, Field(min_length=1, max_length=200)] | None
    author: Annotated[str, Field(min_length=1, max_length=200)]
    protocol: str | None
