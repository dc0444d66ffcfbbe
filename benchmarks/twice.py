"""Every stage of every study twice: do two clones end with the same bytes, on this CPU or GPU?

    python -m benchmarks.twice OUT.json [--studies NAME ...] [--workers 16] [--seconds 600]

Both clones are at the scale `smoke`. Stages run from forked processes, which spares each of them
the start of Python and torch. In the second clone every training is stopped once, some seconds
after it began, and begun again: it goes on from its checkpoint. Files that both clones wrote are
compared byte by byte; what there was no time for is counted.
"""

import argparse
import importlib
import itertools
import multiprocessing
import os
import runpy
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from foreframe.running import instructions

instructions.adopt()  # before torch is loaded

import torch  # noqa: E402

from benchmarks import limits  # noqa: E402
from foreframe.artefacts import facts  # noqa: E402
from workflow import dag, preset, studies  # noqa: E402
from workflow.dag import Stage  # noqa: E402

ROOT = Path(__file__).parents[1]
SCALE = "smoke"
# A training that notes its place ends so, and one that was not yet ready to dies of the signal.
STOPPED = (128 + signal.SIGTERM, -signal.SIGTERM)
# Seconds after which a training of the second clone is stopped: others for other stages.
STOPS = (0.5, 1.0, 2.0, 3.0, 4.0, 5.0)
DONE, FAILED = "done", "failed"

Place = tuple[int, int]  # a clone, a stage


@dataclass
class Runs:
    """What runs in two clones, and what became of it so far.

    Attributes:
        clones: their folders.
        stages: those of the studies that are asked for.
        needs: of each of them, the stages that write what it reads.
        ended: those that ended, and how.
        running: the processes of those that do not.
        stopped: those that were asked to stop.
        resumed: those that did, and began again.
    """

    clones: Sequence[Path]
    stages: Sequence[Stage]
    needs: Sequence[frozenset[int]]
    ended: dict[Place, str] = field(default_factory=dict)
    running: dict[Place, tuple[BaseProcess, float]] = field(default_factory=dict)
    stopped: set[Place] = field(default_factory=set)
    resumed: set[Place] = field(default_factory=set)

    def ready(self) -> Iterator[Place]:
        """Yield what can begin: what it needs is done in its clone."""
        for number, needs in enumerate(self.needs):
            for clone in range(len(self.clones)):
                place = clone, number
                met = all(self.ended.get((clone, need)) == DONE for need in needs)
                if met and place not in self.ended and place not in self.running:
                    yield place

    def begin(self, place: Place) -> None:
        """Start the process of a stage."""
        clone, number = place
        stage = self.stages[number]
        process = multiprocessing.get_context("fork").Process(
            target=work, args=(self.clones[clone], stage)
        )
        process.start()
        self.running[place] = process, time.monotonic()

    def look(self) -> None:
        """Note which processes ended, and stop trainings that are due for it."""
        for place, (process, start) in [*self.running.items()]:
            if process.exitcode is not None:
                del self.running[place]
                if place in self.stopped - self.resumed and process.exitcode in STOPPED:
                    self.resumed.add(place)
                else:
                    self.ended[place] = DONE if process.exitcode == 0 else FAILED
            elif self._due(place, time.monotonic() - start):
                self.stopped.add(place)
                process.terminate()

    def _due(self, place: Place, seconds: float) -> bool:
        clone, number = place
        if clone == 0 or place in self.stopped or not trains(self.stages[number]):
            return False
        return seconds > STOPS[number % len(STOPS)]


def trains(stage: Stage) -> bool:
    """Tell whether a stage trains a network."""
    return ".train_" in stage.commands[0]


def modules(stages: Iterable[Stage]) -> list[str]:
    """Return the modules that stages run."""
    return sorted({shlex.split(line)[2] for stage in stages for line in stage.commands})


def log_of(folder: Path, stage: Stage) -> Path:
    """Return where a stage of a clone prints to."""
    return folder / "logs" / stage.identifier


def work(folder: Path, stage: Stage) -> None:
    """Run a stage in this process, as its command line would, what it prints into a file."""
    os.chdir(folder / stage.folder)
    log = os.open(log_of(folder, stage), os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.dup2(log, 1)
    os.dup2(log, 2)
    for out in stage.outs:
        (folder / out).parent.mkdir(parents=True, exist_ok=True)
    for line in stage.commands:
        python, _, module, *words = shlex.split(line)
        sys.argv, sys.orig_argv = [module, *words], [python, "-m", module, *words]
        runpy.run_module(module, run_name="__main__", alter_sys=True)


def prepared(folder: Path, names: Sequence[str]) -> Runs:
    """Return two clones at the smallest scale, and what is to run in them."""
    clones = [folder / "first", folder / "second"]
    for clone in clones:
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        preset.write(SCALE, clone)
        (clone / "logs").mkdir()
    stages = needed(dag.read(clones[0]), names)
    makers = {path: number for number, stage in enumerate(stages) for path in stage.outs}
    needs = [
        frozenset(makers[path] for path in (*stage.deps, *stage.after) if path in makers)
        for stage in stages
    ]
    return Runs(clones, stages, needs)


def needed(stages: Sequence[Stage], names: Sequence[str]) -> list[Stage]:
    """Return the stages of these studies, or of all, and those that write what they read."""
    makers = {path: stage for stage in stages for path in stage.outs}
    found: dict[str, Stage] = {}
    open_ = [stage for stage in stages if not names or stage.study in names]
    while open_:
        stage = open_.pop()
        if stage.name not in found:
            found[stage.name] = stage
            open_ += [makers[path] for path in (*stage.deps, *stage.after) if path in makers]
    return [stage for stage in stages if stage.name in found]


def go(runs: Runs, workers: int, seconds: float) -> None:
    """Run what can be run, until all has ended or the time has."""
    sys.path.insert(0, str(runs.clones[0]))
    for module in modules(runs.stages):
        importlib.import_module(module)
        del sys.modules[module]  # or running it would warn of the second time
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        runs.look()
        for place in [*itertools.islice(runs.ready(), workers - len(runs.running))]:
            runs.begin(place)
        if not runs.running:
            break
        time.sleep(0.01)
    for process, _ in runs.running.values():
        process.kill()
        process.join()


def compared(runs: Runs) -> Mapping[bool, list[str]]:
    """Return the files of stages that are done in both clones, by whether they are the same."""
    found: dict[bool, list[str]] = {True: [], False: []}
    for number, stage in enumerate(runs.stages):
        if runs.ended.get((0, number)) == runs.ended.get((1, number)) == DONE:
            for out in stage.outs:
                one, other = ((clone / out).read_bytes() for clone in runs.clones)
                found[one == other].append(out)
    return found


def main() -> None:
    """Print what was found and write it; fail if a stage did, or a byte differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument("--studies", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--seconds", type=float, default=3600.0)
    options = parser.parse_args()
    for name in options.studies:
        studies.named(ROOT, name)
    with tempfile.TemporaryDirectory() as folder:
        runs = prepared(Path(folder), options.studies)
        go(runs, options.workers, options.seconds)
        files = compared(runs)
        failed = [place for place, how in runs.ended.items() if how == FAILED]
        for clone, number in failed:
            log = log_of(runs.clones[clone], runs.stages[number])
            print(log.read_text(encoding="utf-8")[-2000:])
    trained = [number for number, stage in enumerate(runs.stages) if trains(stage)]
    # After the forks: a process that has talked to a GPU cannot be forked.
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    values: dict[str, Any] = {
        "machine": limits.machine(device),
        "stages": 2 * len(runs.stages),
        "ended": dict(Counter(runs.ended.values())),
        "failed": sorted(runs.stages[number].name for _, number in failed),
        "resumed": len(runs.resumed),
        "trainings": len(trained),
        "same": len(files[True]),
        "different": files[False],
    }
    for name, value in values.items():
        print(f"{name:10} {value}")
    facts.write(options.out, "benchmark_twice", values)
    if failed or files[False]:
        raise SystemExit("error: a stage failed, or files differ.")


if __name__ == "__main__":
    main()
