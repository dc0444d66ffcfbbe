"""What the report on all predictors concludes follows its numbers, and likelihoods stay apart."""

import re

import pytest

from foreframe.config.sampling import BASELINES
from tests import turned
from tests.smoke import ROOT
from tests.stages import comparison_study as study
from tests.stages import hierarchical_study
from tests.stages.comparison_study import DATASETS, World
from workflow import dag

ROWS = (*study.CODED, *study.FRAMED)
TITLES = dict(
    zip(
        ROWS,
        (
            "VQ-VAE and PixelSNAIL", "the same, told the actions", "VQ-VAE and transformer",
            "ConvLSTM", "PredNet", "SRNN", "VRNN", "RFN", "SVG-LP", "H-VRNN", "Glow",
            "Feature Flow",
        ),
        strict=True,
    )
)  # fmt: skip
# The rows that each idea sets apart: the first has it.
IDEAS = {
    "the actions are told": ("codes_actions", "codes"),
    "a transformer in place of PixelSNAIL": ("transformer", "codes"),
    "codes in place of frames": ("codes", "vrnn"),
    "a latent for each frame in place of none": ("vrnn", "conv_lstm"),
    "a chain of latents beside the memory": ("srnn", "vrnn"),
    "frames by a flow in place of independent pixels": ("rfn", "srnn"),
    "a memory in place of the last frame alone": ("rfn", "glow"),
    "a vector in place of maps": ("svg", "vrnn"),
    "latents of three sizes in place of one": ("hierarchical", "vrnn"),
    "errors in place of frames as input": ("prednet", "conv_lstm"),
    "features that are moved, in a game, in place of a bound": ("feature_flow", "vrnn"),
}
ORDER = {row: float(place) for place, row in enumerate(ROWS)}
ONE = World(
    psnr={row: 21.0 + place for row, place in ORDER.items()},
    distance={row: 50.0 + 10 * place for row, place in ORDER.items()},
    kinds={"glow": "exact"}
    | dict.fromkeys(("srnn", "vrnn", "rfn", "hierarchical"), "importance_weighted"),
    gap=-0.1,
)
WORLDS = {
    "one": ONE,
    "other": World(
        psnr={row: 32.0 - place for row, place in ORDER.items()},
        distance={row: 160.0 - 10 * place for row, place in ORDER.items()},
        kinds={"rfn": "exact", "glow": "importance_weighted", "vrnn": "elbo"},
        gap=0.2,
    ),
    "unsettled": ONE.other(width=1000.0, bits=9.0),
    "few clips": ONE.other(width=None),
}
FIRST, LAST = TITLES["codes"], TITLES["feature_flow"]
REST = (
    "VQ-VAE and transformer, ConvLSTM, PredNet, SRNN, VRNN, RFN, SVG-LP, H-VRNN, Glow and "
    "Feature Flow"
)
# Of each data set: the best forecast and over how many it is, whose futures are nearest.
SAID = {
    "one": (LAST, 10, f"those of {FIRST} (random video distance 50.0)."),
    "other": (FIRST, 10, f"those of {LAST} (random video distance 50.0)."),
    **dict.fromkeys(
        ("unsettled", "few clips"),
        (
            LAST,
            0,
            f"those of {FIRST} (random video distance 50.0), though not for certain nearer than "
            f"those of {REST}.",
        ),
    ),
}


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The report on each world."""
    return {
        name: study.page(tmp_path_factory.mktemp("world"), world) for name, world in WORLDS.items()
    }


@pytest.mark.parametrize("name", WORLDS)
def test_what_an_idea_is_worth_is_the_sign_of_its_difference(
    pages: dict[str, str], name: str
) -> None:
    world = WORLDS[name]
    for data in DATASETS:
        _, *rows = turned.table(pages[name], f"ideas-{data}")
        there = {idea: pair for idea, pair in IDEAS.items() if set(pair) <= {*study.rows(data)}}
        decided = {
            idea: "yes" if world.psnr[one] > world.psnr[other] else "no, it costs"
            for idea, (one, other) in there.items()
        }
        certain = world.width is not None and world.width < 1
        expected = decided if certain else dict.fromkeys(there, "–")
        assert {row[0]: row[-1] for row in rows} == expected


@pytest.mark.parametrize("name", WORLDS)
def test_the_best_rows_are_those_of_the_numbers(pages: dict[str, str], name: str) -> None:
    page = hierarchical_study.words(pages[name])
    best, over, nearest = SAID[name]
    for data in DATASETS:
        assert re.search(
            rf"On {data} \(12 to 36 T operations each\) the best forecast is that of "
            rf"{best} \(32\.00 dB; better than those of {over} of the other 10 for certain, clip "
            r"by clip\), and the futures nearest to true clips are " + re.escape(nearest),
            page,
        ), data
        gap = "−0.100" if WORLDS[name].gap < 0 else "+0.200"
        assert f"On {data} the transformer needs {gap} bits a code of the top level" in page
    said = f"is that of {best}. Over {over} of the other 10 its lead is decided, clip by clip."
    assert page.count(said) == 4  # by PSNR and by SSIM
    assert "saw each of their training clips 2 times" in page
    assert "no row was searched for. Every row was trained once, from the seed 0." in page


@pytest.mark.parametrize("name", WORLDS)
def test_more_bits_than_equal_probabilities_take_are_explained(
    pages: dict[str, str], name: str
) -> None:
    said = "H-VRNN takes more than the 8 bits of equal probabilities"
    assert (said in hierarchical_study.words(pages[name])) == (WORLDS[name].bits > 8)


@pytest.mark.parametrize("name", WORLDS)
def test_likelihoods_of_different_kinds_share_no_table(pages: dict[str, str], name: str) -> None:
    kinds = WORLDS[name].kinds
    tables = {kind: f"bits-{kind}" for kind in ("importance_weighted", "elbo", "exact")}
    for kind, table in tables.items():
        rows = [row for row in study.FRAMED if kinds.get(row) == kind]
        if rows:
            (_, *found) = turned.table(pages[name], table)
            assert [cells[0] for cells in found] == [TITLES[row] for row in rows]
            assert all("–" not in cells for cells in found)
        else:
            assert f'id="{table}"' not in pages[name]
    for figure in re.findall(r'<figure id="([^"]+)"', pages[name]):
        headers = [cell for row in turned.table(pages[name], figure)[:1] for cell in row]
        assert not any("bits" in cell for cell in headers) or figure in tables.values(), figure
    without = [TITLES[row] for row in study.FRAMED if row not in kinds]
    said = ", ".join(without[:-1]) + f" and {without[-1]} have no entry"
    assert said in hierarchical_study.words(pages[name])


def test_a_row_of_two_kinds_is_in_two_tables_with_a_dash_in_each(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    world = ONE.other(kinds={"rfn": "elbo"}, kinds_of_digits={"rfn": "exact"})
    page = study.page(tmp_path_factory.mktemp("world"), world)
    for kind, place in (("elbo", 1), ("exact", 2)):
        (_, cells) = turned.table(page, f"bits-{kind}")
        assert [cell == "–" for cell in cells] == [False, place != 1, place != 2]
    (row,) = (row for row in turned.table(page, "rows-table") if row[0] == "RFN")
    assert row[3] == "elbo, exact"


def test_every_row_is_in_the_tables_of_both_data_sets_or_is_said_to_be_missing(
    pages: dict[str, str],
) -> None:
    rules = [name.replace("_", " ") for name in BASELINES]
    for data in DATASETS:
        titles = [TITLES[row] for row in study.rows(data)]
        for table, expected in (
            ("futures", [*rules, *titles]),
            ("forecasts", titles),
            ("budget", titles),
        ):
            (_, *found) = turned.table(pages["one"], f"{table}-{data}")
            assert [row[0] for row in found] == expected
        missing = set(ROWS) - {*study.rows(data)}
        assert missing == ({"codes_actions"} if data == "digits" else set())
    said = "On digits the row told actions is missing: moving_digits records no actions."
    assert said in hierarchical_study.words(pages["one"])


def test_how_futures_are_drawn_is_what_the_stages_are_given(pages: dict[str, str]) -> None:
    settings = study.settings()
    samplings = {
        found.name.partition("@")[2]: re.findall(r"samplings\.(\w+)", found.command)
        for found in dag.declared(ROOT)
        if found.study == "comparison" and "-m stages.sample " in found.command
    }
    (_, *rows) = turned.table(pages["one"], "drawing")
    assert [row[0] for row in rows] == list(TITLES.values())
    for row, (_, future, *counts, forecast) in zip(ROWS, rows, strict=True):
        for data, count in zip(DATASETS, counts, strict=True):
            if row not in study.rows(data):
                assert count == "–"
                continue
            (sampling,) = samplings[study.run_of(row, data)]
            given = settings["samplings"][sampling]
            (options,) = given["choices"].values()
            drawn = settings["protocols"][data]["futures"]["samples"]
            assert count == str(drawn if options else 1)
            pairs = [pair.split(": ") for pair in future.split("; ")] if options else []
            assert {key.replace(" ", "_") for key, _ in pairs} == options.keys()
            mean = given["means"].get("averaged")
            assert forecast == (f"mean of {mean['futures']}" if mean else "the only one")
