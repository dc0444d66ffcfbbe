"""Public weight files are data: what PyTorch wrote comes back, and nothing in them is ever run."""

import os
import pickle
import random
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchmetrics
from torch import Tensor, nn

from foreframe.errors import ArtefactError
from foreframe.features import archive

Save = Callable[[Any, Path], None]


def save_zip(content: Any, path: Path) -> None:
    torch.save(content, path)


def save_legacy(content: Any, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


both = pytest.mark.parametrize("save", [save_zip, save_legacy])


def assorted() -> dict[str, Tensor]:
    """Return tensors of many kinds, some of which share memory or are not contiguous."""
    base = torch.arange(24.0).reshape(4, 6)
    return OrderedDict(
        matrix=base,
        shared=base[1],
        transposed=base.t(),
        every_other=base[:, ::2],
        scalar=torch.tensor(3.5),
        empty=torch.zeros(0, 3),
        parameter=nn.Parameter(torch.randn(2, 3)),
        double=torch.randn(3, dtype=torch.float64),
        half=torch.randn(5).half(),
        brain=torch.randn(5).bfloat16(),
        long=torch.tensor([-1, 2**40]),
        int=torch.tensor([-7], dtype=torch.int32),
        short=torch.tensor([-7], dtype=torch.int16),
        signed=torch.tensor([-7], dtype=torch.int8),
        byte=torch.tensor([7], dtype=torch.uint8),
        truth=torch.tensor([True, False]),
    )


@both
def test_every_kind_of_tensor_comes_back(save: Save, tmp_path: Path) -> None:
    content = assorted()
    save(content, tmp_path / "w.pth")
    found = archive.read(tmp_path / "w.pth")
    assert list(found) == list(content)
    for name, tensor in content.items():
        assert found[name].dtype == tensor.dtype, name
        assert torch.equal(found[name], tensor.detach()), name
        assert found[name].is_contiguous(), name


@both
def test_tensors_that_shared_memory_are_apart(save: Save, tmp_path: Path) -> None:
    save(assorted(), tmp_path / "w.pth")
    found = archive.read(tmp_path / "w.pth")
    found["matrix"].zero_()
    assert bool(found["shared"].any())


@both
def test_a_checkpoint_gives_its_state_dict(save: Save, tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    content = {"epoch": 3, "state_dict": model.state_dict(), "loss": 0.5, "name": "x", "best": None}
    save(content, tmp_path / "w.pth")
    found = archive.read(tmp_path / "w.pth")
    assert found.keys() == model.state_dict().keys()
    assert all(torch.equal(found[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("name", ["alex", "vgg"])
def test_published_files_are_read_as_pytorch_reads_them(name: str) -> None:
    """The heads of LPIPS, which torchmetrics ships, were written by Python 2 on a GPU."""
    path = Path(torchmetrics.__file__).parent / f"functional/image/lpips_models/{name}.pth"
    expected = torch.load(path, map_location="cpu", weights_only=True)
    found = archive.read(path)
    assert len(found) == 5
    assert all(torch.equal(found[key], expected[key]) for key in expected)


class Evil:
    """What an attacker puts into a file: it runs a command when it is loaded the usual way."""

    def __init__(self, marker: Path) -> None:
        self._marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self._marker}",)


def contents(marker: Path) -> dict[str, Any]:
    evil = Evil(marker)
    return {
        "alone": evil,
        "beside tensors": {"weight": torch.ones(2), "other": evil},
        "in the state": {"state_dict": OrderedDict(weight=torch.ones(2)), "epoch": evil},
        "as a key": {("a", evil): torch.ones(2)},
    }


@both
@pytest.mark.parametrize("place", contents(Path()))
def test_a_malicious_file_runs_nothing(save: Save, place: str, tmp_path: Path) -> None:
    marker, path = tmp_path / "was-here", tmp_path / "w.pth"
    save(contents(marker)[place], path)
    with pytest.raises(ArtefactError, match=r"asks for posix\.system.* Nothing of it was run"):
        archive.read(path)
    assert not marker.exists()
    torch.load(path, weights_only=False)
    assert marker.exists(), "the file was harmless, so that the test showed nothing"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_bare_pickle_runs_nothing(protocol: int, tmp_path: Path) -> None:
    marker, path = tmp_path / "was-here", tmp_path / "w.pth"
    path.write_bytes(pickle.dumps(Evil(marker), protocol))
    with pytest.raises(ArtefactError):
        archive.read(path)
    assert not marker.exists()


def test_objects_of_other_classes_are_refused(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "w.pth")
    with pytest.raises(ArtefactError, match=r"torch\.nn\.modules\.linear\.Linear"):
        archive.read(tmp_path / "w.pth")


@pytest.mark.filterwarnings("ignore:.*torch.jit.*is deprecated:DeprecationWarning")
def test_a_program_is_refused(tmp_path: Path) -> None:
    torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)), str(tmp_path / "w.pt"))
    with pytest.raises(ArtefactError, match="TorchScript program"):
        archive.read(tmp_path / "w.pt")


@pytest.mark.parametrize("content", [[torch.ones(1)], {}, {"a": 1}, 3, torch.ones(2)])
def test_what_is_no_dictionary_of_tensors_is_refused(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(ArtefactError, match="dictionary"):
        archive.read(tmp_path / "w.pth")


def test_missing_empty_and_foreign_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"no\.pth does not exist"):
        archive.read(tmp_path / "no.pth")
    for content in (b"", b"<html>404</html>", os.urandom(999)):
        (tmp_path / "w.pth").write_bytes(content)
        with pytest.raises(ArtefactError, match=r"w\.pth"):
            archive.read(tmp_path / "w.pth")
    with zipfile.ZipFile(tmp_path / "w.pth", "w") as file:
        file.writestr("a.txt", "text")
    with pytest.raises(ArtefactError, match="not one of PyTorch's"):
        archive.read(tmp_path / "w.pth")


def rewritten(path: Path, change: Callable[[str, bytes], bytes], compression: int) -> None:
    """Write a ZIP archive anew with some entries changed."""
    with zipfile.ZipFile(path) as file:
        entries = {name: file.read(name) for name in file.namelist()}
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in entries.items():
            file.writestr(name, change(name, content))


def test_numbers_that_are_short_compressed_or_big_endian_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    changes: dict[str, tuple[Callable[[str, bytes], bytes], int]] = {
        "reaches beyond": (lambda name, old: old[:-4] if "/data/" in name else old, 0),
        "compressed": (lambda _, old: old, zipfile.ZIP_DEFLATED),
        "big-endian": (lambda name, old: b"big" if name.endswith("byteorder") else old, 0),
    }
    for words, (change, compression) in changes.items():
        torch.save({"weight": torch.ones(10)}, path)
        rewritten(path, change, compression)
        with pytest.raises(ArtefactError, match=words):
            archive.read(path)


def test_a_tensor_larger_than_its_numbers_is_refused(tmp_path: Path) -> None:
    """One number seen a million million times would fill any memory."""
    torch.save({"weight": torch.ones(1).expand(10**6, 10**3)}, tmp_path / "w.pth")
    with pytest.raises(ArtefactError, match="beyond its numbers"):
        archive.read(tmp_path / "w.pth")
    torch.save({"weight": torch.ones(1).expand(10**6, 10**6)}, tmp_path / "w.pth")
    with pytest.raises(ArtefactError, match="bytes of tensors"):
        archive.read(tmp_path / "w.pth")


@both
def test_damage_never_ends_in_anything_but_a_plain_error(save: Save, tmp_path: Path) -> None:
    """Any byte may be wrong and the file may end anywhere; a wrong number may pass unnoticed."""
    whole, path = tmp_path / "whole.pth", tmp_path / "w.pth"
    save({"state_dict": assorted(), "epoch": 3}, whole)
    content = whole.read_bytes()
    generator = random.Random(0)
    refused = 0
    for _ in range(400):
        damaged = bytearray(content)
        for _ in range(generator.choice([1, 1, 5])):
            damaged[generator.randrange(len(damaged))] = generator.randrange(256)
        if generator.random() < 0.3:
            del damaged[generator.randrange(len(damaged)) :]
        path.write_bytes(damaged)
        try:
            archive.read(path)
        except ArtefactError as error:
            refused += 1
            assert "w.pth" in str(error)
    assert refused > 100
