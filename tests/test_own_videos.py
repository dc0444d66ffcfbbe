"""Every study runs on a user's own videos, or says that it is left out and why."""

import pytest

from tests import smoke
from tests.foreframe.sources import making
from workflow import dag, studies

LEFT_OUT = (
    "studies/learned_simulator/params.yaml is left out: it can run on car_racing, and the source "
    "of data.driving is video_folder."
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> smoke.Clone:
    """A copy of the project at the scale of smoke, whose data are videos of a user."""
    clone = smoke.clone(tmp_path_factory.mktemp("own") / "project")
    path = clone.folder / "params.yaml"
    text = path.read_text(encoding="utf-8")
    start, end = text.index("      kind: car_racing"), text.index("    split:\n")
    own = "kind: video_folder\nheight: 32\nwidth: 32\nframe_interval: 0.1\n"
    own = "".join(f"      {line}\n" for line in own.splitlines())
    path.write_text(text[:start] + own + text[end:], encoding="utf-8")
    for number in range(3):
        frames = making.moving(70 + number, 32, 32)
        making.write(clone.folder / f"data/videos/{number}.mp4", frames)
    return clone


def test_a_study_that_cannot_run_on_them_says_so(project: smoke.Clone) -> None:
    every = smoke.foreframe(project.folder, "check")
    assert every.returncode == 0
    assert LEFT_OUT in every.stdout.splitlines()
    alone = smoke.foreframe(project.folder, "check", "--study", "learned_simulator")
    assert (alone.returncode, alone.stderr) == (1, f"error: {LEFT_OUT}\n")


def test_it_holds_up_no_other_study(project: smoke.Clone) -> None:
    found = {stage.study for stage in dag.read(project.folder)}
    assert found == {place.name for place in studies.places(project.folder)}


@pytest.mark.slow
def test_the_thesis_runs_on_them_whole(project: smoke.Clone) -> None:
    project.run("snakemake", "--cores", "2", "all", "driving_thesis")
    for path in ("reports/driving/report.pdf", "reports/driving_thesis/report.html"):
        assert (project.folder / path).is_file()
    run = project.run("dvc", "repro", "studies/learned_simulator/dvc.yaml", check=False)
    assert run.returncode and LEFT_OUT.split(": ", 1)[1] in run.stdout + run.stderr
