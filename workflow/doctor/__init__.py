"""`foreframe doctor`: what this machine can run, what is missing, and the cure for each.

Every check really does what the pipeline will do, such as rendering a frame or encoding a video. A
check is a function that yields findings about the project around a params.yaml.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from workflow.doctor.check import Check
from workflow.doctor.environment import packages, programs, python, torch_and_gpu
from workflow.doctor.machine import folders, machine, presets, remotes
from workflow.doctor.rounding import rounding
from workflow.doctor.work import parameters, simulator, typesetting, video

CHECKS: tuple[Callable[[Path], Iterator[Check]], ...] = (
    python,
    programs,
    packages,
    torch_and_gpu,
    machine,
    rounding,
    folders,
    remotes,
    parameters,
    simulator,
    video,
    typesetting,
    presets,
)


def run(params: Path) -> int:
    """Print every finding about the project around `params`; return 1 if something is missing."""
    checks = [check for find in CHECKS for check in find(params)]
    for line in table(checks):
        print(line)
    return 1 if any(check.status == "missing" for check in checks) else 0


def table(checks: list[Check]) -> Iterator[str]:
    """Yield a line for each check, its cure beneath it, and a last line that sums up."""
    width = max(len(check.name) for check in checks)
    for check in checks:
        yield f"{check.status:<8} {check.name:<{width}}  {check.detail}"
        if check.cure:
            yield f"{'':<8} {'':<{width}}  -> {check.cure}"
    missing = [check.name for check in checks if check.status == "missing"]
    yield f"Missing: {', '.join(missing)}." if missing else "Everything needed is here."
