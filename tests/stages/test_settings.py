"""The stage `settings`: the study whole, which entry is like which, and the code of each entry."""

import json
from pathlib import Path
from typing import Any

import pytest

from foreframe import versions
from foreframe.artefacts import facts
from foreframe.config import sections
from foreframe.errors import UserError
from stages import settings
from tests.smoke import ROOT

STUDY = (ROOT / "studies/driving_thesis/params.yaml", ROOT / "params.yaml")
# A version that is the name of its module.
VERSIONS = versions.nested(
    {name: name for name in versions.read_modules([ROOT / "foreframe", ROOT / "stages"])}
)


@pytest.fixture(scope="module")
def content() -> dict[str, Any]:
    return settings.content(STUDY, VERSIONS, Path("versions.json"))


def modules(version: Any) -> set[str]:
    """Return the modules whose versions stand here: a package has all of its own."""
    return {version} if isinstance(version, str) else set().union(*map(modules, version.values()))


def test_the_code_of_an_entry_is_the_version_of_its_kind(content: dict[str, Any]) -> None:
    for section in ("autoencoders", "priors", "predictors", "classifiers"):
        kinds = {name: each["kind"] for name, each in content[section].items()}
        found = content["code"].get(section, {})
        assert found == {name: f"foreframe.{section}.{kind}" for name, kind in kinds.items()}
    # Entries of the base have theirs too: a stage of the study may use them.
    assert content["code"]["priors"].keys() >= {"top", "bottom", "top_small"}


def test_the_code_of_data_is_the_version_of_their_source(content: dict[str, Any]) -> None:
    assert content["code"]["data"].keys() == content["data"].keys() == {"driving"}
    for name, version in content["code"]["data"].items():
        package = f"foreframe.sources.{content['data'][name]['source']['kind']}"
        found = modules(version)
        assert package in found
        assert all(f"{each}.".startswith(f"{package}.") for each in found)


def test_the_code_of_a_protocol_is_the_version_of_each_of_its_metrics(
    content: dict[str, Any],
) -> None:
    for name, protocol in content["protocols"].items():
        metrics = protocol["measures"]["metrics"]
        expected = {metric: f"foreframe.metrics.{metric}" for metric in metrics}
        assert content["code"]["protocols"][name] == expected


def test_what_has_no_code_of_its_own_has_no_version(content: dict[str, Any]) -> None:
    assert content["code"].keys() <= set(sections.NAMED) - {"latents", "samplings", "probes"}


def test_an_entry_s_digest_follows_its_values_and_no_other_s(content: dict[str, Any]) -> None:
    found = settings.digests(content)
    assert found.keys() == content.keys() & set(sections.NAMED)
    assert found.items() <= content["digests"].items()
    changed = json.loads(json.dumps(content))
    changed["priors"]["top"]["channels"] += 1
    changed["protocols"]["driving"]["futures"]["seed"] += 1
    other = settings.digests(changed)
    assert {
        (section, name)
        for section, entries in other.items()
        for name in entries
        if entries[name] != found[section][name]
    } == {("priors", "top"), ("protocols", "driving")}
    # What is measured of futures is no part of them.
    for key in ("futures", "measures"):
        one, two = (each["protocols"]["driving"][key] for each in (other, found))
        assert (one == two) == (key == "measures")


def test_what_is_said_of_the_files_as_a_whole_is_what_they_say(tmp_path: Path) -> None:
    def whole(text: str) -> str:
        (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
        found: str = settings.content(files, VERSIONS, Path("v.json"))["digests"][settings.WHOLE]
        return found

    files, text = (tmp_path / "params.yaml",), STUDY[1].read_text(encoding="utf-8")
    assert whole(text) == whole(f"# A remark.\n{text}") != whole(text.replace("seed: ", "seed: 1"))


def test_the_study_is_written_whole_with_the_entry_that_each_variant_is_like(
    content: dict[str, Any], tmp_path: Path
) -> None:
    names = tmp_path / "versions.json"
    facts.write(names, "versions", VERSIONS)
    settings.main(params=STUDY, versions=names, out=tmp_path / "settings.json")
    found = facts.read(tmp_path / "settings.json", "settings")
    assert {name: found[name] for name in content} == content
    assert found["like"]["priors"]["top_small"] == "top"
    assert not {"like", "changes"} & found["priors"]["top_small"].keys()


@pytest.mark.parametrize(
    "given", [STUDY[:1], (STUDY[0], ROOT / "dvc.yaml"), (STUDY[1], STUDY[0]), (*STUDY, STUDY[1])]
)
def test_files_that_are_not_the_study_and_its_base_are_refused(given: tuple[Path, ...]) -> None:
    with pytest.raises(UserError, match="Name the same files in both"):
        settings.content(given, VERSIONS, Path("versions.json"))


def test_a_module_whose_version_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"^versions\.json: the parameter foreframe\.\w+\.\w+ is"):
        settings.content(STUDY, {}, Path("versions.json"))
