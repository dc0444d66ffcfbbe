"""How long both engines take to look at a project of many stages without running any.

    python -m benchmarks.scale OUT.json --stages 16 200 500

The project is made in a temporary folder: one stage, a fan-out over many that read its output, each
with parameters of its own, and one that reads all of theirs. Its outputs are written here and
committed to DVC, so that it is finished without having run.
"""

import argparse
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


@dataclass(frozen=True)
class Row:
    """The seconds that one way of looking takes at one number of stages."""

    stages: int
    what: str
    seconds: float
    times_dvc_status: float


def make(folder: Path, stages: int) -> None:
    """Write a finished project of so many stages, with the real Snakefile and profile."""
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
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(folder / name, text)
    shutil.copytree(ROOT / "profiles", folder / "profiles")
    shutil.copy(ROOT / "Snakefile", folder)
    for name in ("foreframe", "workflow"):
        (folder / name).symlink_to(ROOT / name)
    idle.once(("dvc", "commit", "--force", "--quiet"), folder)


def measure(stages: int) -> Iterator[Row]:
    """Yield the rows of one number of stages."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, stages)
        seconds = {**idle.measure(folder)}
        atomic.write_text(folder / "source.txt", "another\n")
        seconds["snakemake -n, all to do"] = idle.best(idle.COMMANDS["snakemake -n"], folder)
    for what, value in seconds.items():
        yield Row(stages, what, value, value / seconds["dvc status"])


def show(rows: Sequence[Row]) -> None:
    """Print the rows as a table."""
    print(f"{'stages':>6}  {'':26}{'seconds':>8}{'x dvc status':>14}")
    for row in rows:
        print(f"{row.stages:6}  {row.what:26}{row.seconds:8.2f}{row.times_dvc_status:14.1f}")


def main() -> None:
    """Print the table and write its numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument("--stages", nargs="+", default=[16, 200, 500], type=int)
    options = parser.parse_args()
    rows = [row for stages in options.stages for row in measure(stages)]
    show(rows)
    facts.write(options.out, "benchmark_scale", {"rows": [asdict(row) for row in rows]})


if __name__ == "__main__":
    main()
