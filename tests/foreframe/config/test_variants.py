"""Variants follow the entry that they are like, and a mistake in one is named with its place."""

from collections.abc import Mapping
from typing import Any

import pytest

from foreframe.config import reading, study
from foreframe.config import sections as sections_of
from foreframe.errors import UserError
from tests.smoke import ROOT

STUDY = ROOT / "studies" / "driving_thesis" / "params.yaml"


def sections() -> tuple[dict[str, Any], dict[str, Any]]:
    return reading.load(STUDY), reading.load(ROOT / "params.yaml")


def resolved(content: dict[str, Any], base: dict[str, Any]) -> Mapping[str, Any]:
    return study.resolve(content, "study", base).sections


def test_a_variant_differs_from_what_it_is_like_in_its_changes_alone() -> None:
    content, base = sections()
    found = resolved(content, base)
    bottom = base["priors"]["bottom"]
    assert found["priors"]["bottom_unconditioned"] == {**bottom, "conditioning": "none"}
    protocol, driving = found["protocols"]["full_clip"], base["protocols"]["driving"]
    assert protocol["futures"] == {**driving["futures"], "context_encoding": "full_clip"}
    assert protocol["measures"] == driving["measures"]
    # Nested sections are merged key by key, and a variant may be like another one.
    kernel, first = found["autoencoders"]["kernel_333"], base["autoencoders"]["vqvae"]
    training = {**first["training"], "epochs": kernel["training"]["epochs"]}
    assert kernel == {**first, "residual_kernel": [3, 3, 3], "training": training}


def test_entries_and_sections_of_the_base_stay_as_they_are() -> None:
    content, base = sections()
    found = resolved(content, base)
    for name in (*sections_of.LENT, "report"):
        assert found[name] == (content[name] if name in content else base[name])
    for name in sections_of.NAMED:
        assert base.get(name, {}).items() <= found[name].items()


def test_variants_follow_the_base() -> None:
    content, base = sections()
    base["autoencoders"]["vqvae"]["width"] = 48
    base["priors"]["top"]["channels"] = 40
    found = resolved(content, base)
    assert {each["width"] for each in found["autoencoders"].values()} == {48}
    assert found["priors"]["top_small"]["channels"] == 40


def test_a_variant_written_out_is_the_same_study() -> None:
    content, base = sections()
    found = resolved(content, base)
    whole = {
        **content,
        **{
            name: {key: found[name][key] for key in content.get(name, {})}
            for name in sections_of.NAMED
        },
    }
    assert resolved(whole, base) == found


@pytest.mark.parametrize(
    ("section", "name", "wrong", "message"),
    [
        ("autoencoders", "plain", {"widht": 3}, r"autoencoders\.plain\.kind is missing"),
        ("autoencoders", "plain", {"like": "vqvae", "changes": {"widht": 3}}, r"plain\.widht is"),
        ("autoencoders", "plain", {"like": "vqvae", "changes": {"width": "wide"}}, r"plain\.width"),
        ("autoencoders", "plain", {"like": "vqvae"}, r"plain\.changes is missing"),
        ("autoencoders", "vqvae", {"like": "vqvae", "changes": {}}, "base has an entry of this"),
        ("autoencoders", "reference", {"like": "plain", "changes": {}}, "is like this one"),
        ("priors", "top_small", {"like": "middle", "changes": {}}, "choose one of: top, bottom"),
        ("priors", "top_small", {"like": "top", "changes": {"blocks": 0}}, r"top_small\.blocks"),
        ("latents", "dense", {"train_stride": 0}, r"latents\.dense\.train_stride"),
        ("data", "other", {"like": "driving", "changes": {"widht": {}}}, r"other\.widht is no"),
        ("data", "other", {"videos": "v"}, r"other\.(source|split) is missing"),
        ("samplings", "cool", {"show": 1, "choices": {}, "means": {}}, r"samplings\.cool\.choices"),
        ("protocols", "full_clip", {"like": "driving", "changes": {"futures": {"horizon": 0}}},
         r"protocols\.full_clip\.futures\.horizon"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_variant(
    section: str, name: str, wrong: dict[str, Any], message: str
) -> None:
    content, base = sections()
    content.setdefault(section, {})[name] = wrong
    with pytest.raises(UserError, match=message):
        resolved(content, base)


def test_a_study_is_left_out_where_the_data_of_its_base_are_of_another_source() -> None:
    content, base = sections()
    base["data"]["driving"]["source"] = {"kind": "video_folder"}
    assert resolved_sources(content, base) is None
    content["sources"] = ["car_racing", "carla"]
    assert resolved_sources(content, base) == (
        "study is left out: it can run on car_racing, carla, and the source of data.driving is "
        "video_folder."
    )


def resolved_sources(content: dict[str, Any], base: dict[str, Any]) -> str | None:
    """Return why the study is left out, if it is; other mistakes do not count here."""
    try:
        study.resolve(content, "study", base)
    except study.LeftOutError as reason:
        return str(reason)
    except UserError:
        pass
    return None


def test_an_unknown_section_is_refused() -> None:
    content, base = sections()
    with pytest.raises(UserError, match="study: extra is no parameter"):
        resolved({**content, "extra": {}}, base)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: ../nowhere.yaml", r"nowhere\.yaml does not exist"),
        ("base: params.yaml", "has a base itself"),
        ("base: [1]", "base"),
    ],
)
def test_a_base_that_is_not_there_is_refused(text: str, message: str, tmp_path: Any) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(STUDY.read_text().replace("base: ../../params.yaml", text))
    with pytest.raises(UserError, match=message):
        study.load(path)
