"""Running one stage again in a folder of its own, and comparing what it writes with dvc.lock.

The folder holds copies of what the stage declares, and the code: nothing else can be read, and
nothing of the study is written to.
"""

import errno
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from foreframe.errors import UserError
from foreframe.running.instructions import agreement
from foreframe.versions import PACKAGES
from workflow.verification import documents
from workflow.verification.cures import reproduce
from workflow.verification.findings import Cure, Finding
from workflow.verification.hashing import Workspace
from workflow.verification.study import Locked, Study

STDERR = 2
ENVIRONMENT = "environment"
# What a shell would read otherwise than as plain words; no shell is used here.
SHELL = set(";&|<>$`*?()\\\n")


def check(study: Study, workspace: Workspace, stage: Locked) -> Iterator[Finding]:
    """Run a stage whose inputs are as dvc.lock says; yield every output that comes out otherwise.

    Raises:
        UserError: its command needs a shell, or the temporary folder is full.
    """
    commands = [_words(stage.name, command) for command in stage.commands]
    with tempfile.TemporaryDirectory(prefix="foreframe-rebuild-") as name:
        scratch = Path(name)
        _copy(study, workspace, stage, scratch)
        for command in commands:
            print(f"rebuild: {shlex.join(command)}", file=sys.stderr, flush=True)
            code = _run(command, scratch / study.declared[stage.name].folder)
            if code:
                text = f"its command ends with exit code {code} here; its messages are above"
                yield _differs(study, stage, stage.name, text, Cure())
                return
        yield from _compare(study, workspace, stage, Workspace(scratch, workspace.tally))


def refuse(study: Study, stage: Locked) -> Finding:
    """Return the finding for a stage whose inputs are not those that dvc.lock names."""
    text = "not rebuilt: what it reads is not as dvc.lock says, see above"
    cure = Cure((), "first the cures above")
    return Finding("stale", "rebuild", stage.name, text, "", (), study.following([]), cure)


def _words(name: str, command: str) -> list[str]:
    if SHELL & set(command.strip()):
        raise UserError(
            f"The command of {name} needs a shell, which a rebuild does not use. "
            f"Compare by running it yourself: {command}"
        )
    return shlex.split(command)


def _copy(study: Study, workspace: Workspace, stage: Locked, scratch: Path) -> None:
    inputs = dict.fromkeys((*PACKAGES, *stage.deps, *stage.params))
    try:
        for path in inputs:
            if not (study.root / path).exists():
                continue  # a file of code versions, which no command reads
            for file in workspace.files(study.root / path):
                target = scratch / file.relative_to(study.root)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
            if (study.root / path).is_dir():
                (scratch / path).mkdir(parents=True, exist_ok=True)
        (scratch / study.declared[stage.name].folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(
            f"The disk of {scratch.parent} is full. Set TMPDIR to a folder with more space."
        ) from None


def _run(command: list[str], folder: Path) -> int:
    programs = str(Path(sys.executable).parent)
    path = os.pathsep.join((programs, os.environ.get("PATH", os.defpath)))
    environment = {**os.environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    # What the stage prints goes beside the result, which may be JSON.
    run = subprocess.run(command, cwd=folder, env=environment, stdout=STDERR, check=False)
    return run.returncode


def _compare(
    study: Study, workspace: Workspace, stage: Locked, rebuilt: Workspace
) -> Iterator[Finding]:
    different = [path for path in stage.outs if rebuilt.content(path).digest != stage.outs[path]]
    same = [path for path in stage.outs if path not in different]
    print(f"rebuild: the same bytes: {', '.join(same) or 'none'}", file=sys.stderr, flush=True)
    if not different:
        return
    before = _facts(workspace, stage)
    after = _facts(rebuilt, stage)
    verdict = _verdict(stage.name, _environment(before), _environment(after))
    outdated = reproduce((stage.name, *study.following([stage.name])))
    again = Cure(
        (f"dvc repro --force {shlex.quote(stage.name)}", *outdated),
        "no file is damaged; this makes the study's results those of this environment",
    )
    for path in different:
        content = rebuilt.content(path)
        found = content.problem or f"its bytes have the digest {content.digest}"
        text = f"{found}, dvc.lock has {stage.outs[path]}"
        if path in before and path in after and _rest(before[path]) == _rest(after[path]):
            text = "only the environment that it records differs"
        yield _differs(study, stage, path, f"{text}; {verdict}", again)


def _differs(study: Study, stage: Locked, subject: str, text: str, cure: Cure) -> Finding:
    readers = study.readers.get(subject, ())
    follows = study.following(readers)
    return Finding("differs", "rebuild", subject, text, stage.name, readers, follows, cure)


def _facts(workspace: Workspace, stage: Locked) -> dict[str, Mapping[str, Any]]:
    """Return the JSON outputs of a stage that record an environment, where they can be read."""
    result = {}
    for path in (path for path in stage.outs if path.endswith(".json")):
        if workspace.content(path).problem:
            continue
        try:
            content = documents.load(workspace.root / path)
        except UserError:
            continue  # damaged, which is a finding of its own
        if isinstance(content, Mapping) and isinstance(content.get(ENVIRONMENT), Mapping):
            result[path] = content
    return result


def _environment(facts: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return next((content[ENVIRONMENT] for content in facts.values()), None)


def _rest(content: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name != ENVIRONMENT}


def _verdict(stage: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    """Say whether the environment can explain the difference, field by field."""
    if before is None or after is None:
        return f"no output of {stage} records its environment, so whether that differs is unknown"
    fields = [
        f"{name} was {before.get(name)!r}, is {after.get(name)!r} here"
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]
    if fields:
        return f"the environment differs: {', '.join(fields)}. {agreement(before)}"
    return (
        f"the recorded environment is the one here, so {stage} is not reproducible here; "
        "`foreframe doctor` names operations that this CPU rounds otherwise"
    )
