"""How long both engines take to look at a project of many stages without running any.

    python -m benchmarks.scale OUT.json --stages 16 200 500 --further 45

The project is made in a temporary folder: one stage, a fan-out over many that read its output, each
with parameters of its own, and one that reads all of theirs. A further study fans out as often as
asked for. Outputs are written here and committed to DVC, so that both are finished without having
run.
"""

import argparse
import json
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


# Its parameters lie in a file that a stage of its own writes, as those of variants do.
FURTHER = """\
stages:
  variants:
    wdir: ../..
    cmd: cp source.txt data/variants.json
    deps: [source.txt]
    outs: [data/variants.json]
  train:
    foreach: ${names}
    do:
      wdir: ../..
      cmd: python train.py ${item}
      deps:
      - data/all.txt
      params:
      - seed
      - data/variants.json:
        - ${item}
      outs:
      - data/${item}.txt
"""


@dataclass(frozen=True)
class Row:
    """The seconds that one way of looking takes at one number of stages of each study."""

    stages: int
    further: int
    what: str
    seconds: float
    times_dvc_status: float


def make(folder: Path, stages: int, further: int) -> None:
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
    if further:
        names = [f"v{number}" for number in range(further - 1)]
        texts |= {
            "studies/more/dvc.yaml": FURTHER,
            "studies/more/params.yaml": f"names: {json.dumps(names)}\n",
            "data/variants.json": json.dumps({name: {"times": 1} for name in names}),
            **{f"data/{name}.txt": f"{name}\n" for name in names},
        }
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        atomic.write_text(folder / name, text)
    shutil.copytree(ROOT / "profiles", folder / "profiles")
    shutil.copy(ROOT / "Snakefile", folder)
    for name in ("foreframe", "workflow"):
        (folder / name).symlink_to(ROOT / name)
    idle.once(("dvc", "commit", "--force", "--quiet"), folder)


def measure(stages: int, further: int) -> Iterator[Row]:
    """Yield the rows of one number of stages in each study."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make(folder, stages, further)
        seconds = {**idle.measure(folder)}
        atomic.write_text(folder / "source.txt", "another\n")
        seconds["snakemake -n, all to do"] = idle.best(idle.COMMANDS["snakemake -n"], folder)
    for what, value in seconds.items():
        yield Row(stages, further, what, value, value / seconds["dvc status"])


def show(rows: Sequence[Row]) -> None:
    """Print the rows as a table."""
    print(f"{'stages':>6}  {'further':>7}  {'':32}{'seconds':>8}{'x dvc status':>14}")
    for row in rows:
        print(
            f"{row.stages:6}  {row.further:7}  {row.what:32}{row.seconds:8.2f}"
            f"{row.times_dvc_status:14.1f}"
        )


def main() -> None:
    """Print the table and write its numbers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument("--stages", nargs="+", default=[16, 200, 500], type=int)
    parser.add_argument("--further", default=0, type=int, help="stages of a further study")
    options = parser.parse_args()
    rows = [row for stages in options.stages for row in measure(stages, options.further)]
    show(rows)
    facts.write(options.out, "benchmark_scale", {"rows": [asdict(row) for row in rows]})


if __name__ == "__main__":
    main()
