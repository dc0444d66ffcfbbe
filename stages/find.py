"""Stage find: the findings of the thesis, tested on trained models and their sampled futures.

Each finding is a file of foreframe/findings; this stage opens what they need, and writes their
numbers, their course over the predicted frames, their maps, and frames for pictures.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas
import torch

from foreframe import priors
from foreframe.artefacts import facts, hdf5, tables
from foreframe.config.compute import Compute
from foreframe.data import latents as latents_file
from foreframe.data.clips import Clips, load_split
from foreframe.errors import UserError
from foreframe.evaluation import contexts, scoring
from foreframe.findings import of_clips, of_continuations, of_futures
from foreframe.findings.futures import LEVELS, Futures, check
from foreframe.findings.settings import Findings
from foreframe.findings.task import BOTTOM, CONDITIONED, TOP, UNCONDITIONED, Task, TestClips
from foreframe.predictors import loading
from foreframe.running import stage
from foreframe.running.compute import environment, prepare

SCHEMA = "findings"
TEST = "test"
FULL_CLIP = "full_clip"


@contextmanager
def test_clips(frames: Path, latents: Path, wanted: int, length: int) -> Iterator[TestClips]:
    """Yield at most `wanted` clips of `length` frames of the test set, evenly spread over it."""
    with hdf5.opening(latents, latents_file.SCHEMA) as file:
        group = file[TEST]
        starts = group["clip_start"][:]
        numbers = contexts.evenly(len(starts), min(wanted, len(starts)))
        codes = latents_file.read(group, LEVELS, torch.from_numpy(numbers))
    with Clips(frames, starts[numbers], length) as clips:
        yield TestClips(clips, codes)


@contextmanager
def sampled(samples: Path, full_clip: Path) -> Iterator[tuple[Futures, Futures]]:
    """Yield the study's own samples and those whose context was encoded with the whole clip.

    Raises:
        UserError: the second are not, or either has no true codes beside the sampled ones.
    """
    with ExitStack() as stack:
        found = [
            Futures(stack.enter_context(hdf5.opening(path, "samples")))
            for path in (samples, full_clip)
        ]
        for source, path in zip(found, (samples, full_clip), strict=True):
            check(source, path)
        if found[1].encoding != FULL_CLIP:
            raise UserError(
                f"{full_clip} was sampled with context_encoding: {found[1].encoding}. "
                f"Give samples with context_encoding: {FULL_CLIP}."
            )
        yield found[0], found[1]


def measure(task: Task, test: TestClips, sources: tuple[Futures, Futures]) -> dict[str, Any]:
    """Return every finding's numbers; its maps and series go where the task says."""
    study, full = sources
    names = (of_futures.STUDY, of_futures.FULL_CLIP)
    measured = [
        of_futures.rollouts(task, name, source) for name, source in zip(names, sources, strict=True)
    ]
    decoded, again = (
        contexts.evenly(len(full.numbers), min(count, len(full.numbers))).tolist()
        for count in (task.settings.clips, task.settings.continued)
    )
    tops = of_continuations.tops_alone(task, full, decoded)
    return {
        "shown": tops.pop("examples"),
        "tops_alone": tops,
        **of_clips.reconstructions(task, test),
        "sensitivity": of_clips.top_sensitivity(task, test),
        "receptive_field": of_clips.receptive_fields(task, test),
        "rollouts": {name: found for name, (found, _) in zip(names, measured, strict=True)},
        "leak": of_futures.leak(task, (study, full), (measured[0][1], measured[1][1])),
        "under_another_top": of_continuations.under_another_top(task, full, again),
        "corrupted_code": of_continuations.corrupted_code(task, full, again, CONDITIONED),
        "corrupted_code_unconditioned": of_continuations.corrupted_code(
            task, full, again, UNCONDITIONED
        ),
    }


def main(
    *,
    frames: Path,
    split: Path,
    normalization: Path,
    models: tuple[Path, ...],
    latents: Path,
    bottom_unconditioned: Path,
    samples: Path,
    samples_full_clip: Path,
    compute: Compute,
    findings: Findings,
    found: Path,
    series: Path,
    maps: Path,
) -> None:
    """Write the findings as facts, a table of series by predicted frame, and arrays."""
    device = prepare(compute)
    predictor = loading.latent(models, normalization, device)
    other = priors.load(bottom_unconditioned, BOTTOM).to(device)
    unconditioned = replace(predictor, priors={TOP: predictor.priors[TOP], BOTTOM: other})
    with (
        test_clips(frames, latents, findings.clips, predictor.window.frames) as test,
        sampled(samples, samples_full_clip) as sources,
        hdf5.creating(maps, SCHEMA, {}) as file,
    ):
        bases = scoring.baselines(frames, load_split(split), sources[0].context)
        task = Task(predictor, unconditioned, bases, findings, file, [])
        numbers = measure(task, test, sources)
        about = {
            "clips": len(test),
            "context": sources[1].context,
            "horizon": sources[1].horizon,
            "settings": findings.model_dump(mode="json"),
            "environment": environment(device, compute),
        }
    checksum = tables.write(series, pandas.DataFrame(task.series))
    facts.write(found, SCHEMA, {**numbers, "about": about, "series_checksum": checksum})


if __name__ == "__main__":
    stage.run(main)
