"""Errors of classifiers, and the control by nearest neighbours."""

from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from torch import Tensor

from foreframe.data.clips import Clips
from foreframe.data.normalization import Normalizer
from foreframe.data.scaling import Scaling
from foreframe.errors import UserError
from foreframe.evaluation import classes
from foreframe.randomness import generator
from tests.foreframe.classifiers import small
from tests.stages import dynamics_study

NAMES = ("disc", "ring", "star")


def labels(count: int, seed: int = 0) -> Tensor:
    return generator(seed, "labels").integers(0, 3, (count,))


def test_errors_of_all_and_of_each_class_come_from_one_table() -> None:
    chosen_N, actual_N = labels(200, 1), labels(200)
    found = classes.measured(chosen_N, actual_N, NAMES, 0, "test")
    assert found["error"]["mean"] == pytest.approx(float((chosen_N != actual_N).double().mean()))
    assert found["error"]["low"] < found["error"]["mean"] < found["error"]["high"]
    for number, name in enumerate(NAMES):
        own_N = actual_N == number
        wrong = float((chosen_N[own_N] != number).double().mean())
        assert found["by_class"][name] == pytest.approx(wrong)
        for other in range(3):
            count = int(((chosen_N == other) & own_N).sum())
            assert found["confusion"][other][number] == count


def test_a_class_without_clips_has_no_error() -> None:
    found = classes.measured(torch.tensor([0, 1]), torch.tensor([0, 0]), NAMES, 0)
    assert found["by_class"] == {"disc": 0.5, "ring": None, "star": None}


def test_scores_are_means_of_log_probabilities() -> None:
    sure, unsure = torch.tensor([[0.9, 0.1]]).log(), torch.tensor([[0.4, 0.6]]).log()
    mean = classes.fused([sure, unsure])
    assert mean.exp().prod(dim=1).item() == pytest.approx((0.9 * 0.4 * 0.1 * 0.6) ** 0.5)
    assert mean.argmax(dim=1).item() == 0


def test_what_a_clip_is_taken_for_does_not_depend_on_the_others(tmp_path: Path) -> None:
    path = tmp_path / "frames.h5"
    dynamics_study.write(path)
    view = small.view(channels="colour", frames=6)
    built: Any = small.model("conv3d", channels=3, view=view).eval()
    scaling = Scaling(view, Normalizer((0.5,) * 3, (0.2,) * 3))
    starts, device = numpy.arange(0, 8 * 30, 6)[: classes.WIDTH + 5], torch.device("cpu")
    rows: list[int] = []
    built.layers.register_forward_pre_hook(lambda _, inputs: rows.append(len(inputs[0])))
    with Clips(path, starts, 6) as clips:
        whole_NK = classes.log_probabilities(built, scaling, clips, device)
    torch.testing.assert_close(whole_NK.exp().sum(dim=1), torch.ones(len(starts)).double())
    for chosen in ([3], [36, 0, 11]):
        with Clips(path, starts[chosen], 6) as clips:
            alone = classes.log_probabilities(built, scaling, clips, device)
        assert torch.equal(alone, whole_NK[chosen])
    # However many there are, a network sees as many at once.
    assert rows == 4 * [classes.WIDTH]


def test_classes_that_go_together_are_found_by_their_clips() -> None:
    own_N = labels(60)
    map_K = classes.merging(own_N, torch.tensor([1, 1, 0])[own_N], NAMES, "round")
    assert map_K.tolist() == [1, 1, 0]
    with pytest.raises(UserError, match="clips of the class disc have 2 classes of the label mood"):
        classes.merging(own_N, torch.arange(60) % 2, NAMES, "mood")
    with pytest.raises(UserError, match="clips of the class star have 0 classes of the label mood"):
        classes.merging(own_N % 2, own_N % 2, NAMES, "mood")


def frames(count: int, name: str = "frames") -> Tensor:
    return generator(0, name).integers(0, 256, (count, 8, 12, 3)).to(torch.uint8)


def test_the_nearest_of_a_set_in_itself_is_itself_and_the_first_of_equal_ones() -> None:
    rows_NF = classes.shrunk(frames(300), 4)
    assert classes.nearest(rows_NF, rows_NF).tolist() == list(range(300))
    twice_NF = torch.cat([rows_NF, rows_NF])
    assert classes.nearest(rows_NF, twice_NF).tolist() == list(range(300))


def test_the_nearest_has_the_smallest_euclidean_distance_of_small_pictures() -> None:
    small_N, known_M = (frames(count, name) for count, name in ((20, "some"), (50, "known")))
    one_NF, other_MF = (
        torch.nn.functional.avg_pool2d(each.double().movedim(3, 1), (2, 3)).flatten(1)
        for each in (small_N, known_M)
    )
    wanted = torch.cdist(one_NF, other_MF).argmin(dim=1)
    found = classes.nearest(*(classes.shrunk(each, 4) for each in (small_N, known_M)))
    assert torch.equal(found, wanted)


def test_a_picture_becomes_the_sums_of_its_blocks() -> None:
    whole_N1 = classes.shrunk(frames(2), 1)
    assert torch.equal(whole_N1, frames(2).double().sum(dim=(1, 2)))
    with pytest.raises(UserError, match="8 x 12 pixels have no 3 x 3 equal blocks"):
        classes.shrunk(frames(1), 3)
