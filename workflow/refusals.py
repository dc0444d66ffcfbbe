"""What a dvc.yaml may hold and Snakemake cannot run: refused before any work, with a cure."""

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn

from foreframe.errors import UserError
from workflow.studies import MAIN, Place


def check(stage: Any, paths: Iterable[str], place: Place, root: str) -> None:
    """Refuse a stage, as DVC resolved it, that no rule of Snakemake can stand for.

    Args:
        stage: of DVC's own type.
        paths: what it reads and writes, relative to the project.
        place: its study.
        root: the project's folder.

    Raises:
        UserError: it names the stage, what is wrong with it, and the cure.
    """
    problems = (*_folder(stage, place, root), *_outputs(stage), *_paths(stage, paths))
    for problem in (*problems, *_meta(stage)):
        _refuse(stage, place, problem)


def check_outputs(stage: Any, place: Place) -> None:
    """Refuse a stage, as DVC resolved it, that has a folder where it is to write a file.

    Raises:
        UserError: it names the stage and the folder.
    """
    for out in stage.outs:
        if out.hash_info.isdir or out.isdir():
            _refuse(stage, place, _is_folder(out))


def _refuse(stage: Any, place: Place, problem: str) -> NoReturn:
    raise UserError(f"{place.definition}: the stage {stage.name} {problem}")


def _folder(stage: Any, place: Place, root: str) -> Iterator[str]:
    # So that paths read alike in every study, and the code is found.
    if place.name != MAIN and os.path.realpath(stage.wdir) != os.path.realpath(root):
        yield "does not work in the project's folder; write `wdir: ../..` into it"


def _outputs(stage: Any) -> Iterator[str]:
    if not stage.outs:
        yield "has no output, so nothing tells when it is done; let it write a file"
    for out in stage.outs:
        if out.def_path.endswith("/"):
            yield _is_folder(out)


def _is_folder(out: Any) -> str:
    return f"writes the folder {out.def_path}; let it write single files"


def _paths(stage: Any, paths: Iterable[str]) -> Iterator[str]:
    for item in (*stage.deps, *stage.outs):
        if item.fs.protocol != "local":
            yield f"names {item.def_path}, which is on another machine; copy it by a stage first"
    for text in (stage.name, *paths):
        if set("{}") & set(text):
            yield f"has braces in {text}, which Snakemake takes for a wildcard; rename it"


def _meta(stage: Any) -> Iterator[str]:
    meta = stage.meta or {}
    if not isinstance(meta, Mapping):
        yield f"has {meta!r} as meta; write keys, such as `threads: 2`"
        return
    threads, resources = meta.get("threads", 1), meta.get("resources", {})
    if not isinstance(threads, int) or threads < 1:
        yield f"has {threads!r} as meta.threads; write a whole number from 1"
    together = meta.get("together", False)
    if not isinstance(together, bool):
        yield f"has {together!r} as meta.together; write true or false"
    if not isinstance(resources, Mapping):
        yield f"has {resources!r} as meta.resources; write keys, such as `gpu: 1`"
        return
    for name, amount in resources.items():
        if not isinstance(amount, int | str) or not str(name).isidentifier():
            yield f"has meta.resources {name}: {amount!r}; write a name and a whole number"
