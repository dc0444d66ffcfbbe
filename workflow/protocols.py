"""`foreframe protocols`: ready-made protocols of the literature, shown and added to the study.

A protocol that is added stands in params.yaml and, by its name alone, in dvc.yaml: names become
part of commands there, so they are not taken from parameters.
"""

import re
from pathlib import Path

from foreframe.artefacts import atomic
from foreframe.config import reading
from foreframe.config import study as schema
from foreframe.config.protocols import Name, ProtocolSettings
from foreframe.config.sections import Study
from foreframe.errors import UserError
from workflow import preset, studies

FILE = Path(__file__).with_name("protocols.yaml")
# The line by which a stage of dvc.yaml runs once for each protocol.
FANNED = re.compile(r"^( +foreach: \[[^\]\n]+)\]$", re.MULTILINE)


def ready_made() -> dict[str, ProtocolSettings]:
    """Return the protocols of the literature by name."""
    content = reading.load(FILE)
    found: dict[str, ProtocolSettings] = reading.validate(
        dict[Name, ProtocolSettings], content, FILE.name
    )
    return found


def find(name: str, study: Study) -> ProtocolSettings:
    """Return a protocol of params.yaml, or a ready-made one.

    Raises:
        UserError: there is none of that name.
    """
    known = {**ready_made(), **study.protocols}
    if name not in known:
        raise UserError(f"There is no protocol {name}. Choose one of: {', '.join(sorted(known))}.")
    return known[name]


def show(params: Path) -> None:
    """Print every protocol of the study and every ready-made one, a line each."""
    own = schema.load(params).study.protocols
    for title, found in ((str(params), own), ("ready-made", ready_made())):
        print(f"{title}:")
        for name, settings in found.items():
            print(f"  {name:24} {_line(settings)}")
    print("`foreframe protocols add NAME` copies a ready-made one into the study.")


def _line(settings: ProtocolSettings) -> str:
    futures, measures = settings.futures, settings.measures
    clips = "all" if futures.clips is None else futures.clips
    best = "" if measures.best == "none" else f", best of each {measures.best}"
    return (
        f"{futures.context} -> {futures.frames} frames, {clips} clips, "
        f"{futures.samples} sample(s){best}; {', '.join(measures.metrics)}"
    )


def add(name: str, params: Path, definition: Path) -> None:
    """Have the study measure under a protocol: one of params.yaml, or a ready-made one.

    A ready-made one is copied into params.yaml; the name goes into the fan-outs of dvc.yaml.

    Raises:
        UserError: there is none of that name, the study has it already, or it does not fit.
    """
    content, ready = reading.load(params), reading.load(FILE)
    before = fanned(definition)
    if name in before:
        raise UserError(f"{params} and {definition} have the protocol {name} already.")
    if name not in schema.check(content, str(params)).protocols:
        if name not in ready_made():
            raise UserError(f"There is no ready-made protocol {name}: {', '.join(ready)}.")
        content["protocols"][name] = ready[name]
        schema.check(content, f"{params} with {name}")
        preset.rewrite(params, content, params.parent, studies.Place(studies.MAIN))
    changed = re.sub(FANNED, rf"\g<1>, {name}]", definition.read_text(encoding="utf-8"))
    atomic.write_text(definition, changed)
    print(f"{params} and {definition} have the protocol {name}. `dvc repro` measures under it.")


def check(params: Path, definition: Path) -> None:
    """Hold the protocols of params.yaml against the fan-outs of dvc.yaml.

    Raises:
        UserError: a name stands in one of the two alone.
    """
    own, names = set(schema.load(params).study.protocols), set(fanned(definition))
    if idle := sorted(own - names):
        raise UserError(
            f"{definition} does not run the protocol {idle[0]} of {params}. "
            f"`foreframe protocols add {idle[0]}` has it run."
        )
    if gone := sorted(names - own):
        raise UserError(
            f"{definition} runs the protocol {gone[0]}, which {params} does not have. "
            "Remove it from the `foreach` of sample and evaluate, or add it to the parameters."
        )


def fanned(definition: Path) -> list[str]:
    """Return the protocols over which dvc.yaml fans out.

    Raises:
        UserError: its stages sample and evaluate do not fan out over the same ones.
    """
    stages = reading.load(definition)["stages"]
    first, second = (stages[stage]["foreach"] for stage in ("sample", "evaluate"))
    if first != second or len(re.findall(FANNED, definition.read_text(encoding="utf-8"))) != 2:
        raise UserError(
            f"{definition}: sample and evaluate must both have `foreach: [NAME, ...]` with the "
            "same names, in one line each."
        )
    return list(first)
