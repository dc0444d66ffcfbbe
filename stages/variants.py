"""Stage `variants`: the replication study's variants as whole, checked sections of parameters."""

from dataclasses import asdict
from pathlib import Path

from foreframe.artefacts import facts
from foreframe.config import replication
from foreframe.running import stage


def main(*, params: Path, study: Path, out: Path) -> None:
    """Write, under `autoencoders`, `priors` and so on, the settings of every variant.

    Raises:
        UserError: a parameter of one of the two files is wrong, and where.
    """
    facts.write(out, "variants", asdict(replication.load(study, params)))


if __name__ == "__main__":
    stage.run(main)
