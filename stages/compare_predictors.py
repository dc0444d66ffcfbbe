"""Stage compare_predictors: all evaluations of a protocol against each other, clip by clip.

It draws and measures nothing: evaluations hold each metric's value of every clip.
"""

from pathlib import Path

from foreframe.artefacts import facts
from foreframe.evaluation import pairs, results
from foreframe.running import stage


def found_in(folder: Path, protocol: str) -> dict[str, Path]:
    """Return the evaluations of a protocol, `folder/RUN/PROTOCOL.json`, by run."""
    return {path.parent.name: path for path in sorted(folder.glob(f"*/{protocol}.json"))}


def main(*, evaluations: Path, out: Path) -> None:
    """Write the differences of every two predictors of the protocol that `out` is called after.

    Raises:
        ArtefactError: an evaluation is damaged, or two do not agree on a baseline.
        UserError: there is none of this protocol, or they are not of one protocol.
    """
    read = {
        run: (path, facts.read(path, results.SCHEMA))
        for run, path in found_in(evaluations, out.stem).items()
    }
    facts.write(out, pairs.SCHEMA, pairs.compare(read))


if __name__ == "__main__":
    stage.run(main)
