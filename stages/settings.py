"""Stage `settings`: what a study's params.yaml stands for, written out whole and checked.

The other stages of the study take their parameters from there: a variant's follow those of the
entry that it is like. Under `code` stands, by section and name, the code version of what an entry
runs: of its kind, or of the metrics of a protocol. A stage that uses an entry depends on both.
"""

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
    return {**found.sections, "like": found.like, "code": code}


def _listed(paths: Iterable[Path]) -> str:
    return " and ".join(path.as_posix() for path in paths)


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
