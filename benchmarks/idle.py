"""How long both engines take to say that nothing is to be done, in a finished project.

Of the further studies, whose stages both engines read in any case, only the finished ones are asked
for.

python -m benchmarks.idle OUT.json [PROJECT]
"""

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from foreframe.artefacts import facts
from foreframe.errors import UserError
from workflow import dag, studies

COMMANDS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "dvc status": ("dvc", "status"),
        "dvc repro": ("dvc", "repro"),
        "snakemake -n": ("snakemake", "-n"),
    }
)
TIMES = 3
LONG = 10.0  # seconds


def best(command: Sequence[str], folder: Path) -> float:
    """Return the seconds of the fastest of several runs of a command, start-up included.

    A run that takes long is the only one.
    """
    first = once(command, folder)
    return first if first > LONG else min(first, *(once(command, folder) for _ in range(TIMES - 1)))


def once(command: Sequence[str], folder: Path) -> float:
    """Return the seconds of one run."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    start = time.perf_counter()
    run = subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True
    )
    seconds = time.perf_counter() - start
    if run.returncode:
        raise UserError(f"{' '.join(command)} failed in {folder}:\n{run.stdout}{run.stderr}")
    return seconds


def reading(folder: Path) -> float:
    """Return the seconds of the fastest of several reads of the stages, inside this process."""
    times = []
    for _ in range(TIMES):
        start = time.perf_counter()
        dag.read(folder)
        times.append(time.perf_counter() - start)
    return min(times)


def measure(folder: Path) -> dict[str, float]:
    """Return the seconds of each command, and of the part of `snakemake -n` that reads dvc.yaml."""
    stages = dag.read(folder)
    due = [stage.name for stage in stages if stage.due and stage.study == studies.MAIN]
    if due:
        raise UserError(
            f"{folder} is not finished: {', '.join(due)} would run. Run `dvc repro` there first"
        )
    commands = dict(COMMANDS)
    for place in studies.places(folder)[1:]:
        if not any(stage.due for stage in stages if stage.study == place.name):
            commands[place.command] = place.command.split()
            commands[f"snakemake -n {place.name}"] = ("snakemake", "-n", place.name)
    seconds = {name: best(command, folder) for name, command in commands.items()}
    return {**seconds, "reading dvc.yaml": reading(folder)}


def main() -> None:
    """Print the table and write its numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument("project", type=Path, nargs="?", default=Path())
    options = parser.parse_args()
    try:
        seconds = measure(options.project.resolve())
    except UserError as error:
        sys.exit(f"error: {error}")
    for name, value in seconds.items():
        print(f"{name:40}{value:7.2f} s   {value / seconds['dvc status']:5.1f} x dvc status")
    facts.write(options.out, "benchmark_idle", {"seconds": seconds, "runs": TIMES})


if __name__ == "__main__":
    main()
