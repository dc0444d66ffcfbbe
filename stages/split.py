"""Stage split: shares the frames out among training, validation and test set."""

from pathlib import Path

from foreframe import clips, splits, stage
from foreframe import frames as frames_file
from foreframe.config.split import Clip, Split


def main(*, frames: Path, split: Split, clip: Clip, out: Path) -> None:
    """Cut the episodes in `frames` as `split` says and write the runs of each set to `out`."""
    episodes, parts = frames_file.episodes(frames), frames_file.parts(frames)
    clips.save_split(out, splits.cut(episodes, parts, split, clip))


if __name__ == "__main__":
    stage.run(main)
