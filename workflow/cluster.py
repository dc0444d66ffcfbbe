"""What a Slurm cluster has, as it says itself."""

import functools
import shutil
import subprocess

SECONDS = 60


@functools.cache
def has_gpus() -> bool:
    """Tell whether the nodes have GPUs that jobs can ask for.

    A job that asks a cluster without any is refused ("Invalid generic resource"). Where there is no
    `sinfo` to be asked, another kind of cluster, there may be some.
    """
    program = shutil.which("sinfo")
    if program is None:
        return True
    command = [program, "--noheader", "--format=%G"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    return answer.returncode != 0 or "gpu" in answer.stdout
