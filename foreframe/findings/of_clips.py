"""The pass over test clips: what either level carries, what the clamp hides, what the top is for.

Shapes: n clips, T frames or code-frames, H rows, W columns.
"""

from collections.abc import Sequence
from typing import Any

from foreframe.evaluation import columns, contexts
from foreframe.findings import clamp, colour, receptive_field, sensitivity
from foreframe.findings.futures import batches
from foreframe.findings.task import BOTTOM, TOP, Task, TestClips, decode_levels, grey_levels
from foreframe.priors import density


def reconstructions(task: Task, test: TestClips) -> dict[str, Any]:
    """Measure what each level carries, what wrapping does, and what another top does to pixels."""
    carried: dict[str, list[columns.Columns]] = {}
    wraps, moved = [], []
    wrong_nTHW = sensitivity.another_clip(test.codes[TOP])
    for places in batches(range(len(test))):
        real, codes = test.clips.read(places), test.some(places)
        decoded = decode_levels(task.predictor, codes)
        for name, frames in decoded.items():
            carried.setdefault(name, []).append(colour.measure(real, frames))
        wraps.append(clamp.measure(real, grey_levels(task.predictor, codes)))
        other = task.predictor.decode({**codes, TOP: wrong_nTHW[places]})
        moved.append(sensitivity.pixels(decoded["reconstruction"], other))
    wrapping = columns.join(wraps)
    beyond = (wrapping["above"] + wrapping["below"]).tolist()
    worst = sorted(range(len(test)), key=lambda place: -beyond[place])
    _show(task, test, worst[: task.settings.show])
    return {
        "colour": colour.summarize({name: columns.join(each) for name, each in carried.items()}),
        "clamp": clamp.summarize(wrapping),
        "pixels": sensitivity.summarize_pixels(columns.join(moved)),
    }


def _show(task: Task, test: TestClips, worst: Sequence[int]) -> None:
    """Keep clips with what either level decodes to, and those that wrap most in both forms."""
    shown = contexts.evenly(len(test), min(task.settings.show, len(test))).tolist()
    task.store("examples/original", test.clips.read(shown))
    for name, frames in decode_levels(task.predictor, test.some(shown)).items():
        task.store(f"examples/{name}", frames)
    values = grey_levels(task.predictor, test.some(worst))
    task.store("wrap/original", test.clips.read(worst))
    task.store("wrap/clamped", clamp.clamped(values))
    task.store("wrap/wrapped", clamp.wrapped(values))


def top_sensitivity(task: Task, test: TestClips) -> dict[str, Any]:
    """Measure what wrong top codes cost either bottom prior, in nats per code."""
    top = test.codes[TOP]
    wrong = {
        "another_clip": sensitivity.another_clip(top),
        "shuffled": sensitivity.shuffled(top, task.settings.seed),
    }
    found: dict[str, Any] = {}
    for name, predictor in task.predictors().items():
        prior, device = density(predictor.priors[BOTTOM]), predictor.device
        parts = [
            sensitivity.measure(
                prior,
                test.codes[BOTTOM][places].to(device),
                top[places].to(device),
                {kind: other[places].to(device) for kind, other in wrong.items()},
            )
            for places in batches(range(len(test)))
        ]
        found[name] = {"conditioning": getattr(prior.settings, "conditioning", None)}
        for kind in wrong:
            values = columns.join(part[kind] for part in parts)
            found[name][kind] = sensitivity.summarize(values)
            task.store(f"sensitivity/{name}/{kind}", values["divergence_map"].mean(dim=0))
    return found


def receptive_fields(task: Task, test: TestClips) -> dict[str, Any]:
    """Measure what the priors' predictions depend on, untrained and trained, on the first clip."""
    found: dict[str, Any] = {"threshold": receptive_field.THRESHOLD}
    codes = test.some([0])
    for level, trained in task.predictor.priors.items():
        prior = density(trained)
        fresh = receptive_field.untrained(prior, task.settings.seed).to(task.predictor.device)
        found[level] = {}
        for name, network in {"untrained": fresh, "trained": prior}.items():
            latents = {key: ids.to(task.predictor.device) for key, ids in codes.items()}
            map_THW = receptive_field.gradient(network, latents[level], latents)
            found[level][name] = receptive_field.summarize(map_THW)
            task.store(f"receptive_field/{level}/{name}", map_THW)
    return found
