"""Every picture of the replication report that the driving study's own report does not have."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from PIL import Image

from foreframe.report import animations, pictures, style
from foreframe.report import figures as main_figures
from foreframe.report.figures import Drawing
from foreframe.report.replication import (
    findings,
    receptive_fields,
    rollouts,
    search,
    steering,
    trainings,
    wrap,
)
from foreframe.report.replication.study import Replication

TOPS = ("top_small", "top", "top_large")


def write_all(replication: Replication, folder: Path) -> None:
    """Write every picture, and its description, into `folder`."""
    with style.drawing():
        for part in PARTS:
            for drawing in part(replication):
                main_figures.write(drawing, replication, folder)


def paths(replication: Replication, *endings: str) -> list[str]:
    """Return the inputs whose paths end so, which a drawing names as what it was made from."""
    found = [[path for path in replication.artefacts if path.endswith(end)] for end in endings]
    assert all(len(each) == 1 for each in found), (endings, found)
    return [path for [path] in found]


def _data(replication: Replication) -> Iterator[Drawing]:
    yield Drawing(
        "gallery_diverse",
        f"{len(replication.diverse)} frames of the further data, evenly spread.",
        paths(replication, "diverse/frames.h5"),
        pictures.gallery(replication.diverse),
    )


def _search(replication: Replication) -> Iterator[Drawing]:
    sources = paths(replication, "search/trials.csv", "search/search.json")
    yield Drawing(
        "search_parallel",
        "A line for each run of the search through an axis for each hyperparameter, to its loss.",
        sources,
        search.parallel(replication.trials, replication.search),
    )
    yield Drawing(
        "search_codebook",
        "Validation loss of each run of the search over the size of its codebook.",
        sources,
        search.codebook(replication.trials, replication.search),
    )


def _trainings(replication: Replication) -> Iterator[Drawing]:
    tops = {name: replication.trainings[name] for name in TOPS}
    yield Drawing(
        "curves_top",
        "Training loss by step and validation loss by epoch of three top priors in one plot.",
        paths(replication, *(f"priors/{name}{end}" for name in TOPS for end in CURVES)),
        trainings.tops(tops),
    )
    for name, run in (("curve_unclipped", "bottom_unclipped"), ("curve_clipped", "bottom")):
        yield Drawing(
            name,
            "Loss of a run of the bottom prior by step, and the norm of its gradient.",
            paths(replication, *(f"priors/{run}{end}" for end in CURVES)),
            trainings.bottom(replication.trainings[run]),
        )


CURVES = (".csv", "_epochs.csv")


def _clips(replication: Replication) -> Iterator[Drawing]:
    maps, sources = replication.maps, paths(replication, "findings.h5")
    context = replication.findings["about"]["context"]

    def drawing(name: str, alt: str, strip: Image.Image, clip: Sequence[Image.Image]) -> Drawing:
        return Drawing(name, alt, sources, strip, clip)

    yield drawing(
        "levels",
        "A test clip in rows: decoded from the top codes alone, from the bottom codes alone, real.",
        rollouts.levels(maps, 0),
        rollouts.levels_clip(maps, 0),
    )
    yield drawing(
        "reconstructions",
        "Test clips in pairs of rows: the original above, its reconstruction below.",
        rollouts.reconstructions(maps),
        animations.together(
            [
                rollouts.reconstruction_clip(maps, number)
                for number in range(len(maps["examples/original"]))
            ]
        ),
    )
    for kind in rollouts.KINDS:
        yield drawing(
            f"top_{kind}",
            "Rows: generated top codes alone, with the true bottom codes, true codes of both.",
            rollouts.top_rollout(maps, kind, context),
            rollouts.top_rollout_clip(maps, kind, context),
        )
    yield drawing(
        "bottom_given_top",
        "For three clips two rows: generated bottom codes alone, and with the generated top codes.",
        rollouts.bottom_given_top(maps, context),
        animations.together(
            [rollouts.bottom_given_top_clip(maps, kind, context) for kind in rollouts.KINDS]
        ),
    )
    yield drawing(
        "bottom_top_compared",
        "Two futures of one clip: given generated top codes, and given the true ones.",
        rollouts.bottom_top_compared(maps, "static", context),
        rollouts.bottom_top_compared_clip(maps, "static", context),
    )
    yield drawing(
        "hierarchical",
        "Two clips, each the real one above and the predicted one below.",
        rollouts.hierarchical(maps, ("good", "static"), context),
        animations.together(
            [rollouts.hierarchical_clip(maps, kind, context) for kind in ("good", "static")]
        ),
    )
    yield drawing(
        "wrapped",
        "A test clip in rows: the original, its reconstruction clamped, and wrapped round.",
        wrap.strip(maps, 0),
        wrap.clip(maps, 0),
    )


def _small(replication: Replication) -> Iterator[Drawing]:
    rows, context = rollouts.of_samples(replication.inputs.small, 0)
    yield Drawing(
        "rollout_small",
        "A real clip, and its future by the small top prior: top codes alone, both levels.",
        paths(replication, "top_small/driving.h5"),
        rollouts.strip_of(rows, context),
        rollouts.clip_of(rows, context),
    )


def _findings(replication: Replication) -> Iterator[Drawing]:
    facts, series, maps = replication.findings, replication.series, replication.maps
    choices = list(replication.main.rollouts.futures)
    numbers, table, arrays = (
        paths(replication, f"replication/findings{end}") for end in (".json", ".csv", ".h5")
    )
    context = facts["about"]["context"]
    first = {
        level: replication.main.grids[level][0] * context // replication.main.rollouts.real.shape[1]
        for level in replication.main.grids
    }
    for name, alt, sources, figure in (
        ("colour", "Correlation with the original by part of the picture and by level.", numbers,
         findings.colour(facts)),
        ("freezing", "Motion, contrast and sharpness of futures over the true ones by frame.",
         table, findings.freezing(series, choices)),
        ("good_frames", "Share of clips by the number of frames in a row that beat the copy.",
         numbers, findings.good_frames(facts, choices)),
        ("corrupted_code", "Where codes change after one was replaced, and how far on.", arrays,
         findings.corrupted_code(maps)),
        ("code_errors", "Share of wrong codes by place for both levels.", arrays,
         findings.code_errors(maps, choices[0], first)),
        ("pixel_errors", "Mean absolute error of each pixel by predicted frame.", arrays,
         findings.pixel_errors(maps, findings.STUDY, choices)),
        ("sensitivity", "Loss of the bottom prior under right and wrong top codes.", numbers,
         findings.sensitivity(facts)),
        ("leak", "Gain in PSNR from codes of whole clips, and how many given codes differ.",
         [*numbers, *table], findings.leak(facts, series)),
        ("structure", "Structural correlation of futures with the real clip by frame.", table,
         findings.structure(series, context)),
    ):  # fmt: skip
        yield Drawing(name, alt, sources, figure)
    for level in replication.main.grids:
        yield Drawing(
            f"receptive_field_{level}",
            "Which earlier codes the gradient of a prediction in the middle reaches.",
            [*numbers, *arrays],
            receptive_fields.draw(facts, maps, level),
        )


def _steering(replication: Replication) -> Iterator[Drawing]:
    yield from steering.drawings(replication)


PARTS: tuple[Callable[[Replication], Iterator[Drawing]], ...] = (
    _data,
    _search,
    _trainings,
    _clips,
    _small,
    _findings,
    _steering,
)
