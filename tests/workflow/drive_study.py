"""A tiny study with untrained priors that take actions, where `foreframe drive` looks for it."""

from pathlib import Path

from tests.stages import evaluation_study as tiny


def make(folder: Path) -> Path:
    """Write the study into a folder; return the folder."""
    made = tiny.Study(folder / "data" / "driving")
    made.folder.mkdir(parents=True)
    tiny.make_data(made, tiny.driven())
    tiny.make_models(made, tiny.ACTIONS)
    priors = folder / "data" / "replication" / "priors"
    priors.mkdir(parents=True)
    for level in ("top", "bottom"):
        made.path(level).rename(priors / f"{level}_actions.safetensors")
    return folder
