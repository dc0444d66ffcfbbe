"""The head that tells places: what it looks at, what moves, and that it learns."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from foreframe import classifiers
from foreframe.classifiers.snitch import Snitch
from foreframe.errors import UserError
from foreframe.predictors.copy_last_frame import CopyLastFrame
from foreframe.predictors.describing import describer
from foreframe.randomness import generator
from foreframe.training.objective import Moment
from tests.foreframe.classifiers import locators
from tests.foreframe.classifiers.locators import CLASSES, FRAMES, SAMPLED
from tests.foreframe.classifiers.small import LABEL, error, train
from tests.foreframe.predictors import moving, sliding


def moment(*position: int) -> Moment:
    return Moment(0, 1, 0, 0, 1, generator(0, "moment", *position))


def batch(count: int = 8) -> dict[str, Any]:
    x_BCTHW, labels_B = locators.clips(count)
    return {"x": x_BCTHW, "labels": {LABEL: labels_B}}


def test_it_has_the_document_s_size() -> None:
    """12 blocks of 128, 40 frames, 36 cells, objects of 263 numbers: counted layer by layer."""
    size = {"sampled": 40, "width": 128, "layers": 12, "heads": 8, "ratio": 4, "hidden": 128}
    scene = sliding.scene(slots=10, dim=263)
    chosen = locators.settings(
        **size,
        view=moving.view(channels="colour", frames=40),
        encoder=locators.encoder(sliding.model(locators.SIDE, scene=scene)),
    )
    with torch.device("meta"):
        classes = tuple(map(str, range(36)))
        built: Any = classifiers.ROLE.build(chosen, locators.given(classes=classes))

    def linear(inputs: int, outputs: int) -> int:
        return inputs * outputs + outputs

    block = linear(128, 3 * 128) + linear(128, 128) + linear(128, 512) + linear(512, 128) + 4 * 128
    ends = linear(263, 128) + linear(128, 263) + 40 * 128 + 2 * 128
    wanted = 12 * block + 2 * 128 + linear(128, 128) + linear(128, 36) + ends
    encoder = sum(each.numel() for each in built.encoder.parameters())
    assert built.trainable() - encoder == wanted == 2_473_771  # as its docstring has it


def test_it_learns_where_things_are_in_the_end(tmp_path: Path) -> None:
    built, (x_BCTHW, labels_B) = locators.model(sampled=FRAMES), locators.clips()
    assert error(built.eval(), x_BCTHW, labels_B) > 0.4
    train(built.train(), x_BCTHW, labels_B, tmp_path)
    assert error(built, x_BCTHW, labels_B) < 0.1


def test_objects_of_a_frame_are_a_set_and_frames_are_not() -> None:
    built = locators.model().eval()
    objects_BSKF = generator(0, "objects").normal((2, SAMPLED, 3, sliding.DIM))
    found = built._told(objects_BSKF)
    torch.testing.assert_close(built._told(objects_BSKF[:, :, [2, 0, 1]]), found)
    assert (built._told(objects_BSKF.flip(1)) - found).abs().max() > 1e-4


def test_frames_are_described_each_by_itself_as_their_model_does() -> None:
    scene = sliding.model(locators.SIDE).scene
    own = describer(sliding.model(locators.SIDE))
    x_BCTHW, _ = locators.clips(2)
    frames = x_BCTHW.transpose(1, 2).flatten(0, 1)
    wanted = scene.discover(scene.encoder(frames), None)
    torch.testing.assert_close(own(frames), wanted)
    assert wanted.shape[1:] == (own.count, own.width)
    assert not any("decoder" in name for name in own.state_dict())


def test_frames_are_chosen_anew_in_training_and_stay_in_order() -> None:
    built = locators.model()
    choices = [built._times(FRAMES, generator(0, "times", number)) for number in range(30)]
    assert len({tuple(each.tolist()) for each in choices}) > 5
    assert all(bool((each.diff() > 0).all()) and len(each) == SAMPLED for each in choices)


def test_several_choices_of_frames_are_averaged() -> None:
    built, (x_BCTHW, _) = locators.model(crops=5).eval(), locators.clips(3)
    with torch.no_grad():
        objects = built._described(x_BCTHW)
        each = [
            built._told(objects[:, built._times(FRAMES, generator(0, "snitch", "crop", crop))])
            for crop in range(5)
        ]
        mean = torch.stack(each).softmax(dim=2).mean(dim=0)
        torch.testing.assert_close(built.logits(x_BCTHW).exp(), mean)
        alone = torch.cat([built.logits(x_BCTHW[[row]]) for row in range(3)])
        torch.testing.assert_close(built.logits(x_BCTHW), alone)


def test_parts_add_up_to_the_loss() -> None:
    for distance, masked in ((1.0, 0.001), (2.0, 0.0)):
        built = locators.model(distance=distance, masked=masked)
        found = built.loss(batch(), moment())
        wanted = found["entropy"] + distance * found["distance"]
        wanted = wanted + masked * found.get("masked", torch.tensor(0.0))
        torch.testing.assert_close(found["loss"], wanted)
        assert ("masked" in found) == (masked > 0)
        assert found["error_5"] == 0 and 0 <= found["error"] <= 1  # there are four classes


def test_an_expected_place_is_a_mean_of_cells() -> None:
    built = locators.model()
    sure, torn = torch.full((1, 4), -30.0), torch.full((1, 4), -30.0)
    sure[0, 3], torn[0, 0], torn[0, 3] = 30.0, 30.0, 30.0
    for logits, right, wanted in ((sure, 3, 0.0), (sure, 0, 2.0), (torn, 0, 1.0), (torn, 1, 1.0)):
        assert built.apart(logits, torch.tensor([right])).item() == pytest.approx(wanted, abs=1e-5)


def slopes(built: Snitch, part: str) -> dict[str, Tensor | None]:
    names, weights = zip(*built.named_parameters(), strict=True)
    value = built.loss(batch(), moment())[part]
    chosen = [weight for weight in weights if weight.requires_grad]
    found = iter(torch.autograd.grad(value, chosen, allow_unused=True))
    return {
        name: next(found) if weight.requires_grad else None
        for name, weight in zip(names, weights, strict=True)
    }


def moved(slopes: dict[str, Tensor | None], part: str) -> bool:
    return any(
        slope is not None and bool(slope.any())
        for name, slope in slopes.items()
        if name.startswith(part)
    )


def test_what_is_masked_teaches_the_transformer_alone() -> None:
    built = locators.model()
    masked, entropy = slopes(built, "masked"), slopes(built, "entropy")
    assert moved(masked, "blocks") and moved(masked, "outward") and moved(masked, "mask")
    assert not moved(masked, "encoder")
    assert moved(entropy, "encoder") and not moved(entropy, "mask")


def test_a_frozen_encoder_does_not_move() -> None:
    built = locators.model(moves=False)
    assert not moved(slopes(built, "loss"), "encoder")
    (player,) = built.objective().players
    own = {id(weight) for weight in built.encoder.parameters()}
    assert own and not own & {id(weight) for weight in player.weights()}


def test_it_begins_with_the_given_model_s_weights_or_with_random_ones() -> None:
    own = describer(sliding.model(locators.SIDE))
    nn.init.constant_(own.attention.key.weight, 0.5)  # type: ignore[union-attr, arg-type]

    def begun(start: str) -> Snitch:
        chosen = locators.settings(start=start)
        built = classifiers.ROLE.build(chosen, locators.given())
        assert isinstance(built, Snitch)
        built.beginning = own.state_dict()
        built.initialize(generator(0, "weights"))
        return built

    for start in ("given", "random"):
        state = begun(start).encoder.state_dict()
        same = [torch.equal(value, state[name]) for name, value in own.state_dict().items()]
        assert all(same) == (start == "given")


CHANGES: list[tuple[dict[str, Any], str]] = [
    ({"sampled": 7}, r"sampled is 7, but view.frames is 6\. Raise view\.frames"),
    ({"heads": 3}, r"width is 16, which 3 heads cannot share"),
]


@pytest.mark.parametrize(("changes", "said"), CHANGES)
def test_settings_that_do_not_fit_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        locators.settings(**changes)


def test_what_does_not_fit_the_encoder_is_refused() -> None:
    def build(given: Any = None, **changes: Any) -> None:
        classifiers.ROLE.build(locators.settings(**changes), given or locators.given())

    with pytest.raises(UserError, match=r"no encoder\. Train it by the stage finetune_classifier"):
        build(encoder=None)
    with pytest.raises(UserError, match="has 3 classes, which are no square grid"):
        build(locators.given(classes=CLASSES[:3]))
    with pytest.raises(UserError, match="sees frames of 8 x 8 pixels, but the data have 16 x 16"):
        build(locators.given(side=16))
    view = moving.view(channels="colour", frames=FRAMES, scaling="symmetric")
    with pytest.raises(UserError, match=r"view\.scaling is symmetric, but the encoder was trained"):
        build(view=view)
    with pytest.raises(UserError, match="begins with a trained scene model, but has none"):
        locators.model(start="given")
    with pytest.raises(UserError, match="CopyLastFrame does not say which objects"):
        describer(CopyLastFrame())  # type: ignore[arg-type]
