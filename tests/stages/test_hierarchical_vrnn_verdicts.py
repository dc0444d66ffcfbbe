"""What the report on the hierarchical VRNN concludes follows its numbers."""

import re

import pytest

from tests import turned
from tests.stages import hierarchical_study
from tests.stages.hierarchical_study import ONE, PREDNET, SVG, THREE, World, row

# As the document says: ladder, levels, then naive, warm-up alone and dense connections alone.
RIGHT = World(
    bounds=(90.0, 80.0, 70.0, 60.0, 50.0, 40.0, 30.0, 35.0, 55.0, 45.0, 46.0),
    active={"naive": (1, 2, 3), "levels_3": (4, 5, 6)},
    predicted={
        "digits": {
            SVG: row(90, 0.6),
            ONE: row(60, 0.752),
            THREE: row(50, 0.755) | {"psnr": 21.0},
        },
        "colour": {SVG: row(90, 0.6), ONE: row(70, 0.8), THREE: row(50, 0.7)},
        "street": {
            SVG: row(90, 0.6, motion=(0.2, 0.1), ends=(0.7, 0.6)),
            ONE: row(80, 0.5),
            THREE: row(50, 0.7, ends=(0.8, 0.6)),
            PREDNET: row(95, 0.8, sharpness=(0.7, 0.2)),
        },
    },
)
# The opposite of each: bounds and distances in another order, no channel in use.
WRONG = World(
    bounds=(60.0, 70.0, 80.0, 90.0, 50.0, 60.0, 70.0, 65.0, 45.0, 35.0, 36.0),
    active={"naive": (1, 2, 3), "levels_3": (0, 0, 0)},
    predicted={
        "digits": {
            SVG: row(50, 0.6),
            ONE: row(60, 0.70),
            THREE: row(90, 0.755) | {"psnr": 19.0},
        },
        "colour": {SVG: row(50, 0.6), ONE: row(70, 0.7), THREE: row(90, 0.8)},
        "street": {
            SVG: row(50, 0.6, ends=(0.7, 0.6)) | {"psnr": 19.0},
            ONE: row(70, 0.5),
            THREE: row(90, 0.7, motion=(0.2, 0.1), sharpness=(0.7, 0.2), ends=(0.8, 0.9)),
            PREDNET: row(95, 0.8, sharpness=(0.7, 0.9)),
        },
    },
)
WORLDS = {
    "right": RIGHT,
    "wrong": WRONG,
    "unsettled": RIGHT.other(width=1000.0),
    "few clips": RIGHT.other(width=None),
    "thesis": RIGHT.other(preset="thesis", distance="fvd"),
}
# What no interval tells of.
PLAIN = {
    "and that of training: decoders underfit",
    "naively, fewer channels of the top level are active",
    "with both, every level is in use",
    "street: PredNet blurs",
}
ABLATIONS = (
    "the ladder of decoders, levels up to the third, a fourth level and warm-up and dense "
    "connections"
)
NOT_FOR_CERTAIN = (
    "(random video distance 50.0), though not for certain nearer than the model without hierarchy, "
    "SVG-LP and PredNet. "
)
LOWEST = (
    "the lowest bound on test clips is that of three levels; of decoders with more and more "
    "recurrent cells it is that of cells in all, wider."
)
PERHAPS_LOWEST = (
    "the lowest bound on test clips is that of three levels, though not for certain lower than "
    "that of one level, two levels and four levels; of decoders with more and more recurrent cells "
    "it is that of cells in all, wider, though not for certain lower than that of cells in one "
    "resolution, cells in three and cells in all."
)
SAID = {
    "right": (
        "The order of bounds is that of the document’s ablations.",
        "On street the model with hierarchy is nearest to the true clips (random video distance "
        "50.0). ",
        LOWEST,
        "Both bounds fall with every rung, as in the document: larger decoders do not overfit",
        "Every step down is certain over clips.",
        "Each level up to the third lowers it for certain, clip by clip.",
    ),
    "wrong": (
        f"by differences of test bounds, clip by clip, it is not for {ABLATIONS}.",
        "No channel of three levels is active: the largest has 0.001 nats",
        "On street SVG-LP is nearest to the true clips (random video distance 50.0). ",
        "the lowest bound on test clips is that of one level; of decoders with more and more "
        "recurrent cells it is that of cells in one resolution.",
        "The bounds do not fall with every rung, as they do in the document",
        "A rung has for certain a higher bound than the one before, clip by clip.",
        "A level up to the third raises it for certain, clip by clip.",
    ),
    "unsettled": (
        f"by differences of test bounds, clip by clip, it is open for {ABLATIONS}.",
        NOT_FOR_CERTAIN,
        PERHAPS_LOWEST,
        "Of some neighbouring rungs the difference may be zero.",
        "Not each level up to the third lowers it for certain.",
    ),
    "few clips": (
        f"by differences of test bounds, clip by clip, too few clips tell of {ABLATIONS}.",
        NOT_FOR_CERTAIN,
        PERHAPS_LOWEST,
        "Too few clips were measured for intervals.",
    ),
}
# What is true of the data and sizes of laptop alone.
STAND_IN = (
    "Other clips stand in for the document’s: on colour car_racing for BAIR robot pushing and on "
    "street car_racing for Cityscapes.",
    "The digits are those of scikit_learn, not of MNIST.",
    "frames are smaller, networks are smaller, batches are smaller, a training does not see every "
    "clip once and fewer futures are drawn: numbers compare in order and sign, not in size.",
)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The report on each world."""
    return {
        name: hierarchical_study.page(tmp_path_factory.mktemp("world"), world)
        for name, world in WORLDS.items()
    }


@pytest.mark.parametrize(
    ("name", "verdict", "plain"),
    [
        ("right", "yes", "yes"),
        ("wrong", "no", "no"),
        ("unsettled", "open", "yes"),
        ("few clips", "–", "yes"),
        ("thesis", "yes", "yes"),
    ],
)
def test_claims_follow_their_numbers(
    pages: dict[str, str], name: str, verdict: str, plain: str
) -> None:
    found = turned.claims(pages[name])
    assert len(found) == 22
    assert found == {claim: plain if claim in PLAIN else verdict for claim in found}


@pytest.mark.parametrize("name", SAID)
def test_sentences_follow_their_numbers(pages: dict[str, str], name: str) -> None:
    page = hierarchical_study.words(pages[name])
    assert [said for said in SAID[name] if said not in page] == []
    others = {said for each in SAID.values() for said in each} - set(SAID[name])
    assert [said for said in others if said in page] == []


def test_what_is_said_of_data_is_that_of_the_settings(pages: dict[str, str]) -> None:
    laptop, thesis = (hierarchical_study.words(pages[name]) for name in ("right", "thesis"))
    drawn = "are the drives of one snippet, and draws 256 for testing; which ones is not known"
    for page in (laptop, thesis):
        assert "it trains on 1,877, which by the counts of cities" in page
    assert f"{drawn}." in laptop
    assert f"{drawn}, and here they are drawn of the other drives." in thesis
    assert [said for said in STAND_IN if said not in laptop] == []
    assert [said for said in STAND_IN if said in thesis] == []
    assert not re.search("stand in for|not of MNIST|are smaller|numbers compare", thesis)


def test_the_warm_up_of_the_step_size_is_that_of_the_settings(pages: dict[str, str]) -> None:
    """Step n of m has n / m of the rate, where the document begins at an eighth of it."""
    said = "Its step size warms up from 0.00002 to 0.00016; here it does so from nearly zero: the "
    for name, first, last in (
        ("right", "60 steps has 0.0000167", "0.001"),
        ("thesis", "1,760 steps has 0.0000000909", "0.00016"),
    ):
        page = hierarchical_study.words(pages[name])
        assert f"{said}first of {first}, the last {last}." in page


def test_means_have_the_spread_that_was_measured(pages: dict[str, str]) -> None:
    """FVD over draws of futures, metrics of frames over clips; an interval alone elsewhere."""
    laptop, thesis = (hierarchical_study.words(pages[name]) for name in ("right", "thesis"))
    assert "FVD 70.0 ± 0.0 without, 50.0 ± 0.0 with" in thesis
    assert "random video distance" not in thesis
    assert "random video distance 70.0 (70.0 to 70.0) without" in laptop
    for page in (laptop, thesis):
        assert "0.755 ± 0.25−49.245 to 50.755" in page
        assert "20.00 ± 0.25−30.00 to 70.00" in page
    assert "0.100 ± 0.25−49.900 to 50.100" in thesis and "0.100 ± 0.25" not in laptop
