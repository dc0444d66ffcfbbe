"""Ready-made protocols are valid, and one that is added is run by both engines' one DAG."""

import shutil
from pathlib import Path

import pytest

from foreframe.config import study
from foreframe.errors import UserError
from foreframe.metrics.frechet import needed
from foreframe.metrics.fvd import SIZES
from tests import smoke
from workflow import dag, preset, protocols


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the parameters, the DAG and the presets of the study."""
    shutil.copytree(smoke.PRESETS, tmp_path / "studies/driving/presets")
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(smoke.ROOT / name, tmp_path / name)
    return tmp_path


def add(project: Path, name: str) -> None:
    protocols.add(name, project / "params.yaml", project / "dvc.yaml")


@pytest.mark.parametrize("name", protocols.ready_made())
def test_every_ready_made_protocol_can_be_added(name: str, project: Path) -> None:
    before = (project / "params.yaml").read_text()
    add(project, name)
    found = study.load(project / "params.yaml").study.protocols
    assert found == {
        **study.load(smoke.ROOT / "params.yaml").study.protocols,
        name: protocols.ready_made()[name],
    }
    assert protocols.fanned(project / "dvc.yaml") == ["driving", name]
    protocols.check(project / "params.yaml", project / "dvc.yaml")
    # Every line that was there still is, comments and all.
    after = (project / "params.yaml").read_text()
    assert [line for line in before.splitlines() if line not in after.splitlines()] == []


def test_an_added_protocol_has_its_stages(tmp_path: Path) -> None:
    clone = smoke.clone(tmp_path / "clone")
    assert smoke.foreframe(clone.folder, "protocols", "add", "bair_fvd").returncode == 0
    names = {stage.name for stage in dag.read(clone.folder)}
    assert {"sample@bair_fvd", "evaluate@bair_fvd", "sample@driving"} <= names


@pytest.mark.parametrize("name", ["recurrent_flows", "hierarchical_vrnn"])
def test_theses_measure_fvd_five_times_and_with_few_clips_where_there_are_no_more(
    name: str,
) -> None:
    base = preset.values("thesis", smoke.PRESETS)
    own = preset.values("thesis", smoke.ROOT / f"studies/{name}/presets")
    every = study.resolve(own, "thesis", base).study.protocols.values()
    found = [each for each in every if "fvd" in each.measures.metrics]
    assert {each.measures.sets.repeats for each in found} == {5}
    for each in found:
        assert each.futures.clips is not None
        allowed = each.measures.sets.few == "allow"
        assert allowed == (each.futures.clips < needed(SIZES["logits"]))
    assert {each.measures.sets.few for each in found} == {"refuse", "allow"}


def test_protocols_of_the_literature_are_what_the_papers_say() -> None:
    found = {
        name: (each.futures.context, each.futures.frames, each.futures.samples, each.measures.best)
        for name, each in protocols.ready_made().items()
    }
    assert found == {
        "svg_moving_mnist": (5, 25, 100, "sequence"),
        "svg_kth": (10, 40, 100, "sequence"),
        "svg_bair": (2, 30, 100, "sequence"),
        "bair_fvd": (1, 16, 1, "none"),
        "cityscapes": (2, 30, 100, "sequence"),
        "driving_8_to_16": (8, 16, 1, "none"),
    }


def test_a_protocol_of_ones_own_stays_when_the_scale_changes(project: Path) -> None:
    add(project, "svg_kth")
    preset.write("smoke", project)
    assert set(study.load(project / "params.yaml").study.protocols) == {"driving", "svg_kth"}


def test_a_protocol_of_ones_own_gets_its_stages_by_name(project: Path) -> None:
    path = project / "params.yaml"
    text = path.read_text()
    end = text.index("evaluation:")
    start = text.rindex("  driving:", 0, end)
    own = text[start:end].replace("driving:", "mine:")
    path.write_text(text[:end].rstrip() + "\n" + own + text[end:])
    with pytest.raises(UserError, match="does not run the protocol mine"):
        protocols.check(path, project / "dvc.yaml")
    add(project, "mine")
    protocols.check(path, project / "dvc.yaml")


@pytest.mark.parametrize(
    ("name", "message"),
    [("driving", "have the protocol driving already"), ("best", "no ready-made protocol best")],
)
def test_a_name_that_cannot_be_added_changes_nothing(
    name: str, message: str, project: Path
) -> None:
    before = {path: path.read_bytes() for path in project.glob("*.yaml")}
    with pytest.raises(UserError, match=message):
        add(project, name)
    assert {path: path.read_bytes() for path in project.glob("*.yaml")} == before


def test_a_protocol_that_does_not_fit_the_study_changes_nothing(project: Path) -> None:
    path = project / "params.yaml"
    path.write_text(path.read_text().replace("frames: 16 ", "frames: 8 "))
    path.write_text(path.read_text().replace("  context: 8 ", "  context: 4 "))
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"svg_kth\.futures\.context is 10; .* at most 4"):
        add(project, "svg_kth")
    assert path.read_bytes() == before
    assert protocols.fanned(project / "dvc.yaml") == ["driving"]


def test_a_fan_out_without_parameters_is_named(project: Path) -> None:
    path = project / "dvc.yaml"
    path.write_text(path.read_text().replace("foreach: [driving]", "foreach: [driving, gone]"))
    with pytest.raises(UserError, match="runs the protocol gone, which"):
        protocols.check(project / "params.yaml", path)


def test_the_list_has_every_protocol(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    protocols.show(project / "params.yaml")
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("driving", *protocols.ready_made()))
