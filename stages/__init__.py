"""One file per stage of dvc.yaml, run as `python -m stages.NAME`."""

from foreframe.running import instructions

instructions.adopt()
