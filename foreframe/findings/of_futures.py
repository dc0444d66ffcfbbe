"""The pass over sampled futures: motion, structure, good frames, maps of errors, and the leak.

Shapes: n clips, T predicted frames or code-frames, H rows, W columns.
"""

from typing import Any

from foreframe.evaluation import columns
from foreframe.findings import context_leak, freezing, futures, good_frames
from foreframe.findings.futures import LEVELS, Futures, Measured
from foreframe.findings.task import Task

STUDY, FULL_CLIP = "study", "full_clip"  # the two files of samples


def rollouts(
    task: Task, name: str, source: Futures
) -> tuple[dict[str, Any], dict[str, columns.Columns]]:
    """Measure every future of a file; return the findings, and the values (n,T) by choice."""
    found: dict[str, Any] = {"context_encoding": source.encoding, "choices": {}}
    values = {}
    for choice in source.choices:
        measured = futures.measure(source, choice, task.baselines)
        values[choice] = measured.values
        found["choices"][choice] = _summarize(task, measured)
        for quantity, values_nT in measured.values.items():
            labels = {"samples": name, "predictor": choice, "quantity": quantity}
            task.series.extend(columns.rows(values_nT, **labels))
        task.store(f"errors/{name}/{choice}/pixels", measured.error_map)
        for level, map_THW in measured.code_errors.items():
            task.store(f"errors/{name}/{choice}/{level}", map_THW)
    return found, values


def _summarize(task: Task, measured: Measured) -> dict[str, Any]:
    values, settings = measured.values, task.settings
    return {
        "freezing": freezing.summarize(values, settings.static_below, settings.faded_below),
        "good_frames": good_frames.summarize(values["psnr"], values["psnr_baseline"]),
        "structure": columns.mean(values["structure"].mean(dim=1)),
        "structure_copied": columns.mean(values["structure_copied"].mean(dim=1)),
        "code_errors": {
            level: [float(share) for share in map_THW.mean(dim=(1, 2))]
            for level, map_THW in measured.code_errors.items()
        },
    }


def leak(
    task: Task,
    sources: tuple[Futures, Futures],
    values: tuple[dict[str, columns.Columns], dict[str, columns.Columns]],
) -> dict[str, Any]:
    """Measure what codes of whole clips give away: sources and values of study and full_clip."""
    study, full = futures.common(*sources)
    shown = sources[1].shown
    found: dict[str, Any] = {
        "encodings": [source.encoding for source in sources],
        "clips": len(full),
        "choices": {},
    }
    for choice in sorted(set(values[0]) & set(values[1])):
        pair = values[1][choice]["psnr"][full], values[0][choice]["psnr"][study]
        found["choices"][choice] = context_leak.summarize(*pair)
        labels = {"samples": "full_clip minus study", "predictor": choice, "quantity": "psnr"}
        task.series.extend(columns.rows(pair[0] - pair[1], **labels))
    own, alone = sources[1].codes(shown, full), sources[0].codes(sources[0].shown, study)
    found["given_codes"] = {}
    for level in LEVELS:
        # The last frame of the context lies in the last code-frame that was given.
        frames = own[level].shape[1]
        given = frames * sources[1].context // (sources[1].context + sources[1].horizon)
        differing = context_leak.differing(own[level][:, :given], alone[level][:, :given])
        found["given_codes"][level] = context_leak.summarize_codes(differing)
    return found
