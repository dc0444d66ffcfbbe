"""The studies of a project: the driving study in dvc.yaml, and one in each studies/NAME/dvc.yaml.

Each has a folder studies/NAME with its presets and the parts of its report. A stage of a further
study is addressed as DVC does, `studies/NAME/dvc.yaml:STAGE`; one of the driving study by its name.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from foreframe.errors import UserError

MAIN = "driving"
FOLDER = "studies"
DEFINITION = "dvc.yaml"

# The Snakefile's rule for the main study; each further one has a rule of its own name.
ALL = "all"
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Place:
    """Where a study is defined; every path is relative to the project."""

    name: str

    @property
    def definition(self) -> str:
        """Its stages."""
        return f"{self._folder}{DEFINITION}"

    @property
    def lock(self) -> str:
        """What DVC records of their last runs."""
        return f"{self._folder}dvc.lock"

    @property
    def params(self) -> str:
        """The values for the templates in its definition."""
        return f"{self._folder}params.yaml"

    @property
    def command(self) -> str:
        """What runs it, with the stages of the main study that it needs."""
        return "dvc repro" if self.name == MAIN else f"dvc repro {self.definition}"

    @property
    def presets(self) -> str:
        """The folder of its presets."""
        return f"{FOLDER}/{self.name}/presets"

    @property
    def settings(self) -> str:
        """What its parameters stand for, written out whole; the main study needs no such file."""
        return f"data/{self.name}/settings.json"

    @property
    def _folder(self) -> str:
        return "" if self.name == MAIN else f"{FOLDER}/{self.name}/"

    def address(self, stage: str) -> str:
        """Return DVC's name for one of its stages, seen from the project's folder."""
        return stage if self.name == MAIN else f"{self.definition}:{stage}"


def places(root: Path) -> tuple[Place, ...]:
    """Return the studies of the project `root`: the main one, then the others by name.

    Raises:
        UserError: a folder has a name that cannot be a study's.
    """
    names = sorted(path.parent.name for path in (root / FOLDER).glob(f"*/{DEFINITION}"))
    for name in names:
        if not NAME.fullmatch(name) or name in (MAIN, ALL):
            raise UserError(
                f"{FOLDER}/{name}: a study's name is letters, digits and _, begins with a letter, "
                f"and is neither {MAIN} nor {ALL}. Rename the folder."
            )
    return (Place(MAIN), *map(Place, names))


def named(root: Path, name: str) -> Place:
    """Return a study of the project `root` by its name.

    Raises:
        UserError: there is none of that name.
    """
    known = {place.name: place for place in places(root)}
    if name not in known:
        raise UserError(f"There is no study {name}. Choose one of: {', '.join(known)}.")
    return known[name]


def of(address: str) -> Place:
    """Return the study of a stage, given by its address."""
    definition, colon, _ = address.rpartition(":")
    return Place(Path(definition).parent.name) if colon else Place(MAIN)


def local(address: str) -> str:
    """Return the name of a stage in its own study."""
    return address.rpartition(":")[2]
