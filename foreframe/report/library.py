"""Every artefact that a report may show, sorted by the schema that it names itself.

Any list of files, or of folders of them, will do: JSON, HDF5 and weights say what they are, a table
(CSV) is known by its checksum, which the facts of its stage hold. A file that nothing explains is
refused: two clones of one study could differ by what was left lying about.

What a file is of is read off its place: `data/STUDY/priors/top.json` is the training of the run
`top`, `data/STUDY/evaluations/joint/driving.json` is of the run `joint` under `driving`. Samples of
other programs (`data/external`) say themselves whose they are, and of which protocol.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import h5py

from foreframe.artefacts import facts, hdf5
from foreframe.artefacts.digest import digest
from foreframe.errors import ArtefactError, UserError

MAIN = "main"  # the run that a study's own evaluations and samples are of
DATA = "data"  # the folder of all studies' artefacts
TABLE = "_checksum"  # what the facts call a table's checksum, after the table's name
# Of these the file is called as its run, of the next its folder is; the file is the protocol.
BY_FILE = ("training", "autoencoder", "prior", "predictor", "analysis")
BY_FOLDER = ("evaluation", "samples")
OF_DATA = (
    "frames",
    "split",
    "normalization",
    "latents",
    "examples",
    "inspection",
    "probe",
    "state_probe",
)
# Folders of many runs; any other folder is a run's own, whose name comes before the file's.
ROOMS = ("autoencoders", "priors", "predictors", "classifiers", "analyses")
ARRAYS = ("analysis", "findings", "inspection")  # facts with arrays beside them, of one schema
EXTERNAL = "external_samples"  # what another program drew; `evaluate` has checked it
ELSEWHERE = "external"  # the folder of these, in which as for `evaluate` nothing else counts
COPIES = ".metrics.json"  # what DVC shows of a file of facts beside it


@dataclass(frozen=True)
class Artefact:
    """One input of a report.

    Attributes:
        schema: what it is, e.g. `training`; of a table with its name, as in `training_curve`.
        run: the run it is of; of a data set, its folder's name.
        where: the protocol or the data that it was made under, or nothing.
    """

    schema: str
    run: str
    where: str
    path: str
    digest: str  # as in dvc.lock
    bytes: int

    def facts(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)


class Library:
    """Artefacts by (schema, run, where)."""

    def __init__(self, paths: Iterable[Path]) -> None:
        """Look at every file.

        Raises:
            ArtefactError: a file is missing or damaged, or two are the same thing.
            UserError: nothing explains a file.
        """
        files = list(_files(paths))
        tables: dict[tuple[str, ...], tuple[str, str, str]] = {}
        found = {path: _identified(path, tables) for path in files if path.suffix != ".csv"}
        found |= {path: _table(path, tables) for path in files if path.suffix == ".csv"}
        if tables:
            schema, run, _ = next(iter(tables.values()))
            raise ArtefactError(f"{schema} of {run} is not among the results. Run `dvc repro`.")
        self.artefacts: dict[tuple[str, str, str], Artefact] = {}
        for each in (found[path] for path in files):
            key = (each.schema, each.run, each.where)
            if key in self.artefacts:
                raise ArtefactError(
                    f"{each.path} and {self.artefacts[key].path} are the same thing, "
                    f"{' '.join(key).strip()}. Give one of them."
                )
            self.artefacts[key] = each

    def paths(self) -> list[str]:
        """Return the paths of all artefacts."""
        return [each.path for each in self.artefacts.values()]

    def of(self, schema: str) -> list[Artefact]:
        """Return all artefacts of a schema."""
        return [each for each in self.artefacts.values() if each.schema == schema]

    def one(self, schema: str, run: str, where: str = "") -> Artefact:
        """Return one artefact.

        Raises:
            UserError: it is not there; the message lists what is.
        """
        try:
            return self.artefacts[schema, run, where]
        except KeyError:
            there = ", ".join(f"{each.run} {each.where}".strip() for each in self.of(schema))
            raise UserError(
                f"there is no {schema} of {f'{run} {where}'.strip()} among the results. "
                f"There is: {there or 'none'}."
            ) from None

    def refuse_leftovers(self, runs: Iterable[str]) -> None:
        """Refuse a result of a run that is not one of `runs`, or of their data, any more.

        Raises:
            UserError: there is one; it is named with the cure.
        """
        known = {MAIN, *runs, *(_folders(Path(path))[0] for path in self.paths())}
        for schema in (*BY_FILE, *BY_FOLDER, "models", "latents", "frames"):
            for each in self.of(schema):
                if each.run.partition("/")[0] not in known:
                    raise UserError(
                        f"{each.path} is of the run {each.run}, which the settings do not have. "
                        "It was left over by a removed variant: delete it."
                    )

    @cached_property
    def frame_interval(self) -> float:
        """Seconds from one frame to the next, in the first data set."""
        with hdf5.opening(Path(self.of("frames")[0].path), "frames") as file:
            return float(file.attrs["frame_interval"])


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.exists():
            raise facts.missing(path)
        names = "*.h5" if path.name == ELSEWHERE else "*"
        inside = sorted(each for each in path.rglob(names) if each.is_file() and not _aside(each))
        yield from [path] if path.is_file() else inside


def _aside(path: Path) -> bool:
    """Return whether a file of a folder is no result: hidden, or a copy for DVC to show."""
    whole = path.with_name(path.name.replace(COPIES, ".json"))
    return path.name.startswith(".") or (whole != path and whole.exists())


def _identified(path: Path, tables: dict[tuple[str, ...], tuple[str, str, str]]) -> Artefact:
    """Return what a file says that it is; add the tables that it names to `tables`."""
    read = READERS.get(path.suffix)
    content = read(path) if read is not None else {}
    schema = str(content.get("schema", ""))
    if not schema.startswith("foreframe/"):
        raise unexplained(path)
    schema = schema.removeprefix("foreframe/")
    if schema == EXTERNAL:
        return _artefact(path, schema, str(content["predictor"]), str(content["protocol"]))
    run, where = place(path, schema)
    if schema in ARRAYS and path.suffix == ".h5":
        schema += "_arrays"
    for name, value in content.items():
        if name.endswith(TABLE):
            table = f"{schema}_{name.removesuffix(TABLE)}"
            # Runs that ended at once may have equal tables: each belongs to the nearest facts.
            tables[(*value, _stem(path), table)] = (table, run, where)
    return _artefact(path, schema, run, where)


def _table(path: Path, tables: dict[tuple[str, ...], tuple[str, str, str]]) -> Artefact:
    checksum = tuple(facts.checksum(path.read_bytes()))
    fitting = [key for key in tables if key[: len(checksum)] == checksum]
    if not fitting:
        raise unexplained(path)
    # The nearest facts have the longest name that the table's begins with.
    nearest = max(fitting, key=lambda key: len(key[2]) * path.as_posix().startswith(key[2]))
    schema, run, where = tables.pop(nearest)
    return _artefact(path, schema, run, where)


def _stem(path: Path) -> str:
    return path.with_suffix("").as_posix()


def _artefact(path: Path, schema: str, run: str, where: str) -> Artefact:
    return Artefact(schema, run, where, path.as_posix(), digest(path), path.stat().st_size)


def unexplained(path: Path) -> UserError:
    """Return the error for a file that is no artefact, or belongs to none."""
    return UserError(
        f"{path} is explained by nothing: it names no schema of this project, or is a table of no "
        "run, as when it is damaged or of another run. Delete it and run `dvc repro`."
    )


def place(path: Path, schema: str) -> tuple[str, str]:
    """Return the run and the protocol (or data) that a file's place says."""
    study, folders = _folders(path)
    folder = folders[-1] if folders else ""
    if schema in BY_FILE:
        own = folder not in ("", path.stem, *ROOMS)
        return (f"{folder}/{path.stem}" if own else path.stem), ""
    if schema in BY_FOLDER:
        return (folders[1] if len(folders) > 1 else MAIN), path.stem
    if schema == "models":
        return folder or MAIN, ""
    if schema in OF_DATA and schema.endswith(path.stem):
        return folder or study, ""
    return path.stem, ""


def _folders(path: Path) -> tuple[str, tuple[str, ...]]:
    """Return the study whose artefact a file is, and the folders below that."""
    parts = path.parts
    first = parts.index(DATA) + 2 if DATA in parts else len(parts) - 1
    return parts[max(first - 1, 0)], parts[first:-1]


def _weights(path: Path) -> dict[str, Any]:
    """Return the header of weights; what reads the numbers too needs torch."""
    with path.open("rb") as file:
        size = int.from_bytes(file.read(8), "little")
        try:
            header = json.loads(json.loads(file.read(size))["__metadata__"]["foreframe"])
        except (KeyError, ValueError):
            raise unexplained(path) from None
    return dict(header)


def _arrays(path: Path) -> dict[str, Any]:
    try:
        if foreign := _foreign(path):
            return foreign
        with hdf5.Reader(path) as file:
            return dict(file.attrs)
    except hdf5.DAMAGE as error:
        raise ArtefactError(f"{path} cannot be opened: {error}. {facts.CURE}") from None


def _foreign(path: Path) -> dict[str, Any]:
    """Return what samples of another program say of themselves; of any other file, nothing.

    Other programs store text as they like, which the strict reader of our own files refuses.
    """
    with h5py.File(path, "r") as file:
        said = {
            name: value.decode() if isinstance(value, bytes) else value
            for name, value in file.attrs.items()
        }
    return said if said.get("schema") == f"foreframe/{EXTERNAL}" else {}


READERS: Mapping[str, Callable[[Path], dict[str, Any]]] = {
    ".json": facts.parse,
    ".h5": _arrays,
    ".safetensors": _weights,
}
