"""The commands `foreframe data`: which public datasets can be read, and whether a copy is whole."""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

from foreframe.config import reading
from foreframe.errors import UserError
from foreframe.sources import datasets
from foreframe.sources.datasets import Dataset
from foreframe.sources.reading import downloads

# How many names of missing or damaged files are printed before "and N more".
LISTED = 10


def show(params: Path) -> None:
    """Print every public dataset: what it is, where it comes from, and what of it is there."""
    for kind in datasets.names():
        dataset = datasets.of(kind)
        folder, configured = _copy(kind, dataset, params)
        mark = ", the source of params.yaml" if configured else ""
        print(f"{kind}: {dataset.title}{mark}")
        print(f"  size      {dataset.size}")
        print(f"  licence   {dataset.licence}")
        print(f"  page      {dataset.page}")
        print(f"  download  {_download(dataset)}")
        for number, line in enumerate(dataset.files):
            print(f"  {'files' if number == 0 else '':8}  {line}")
        print(f"  here      {_here(dataset, folder)}")
    print("The sources and their settings are explained in docs/data.md.")


def check(kind: str, params: Path, folder: Path | None) -> int:
    """Print whether a copy of a dataset is complete and undamaged; return 1 if it is not.

    Raises:
        UserError: there is no such dataset, or nothing of it in the folder.
    """
    dataset = datasets.of(kind)
    place = _copy(kind, dataset, params)[0] if folder is None else folder
    found = dataset.find(place)
    print(f"{dataset.title} in {place}, {dataset.unit}:")
    wrong = _compare(found.counts, dataset)
    wrong |= _names("missing", found.missing)
    # What the folder has besides harms nothing: it is not read.
    _names("not of the dataset", found.extra)
    wrong |= _names("damaged", list(dataset.damage(place)))
    print("Not complete." if wrong else "Complete." if dataset.published else "As its lists say.")
    return int(wrong)


def _copy(kind: str, dataset: Dataset, params: Path) -> tuple[Path, bool]:
    """Return the folder that a kind of source reads, and whether params.yaml names that kind.

    Of several data sets the first of that kind counts, or else the first.
    """
    # Not checked: these commands are for finding out what a source still lacks.
    entries = reading.select(reading.load(params), "data", params)
    own = [key for key in entries if reading.select(entries, f"{key}.source.kind", params) == kind]
    first = reading.select(entries, [*own, *entries][0], params)
    if own and first["source"].get("download") is True and dataset.pins:
        return downloads.place(dataset.pins), True
    return Path(reading.select(first, "videos", params)), bool(own)


def _download(dataset: Dataset) -> str:
    if not dataset.pins:
        return "by hand: no checksum is published, or people have to register"
    gigabytes = sum(pin.size for pin in dataset.pins) / 1e9
    return f"with source.download: true, {gigabytes:.1f} GB, pinned by sha256"


def _here(dataset: Dataset, folder: Path) -> str:
    try:
        found = dataset.find(folder)
    except UserError:
        return f"nothing in {folder}"
    counts = ", ".join(f"{count:,} {part}" for part, count in found.counts.items())
    rest = f"; {len(found.missing):,} missing" if found.missing else ""
    return f"{counts or 'no'} {dataset.unit} in {folder}{rest}"


def _compare(counts: Mapping[str, int], dataset: Dataset) -> bool:
    """Print the number in each set, and return whether one is not the published one."""
    wrong = False
    for part in sorted({*counts, *dataset.published}):
        count, published = counts.get(part, 0), dataset.published.get(part)
        if published is None:
            print(f"  {part:10} {count:,}")
        else:
            print(f"  {part:10} {count:,} of {published:,}")
            wrong |= count != published
    return wrong


def _names(what: str, names: Sequence[str]) -> bool:
    """Print the first of some names, and return whether there are any."""
    if names:
        print(f"  {what}: {len(names):,}")
    for name in islice(names, LISTED):
        print(f"    {name}")
    if len(names) > LISTED:
        print(f"    and {len(names) - LISTED:,} more")
    return bool(names)
