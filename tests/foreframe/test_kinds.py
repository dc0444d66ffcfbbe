"""Kinds are the files of a package that define Settings."""

from typing import Literal

import pytest

from foreframe import kinds
from foreframe.errors import UserError

PACKAGES = ["foreframe.sources", "foreframe.autoencoders", "foreframe.priors"]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_kind_is_found_by_name_and_says_its_name(package: str) -> None:
    names = kinds.available(package)
    assert names
    for name in names:
        settings = kinds.find(package, name).Settings
        assert settings.model_fields["kind"].annotation == Literal[name]


@pytest.mark.parametrize("kind", ["pixel_snale", "../errors", "", None, 3, "__init__", "os"])
def test_an_unknown_kind_is_refused_with_the_list(kind: object) -> None:
    with pytest.raises(UserError, match=r"is unknown.*pixel_snail"):
        kinds.find("foreframe.priors", kind)
