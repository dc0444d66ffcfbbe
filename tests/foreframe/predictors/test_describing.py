"""Objects that a trained model of scenes describes are those that it draws."""

from typing import Any

import pytest
import torch

from foreframe import classifiers
from foreframe.classifiers import Given
from foreframe.errors import UserError
from foreframe.models import Shape
from foreframe.networks.broadcast_decoder import Rendered
from foreframe.predictors.describing import describer
from foreframe.randomness import generator
from foreframe.training.checkpoints import Checkpoints
from foreframe.training.loop import fit
from foreframe.training.samples import Samples
from tests.foreframe.classifiers import locators
from tests.foreframe.predictors import moving, rendered
from tests.foreframe.training.games import adam, phase, plan
from tests.foreframe.training.runs import setting

SIDE = rendered.SIDE


def pictures(count: int = 3) -> torch.Tensor:
    return generator(0, "pictures").uniform((count, 3, SIDE, SIDE))


def test_slots_of_an_autoencoder_are_those_that_it_draws() -> None:
    model: Any = rendered.model("slot_autoencoder")
    slots = describer(model)(pictures())
    wanted: Rendered = model.shown(pictures(), None)
    torch.testing.assert_close(model.scene.decoder(slots).frame, wanted.frame)


def test_objects_of_a_scene_are_its_poses_and_codes() -> None:
    model: Any = rendered.model("inferno")
    own = describer(model)
    objects = own(pictures())
    assert objects.shape == (3, own.count, own.width)
    scene = model.encoder(pictures(), None).scene
    sizes = [7, scene.codes.shape.shape[2], scene.codes.appearance.shape[2]]
    found = objects.split(sizes, dim=2)
    for one, other in zip(found, (scene.poses.numbers, *scene.codes), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("kind", ["slot_autoencoder", "inferno"])
def test_places_are_learnt_of_them(kind: str, tmp_path: Any) -> None:
    model: Any = rendered.model(kind)
    view = moving.view(channels="colour", frames=4)
    steps = plan(phases=(phase(steps=2, batch_size=2),), players={"model": adam()}, log_every=1)
    chosen = locators.settings(encoder=locators.encoder(model), view=view, training=steps)
    given = Given(Shape(3, 4, SIDE, SIDE), locators.CLASSES)
    built: Any = classifiers.ROLE.build(chosen, given)
    built.initialize(generator(0, "weights"))
    before = {name: value.clone() for name, value in built.encoder.state_dict().items()}
    x_BCTHW = generator(0, "clips").uniform((4, 3, 4, SIDE, SIDE))
    labels = torch.arange(4)
    samples = Samples(4, lambda rows: {"x": x_BCTHW[rows], "labels": {chosen.label: labels[rows]}})
    with Checkpoints(tmp_path) as checkpoints:
        fit(built.objective(), lambda _: samples, None, steps, setting(checkpoints))
    moved = [
        not torch.equal(value, before[name]) for name, value in built.encoder.state_dict().items()
    ]
    assert sum(moved) > len(moved) / 2


def test_a_model_without_objects_describes_nothing() -> None:
    with pytest.raises(UserError, match="does not say which objects a picture has"):
        describer(rendered.model("nerf_autoencoder"))
