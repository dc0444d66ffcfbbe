"""Stage `settings`: what a study's params.yaml stands for, written out whole and checked.

The other stages of the study take their parameters from there: a variant's follow those of the
entry that it is like. Under `digests` stands, by section and name, a digest of an entry, and under
`code` the code version of what it runs: of its kind, or of the metrics of a protocol. A stage that
uses an entry depends on these two. (On the entry itself it could as well, but DVC writes the whole
of it into dvc.lock, and that file again after every stage: of two hundred stages with entries of a
hundred lines this took longer than most of them.)
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from foreframe.artefacts import facts
from foreframe.config import reading, sections
from foreframe.config import study as schema
from foreframe.errors import UserError
from foreframe.running import stage
from foreframe.running.stage import PATHS
from foreframe.versions import METRICS

PARTED = ("data", "protocols")
# Of all files of parameters together, as a report reads them.
WHOLE = "whole"


def main(*, params: PATHS, versions: Path, out: Path) -> None:
    """Write the whole sections of a study, and which entry each variant is like.

    `params` are its params.yaml and, if it has one, that of its base; `versions` holds the code
    versions of all modules.

    Raises:
        UserError: a parameter is wrong, and where; or the study has another base.
    """
    facts.write(out, "settings", content(params, reading.load(versions), versions))


def content(params: Sequence[Path], versions: Mapping[str, Any], where: Path) -> dict[str, Any]:
    """Return what `main` writes, for code versions that were or will be read from `where`."""
    found = schema.load(params[0])
    if [*map(Path.resolve, found.files)] != [*map(Path.resolve, params)]:
        raise UserError(
            f"{params[0]}: with its {schema.BASE} the study is {_listed(found.files)}, but the "
            f"stage settings of dvc.yaml is handed {_listed(params)}. Name the same files in both."
        )
    code = codes(found.study, versions, where)
    return {
        **found.sections,
        "like": found.like,
        "digests": {
            **digests(found.sections),
            WHOLE: _digest([reading.load(path) for path in params]),
        },
        "code": code,
    }


def _listed(paths: Iterable[Path]) -> str:
    return " and ".join(path.as_posix() for path in paths)


def digests(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the digest of every entry, by section and name.

    Some stages use a part of a protocol, or of data, alone: of these each part has one.
    """
    return {
        section: {
            name: {key: _digest(part) for key, part in entry.items()}
            if section in PARTED
            else _digest(entry)
            for name, entry in values[section].items()
        }
        for section in sections.NAMED
        if section in values
    }


def _digest(value: Any) -> str:
    return hashlib.md5(facts.canonical({"": value}), usedforsecurity=False).hexdigest()


def codes(study: sections.Study, versions: Mapping[str, Any], where: Path) -> dict[str, Any]:
    """Return the code version of every entry, those of the base too, by section and name."""

    def of(module: str) -> Any:
        return reading.select(versions, module, where)

    result: dict[str, Any] = {}
    for section in sections.NAMED:
        for name, entry in getattr(study, section).items():
            kind = sections.kind_of(section)
            if kind is not None:
                settings = entry.source if section == "data" else entry
                result.setdefault(section, {})[name] = of(f"{kind.package}.{settings.kind}")
            elif section == "protocols":
                metrics = entry.measures.metrics
                used = {metric: of(f"{METRICS}.{metric}") for metric in metrics}
                result.setdefault(section, {})[name] = used
    return result


if __name__ == "__main__":
    stage.run(main)
