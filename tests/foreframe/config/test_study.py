"""A whole params.yaml: unknown, missing, mistyped and contradictory values are named."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foreframe.config import study
from foreframe.errors import UserError
from tests import smoke

LAPTOP = smoke.parameters("laptop")


def changed(key: str, value: Any) -> dict[str, Any]:
    content = copy.deepcopy(LAPTOP)
    *parents, leaf = key.split(".")
    place = content
    for parent in parents:
        place = place[parent]
    if value is ...:
        del place[leaf]
    else:
        place[leaf] = value
    return content


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("sed", 0, r"p: sed is no parameter.*allowed: seed"),
        ("seed", ..., r"p: the parameter seed is missing"),
        ("seed", -1, r"p: seed: .*greater than or equal to 0"),
        ("seed", "zero", r"p: seed: .*integer"),
        (
            "data.driving.source.kind",
            "carracing",
            r"p: data\.driving\.source\.kind: 'carracing' is unknown.*car_racing",
        ),
        ("data.driving.source.kind", ..., r"p: data\.driving\.source\.kind is missing.*car_racing"),
        (
            "data.driving.source.heigth",
            64,
            r"p: data\.driving\.source\.heigth is no parameter\. Did you mean height\?",
        ),
        (
            "data.driving.source.height",
            60,
            r"data\.driving\.source\.height is 60; a vqvae autoencoder needs a multiple of 8",
        ),
        (
            "data.driving.source.frame_interval",
            0.03,
            r"p: data\.driving\.source: frame_interval is 0\.03 s.*multiple",
        ),
        (
            "autoencoders.vqvae.view.frames",
            18,
            r"autoencoders\.vqvae\.view\.frames is 18; .*multiple of 4",
        ),
        ("protocols.driving.futures.context", 13, r"futures\.context is 13; .*at most 12"),
        ("protocols.driving.futures", ..., r"p: protocols\.driving\.futures is missing"),
        ("protocols.driving.futures.keep", 2, r"futures: keep is 2, but 1 futures are drawn"),
        ("protocols.driving.futures.keep", 0, r"context and keep must be 1 or more"),
        ("protocols.driving.futures.context", 0, r"context and keep must be 1 or more"),
        (
            "protocols.driving.measures.likelihood",
            {"samples": 0, "given": None, "frames": None},
            r"likelihood\.samples",
        ),
        ("protocols.driving.measures.metrics", ["psnt"], r"metrics: 'psnt' is unknown.*psnr, "),
        ("protocols.driving.measures.metrics", ["mean"], r"metrics: 'mean' is unknown"),
        ("protocols.driving.measures.metrics", ["mse", "mse"], r"names one metric twice"),
        (
            "protocols.driving.futures.set",
            "train",
            r"futures\.set: .*'validation' or 'test'",
        ),
        ("protocols.driving.measures.best", "first", r"driving\.measures\.best: .*'sequence'"),
        ("protocols.driving.measures.resize", [64], r"p: protocols\.driving\.measures\.resize"),
        ("protocols.driving.futures.clips", 2, r"show is 3, but only .*futures\.clips = 2"),
        (
            "protocols.driving.measures.metrics",
            ["mse"],
            r"metrics lacks psnr and ssim, which",
        ),
        ("protocols.driving", ..., r"protocols\.driving is missing; the report is about it"),
        ("protocols.Upper", {}, r"p: protocols"),
        ("sampling.choices.mean_frame", {}, r"p: sampling"),
        ("data.driving.split.train", 0.9, r"p: data\.driving\.split: .*add up to 1"),
        ("data.driving.split.test", 0.0, r"p: data\.driving\.split\.test"),
        ("autoencoders.vqvae.codebook_size", 0, r"p: autoencoders\.vqvae\.codebook_size"),
        ("autoencoders.vqvae.training.epochs", 1.5, r"p: autoencoders\.vqvae\.training\.epochs"),
        ("priors.top.level", "middle", r"priors\.top\.level is middle, which no autoencoder has"),
        ("priors.bottom.condition_on", ["middle"], r"names middle, which no prior above it models"),
        ("priors.bottom", ..., r"the levels bottom have no prior"),
        ("priors.Bad name", {}, r"p: priors"),
        ("priors.bottom.kernel", [3, 7], r"p: priors\.bottom\.kernel"),
        ("sampling.choices.argmax.mode", "max", r"p: sampling\.choices\.argmax\.mode"),
        ("sampling.choices.sampled.temperature", 0.0, r"choices\.sampled\.temperature"),
        (
            "sampling.means.averaged.of",
            "drawn",
            r"means\.averaged\.of is drawn; choices has: argmax",
        ),
        ("sampling.means.averaged.of", "argmax", r"means\.averaged\.of is argmax(.|\n)*that draws"),
        ("sampling.means.averaged.futures", 1, r"p: sampling\.means\.averaged\.futures"),
        ("sampling.means.real", {"of": "sampled", "futures": 2}, r"means\.real: this name is"),
        ("sampling.means.argmax", {"of": "sampled", "futures": 2}, r"argmax: a choice has this"),
        ("compute.device", "gpu", r"p: compute\.device: .*'auto', 'cpu' or 'cuda'"),
    ],
)
def test_a_mistake_is_named(key: str, value: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        study.check(changed(key, value), "p")


def test_stages_that_read_a_file_as_it_stands_have_no_variants(tmp_path: Path) -> None:
    content = smoke.parameters()
    content["priors"]["other"] = {"like": "top", "changes": {}}
    path = tmp_path / "params.yaml"
    path.write_text(json.dumps(content))
    study.load(path)
    with pytest.raises(UserError, match=r"priors\.other is like another entry"):
        study.load_plain(path)


def test_all_mistakes_are_named_at_once() -> None:
    content = changed("seed", -1)
    content["data"]["driving"]["split"]["train"] = "many"
    with pytest.raises(UserError) as caught:
        study.check(content, "p")
    assert "p: seed" in str(caught.value)
    assert "p: data.driving.split.train" in str(caught.value)


def paths(tree: Any, prefix: str = "") -> list[str]:
    if not isinstance(tree, dict):
        return [prefix]
    below = [paths(value, f"{prefix}.{name}" if prefix else name) for name, value in tree.items()]
    return ([prefix] if prefix else []) + [path for part in below for path in part]


ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(),
    st.integers(),
    st.text(max_size=4),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(paths(LAPTOP)), ODD)
def test_any_value_anywhere_passes_or_is_named(key: str, value: Any) -> None:
    try:
        study.check(changed(key, value), "p")
    except UserError as error:
        assert str(error).startswith("p")
