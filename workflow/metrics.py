"""`foreframe metrics`: the numbers of `dvc metrics show`, of the studies that were run here.

DVC asks for the metrics of every study, and has a warning and an empty row for each that was not
run; what it is given by name it shows alone.
"""

import subprocess
import sys
from pathlib import Path

from foreframe.errors import UserError
from workflow import dag, studies


def run(root: Path, study: str | None = None) -> int:
    """Print the metrics that are there, of every study or of one; return the exit code of DVC.

    Raises:
        UserError: a dvc.yaml cannot be read, or nothing has been measured here yet.
    """
    places = studies.places(root) if study is None else (studies.named(root, study),)
    declared = dag.declared(root)
    there: list[str] = []
    for place in places:
        paths = sorted(
            path for stage in declared if stage.study == place.name for path in stage.metrics
        )
        made = [path for path in paths if (root / path).exists()]
        if paths and not made:
            print(f"The study {place.name} has not been run here: {place.command}")
        there += made
    if not there:
        raise UserError("nothing has been measured here yet. Run a study, then ask again.")
    command = [sys.executable, "-m", "dvc", "metrics", "show", *there]
    shown = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    print(shown.stdout, end="")
    print(shown.stderr, end="", file=sys.stderr)
    return shown.returncode
