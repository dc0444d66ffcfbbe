"""A tiny study with untrained priors that take actions, where `foreframe drive` looks for it."""

import shutil
from pathlib import Path

from tests.smoke import ROOT
from tests.stages import evaluation_study as tiny


def make(folder: Path) -> Path:
    """Write the study into a folder, a project of its own; return the folder."""
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").write_text("[core]\n    no_scm = true\n")
    for path in (ROOT / "dvc.yaml", *ROOT.glob("studies/*/dvc.yaml")):
        place = folder / path.relative_to(ROOT).parent
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
        shutil.copy(path.with_name("params.yaml"), place)
    made = tiny.Study(folder / "data" / "driving")
    made.folder.mkdir(parents=True)
    tiny.make_data(made, tiny.driven())
    tiny.make_models(made, tiny.ACTIONS)
    made.path("autoencoder").rename(made.folder / "vqvae.safetensors")
    priors = folder / "data" / "learned_simulator" / "priors"
    priors.mkdir(parents=True)
    for level in ("top", "bottom"):
        made.path(level).rename(priors / f"{level}_actions.safetensors")
    return folder
