"""The example of data in shards, run by both engines: one data set, and only new shards are new.

Its futures are those of one sampling, its scores those of one evaluation.
"""

import json
import re
from pathlib import Path

import pytest

from foreframe.config import reading
from foreframe.sources import car_racing
from stages import collect
from tests import smoke
from tests.workflow import tiny
from workflow import dag, studies

NAME = "sharded"
DEFINITION = Path("studies", NAME, "dvc.yaml")
LISTED = Path("studies", NAME, "shards.yaml")
DATA = Path("data", NAME)


FANNED = {
    "shards": ("collect_shard", "extract_latents_shard"),
    "shares": ("sample_share", "evaluate_share"),
}


def named(section: str = "shards") -> list[str]:
    """Return the names that the stages of the definition have."""
    stages = reading.load(smoke.ROOT / DEFINITION)["stages"]
    names = [stages[stage]["foreach"] for stage in FANNED[section]]
    assert names[0] == names[1]
    return [*names[0]]


@pytest.mark.parametrize("section", FANNED)
def test_the_definition_names_what_is_listed(section: str) -> None:
    assert named(section) == list(reading.load(smoke.ROOT / LISTED)[section])


def test_what_reads_all_shards_waits_for_each() -> None:
    stages = {stage.name: stage for stage in dag.read(smoke.ROOT) if stage.study == NAME}
    for reader, folder, section in (
        ("join_frames", "shards", "shards"),
        ("join_latents", "codes", "shards"),
        ("join_samples", "futures/sharded", "shares"),
        ("join_scores", "measured/sharded", "shares"),
    ):
        deps = stages[f"{DEFINITION}:{reader}"].deps
        assert {f"{DATA}/{folder}/{name}.h5" for name in named(section)} <= {*deps}
    codes = stages[f"{DEFINITION}:extract_latents_shard@b"]
    assert f"{DATA}/shards/b.h5" in codes.deps and f"{DATA}/shards/a.h5" not in codes.deps
    assert (f"{DATA}/shards.json", "runs.b") in codes.params


@pytest.mark.slow
def test_shards_are_one_collection_and_one_more_makes_its_own_work_alone(tmp_path: Path) -> None:
    clone = smoke.clone(tmp_path / "study", NAME)
    clone.run("snakemake", "--cores", "2", f"{NAME}_join_latents")
    settings = json.loads((clone.folder / DATA / "settings.json").read_text())
    source = car_racing.Settings(**{**settings["data"]["road"]["source"], "episodes": 8})
    collect.main(
        videos=tmp_path, source=source, seed=settings["seed"], workers=2, out=tmp_path / "frames.h5"
    )
    assert (clone.folder / DATA / "frames.h5").read_bytes() == (tmp_path / "frames.h5").read_bytes()

    definition = clone.folder / DEFINITION
    last = "  d: {videos: data/videos, first: 6, count: 2}\n"
    more = "  e: {videos: data/videos, first: 8, count: 2}\n"
    tiny.edit(clone.folder, str(LISTED), last, last + more)
    text = definition.read_text().replace("[a, b, c, d]", "[a, b, c, d, e]")
    # With codes of a network that is not trained anew.
    for stage in ("measure_colours", "train_autoencoder"):
        text = text.replace(f"  {stage}:\n", f"  {stage}:\n    frozen: true\n")
    definition.write_text(text)
    said = clone.run("dvc", "repro", f"{DEFINITION}:join_latents").stdout
    ran = {studies.local(name) for name in re.findall(r"Running stage '(.*)'", said)}
    # Episodes 0 to 4 stay in their sets, 5 and 6 come from the test set into that of validation.
    encoded = {f"extract_latents_shard@{name}" for name in "cde"}
    assert (
        ran == {"collect_shard@e", "join_frames", "split", "split_shards", "join_latents"} | encoded
    )


@pytest.mark.slow
def test_shares_are_one_sampling_and_one_evaluation(tmp_path: Path) -> None:
    clone = smoke.clone(tmp_path / "study", NAME)
    clone.run("snakemake", "--cores", "2", NAME)
    known = f"{DATA}/settings.json"
    models = [f"{DATA}/{name}.safetensors" for name in ("vqvae", "priors/top", "priors/bottom")]
    road = ("--frames", f"{DATA}/frames.h5", "--split", f"{DATA}/split.json")
    common = (*road, "--normalization", f"{DATA}/normalization.json", "--models", *models)
    common += ("--compute", f"{known}:compute")
    samples, scores = tmp_path / f"{NAME}.h5", tmp_path / "scores.json"
    asked = ["--sampling", f"{known}:sampling", "--futures", f"{known}:protocols.{NAME}.futures"]
    clone.run("python", "-m", "stages.sample", *common, *asked, "--out", str(samples))
    assert samples.read_bytes() == (clone.folder / DATA / f"samples/{NAME}.h5").read_bytes()
    asked = ["--protocol", f"{known}:protocols.{NAME}", "--evaluation", f"{known}:evaluation"]
    asked += ["--probe", f"{DATA}/probe.safetensors", "--samples", str(samples)]
    asked += ["--external_samples", "data/external", "--weights", "data/weights"]
    outs = ("--scores", str(scores), "--metrics", str(tmp_path / "metrics.json"))
    clone.run("python", "-m", "stages.evaluate", *common, *asked, *outs)
    assert scores.read_bytes() == (clone.folder / DATA / f"evaluations/{NAME}.json").read_bytes()
