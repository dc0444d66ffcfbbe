"""How far the sets of an inspected data set are apart: nearest clips, and drift of colours."""

from typing import Any

import numpy

from foreframe.report import style

# What an axis says, and what its numbers are multiplied by.
MEASURES = {
    "earth_mover": ("earth mover's distance (levels)", 1),
    "jensen_shannon": ("Jensen-Shannon divergence (thousandths of a bit)", 1000),
}
SEARCHES = {
    "usual": ("training, other scenes", style.GREY),
    "train_validation": ("validation in training", style.SETS["validation"]),
    "train_test": ("test in training", style.SETS["test"]),
    "validation_test": ("test in validation", style.PURPLE),
}
BINS = 40
LEGEND = 3  # entries in a line


def distances(figure: Any, facts: Any, file: Any) -> None:
    """Draw how the distances to the nearest clip are distributed, a line for each search.

    Clips that had nothing to be compared with are left out.
    """
    values = facts["duplicates"]
    threshold, bits = values["threshold"], values["bits"]
    found = {name: file["distances"][name][:] for name in SEARCHES}
    found = {name: each[each <= bits].astype(float) for name, each in found.items()}
    axes = figure.subplots()
    most = max(float(each.max()) for each in found.values() if len(each))
    edges = numpy.linspace(0, max(most, 1.0), BINS + 1)
    for name, each in found.items():
        if len(each):
            label, colour = SEARCHES[name]
            shares = numpy.histogram(each, edges)[0] / len(each)
            axes.stairs(shares, edges, color=colour, label=label, linewidth=1.3)
    if threshold is not None:
        axes.axvline(threshold + 0.5, color=style.INK, linestyle=":", label="counts as near")
    axes.set(xlabel=f"distance to the nearest clip (of {bits} bits)", ylabel="share of clips")
    axes.set_xlim(left=0)
    style.legend(figure, axes, columns=LEGEND)


def drift(figure: Any, facts: Any, file: Any) -> None:
    """Draw how far each set's colours are from the training set's, beside its stretches."""
    values = facts["drift"]
    every = figure.subplots(1, len(MEASURES), sharey=True)
    names = ["stretches", *(name for name in style.SETS if name in values["sets"])]
    for axes, (measure, (label, scale)) in zip(every, MEASURES.items(), strict=True):
        usual = [scale * value for value in values["usual"][measure]]
        axes.plot(usual, [0] * len(usual), "|", color=style.GREY, markersize=11)
        for place, name in enumerate(names[1:], start=1):
            far = scale * values["sets"][name][measure]
            axes.plot(far, place, "o", color=style.SETS[name], markersize=6)
        axes.set(xlabel=label, yticks=range(len(names)), ylim=(len(names) - 0.5, -0.5))
        axes.set_xlim(left=0)
    every[0].set_yticklabels(names)
