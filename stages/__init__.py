"""One file per stage of dvc.yaml, run as `python -m stages.NAME`."""
