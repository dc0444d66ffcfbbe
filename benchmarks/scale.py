"""How long both engines take to look at a project of many stages without running any.

    python -m benchmarks.scale OUT.json --stages 16 200 500
    python -m benchmarks.scale OUT.json --stages 40 --studies 7

The project is made in a temporary folder: one stage, a fan-out over many that read its output, each
with parameters of its own, and one that reads all of theirs. Each further study has as many stages,
written as real ones are: settings that a stage writes, paths in `vars`, one results folder. Outputs
are written here and committed to DVC, so that all are finished without having run.

On a busy machine seconds say little; processor time, of the command and all it started, says more.
"""

import argparse
import json
import resource
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import idle
from foreframe.artefacts import atomic, facts

ROOT = Path(__file__).resolve().parent.parent
DVC_YAML = """\
stages:
  collect:
    cmd: cp source.txt data/all.txt
    deps: [source.txt]
    outs: [data/all.txt]
  train:
    foreach: ${models}
    do:
      cmd: python train.py ${key} ${item.times}
      deps:
      - data/all.txt
      params:
      - models.${key}
      - seed
      outs:
      - data/${key}.txt
  report:
    cmd: cat data/*.txt > report.txt
    deps:
"""


# Its parameters lie in a file that a stage of its own writes.
FURTHER = """\
vars:
- given: {data: data/all.txt, settings: data/NAME/settings.json}
stages:
  settings:
    wdir: ../..
    cmd: python settings.py --study studies/NAME/params.yaml --out ${given.settings}
    params:
    - params.yaml:
      - seed
    - studies/NAME/params.yaml:
    outs:
    - ${given.settings}
  train:
    foreach: ${models}
    do:
      wdir: ../..
      cmd: python train.py ${given} --name ${key} --out data/NAME/results/${key}.txt
      deps:
      - ${given.data}
      params:
      - params.yaml:
        - seed
      - ${given.settings}:
        - ${key}
      outs:
      - data/NAME/results/${key}.txt
  report:
    wdir: ../..
    cmd: python report.py data/NAME/results data/NAME/report.txt
    deps:
    - data/NAME/results
    outs:
    - data/NAME/report.txt
"""
# As many values as a small model has.
SETTINGS = {"kind": "net", **{f"value{number}": number for number in range(12)}}


@dataclass(frozen=True)
class Row:
    """What one way of looking takes at a project: seconds in all, and of the processor."""

    stages: int
    studies: int
    what: str
    seconds: float
    processor: float
    times_dvc_status: float


def make(folder: Path, stages: int, studies: int) -> None:
    """Write a finished project of so many stages in each study, with the real Snakefile."""
    keys = [f"m{number}" for number in range(stages - 2)]
    models = "".join(f"  {key}: {{kind: net, times: {len(key)}}}\n" for key in keys)
    deps = "".join(f"    - data/{key}.txt\n" for key in keys)
    texts = {
        "dvc.yaml": f"{DVC_YAML}{deps}    outs: [report.txt]\n",
        "params.yaml": f"seed: 0\nmodels:\n{models}",
        ".dvc/config": "[core]\n    analytics = false\n    no_scm = true\n",
        **{name: f"{name}\n" for name in ("source.txt", "train.py", "report.txt", "data/all.txt")},
        **{f"data/{key}.txt": f"{key}\n" for key in keys},
    }
    for number in range(1, studies):
        texts |= _further(f"more{number}", keys)
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(folder / name, text)
    shutil.copytree(ROOT / "profiles", folder / "profiles")
    shutil.copy(ROOT / "Snakefile", folder)
    for name in ("foreframe", "workflow"):
        (folder / name).symlink_to(ROOT / name)
    idle.once(("dvc", "commit", "--force", "--quiet"), folder)


def _further(name: str, keys: Sequence[str]) -> dict[str, str]:
    """Return the files of a further study."""
    models = json.dumps(dict.fromkeys(keys, SETTINGS))
    return {
        f"studies/{name}/dvc.yaml": FURTHER.replace("NAME", name),
        # YAML, as people write it.
        f"studies/{name}/params.yaml": "models:\n"
        + "".join(
            f"  {key}:\n" + "".join(f"    {part}: {value}\n" for part, value in SETTINGS.items())
            for key in keys
        ),
        f"data/{name}/settings.json": models,
        f"data/{name}/report.txt": name,
        **{f"data/{name}/results/{key}.txt": f"{name} {key}\n" for key in keys},
    }


def measure(stages: int, studies: int) -> Iterator[Row]:
    """Yield the rows of one number of stages in each of so many studies."""
    verify = ("python", "-m", "workflow.cli", "verify")
    commands = {**idle.COMMANDS, "foreframe verify": verify}
    busy = {"snakemake -n, all to do": idle.COMMANDS["snakemake -n"]}
    busy["dvc repro --dry, all to do"] = ("dvc", "repro", "--dry")
    if studies > 1:
        one = "studies/more1/dvc.yaml"
        commands["dvc repro of one more"] = ("dvc", "repro", one)
        commands["snakemake -n of one more"] = ("snakemake", "-n", "more1")
        names = [f"more{number}" for number in range(1, studies)]
        commands["snakemake -n of all"] = ("snakemake", "-n", "all", *names)
        busy["snakemake -n of all, all to do"] = ("snakemake", "-n", "all", *names)
        busy["dvc repro --dry of one more, all to do"] = ("dvc", "repro", "--dry", one)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, stages, studies)
        times = {what: _best(command, folder) for what, command in commands.items()}
        atomic.write_text(folder / "source.txt", "another\n")
        times |= {what: _best(command, folder) for what, command in busy.items()}
    for what, (seconds, processor) in times.items():
        ratio = processor / times["dvc status"][1]
        yield Row(stages, studies, what, seconds, processor, ratio)


def _best(command: Sequence[str], folder: Path) -> tuple[float, float]:
    """Return the fewest seconds of several runs of a command, in all and of the processor."""
    runs = [_once(command, folder) for _ in range(idle.TIMES)]
    return min(seconds for seconds, _ in runs), min(processor for _, processor in runs)


def _once(command: Sequence[str], folder: Path) -> tuple[float, float]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = idle.once(command, folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def show(rows: Sequence[Row]) -> None:
    """Print the rows as a table."""
    print(
        f"{'stages':>6}{'studies':>9}  {'':40}{'seconds':>8}{'processor':>11}{'x dvc status':>14}"
    )
    for row in rows:
        print(
            f"{row.stages:6}{row.studies:9}  {row.what:40}{row.seconds:8.2f}{row.processor:11.2f}"
            f"{row.times_dvc_status:14.1f}"
        )


def main() -> None:
    """Print the table and write its numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument("--stages", nargs="+", default=[16, 200, 500], type=int)
    parser.add_argument("--studies", default=1, type=int, help="how many, with the main one")
    options = parser.parse_args()
    rows = [row for stages in options.stages for row in measure(stages, options.studies)]
    show(rows)
    facts.write(options.out, "benchmark_scale", {"rows": [asdict(row) for row in rows]})


if __name__ == "__main__":
    main()
