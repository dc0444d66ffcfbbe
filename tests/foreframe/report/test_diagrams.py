"""Drawings that studies declare: whole, legible, with the numbers of their runs."""

from types import SimpleNamespace
from typing import Any

import numpy
import pytest

from foreframe.config import reading, study
from foreframe.errors import UserError
from foreframe.report import style
from foreframe.report.figures import diagram, growth
from foreframe.report.schematics.diagram import Diagram
from tests import report_artefacts, smoke
from workflow import preset, studies

KINDS = {"diagram": diagram, "growth": growth}
DECLARED = {
    (place.name, name): raw
    for place in studies.places(smoke.ROOT)
    for name, raw in report_artefacts.declared(place.name).items()
    if raw["kind"] in KINDS
}
PLAIN = {"kind": "diagram", "size": [3, 2], "alt": "Words for those who cannot see it."}


def desk(runs: dict[str, Any]) -> Any:
    """Return what a drawing asks of a desk: settings of runs, and to note what it read."""

    def run(name: str) -> Any:
        if name not in runs:
            raise UserError(f"there is no run {name}.")
        return runs[name]

    return SimpleNamespace(run=run, note=lambda *_: None)


def of_study(name: str, scale: str) -> Any:
    (place,) = (each for each in studies.places(smoke.ROOT) if each.name == name)
    base = preset.values(scale, smoke.PRESETS)
    sections = study.resolve(preset.values(scale, smoke.ROOT / place.presets), scale, base).sections
    kinds = ("autoencoders", "priors", "predictors")
    return desk({run: found for kind in kinds for run, found in sections.get(kind, {}).items()})


def drawn(raw: dict[str, Any], there: Any) -> Diagram:
    kind = KINDS[raw["kind"]]
    return kind.drawing(reading.validate(kind.Settings, raw, "figure"), there)


def test_some_are_declared() -> None:
    assert DECLARED


@pytest.mark.parametrize("scale", ["laptop", "thesis"])
@pytest.mark.parametrize(("name", "figure"), DECLARED)
def test_every_text_is_inside_its_box_and_the_picture(name: str, figure: str, scale: str) -> None:
    with style.drawing():
        found = drawn(DECLARED[name, figure], of_study(name, scale))
        inches = found.axes.transData.inverted()
        for box, texts in found.contents:
            for text in texts:
                extent = text.get_window_extent().transformed(inches)
                assert box.x <= extent.x0 and extent.x1 <= box.x + box.width, text.get_text()
                assert box.y <= extent.y0 and extent.y1 <= box.y + box.height, text.get_text()
        for text in found.axes.texts:
            extent = text.get_window_extent().transformed(inches)
            assert extent.x0 >= 0 and extent.x1 <= found.width, text.get_text()
            assert extent.y0 >= 0 and extent.y1 <= found.height, text.get_text()


@pytest.mark.parametrize(("name", "figure"), DECLARED)
def test_maps_of_numbers_that_are_said_to_add_up_do(name: str, figure: str) -> None:
    raw = DECLARED[name, figure]
    signs = [box.get("sign") for box in raw.get("boxes", {}).values()]
    if signs == ["+", "="]:
        one, other, total = (numpy.array(grid["rows"]) for grid in raw["grids"])
        assert (one + other == total).all()


@pytest.mark.parametrize("scale", ["smoke", "laptop", "thesis"])
def test_every_phase_of_a_growing_pair_has_its_scales_and_its_steps(scale: str) -> None:
    there = of_study("noisy_codes", scale)
    for run in ("gan_top_s00", "gan_bottom_s00"):
        found = drawn({"kind": "growth", "of": run, "alt": PLAIN["alt"]}, there)
        titles = [texts[0].get_text().split(",")[0] for _, texts in found.contents]
        phases = there.run(run)["training"]["phases"]
        # Phase p has p scales in each player.
        for scale_number in range(len(phases)):
            side = 4 * 2**scale_number
            assert titles.count(f"{side}×{side}") == 2 * (len(phases) - scale_number)
        assert titles.count("map") == len(phases)
        words = [text.get_text() for text in found.axes.texts]
        for number, phase in enumerate(phases, start=1):
            steps = f"{phase['steps']:,}".replace(",", "\u202f")
            assert f"phase {number}: {steps} steps" in words


def test_settings_stand_in_texts() -> None:
    there = desk({"a": {"width": 48, "grid": [2, 3], "phases": [{"steps": 7}]}})
    assert diagram.filled("{a/width} of {a/grid}, {a/phases.0.steps}", there) == "48 of 2, 3, 7"
    with pytest.raises(UserError, match=r"run a has no setting phases\.1\.steps"):
        diagram.filled("{a/phases.1.steps}", there)
    with pytest.raises(UserError, match="no run b"):
        diagram.filled("{b/width}", there)


def test_an_arrow_to_nothing_is_refused() -> None:
    raw = PLAIN | {"boxes": {"a": {"at": [0, 0], "width": 1, "title": "a"}}}
    for end in ("b.left", "a.middle", "a"):
        with pytest.raises(UserError, match="none of left, right, top and bottom of: a"):
            drawn(raw | {"arrows": [{"path": ["a.right", end]}]}, desk({}))


def test_a_curve_goes_through_its_points_and_is_straight_where_they_are() -> None:
    points = ((0.0, 0.0), (1.0, 2.0), (2.0, -1.0), (3.0, 0.5))
    curve = diagram.through(points)
    assert all(numpy.abs(curve - point).sum(axis=1).min() < 1e-12 for point in points)
    straight = diagram.through(((0.0, 1.0), (1.0, 3.0), (2.0, 5.0)))
    assert numpy.allclose(straight[:, 1], 1 + 2 * straight[:, 0])
