"""One finding of the doctor, and what several checks say or use."""

from dataclasses import dataclass
from typing import Literal

GIB = 2**30

SET_UP = "Run: make setup"


@dataclass(frozen=True)
class Check:
    """One finding; `cure` is empty where nothing is to be done."""

    name: str
    status: Literal["ok", "warning", "missing"]
    detail: str
    cure: str = ""
