"""Kinds are the files of a package that define Settings."""

from pathlib import Path
from typing import Literal

import pytest
import torch

from foreframe import kinds
from foreframe.errors import UserError
from foreframe.metrics import catalogue

PACKAGES = ["foreframe.sources", "foreframe.autoencoders", "foreframe.priors"]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_kind_is_found_by_name_and_says_its_name(package: str) -> None:
    names = kinds.available(package)
    assert names
    for name in names:
        settings = kinds.find(package, name).Settings
        assert settings.model_fields["kind"].annotation == Literal[name]


def test_a_metric_is_a_file_with_its_name(tmp_path: Path) -> None:
    """And its neighbours, such as the mean of numbers, are none."""
    names = kinds.available(catalogue.PACKAGE)
    assert {"psnr", "fvd_pooled", "lpips_vgg"} <= set(names) and "mean" not in names
    for name in names:
        found = catalogue.find(name, tmp_path, torch.device("cpu"))
        assert found.name == name and found.variant and found.better in ("higher", "lower")
        ways = (found.compare, found.accumulate, found.missing)
        assert sum(way is not None for way in ways) == 1
        module = kinds.find(catalogue.PACKAGE, name)
        assert (found.missing is not None) == name.startswith(
            ("fvd", "lpips", "fid", "incep", "precision", "recall")
        )
        assert module.__name__ == f"{catalogue.PACKAGE}.{name}"


@pytest.mark.parametrize("kind", ["pixel_snale", "../errors", "", None, 3, "__init__", "os"])
def test_an_unknown_kind_is_refused_with_the_list(kind: object) -> None:
    with pytest.raises(UserError, match=r"is unknown.*pixel_snail"):
        kinds.find("foreframe.priors", kind)
