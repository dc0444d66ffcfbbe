"""Stage question: one question to a trained autoencoder; each is a kind of foreframe/questions.

It is asked of clips as the autoencoder's view takes them, without noise on any index; what is of
training clips says so, everything else is of test clips.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import torch

from foreframe import autoencoders, kinds
from foreframe.analyses import SCHEMA
from foreframe.artefacts import facts, hdf5
from foreframe.artefacts.digest import digest
from foreframe.config.compute import Compute
from foreframe.data.clips import Clips, load_split
from foreframe.data.scaling import Scaling
from foreframe.evaluation.contexts import evenly
from foreframe.kinds import Kind
from foreframe.questions import PACKAGE, QuestionSettings
from foreframe.questions.subject import TEST, TRAIN, Subject
from foreframe.running import stage
from foreframe.running.compute import environment, prepare
from foreframe.sources import drawn_scenes


def some(clips: Clips, wanted: int | None) -> Clips:
    """Return at most `wanted` of some clips, evenly spread over them; None: all."""
    count = len(clips)
    places = evenly(count, count if wanted is None else min(wanted, count))
    return Clips(clips.frames, clips.starts[places], clips.length)


def main(
    *,
    frames: Path,
    split: Path,
    normalization: Path,
    model: Path,
    question: Annotated[QuestionSettings, Kind(PACKAGE)],
    weights: Path,
    seed: int,
    compute: Compute,
    found: Path,
    arrays: Path,
) -> None:
    """Write the answer: its numbers, its rows, and the arrays that figures show."""
    device, runs = prepare(compute), load_split(split)
    network = autoencoders.load(model).to(device)
    view = network.settings.view
    with ExitStack() as stack:
        sets = {
            name: stack.enter_context(some(view.clips(frames, runs, name), question.clips))
            for name in (TRAIN, TEST)
        }
        stored = stack.enter_context(hdf5.creating(arrays, SCHEMA, {}))
        scaling, scenes = Scaling.load(view, normalization), drawn_scenes.of(frames)
        subject = Subject(network, scaling, sets, seed, device, stored, weights, scenes)
        with torch.no_grad():
            answer = kinds.find(PACKAGE, question.kind).answer(subject, question)
    about = {
        "clips": len(sets[TEST]),
        "training_clips": len(sets[TRAIN]),
        "of": {
            "frames": digest(frames),
            "split": digest(split),
            "starts": sets[TEST].starts.tolist(),
        },
        "settings": question.model_dump(mode="json"),
        "environment": environment(device, compute),
    }
    per_clip = {name: values_N.tolist() for name, values_N in answer.per_clip.items()}
    known = {"series": list(answer.series), "per_clip": per_clip, "about": about}
    facts.write(found, SCHEMA, {**answer.values, **known})


if __name__ == "__main__":
    stage.run(main)
