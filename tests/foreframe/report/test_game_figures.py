"""Figures of games: grids of pictures, points of a mixture, and what a critic tells right."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy
import pandas
import pytest
from numpy.typing import NDArray

from foreframe.errors import UserError
from foreframe.report import strips, style
from foreframe.report.figures import accuracies, picture_grid, planes

ALT = "Words for those who cannot see it."


class Shelf:
    """Arrays of analyses by run, their numbers of components, and trainings."""

    def __init__(self, analyses: Mapping[str, Any], found: Mapping[str, int] | None = None) -> None:
        self.analyses, self.found = analyses, found or {}
        self.read: list[str] = []

    @contextmanager
    def arrays(self, schema: str, run: str) -> Iterator[Mapping[str, NDArray[Any]]]:
        assert schema == "analysis_arrays"
        self.read.append(run)
        yield self.analyses[run]

    def number(self, run: str, quantity: str) -> Any:
        assert quantity == "modes.found"
        return SimpleNamespace(value=self.found[run])

    def training(self, run: str) -> Any:
        return SimpleNamespace(epochs=self.analyses[run], curve=pandas.DataFrame())


def pictures(*sizes: int) -> strips.Frames:
    shape = (*sizes, 4, 4, 3)
    return numpy.random.default_rng(0).integers(0, 256, shape, dtype=numpy.uint8)


def cells(shelf: Any, **settings: Any) -> NDArray[numpy.uint8]:
    spec = picture_grid.Settings(kind="picture_grid", alt=ALT, of="asked", **settings)
    drawn = numpy.asarray(picture_grid.draw(spec, shelf)[0].content)
    factor = strips.factor_for(4, strips.CELL)
    step = 4 * factor + strips.GAP
    rows, columns = -(-drawn.shape[0] // step), -(-drawn.shape[1] // step)
    found = [
        drawn[y * step : y * step + 4 * factor, x * step : x * step + 4 * factor]
        for y in range(rows)
        for x in range(columns)
    ]
    small = numpy.stack([each[::factor, ::factor] for each in found])
    return small.reshape(rows, columns, 4, 4, 3)


def test_rows_of_a_grid_are_those_of_its_array_with_true_pictures_around_them() -> None:
    frames, ends = pictures(2, 3), pictures(2, 2)
    shelf = Shelf({"asked": {"frames": frames, "ends": ends}})
    numpy.testing.assert_array_equal(cells(shelf, frames="frames"), frames)
    whole = cells(shelf, frames="frames", ends="ends")
    numpy.testing.assert_array_equal(whole[:, 1:-1], frames)
    numpy.testing.assert_array_equal(whole[:, [0, -1]], ends)


@pytest.mark.parametrize(("count", "shown", "pairs"), [(4, 4, 2), (5, 4, 2), (1, 1, 1)])
def test_what_comes_back_of_a_picture_stands_right_of_it(
    count: int, shown: int, pairs: int
) -> None:
    real, again = pictures(count), 255 - pictures(count)
    shelf = Shelf({"asked": {"real": real, "again": again}})
    drawn = cells(shelf, frames="real", again="again", pairs=2)
    assert drawn.shape[:2] == (shown // pairs, 2 * pairs)
    numpy.testing.assert_array_equal(drawn[:, 0::2].reshape(-1, 4, 4, 3), real[:shown])
    numpy.testing.assert_array_equal(drawn[:, 1::2].reshape(-1, 4, 4, 3), again[:shown])


def test_ends_and_what_comes_back_are_not_drawn_at_once() -> None:
    with pytest.raises(ValueError, match="name one of them"):
        picture_grid.Settings(
            kind="picture_grid", alt=ALT, of="asked", frames="a", ends="b", again="c"
        )


def plane(shelf: Any, columns: dict[str, list[str]]) -> list[Any]:
    spec = planes.Settings(kind="planes", alt=ALT, columns=columns)
    with style.drawing():
        canvas = style.figure(4.0, 4.0)
        planes.fill(canvas, spec, shelf)
    return canvas.axes


def test_the_training_that_found_most_components_is_shown_and_no_latents_without_an_encoder() -> (
    None
):
    points = numpy.arange(8.0).reshape(4, 2)
    made = {"points": points, "components": numpy.arange(4), "prior": points, "samples": -points}
    shelf = Shelf({"a": made, "b": made, "c": made}, {"a": 3, "b": 5, "c": 5})
    axes = plane(shelf, {"GAN": ["a", "b", "c"]})
    assert shelf.read == ["b"]
    counts = [len(each.collections) for each in axes]
    assert counts == [1, 0, 0, 1, 1]
    numpy.testing.assert_array_equal(axes[-1].collections[0].get_offsets(), -points)


def test_a_critic_has_a_line_for_training_validation_and_samples() -> None:
    columns = ("train_accuracy_real", "validation_accuracy_real", "train_accuracy_fake")
    epochs = pandas.DataFrame({"epoch": [1, 2], **{name: [0.25, 0.5] for name in columns}})
    spec = accuracies.Settings(kind="accuracies", alt=ALT, panels={"run": "title"})
    with style.drawing():
        canvas = style.figure(4.0, 2.0)
        accuracies.fill(canvas, spec, Shelf({"run": epochs}))  # type: ignore[arg-type]
        (axes,) = canvas.axes
    assert [list(numpy.asarray(line.get_ydata())) for line in axes.lines] == [[0.25, 0.5]] * 3
    with pytest.raises(UserError, match="no training run logs train_accuracy_real"):
        accuracies.fill(canvas, spec, Shelf({"run": epochs[["epoch"]]}))  # type: ignore[arg-type]
