"""What every trained network promises: the same start anywhere, files that are never misread."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from foreframe import kinds
from foreframe.artefacts import tensors
from foreframe.errors import ArtefactError
from foreframe.models import Model
from tests.foreframe.models import every
from tests.smoke import ROOT

EVERY = [pytest.param(*names, make, id=".".join(names)) for names, make in every.KINDS.items()]
NAMES = ("schema", "kind", "make")


def test_every_kind_of_every_role_is_among_them() -> None:
    found = {(role.schema, kind) for role in every.ROLES for kind in kinds.available(role.package)}
    assert found == every.KINDS.keys()


def test_two_processes_with_other_global_seeds_begin_with_the_same_bytes(tmp_path: Path) -> None:
    for seed in (1, 2):
        (tmp_path / str(seed)).mkdir()
        command = [sys.executable, "-m", "tests.foreframe.models.every"]
        subprocess.run([*command, str(tmp_path / str(seed)), str(seed)], cwd=ROOT, check=True)
    first, second = (sorted((tmp_path / seed).iterdir()) for seed in ("1", "2"))
    assert len(first) == len(every.KINDS)
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


@pytest.mark.parametrize(NAMES, EVERY)
def test_a_model_read_back_is_the_one_written(
    schema: str, kind: str, make: Callable[[], Model], tmp_path: Path
) -> None:
    role, model = every.role_of(schema), make()
    role.save(tmp_path / "one", model)
    again = role.load(tmp_path / "one")
    assert type(again) is type(model)
    assert again.settings == model.settings
    assert asdict(again.given) == asdict(model.given)
    assert not again.training
    expected = model.state_dict()
    assert again.state_dict().keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in again.state_dict().items())
    role.save(tmp_path / "two", again)
    assert (tmp_path / "two").read_bytes() == (tmp_path / "one").read_bytes()


@pytest.mark.parametrize(NAMES, EVERY)
def test_files_that_do_not_fit_are_refused_with_the_cure(
    schema: str, kind: str, make: Callable[[], Model], tmp_path: Path
) -> None:
    role, path = every.role_of(schema), tmp_path / "model"
    role.save(path, make())
    values, header = tensors.read(path, schema)
    del header["schema"], header["version"]
    other = {**header, "settings_version": header["settings_version"] + 1}
    older = {name: value for name, value in header.items() if name != "settings_version"}
    for changed in (other, older):
        tensors.write(path, values, schema, changed)
        with pytest.raises(ArtefactError, match=rf"settings of a {kind}; .*dvc repro"):
            role.load(path)
    name = next(name for name, value in values.items() if value.ndim > 0)
    tensors.write(path, {**values, name: values[name][:0]}, schema, header)
    with pytest.raises(ArtefactError, match=rf"(?s)other weights than a {kind}.*{name}.*dvc repro"):
        role.load(path)
    others = [another for another in every.ROLES if another.schema != schema]
    for another in others:
        with pytest.raises(ArtefactError, match=schema):
            another.load(path)
