"""Weights with the layout of a public file and numbers of our own."""

from pathlib import Path

import torch
from torch import Tensor

from foreframe.features import store
from foreframe.features.layout import Layout
from foreframe.features.registry import Entry
from foreframe.features.store import Weights


def tensors(layout: Layout, seed: int = 0) -> dict[str, Tensor]:
    """Return random weights that keep activations of about unit size, of the shapes of a layout."""
    generator = torch.Generator().manual_seed(seed)
    return {name: _tensor(name, shape, generator) for name, shape in layout.items()}


def _tensor(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    if name.endswith(("running_var", "bn.weight")):
        return 0.5 + torch.rand(shape, generator=generator)
    if name.startswith("lin"):
        return torch.rand(shape, generator=generator)  # the heads of LPIPS are not negative
    numbers = torch.randn(shape, generator=generator)
    inputs = numbers[0].numel() if numbers.ndim > 1 else 100
    return numbers * (2 / inputs) ** 0.5


def weights(entry: Entry, seed: int = 0) -> Weights:
    """Return what the store would give for an entry."""
    return Weights(entry.name, tensors(entry.stored(), seed), f"{seed:064x}")


def public_file(folder: Path, entry: Entry, seed: int = 0) -> Path:
    """Write a file as the publisher would have, and return its path."""
    path = folder / entry.file
    torch.save(tensors(entry.published(), seed), path)
    return path


def unpinned(entry: Entry, **changes: object) -> Entry:
    """Return an entry that accepts any file of its layout."""
    return Entry(**{**vars(entry), "sha256": None, **changes})


def stored(folder: Path, entry: Entry, seed: int = 0) -> Path:
    """Add synthetic weights to a store and return where they are."""
    file = public_file(folder, entry, seed)
    store.add(folder, unpinned(entry), file)
    file.unlink()
    return store.path(folder, entry.name)
