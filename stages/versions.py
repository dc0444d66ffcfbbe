"""Stage `versions`: check params.yaml as a whole, and write the code version of every module.

It runs first, so a wrong parameter is named before any work; what it writes changes only where code
changes, so the stages after it stay as they are when a comment is reworded.
"""

from pathlib import Path

from foreframe import versions
from foreframe.artefacts import facts
from foreframe.config import study as schema
from foreframe.running import stage


def main(*, params: Path, stages: Path, library: Path, out: Path) -> None:
    """Write `out`, JSON facts with a digest under each module's dotted name.

    Under `protocols` stand those of the metrics of each protocol, on which its evaluation depends:
    a metric that no protocol names makes nothing stale.

    Raises:
        UserError: params.yaml is wrong, and where.
    """
    protocols = {
        name: each.model_dump(mode="json")
        for name, each in schema.load_plain(params).protocols.items()
    }
    digests = versions.all_versions([stages, library])
    facts.write(out, "versions", versions.of_study(digests, protocols))


if __name__ == "__main__":
    stage.run(main)
