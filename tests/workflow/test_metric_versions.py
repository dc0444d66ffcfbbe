"""A metric is measured, and nothing is drawn: what DVC thinks of futures when metrics change."""

import re
from pathlib import Path

import pytest

from stages import versions as first
from tests import forking, smoke
from tests.workflow import engines

STAGES = ("sample@driving", "evaluate@driving")
FILES = (
    "frames.h5", "split.json", "normalization.json", "vqvae.safetensors",
    "priors/top.safetensors", "priors/bottom.safetensors", "probe.safetensors",
    "samples/driving.h5", "evaluations/driving.json", "evaluations/driving.metrics.json",
)  # fmt: skip


@pytest.fixture
def study(tmp_path: Path) -> smoke.Clone:
    """A study whose futures count as drawn and measured, whatever its files hold."""
    clone = smoke.clone(tmp_path / "clone")
    for name in FILES:
        path = clone.folder / "data/driving" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    versions(clone)
    done = forking.run(clone.folder, ("dvc", "commit", "--quiet", "--force", *STAGES))
    assert done.returncode == 0, done.stdout
    return clone


def versions(clone: smoke.Clone) -> None:
    """Write the versions of the code, as the first stage does."""
    params, out = clone.folder / "params.yaml", clone.folder / "data/versions.json"
    packages = {"stages": clone.folder / "stages", "library": clone.folder / "foreframe"}
    first.main(params=params, **packages, out=out)


def stale(clone: smoke.Clone) -> set[str]:
    """Return the stages that DVC would run anew."""
    versions(clone)
    with engines.opening(clone.folder) as repo:
        return set(repo.status(targets=[*STAGES])) & set(STAGES)


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert len(re.findall(old, text)) == 1
    path.write_text(re.sub(old, new, text))


def test_only_what_a_protocol_measures_makes_its_evaluation_stale(study: smoke.Clone) -> None:
    """And nothing but what it asks to be drawn makes its futures stale."""
    params, metrics = study.folder / "params.yaml", study.folder / "foreframe/metrics"
    # A file that no protocol names, new or changed, makes nothing stale.
    text = (metrics / "mae.py").read_text()
    (metrics / "new.py").write_text(text.replace('"mae"', '"new"'))
    replace(metrics / "mae.py", r"compare=mae\)", "compare=lambda one, other: mae(other, one))")
    assert stale(study) == set()
    replace(metrics / "psnr.py", "CAP = 100.0", "CAP = 99.0")
    assert stale(study) == {"evaluate@driving"}
    replace(metrics / "psnr.py", "CAP = 99.0", "CAP = 100.0")
    replace(params, r"metrics: \[psnr, ", "metrics: [psnr, mae, ")
    assert stale(study) == {"evaluate@driving"}
    replace(params, r"      horizon: 8", "      horizon: 7")
    assert stale(study) == set(STAGES)
