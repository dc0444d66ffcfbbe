"""Stage derive_flow: the optical flow of a file of frames, as another file of frames.

Its episodes are those of the frames, with their sets and labels; a frame is the flow from one
frame to the next, with the states of the first of the two.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import h5py
from tqdm import tqdm

from foreframe.config.flow import FlowSettings
from foreframe.data import actions, labels, writing
from foreframe.data import flow as optical
from foreframe.data import frames as frames_file
from foreframe.data.writing import Layout
from foreframe.errors import UserError
from foreframe.running import stage
from foreframe.sources import Episode


def refuse_stills(frames: Path, file: h5py.File) -> None:
    """Refuse episodes that have no flow.

    Raises:
        UserError: names the first that has a single frame.
    """
    for place, length in enumerate(file["episode_length"][:].tolist()):
        if length < 2:
            origin = file["episode_origin"].asstr()[place]
            raise UserError(
                f"The episode {origin} of {frames} has a single frame, and so no flow. Collect "
                "episodes of 2 frames or more."
            )


def layout(file: h5py.File, flow: FlowSettings) -> Layout:
    """Return what the flow of a file's frames has in common."""
    _, height, width, _ = file["frames"].shape
    longest = len(optical.firsts(int(file["episode_length"][:].max()), flow))
    return Layout(
        height=height,
        width=width,
        frame_interval=optical.step(flow) * float(file.attrs["frame_interval"]),
        source=f"flow of {file.attrs['source']}",
        actions=actions.names(file),
        states=tuple(json.loads(file.attrs["state_names"])),
        labels=labels.classes(file),
        chunk=min(file["frames"].chunks[0], longest),
    )


def episodes(frames: Path, file: h5py.File, flow: FlowSettings) -> Iterator[Episode]:
    """Yield the flow of each episode."""
    runs, parts = frames_file.episodes(frames), frames_file.parts(frames)
    origins = file["episode_origin"].asstr()[:]
    known = {name: file[f"{labels.GROUP}/{name}"][:].tolist() for name in labels.classes(file)}
    for place, (start, stop) in enumerate(runs):
        yield Episode(
            origin=str(origins[place]),
            total=len(runs),
            blocks=optical.blocks(file, start, stop - start, flow),
            part=parts[place],
            labels={name: values[place] for name, values in known.items()},
        )


def main(*, frames: Path, flow: FlowSettings, out: Path) -> None:
    """Write the flow of all episodes of `frames` to `out`.

    Raises:
        UserError: an episode has a single frame.
    """
    with frames_file.opening(frames) as file:
        refuse_stills(frames, file)
        with (
            writing.creating(out, layout(file, flow)) as writer,
            tqdm(unit=" episodes", desc="flow", disable=None) as bar,
        ):
            for episode in episodes(frames, file, flow):
                for _ in writer.add(episode):
                    pass
                bar.total = episode.total
                bar.update()


if __name__ == "__main__":
    stage.run(main)
