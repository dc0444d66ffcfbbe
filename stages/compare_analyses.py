"""Stage compare_analyses: one analysis of all predictors that it was made of, clip by clip.

It measures nothing: an analysis holds its values of every clip.
"""

from pathlib import Path

from foreframe import analyses
from foreframe.artefacts import facts
from foreframe.evaluation import pairs
from foreframe.running import stage


def main(*, found: Path, out: Path) -> None:
    """Write the differences of every two predictors; `found` is the analysis's folder.

    Raises:
        ArtefactError: an analysis is damaged.
        UserError: none has values by clip, or two are not of the same clips.
    """
    read = {
        path.stem: (path, facts.read(path, analyses.SCHEMA))
        for path in sorted(found.glob("*.json"))
    }
    facts.write(out, pairs.SCHEMA, pairs.compare_analyses(found.name, read))


if __name__ == "__main__":
    stage.run(main)
