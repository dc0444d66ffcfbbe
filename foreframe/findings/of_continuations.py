"""The pass that decodes and samples anew: tops alone, bottoms under another top, a corrupted code.

Shapes: n clips, B clips of a batch, T frames or code-frames, H rows, W columns, t h w steps from a
corrupted code.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from foreframe.artefacts import hdf5
from foreframe.evaluation import columns
from foreframe.findings import freezing, spread, structure
from foreframe.findings.futures import TRUE, Futures, batches
from foreframe.findings.of_futures import FULL_CLIP
from foreframe.findings.task import ARGMAX, BOTTOM, TOP, Task
from foreframe.metrics.psnr import psnr
from foreframe.predictors.latent import Latent
from foreframe.priors import density
from foreframe.randomness import Draws

ALONE = "top_only"


def tops_alone(task: Task, source: Futures, places: Sequence[int]) -> dict[str, Any]:
    """Measure generated tops decoded alone; keep a good, a faded and a static one as frames."""
    parts: list[columns.Columns] = []
    for some in batches(places):
        true, own = (
            task.predictor.decode(source.codes(name, some), drop=[BOTTOM])[:, source.context :]
            for name in (TRUE, source.shown)
        )
        parts.append({**freezing.measure(true, true, own), "psnr": psnr(true, own)})
    values = columns.join(parts)
    for quantity, values_nT in values.items():
        labels = {"samples": FULL_CLIP, "predictor": ALONE, "quantity": quantity}
        task.series.extend(columns.rows(values_nT, **labels))
    quality_n = values["psnr"].mean(dim=1)
    chosen = freezing.examples(values, quality_n)
    _show(task, source, {kind: places[each.place] for kind, each in chosen.items()})
    late = {name: freezing.late(values, name).tolist() for name in freezing.QUANTITIES}
    settings = task.settings
    return {
        "choice": source.shown,
        "freezing": freezing.summarize(values, settings.static_below, settings.faded_below),
        "examples": {
            kind: {
                "rule": each.rule,
                "clip": source.numbers[places[each.place]],
                "psnr": float(quality_n[each.place]),
                **{name: _known(shares[each.place]) for name, shares in late.items()},
            }
            for kind, each in chosen.items()
        },
    }


def _known(share: float) -> float | None:
    return None if math.isnan(share) else share


def _show(task: Task, source: Futures, chosen: Mapping[str, int]) -> None:
    """Keep what the codes of some clips decode to, in every way that the thesis shows."""
    places, decode = list(chosen.values()), task.predictor.decode
    true, own = source.codes(TRUE, places), source.codes(source.shown, places)
    other = bottoms(task.predictor, source, places, true[TOP])
    found = {
        "real": source.real(places),
        "true_decode": decode(true),
        "true_top_only": decode(true, drop=[BOTTOM]),
        ALONE: decode(own, drop=[BOTTOM]),
        "generated_top_true_bottom": decode({TOP: own[TOP], BOTTOM: true[BOTTOM]}),
        "bottom_only": decode(own, drop=[TOP]),
        "hierarchical": decode(own),
        "true_top_generated_bottom": decode({TOP: true[TOP], BOTTOM: other}),
    }
    for name, frames in found.items():
        task.store(f"rollouts/{name}", frames)
    hdf5.store(task.maps, "rollouts/kind", list(chosen))
    hdf5.store(task.maps, "rollouts/clip_number", [source.numbers[place] for place in places])


def bottoms(predictor: Latent, source: Futures, places: Sequence[int], top_BTHW: Tensor) -> Tensor:
    """Return greedy bottom codes (B,T,H,W) of some clips after their given ones, under a top."""
    given = predictor.window.first(source.codes(source.shown, places), source.context)
    draws = Draws.first(0, places)  # argmax draws nothing
    return predictor.extend(given, ARGMAX, draws, fixed={TOP: top_BTHW})[BOTTOM].cpu()


def under_another_top(task: Task, source: Futures, places: Sequence[int]) -> dict[str, Any]:
    """Compare greedy rollouts from a generated and from the true top, with each other and truth."""
    found: dict[str, Any] = {}
    for name, predictor in task.predictors().items():
        parts: list[columns.Columns] = []
        for some in batches(places):
            tops = source.codes(source.shown, some)[TOP], source.codes(TRUE, some)[TOP]
            codes = [bottoms(predictor, source, some, top) for top in tops]
            pair = zip(tops, codes, strict=True)
            own, other = (predictor.decode({TOP: top, BOTTOM: ids}) for top, ids in pair)
            real = source.real(some)
            same = (codes[0] == codes[1]).double()
            parts.append(
                {
                    "tops": structure.correlation(own, other),
                    "generated": structure.correlation(real, own),
                    "true_top": structure.correlation(real, other),
                    "codes_shared": same.flatten(1).mean(dim=1),
                }
            )
        values = columns.join(parts)
        shared = columns.mean(values.pop("codes_shared"))
        found[name] = {
            kind: structure.summarize(each, source.context) for kind, each in values.items()
        }
        found[name]["codes_shared"] = shared
        for kind, values_nT in values.items():
            labels = {"samples": FULL_CLIP, "predictor": name, "quantity": f"structure_{kind}"}
            task.series.extend(columns.rows(values_nT, **labels))
    return found


def corrupted_code(task: Task, source: Futures, places: Sequence[int], name: str) -> dict[str, Any]:
    """Measure where greedy continuations of a bottom prior differ after one code was replaced."""
    predictor = task.predictors()[name]
    prior, device = density(predictor.priors[BOTTOM]), predictor.device
    codes = {level: ids.to(device) for level, ids in source.codes(TRUE, places).items()}
    frames, height, width = prior.grid
    first = frames * source.context // (source.context + source.horizon)
    place = (first, height // 2, width // 2)
    changed_nTHW = spread.changed(prior, codes[BOTTOM], codes, place, task.settings.seed).cpu()
    around, course = spread.around(changed_nTHW, place), spread.by_distance(changed_nTHW, place)
    task.store(f"corrupted/{name}/share", changed_nTHW.double().mean(dim=0))
    task.store(f"corrupted/{name}/around", around.double().mean(dim=0))
    task.store(f"corrupted/{name}/by_distance", course.mean(dim=0))
    return spread.summarize(changed_nTHW, place)
