"""Stage split: shares the frames out among training, validation and test set."""

from pathlib import Path

from foreframe.config.split import Split
from foreframe.data import clips, splits
from foreframe.data import frames as frames_file
from foreframe.running import stage


def main(*, frames: Path, split: Split, out: Path) -> None:
    """Cut the episodes in `frames` as `split` says and write the runs of each set to `out`."""
    episodes, parts = frames_file.episodes(frames), frames_file.parts(frames)
    clips.save_split(out, splits.cut(episodes, parts, split))


if __name__ == "__main__":
    stage.run(main)
