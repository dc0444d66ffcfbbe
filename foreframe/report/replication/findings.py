"""Figures of the findings: who carries colour, what freezes, how errors spread, what the top does.

They are drawn from what the stage `analyse` wrote: facts, the table of series, and maps by name.

Shapes: T code-frames, H rows, W columns; t h w steps from a corrupted code.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy
import pandas
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from foreframe.artefacts import hdf5, tables
from foreframe.report import style
from foreframe.report.plots import name_of

Facts = Mapping[str, Any]
Maps = Mapping[str, NDArray[Any]]

COLUMNS = ("samples", "predictor", "quantity", "frame", "mean", "low", "high")
PARTS = {"cb": "blue\nchroma", "cr": "red\nchroma", "luma_coarse": "coarse\nluma"}
PARTS |= {"luma_fine": "fine\nluma"}
DECODINGS = {"top_only": style.PURPLE, "bottom_only": style.GREEN, "reconstruction": style.BLUE}
PRIORS = {"bottom": "given the top codes", "bottom_unconditioned": "not given them"}
TOPS = {"nll": "own top codes", "another_clip": "another clip's", "shuffled": "shuffled"}
STUDY, FULL_CLIP = "study", "full_clip"


def read_series(path: Path, facts: Facts) -> pandas.DataFrame:
    """Read the table of series that belongs to the facts.

    Raises:
        ArtefactError: it is missing, damaged, or of another run.
    """
    return tables.read(path, COLUMNS, facts["series_checksum"])


def read_maps(path: Path) -> dict[str, NDArray[Any]]:
    """Read all maps and frames by their names, text as bytes.

    Raises:
        ArtefactError: the file is missing, damaged, or of another schema.
    """
    found: dict[str, NDArray[Any]] = {}

    def keep(name: str, item: h5py.HLObject) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item[...]

    with hdf5.opening(path, "findings") as file:
        file.visititems(keep)
    return found


def colour(facts: Facts) -> Figure:
    """Return the correlation of decoded parts of the picture with the original, by level."""
    figure = style.figure(style.WIDTH, 2.4)
    axes = figure.subplots()
    found, width = facts["colour"], 0.8 / len(DECODINGS)
    for place, (name, shade) in enumerate(DECODINGS.items()):
        bars = [found[name][part]["correlation"] for part in PARTS]
        where = numpy.arange(len(PARTS)) + (place - 1) * width
        _bars(axes, where, bars, shade, name_of(name), width)
    axes.set_xticks(range(len(PARTS)), list(PARTS.values()))
    axes.set(ylabel="correlation with the original")
    axes.axhline(0, color=style.GREY, linewidth=0.6)
    axes.grid(axis="x", visible=False)
    figure.legend(loc="outside upper center", ncols=len(DECODINGS))
    return figure


def freezing(series: pandas.DataFrame, choices: Sequence[str]) -> Figure:
    """Return motion, contrast and sharpness by predicted frame, as shares of the true ones."""
    figure = style.figure(style.WIDTH, 2.5)
    every = figure.subplots(1, 3)
    lines = [(STUDY, choice, name_of(choice), "o-") for choice in choices]
    lines.append((FULL_CLIP, "top_only", "top codes alone", "s--"))
    for axes, quantity in zip(every, ("motion", "contrast", "sharpness"), strict=True):
        for place, (samples, predictor, label, form) in enumerate(lines):
            found = _course(series, samples, predictor, quantity)
            true = _course(series, samples, predictor, f"{quantity}_true")
            # A truth without any of it leaves a gap in the line.
            share = found["mean"].to_numpy() / true["mean"].replace(0.0, numpy.nan).to_numpy()
            shade = style.CHOICES[place % len(style.CHOICES)]
            axes.plot(found["frame"], share, form, color=shade, label=label)
        axes.axhline(1, color=style.GREY, linewidth=0.8)
        axes.set(xlabel="predicted frame", ylabel=f"{quantity}, predicted / true")
        axes.set_ylim(0, 1.05 * axes.get_ylim()[1])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    handles, labels = every[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(lines))
    return figure


def good_frames(facts: Facts, choices: Sequence[str]) -> Figure:
    """Return how many clips have how many good frames in a row, for each choice."""
    figure = style.figure(style.WIDTH, 2.1)
    axes, width = figure.subplots(), 0.8 / len(choices)
    for place, choice in enumerate(choices):
        found = facts["rollouts"][STUDY]["choices"][choice]["good_frames"]
        counts = numpy.array(found["clips_by_frames"])
        where = numpy.arange(len(counts)) + (place - (len(choices) - 1) / 2) * width
        shade = style.CHOICES[place % len(style.CHOICES)]
        axes.bar(where, counts / counts.sum(), width, color=shade, label=name_of(choice))
    axes.set(xlabel="predicted frames in a row that beat the last given frame", ylabel="clips")
    axes.yaxis.set_major_formatter("{x:.0%}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(axis="x", visible=False)
    figure.legend(loc="outside upper center", ncols=len(choices))
    return figure


def corrupted_code(maps: Maps) -> Figure:
    """Return how often a code differs after one was replaced, with the given bottom prior.

    Maps around the code, which always differs and is marked instead; below, by how much was sampled
    since, also for the prior that is not given the top codes.
    """
    window = maps["corrupted/bottom/around"].copy()
    row, column = window.shape[1] // 2, window.shape[2] // 2
    window[0, row, column] = numpy.nan
    figure = style.figure(style.WIDTH, 2.9)
    above, below = _parts(figure, 2)
    every = above.subplots(1, len(window), squeeze=False)[0]
    _maps(above, every, window, "share of clips")
    for steps, axes in enumerate(every):
        axes.set_title("same code-frame" if steps == 0 else f"+{steps}")
        axes.plot([column], [row], "s" if steps == 0 else "+", color=style.SKY, markersize=3)
    axes = below.subplots()
    for name, shade in zip(PRIORS, (style.GREEN, style.VERMILION), strict=True):
        curve = maps[f"corrupted/{name}/by_distance"]
        label = f"bottom prior {PRIORS[name]}"
        axes.plot(numpy.arange(1, len(curve) + 1), curve, color=shade, label=label)
    axes.set(xlabel="rows of codes sampled since", ylabel="codes changed")
    axes.set_ylim(0, 1.4 * axes.get_ylim()[1])  # room for the legend
    axes.legend(ncols=len(PRIORS), loc="upper left")
    axes.yaxis.set_major_formatter("{x:.0%}")
    return figure


def code_errors(maps: Maps, choice: str, given: Mapping[str, int]) -> Figure:
    """Return how often predicted codes are not the true ones, by place; `given` are code-frames."""
    figure = style.figure(style.WIDTH, 3.1)
    for part, level in zip(_parts(figure, 2), ("top", "bottom"), strict=True):
        shown = maps[f"errors/{FULL_CLIP}/{choice}/{level}"][given[level] :]
        every = part.subplots(1, len(shown), squeeze=False)[0]
        _maps(part, every, shown, f"{level}: share wrong")
        for number, axes in enumerate(every, start=given[level] + 1):
            axes.set_title(f"code-frame {number}")
    return figure


def pixel_errors(maps: Maps, samples: str, choices: Sequence[str]) -> Figure:
    """Return the mean absolute error of each pixel, by predicted frame, over all clips."""
    figure = style.figure(style.WIDTH, 0.4 + 0.95 * len(choices))
    for part, choice in zip(_parts(figure, len(choices)), choices, strict=True):
        shown = maps[f"errors/{samples}/{choice}/pixels"]
        every = part.subplots(1, len(shown), squeeze=False)[0]
        _maps(part, every, shown, f"{name_of(choice)}\n(grey levels)")
        for number, axes in enumerate(every, start=1):
            axes.set_title(f"+{number}")
    return figure


def sensitivity(facts: Facts) -> Figure:
    """Return what wrong top codes cost the bottom prior, with and without the conditioning."""
    figure = style.figure(style.WIDTH, 2.2)
    axes, width = figure.subplots(), 0.8 / len(TOPS)
    shades = (style.GREEN, style.VERMILION, style.ORANGE)
    for place, ((kind, label), shade) in enumerate(zip(TOPS.items(), shades, strict=True)):
        bars = [_nll(facts["sensitivity"][name], kind) for name in PRIORS]
        where = numpy.arange(len(PRIORS)) + (place - 1) * width
        _bars(axes, where, bars, shade, label, width)
    axes.set_xticks(range(len(PRIORS)), [f"bottom prior, {text}" for text in PRIORS.values()])
    axes.set(ylabel="nats per bottom code")
    axes.grid(axis="x", visible=False)
    figure.legend(loc="outside upper center", ncols=len(TOPS))
    return figure


def leak(facts: Facts, series: pandas.DataFrame) -> Figure:
    """Return what codes of whole clips gain by predicted frame, and how many of them differ."""
    figure = style.figure(style.WIDTH, 2.3)
    left, right = figure.subplots(1, 2)
    for place, choice in enumerate(facts["leak"]["choices"]):
        found = _course(series, f"{FULL_CLIP} minus {STUDY}", choice, "psnr")
        shade = style.CHOICES[place % len(style.CHOICES)]
        _line(left, found, shade, name_of(choice))
    left.axhline(0, color=style.GREY, linewidth=0.8)
    left.set(xlabel="predicted frame", ylabel="gain in PSNR (dB)")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    left.legend()
    ticks: list[str] = []
    for level in ("top", "bottom"):
        found = facts["leak"]["given_codes"][level]
        where = numpy.arange(len(found)) + len(ticks)
        _bars(right, where, found, style.LEVELS[level], level, 0.7)
        ticks += [str(number) for number in range(1, len(found) + 1)]
    right.set_xticks(range(len(ticks)), ticks)
    right.set(xlabel="given code-frame", ylabel="codes that differ")
    right.grid(axis="x", visible=False)
    right.yaxis.set_major_formatter("{x:.0%}")
    right.legend()
    return figure


def structure(series: pandas.DataFrame, context: int) -> Figure:
    """Return structural correlation by frame: with the real clip, and between two top codes."""
    figure = style.figure(style.WIDTH, 2.4)
    every = figure.subplots(1, 2, sharey=True)
    kinds = {
        "generated": (style.VERMILION, "generated top, with the real clip"),
        "true_top": (style.BLUE, "true top, with the real clip"),
        "tops": (style.PURPLE, "between generated and true top"),
    }
    for axes, (name, text) in zip(every, PRIORS.items(), strict=True):
        for kind, (shade, label) in kinds.items():
            _line(axes, _course(series, FULL_CLIP, name, f"structure_{kind}"), shade, label)
        axes.axvline(context + 0.5, color=style.GREY, linewidth=0.8)
        axes.set(title=f"Bottom prior {text}", xlabel="frame", ylim=(0, 1.02))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    every[0].set_ylabel("structural correlation")
    handles, labels = every[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(kinds))
    return figure


def _parts(figure: Figure, count: int) -> list[Any]:
    """Return parts of a figure, one below the other."""
    parts: Any = figure.subfigures(count, 1, squeeze=False)
    return list(parts[:, 0])


def _nll(found: Facts, kind: str) -> Facts:
    value: Facts = found["shuffled"]["nll"] if kind == "nll" else found[kind]["nll_wrong"]
    return value


def _course(
    series: pandas.DataFrame, samples: str, predictor: str, quantity: str
) -> pandas.DataFrame:
    wanted = {"samples": samples, "predictor": predictor, "quantity": quantity}
    chosen = series
    for column, value in wanted.items():
        chosen = chosen[chosen[column] == value]
    assert len(chosen), wanted
    return chosen


def _line(axes: Axes, found: pandas.DataFrame, shade: str, label: str) -> None:
    axes.plot(found["frame"], found["mean"], "o-", color=shade, label=label)
    if found["low"].notna().all():
        axes.fill_between(
            found["frame"], found["low"], found["high"], color=shade, alpha=0.15, linewidth=0
        )


def _bars(
    axes: Axes,
    where: NDArray[Any],
    found: Sequence[Facts],
    shade: str,
    label: str,
    width: float,
) -> None:
    means = numpy.array([each["mean"] for each in found])
    axes.bar(where, means, width, color=shade, label=label)
    if all(each["low"] is not None for each in found):
        ends = [[each[end] for each in found] for end in ("low", "high")]
        errors = numpy.abs(numpy.array(ends) - means)
        axes.errorbar(where, means, errors, fmt="none", ecolor=style.INK, elinewidth=0.8)


def _maps(figure: Any, every: Sequence[Axes], values_THW: NDArray[Any], label: str) -> None:
    """Draw maps on one scale, from 0 to the largest value of all."""
    top = float(numpy.nanmax(values_THW)) or 1.0
    for axes, values_HW in zip(every, values_THW, strict=True):
        image = axes.imshow(values_HW, vmin=0, vmax=top, cmap="magma", interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        axes.grid(visible=False)
    figure.colorbar(image, ax=list(every), label=label, fraction=0.03, pad=0.01)
