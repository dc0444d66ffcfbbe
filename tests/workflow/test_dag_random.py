"""For random projects Snakemake's jobs are DVC's stages: names, commands, files and order."""

import tempfile
from pathlib import Path

import pytest
from dvc.dependency.param import ParamsDependency
from dvc.repo import Repo
from dvc.utils import parse_target
from hypothesis import Phase, given, seed, settings

from tests.smoke import ROOT
from tests.workflow import engines
from tests.workflow.engines import Rule
from tests.workflow.random_dags import Project, projects
from workflow.install import has_nvidia_gpu

SNAKEFILE = (ROOT / "Snakefile").read_text()


@pytest.mark.parametrize(
    ("start", "count"),
    [(1, 15), *(pytest.param(start, 50, marks=pytest.mark.slow) for start in (2, 3, 4, 5))],
)
def test_rules_are_stages(start: int, count: int) -> None:
    @seed(start)
    @settings(max_examples=count, deadline=None, database=None, phases=[Phase.generate])
    @given(projects())
    def law(project: Project) -> None:
        with tempfile.TemporaryDirectory() as folder:
            project.write(Path(folder), SNAKEFILE)
            assert engines.rules(Path(folder)) == by_dvc(Path(folder))

    law()


def by_dvc(folder: Path) -> dict[str, Rule]:
    """Return what rules are to be, from what DVC says of its stages and of their order."""
    with engines.opening(folder) as repo:
        graph = repo.index.graph
        outs = {out.fs_path for stage in repo.index.stages for out in stage.outs}
        # The address finds a stage, as each job's command needs it.
        for stage in repo.index.stages:
            path, name = parse_target(stage.addressing)
            assert (path or "dvc.yaml", name) == (stage.relpath, stage.name)
        return {
            stage.addressing: Rule(
                inputs=relative(folder, inputs(repo, stage, outs)),
                outputs=relative(folder, {out.fs_path for out in stage.outs}),
                command=stage.cmd if isinstance(stage.cmd, str) else "\n".join(stage.cmd),
                threads=stage.meta.get("threads", 1),
                resources=frozenset(taken(stage.meta.get("resources", {})).items()),
                before=frozenset(other.addressing for other in graph.successors(stage)),
            )
            for stage in repo.index.stages
        }


def taken(resources: dict[str, int]) -> dict[str, int]:
    """Return what a stage takes on this machine: of a GPU nothing where there is none."""
    none = {name: 0 for name in resources if name == "gpu" and not has_nvidia_gpu()}
    return resources | none


def inputs(repo: Repo, stage: object, outs: set[str]) -> set[str]:
    """Return the files that a stage depends on; of parameter files those that a stage writes.

    Of a folder these are the files in it and what other stages write there.
    """
    found = set()
    for dep in stage.deps:  # type: ignore[attr-defined]
        if isinstance(dep, ParamsDependency):
            found |= {dep.fs_path} & outs
            continue
        inside = {out for out in outs if Path(dep.fs_path) in Path(out).parents}
        if Path(dep.fs_path).is_dir():
            inside |= set(repo.dvcignore.find(repo.fs, dep.fs_path))
        found |= inside or {dep.fs_path}
    return found


def relative(folder: Path, paths: set[str]) -> frozenset[str]:
    return frozenset(str(Path(path).relative_to(folder.resolve())) for path in paths)
