"""Stage survey_frames: what the shares of samplings and evaluations must know of all frames.

Each of them would read all frames for it; this reads them once.
"""

from pathlib import Path

from foreframe.artefacts.digest import digest
from foreframe.data.clips import load_split
from foreframe.evaluation import scoring
from foreframe.evaluation.survey import Survey
from foreframe.predictors.mean_frame import TrainingMean
from foreframe.running import stage


def main(*, frames: Path, split: Path, out: Path) -> None:
    """Write the digest of `frames` and the mean of those that `split` has for training."""
    base = scoring.baselines(frames, load_split(split), context=0)[scoring.MEAN]
    assert isinstance(base, TrainingMean)
    Survey(digest(frames), digest(split), base.mean_HWC).save(out)


if __name__ == "__main__":
    stage.run(main)
