"""The thesis preset of adversarial video: the papers' nets, settings and sets of data."""

from collections.abc import Mapping
from typing import Any

import pytest

from foreframe.networks.chains import LeakyReLU
from foreframe.predictors import ali
from tests.adversarial_study import ATTRIBUTES, SETS, built, cut, read, sections, trained_on
from tests.foreframe.predictors import flowing, pairs

RUNS = [*trained_on("train_predictor"), *trained_on("train_classifier")]


@pytest.mark.parametrize("name", ["laptop", "thesis"])
@pytest.mark.parametrize("run", RUNS)
def test_every_run_fits_its_data(name: str, run: str) -> None:
    """In size and in the labels that it is told or learns, which the data have."""
    assert built(name, run).trainable() > 0


PAPER = {"ali_numbers": "svhn", "ali_objects": "cifar10", "ali_scenes": "celeba",
         "ali_roads": "imagenet"}  # fmt: skip


@pytest.mark.parametrize("run", PAPER)
def test_the_thesis_preset_has_the_nets_of_the_paper(run: str) -> None:
    """Their sizes and weights: `test_chains`."""
    settings: Any = sections("thesis").study.predictors[run]
    for part, wanted in pairs.PAPER[PAPER[run]].items():
        assert getattr(settings, part) == wanted, part
    assert (settings.view.channels, settings.view.scaling) == ("colour", "unit")
    assert settings.deviation == 0.01


@pytest.mark.parametrize(
    ("run", "epochs", "batch"),
    [("ali_numbers", 100, 100), ("ali_objects", 6475, 100), ("ali_scenes", 123, 100),
     ("ali_roads", 125, 128), ("ali_labels", 123, 128)],
)  # fmt: skip
def test_the_thesis_preset_trains_as_the_paper_says(run: str, epochs: int, batch: int) -> None:
    training = sections("thesis").sections["predictors"][run]["training"]
    (phase,) = training["phases"]
    assert (phase["epochs"], phase["batch_size"], phase["players"]) == (epochs, batch, None)
    adam = {
        "kind": "adam", "learning_rate": 1e-4, "betas": [0.5, 0.999], "epsilon": 1e-8,
        "weight_decay": 0.0, "clip": None, "schedule": "constant", "warmup_steps": 0,
    }  # fmt: skip
    assert training["players"] == {"generator": adam, "critic": adam}
    assert training["average"] is None


def test_told_labels_join_before_the_last_layers_of_all_three_nets() -> None:
    told, untold = built("thesis", "ali_labels"), built("thesis", "ali_scenes")
    width = 256
    assert tuple(told.embedding.linear.weight.shape[:2]) == (width, ATTRIBUTES)

    def inputs(model: Any) -> tuple[int, ...]:
        first = (pairs.layer_of(chain, 0) for chain in (model.decoder.chain, model.critic.joint))
        wide = (layer.convolution.in_channels for layer in first)
        return model.encoder.outward.in_channels, *wide

    assert inputs(untold) == (512, 256, 1536)
    assert inputs(told) == (512 + width, 256 + width, 1536 + width) == (768, 512, 1792)


@pytest.mark.parametrize(
    ("run", "wide", "narrow", "epochs", "counts"),
    [("few_numbers", 128, 64, 900, {"few_numbers": 1000}),
     ("few_objects_1", 192, 96, 1200,
      {f"few_objects_{times}": 1000 * times for times in (1, 2, 4, 8)})],
)  # fmt: skip
def test_few_labels_have_the_critic_and_the_steps_of_salimans(
    run: str, wide: int, narrow: int, epochs: int, counts: dict[str, int]
) -> None:
    model, settings = built("thesis", run), sections("thesis").study.predictors[run]
    assert isinstance(settings, ali.Settings)
    rows = [
        (each.kernel, each.stride, each.padding, each.channels, each.drop)
        for each in settings.critic.pictures.layers
    ]
    assert rows == [
        (3, 1, 1, narrow, 0.2), (3, 1, 1, narrow, 0), (3, 2, 1, narrow, 0),
        (3, 1, 1, wide, 0.5), (3, 1, 1, wide, 0), (3, 2, 1, wide, 0),
        (3, 1, 0, wide, 0.5), (1, 1, 0, wide, 0), (1, 1, 0, wide, 0),
    ]  # fmt: skip
    chains = (settings.critic.pictures, settings.critic.latents, settings.critic.joint)
    assert [chain.pooled for chain in chains] == [True, False, False]
    for chain in chains:
        assert chain.activation == LeakyReLU(kind="leaky_relu", slope=0.2)
        assert {each.normalise for each in chain.layers} == {settings.critic.head.normalise}
    assert settings.critic.head.normalise == "weight"
    assert [[each.channels for each in chain.layers] for chain in chains[1:]] == 2 * [[512, 512]]
    whole: Any = sections("thesis").study.predictors[run.replace("few", "ali").removesuffix("_1")]
    for part in ("latents", "encoder", "decoder", "deviation"):
        assert getattr(settings, part) == getattr(whole, part)
    assert pairs.layer_of(model.critic.joint, 0).convolution.in_channels == wide + 512
    assert model.critic.head.layer.out_channels == 10
    assert settings.view.scaling == "symmetric"
    # The step size falls in the last third.
    training = settings.training
    ((phase,), data) = training.phases, trained_on("train_predictor")[run]
    steps = -(-cut(data)[0] // phase.batch_size)
    assert (phase.epochs, phase.batch_size, training.average) == (epochs, 100, 0.9999)
    players: Any = training.players.values()
    for player in players:
        assert (player.learning_rate, player.betas) == (3e-4, (0.5, 0.999))
        assert 3 * player.schedule.begin == 2 * epochs * steps
    for other, count in counts.items():
        few: Any = sections("thesis").study.predictors[other]
        assert few.supervision.labelled * 10 == count
        assert few.training == training


def test_points_have_the_nets_of_the_released_script() -> None:
    """Their weights: `test_ali` and `test_gan`."""
    found: Mapping[str, Any] = sections("thesis").study.predictors
    points = [run for run in found if run.startswith("points_")]
    assert len(points) == 23
    for run in points:
        settings = found[run]
        assert settings.decoder == pairs.POINTS["decoder"]
        if run.startswith("points_ali"):
            assert (settings.encoder, settings.critic) == (pairs.POINT_ENCODER, pairs.POINT_CRITIC)
        elif run != "points_vae":
            assert settings.critic == pairs.LONE_POINT_CRITIC
        assert {(each.epochs, each.batch_size) for each in settings.training.phases} == {(200, 100)}
    later = [found[run].inference for run in ("points_inverse", "points_posthoc")]
    assert [each.encoder for each in later] == 2 * [pairs.POINT_ENCODER]
    assert later[1].critic == pairs.POINT_CRITIC
    gaussian = pairs.POINT_ENCODER.model_copy(update={"posterior": "gaussian"})
    assert found["points_vae"].encoder == gaussian


def test_the_best_feature_flow_of_the_thesis_preset_has_the_sizes_that_are_tested() -> None:
    """Of its layers: `test_feature_flow`; the grid is 30 x 30, or half and twice as fine."""
    generator: Any = sections("thesis").sections["predictors"]["flow"]["generator"]
    for part in ("encoder", "condition", "flow", "decoder"):
        assert generator[part] == list(flowing.WHOLE[part]), part
    assert (generator["latent_dim"], generator["kappa"]) == (flowing.WHOLE["latent_dim"], 3)
    about = read("thesis.yaml")["about"]
    for run, side in (("flow", about["sides"]["grid"]), ("flow_coarse", 15), ("flow_fine", 60)):
        layers = sections("thesis").sections["predictors"][run]["generator"]["encoder"]
        assert about["sides"]["flow"] == side * 2 ** len(layers)


COUNTS = {
    "temporal": 14_143_498,
    "spatial": 14_133_706,
    "relation": 1_883_147,
    "memory": 16_781_386,
    "volumes": 9_536_714,
    "volumes_memory": 28_292_298,
}


@pytest.mark.parametrize("run", COUNTS)
def test_classifiers_of_the_thesis_preset_have_the_sizes_that_are_tested(run: str) -> None:
    """Layer by layer: `test_classifiers`."""
    assert built("thesis", run).trainable() == COUNTS[run]


@pytest.mark.parametrize("data", SETS)
def test_the_thesis_preset_cuts_data_as_the_document_does(data: str) -> None:
    source: Any = sections("thesis").study.data[data].source
    drawn = (getattr(source, "train_episodes", None), getattr(source, "test_episodes", None))
    assert drawn in ((None, None), SETS[data][0])
    assert cut(data) == SETS[data][1]


def test_the_machine_on_features_learns_as_the_document_says() -> None:
    asked: Any = sections("thesis").study.analyses["features"]
    # ALI learns from the easier pictures alone, and the machine from those that validate it.
    extra = {
        data: getattr(sections("thesis").study.data[data].source, "extra", None)
        for data in ("numbers", "few")
    }
    assert extra == {"numbers": True, "few": False}
    assert (asked.pool, asked.held_out) == ("validation", 10_000)
    assert asked.labelled * 10 == read("thesis.yaml")["about"]["house_numbers"] == 1000
    assert (asked.draws, asked.layers) == (100, 3)
    assert asked.costs.model_dump() == {"first": -20.0, "last": 20.0, "count": 50}


SIDE = 8  # pictures in a row and in a column of figures 4.2 to 4.5


@pytest.mark.parametrize("name", ["laptop", "thesis"])
@pytest.mark.parametrize("data", ["numbers", "scenes", "objects", "roads"])
def test_grids_of_pictures_are_as_large_as_the_documents(name: str, data: str) -> None:
    """Of what is drawn, and of pairs of a picture and what comes back of it."""
    asked, figures = sections(name).study, read("figures.yaml")["figures"]
    drawn = figures[f"{data}_drawn"]
    assert (drawn["rows"], drawn["count"]) == (SIDE, SIDE**2)
    assert asked.samplings["drawn"].show == SIDE**2
    assert 2 * figures[f"{data}_again"]["pairs"] == SIDE
    assert 2 * asked.analyses["reconstruction"].show == SIDE**2


@pytest.mark.parametrize("name", ["laptop", "thesis"])
def test_rows_between_pictures_and_of_labels_are_as_large_as_the_documents(name: str) -> None:
    """The former between true ones at both ends; figures 4.6 and 4.7."""
    analyses: Any = sections(name).study.analyses
    assert (analyses["between"].show, analyses["between"].steps) == (4, 12)
    assert (len(analyses["labels"].rows), len(analyses["labels"].columns)) == (4, 12)
