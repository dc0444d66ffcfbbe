"""What is drawn is named by its own clips, and by weights wherever they lie."""

from pathlib import Path

import torch

from foreframe.evaluation.drawing import Task, weights_digest
from foreframe.predictors.copy_last_frame import CopyLastFrame
from tests.stages import evaluation_study as tiny


def test_a_context_has_what_belongs_to_its_own_clips() -> None:
    settings = tiny.protocol(context=2, horizon=3).futures
    led, real = torch.randn(4, 5, 2), torch.zeros(2, 5, 4, 4, 3, dtype=torch.uint8)
    context = Task(CopyLastFrame(), settings, [3, 5, 8, 9], led).context(slice(1, 3), real)
    assert list(context.numbers) == [5, 8] and context.given == 2
    assert context.actions is not None and torch.equal(context.actions, led[1:3])


def test_the_digest_of_weights_knows_them_and_not_their_order_or_place(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a", "b", "c", "d")]
    for path, content in zip(paths, ("one", "two", "one", "other"), strict=True):
        path.write_text(content)
    a, b, c, d = paths
    assert weights_digest([a, b]) == weights_digest([b, a]) == weights_digest([c, b])
    assert weights_digest([a, b]) != weights_digest([a, d])
