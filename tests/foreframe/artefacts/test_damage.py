"""A damaged file gives an error that names it and the cure, or its content; never other data.

Damage is tried in a process of its own: a library may crash or never return.
"""

import collections
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy
import pandas
import pytest
import torch

from foreframe.artefacts import facts, hdf5, tables, tensors
from foreframe.errors import ArtefactError
from foreframe.randomness import generator, numpy_generator

ROOT = Path(__file__).resolve().parents[3]
FLIPS = 1000
STEP = 64  # bytes between the lengths that a file is cut to
PAGE = 512  # bytes; smaller than those of a disk, so that a small file has some
SECONDS = 100  # far more than any of it takes

Content = dict[str, object]


def write_facts(path: Path) -> None:
    values = {
        "loss": 1e-05,
        "steps": 123456,
        "name": "vidéo",
        "sets": {"train": [[0, 200], [210, 320]], "test": [[330, 400]]},
        "environment": {"threads": 1, "deterministic": True, "gpu": None},
    }
    facts.write(path, "test", values)


def read_facts(path: Path) -> Content:
    return facts.read(path, "test")


def write_table(path: Path) -> None:
    losses = numpy_generator(0, "losses").random(40)
    checksum = tables.write(path, pandas.DataFrame({"step": range(40), "loss": losses}))
    path.with_suffix(".checksum").write_text(json.dumps(checksum))


def read_table(path: Path) -> Content:
    checksum = json.loads(path.with_suffix(".checksum").read_text())
    return {"rows": tables.read(path, ("step", "loss"), checksum).to_numpy().tobytes()}


def write_weights(path: Path) -> None:
    numbers = generator(0, "weights")
    weights = {
        "convolution.weight": numbers.normal((4, 3, 3)),
        "half": numbers.normal((5,)).to(torch.bfloat16),
        "codes": torch.arange(6),
        "scalar": torch.tensor(0.5),
        "none": torch.zeros(0, 3),
        "mask": torch.tensor([True, False, True]),
    }
    tensors.write(path, weights, "test", {"kind": "x", "settings": {"layers": 3, "rate": 0.1}})


def read_weights(path: Path) -> Content:
    weights, header = tensors.read(path, "test")
    found: Content = {
        name: (value.dtype, value.shape, value.reshape(-1).view(torch.uint8).numpy().tobytes())
        for name, value in weights.items()
    }
    return {**found, "": header}


def write_arrays(path: Path) -> None:
    numbers = numpy_generator(0, "arrays")
    attributes = {"levels": json.dumps(["top", "bottom"]), "interval": 0.1, "nothing": ""}
    with hdf5.creating(path, "test", attributes) as file:
        frames = numbers.integers(0, 256, (20, 8, 8, 3)).astype(numpy.uint8)
        hdf5.store(file, "frames", frames, (4, 8, 8, 3))
        hdf5.store(file, "origin", ["seed 1", "vidéo.mp4"])
        hdf5.store(file, "none", numpy.zeros((0, 3), numpy.int16))
        for name in ("train", "test"):
            group = file.create_group(name)
            hdf5.store(group, "clip_start", numpy.arange(9))
            codes = numbers.integers(0, 32, (9, 2, 4, 4)).astype(numpy.int16)
            hdf5.store(group, "top", codes, (1, 2, 4, 4))
        # As a recording grows.
        grown = hdf5.dataset(file, "grown", (0, 3), numpy.float32, (2, 3), (None, 3))
        for row in range(7):
            grown.resize(row + 1, axis=0)
            grown[row] = row


def read_arrays(path: Path) -> Content:
    found: Content = {}

    def note(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = (item.shape, item.dtype.str, item[...].tobytes())

    with hdf5.opening(path, "test") as file:
        found[""] = {name: str(value) for name, value in file.attrs.items()}
        file.visititems(note)
    return found


KINDS: dict[str, tuple[Callable[[Path], None], Callable[[Path], Content]]] = {
    "facts": (write_facts, read_facts),
    "table": (write_table, read_table),
    "weights": (write_weights, read_weights),
    "arrays": (write_arrays, read_arrays),
}


def flipped(whole: bytes) -> Iterator[bytes]:
    """Yield the file with one bit changed, at random places."""
    places = random.Random(0)
    for _ in range(FLIPS):
        bit = places.randrange(8 * len(whole))
        content = bytearray(whole)
        content[bit // 8] ^= 1 << bit % 8
        yield bytes(content)


def cut(whole: bytes) -> Iterator[bytes]:
    """Yield the first bytes of the file, at every 64th byte."""
    for length in range(0, len(whole), STEP):
        yield whole[:length]


def zeroed(whole: bytes) -> Iterator[bytes]:
    """Yield the file with one page of zeros, at every place."""
    for start in range(0, len(whole), PAGE):
        page = whole[start : start + PAGE]
        yield whole[:start] + bytes(len(page)) + whole[start + PAGE :]


DAMAGES = {"flipped": flipped, "cut": cut, "zeroed": zeroed}


def tally(kind: str, damage: str, folder: Path) -> dict[str, int]:
    """Count what reading each damaged file gives: an error, equal content, or something worse."""
    write, read = KINDS[kind]
    path = folder / "file.bin"
    write(path)
    whole, expected = path.read_bytes(), read(path)
    counts: collections.Counter[str] = collections.Counter()
    for number, content in enumerate(DAMAGES[damage](whole)):
        path.write_bytes(content)
        try:
            found = read(path)
        except ArtefactError as error:
            complete = str(path) in str(error) and facts.CURE in str(error)
            counts["error" if complete else f"unclear: {error}"] += 1
        else:
            counts["equal" if found == expected else f"other data, case {number}"] += 1
    return dict(counts)


@pytest.mark.parametrize("kind", KINDS)
def test_damage_gives_an_error_or_the_same_content(kind: str, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, str(Path(__file__)), kind, str(tmp_path)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert run.returncode == 0, f"exit code {run.returncode}: {run.stderr}"
    found = json.loads(run.stdout)
    assert found.keys() == DAMAGES.keys()
    for damage, counts in found.items():
        assert counts.keys() <= {"error", "equal"}, damage
        assert counts["error"] > 0, damage
    assert sum(found["flipped"].values()) == FLIPS


def test_a_white_page_that_turns_black_is_noticed(tmp_path: Path) -> None:
    # Fletcher's sum of 0xFF bytes is that of zeros.
    path = tmp_path / "white.h5"
    with hdf5.creating(path, "test", {}) as file:
        hdf5.store(file, "frames", numpy.full((4, 64, 64, 3), 255, numpy.uint8))
    content = bytearray(path.read_bytes())
    start = content.index(b"\xff" * 8000) + 1000
    content[start : start + 4096] = bytes(4096)
    path.write_bytes(content)
    with pytest.raises(ArtefactError, match="damaged"), hdf5.opening(path, "test") as file:
        file["frames"][...]


if __name__ == "__main__":
    found = {damage: tally(sys.argv[1], damage, Path(sys.argv[2])) for damage in DAMAGES}
    sys.stdout.write(json.dumps(found))
