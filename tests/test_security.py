"""What SECURITY.md states, one test for each sentence that the house rules do not hold already."""

import ast
import configparser
import copy
import functools
import json
import os
import pickle
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from foreframe.artefacts import facts, hdf5, tables, tensors
from foreframe.config import explaining, reading, study
from foreframe.errors import ArtefactError, UserError
from stages import versions
from tests import smoke
from tests.test_house_rules import calls, shipped

ROOT = smoke.ROOT
Values = dict[str, Any]


class Payload:
    """An object whose pickle, when it is loaded, makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (str(self.mark),)


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    """What a payload makes, if it ever runs; it is shown first that it would."""
    path = tmp_path / "it ran"
    pickle.loads(pickle.dumps(Payload(path)))  # noqa: S301, the threat itself
    path.rmdir()
    return path


def as_pickle(path: Path, mark: Path) -> None:
    path.write_bytes(pickle.dumps(Payload(mark)))


def as_torch_archive(path: Path, mark: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Payload(mark)))
        archive.writestr("archive/version", "3\n")


def as_attribute(path: Path, mark: Path) -> None:
    with h5py.File(path, "w") as file:
        file.attrs["version"] = facts.VERSION
        file.attrs["schema"] = numpy.void(pickle.dumps(Payload(mark)))


READERS: dict[str, Callable[[Path], object]] = {
    "weights.safetensors": lambda path: tensors.read(path, "prior"),
    "facts.json": lambda path: facts.read(path, "metrics"),
    "table.csv": lambda path: tables.read(path, ["step"], ["sha256", "0" * 64]),
    "arrays.h5": lambda path: hdf5.opening(path, "frames").__enter__(),
    "params.yaml": reading.load,
}


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("disguise", [as_pickle, as_torch_archive, as_attribute])
def test_a_disguised_pickle_is_refused_and_runs_nothing(
    name: str, disguise: Callable[[Path, Path], None], mark: Path
) -> None:
    path = mark.parent / name
    disguise(path, mark)
    with pytest.raises(UserError, match=re.escape(name)):
        READERS[name](path)
    assert not mark.exists()


@pytest.mark.parametrize("tag", ["object/apply:os.mkdir", "object/new:os.mkdir", "name:os.mkdir"])
def test_a_yaml_tag_runs_nothing(tag: str, mark: Path) -> None:
    path = mark.parent / "params.yaml"
    path.write_text(f"seed: !!python/{tag} [{json.dumps(str(mark))}]\n")
    with pytest.raises(UserError, match=r"params\.yaml cannot be read as YAML"):
        reading.load(path)
    assert not mark.exists()


def elsewhere(file: h5py.File, path: Path) -> None:
    file["frames"] = h5py.ExternalLink(str(path), "frames")


def stored_elsewhere(file: h5py.File, path: Path) -> None:
    file.create_dataset("frames", (4,), numpy.uint8, external=[(str(path), 0, 4)])


def composed(file: h5py.File, path: Path) -> None:
    layout = h5py.VirtualLayout((4,), numpy.uint8)
    layout[:] = h5py.VirtualSource(str(path), "frames", (4,))
    file.create_virtual_dataset("frames", layout)


@pytest.mark.parametrize("point", [elsewhere, stored_elsewhere, composed])
def test_arrays_cannot_reach_into_other_files(
    point: Callable[[h5py.File, Path], None], tmp_path: Path
) -> None:
    secret, path = tmp_path / "secret.h5", tmp_path / "arrays.h5"
    with hdf5.creating(secret, "frames", {}) as file:
        hdf5.store(file, "frames", numpy.arange(4, dtype=numpy.uint8))
    with hdf5.creating(path, "frames", {}) as file:
        point(file, secret)
    with (
        pytest.raises(ArtefactError, match=r"frames (lies in other files|is a link)"),
        hdf5.opening(path, "frames"),
    ):
        pass


def test_yaml_is_read_by_loaders_that_make_plain_data_alone() -> None:
    found = [
        (name, {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords})
        for name, tree in shipped().items()
        for text, node in calls(tree)
        if text.rpartition(".")[2] == "YAML"
    ]
    assert found
    for name, options in found:
        # Without a word ruamel reads for writing again, which keeps a foreign tag as text.
        assert options.get("typ", "'safe'") == "'safe'", name


def test_dvc_tells_nobody_and_asks_nobody() -> None:
    config = configparser.ConfigParser()
    config.read_string((ROOT / ".dvc/config").read_text())
    assert not config.getboolean("core", "analytics")
    assert not config.getboolean("core", "check_update")


# Names and shells ------------------------------------------------------------------------------

NASTY = ["x; touch ran", "$(touch ran)", "`touch ran`", "x\ntouch ran", "x | y", "x y", "é", "../x"]


# Read once: hundreds of examples change a copy each.
LAPTOP = smoke.parameters("laptop")


def preset() -> Values:
    return copy.deepcopy(LAPTOP)


@functools.cache
def definition() -> Values:
    return reading.load(ROOT / "dvc.yaml")


@pytest.mark.parametrize("name", definition()["stages"])
def test_a_command_takes_no_word_from_the_parameters(name: str) -> None:
    """DVC runs commands through a shell and quotes nothing.

    So a command may name variables, `${key}` and `${item}` of a fan-out, all of which stand in
    dvc.yaml; that no variable has the name of a parameter is a law of `test_dvc_conventions`.
    """
    content = definition()
    variables = set().union(*content["vars"])
    assert all(re.fullmatch(r"[\w/.:-]+", word) for word in words(content["vars"]))
    stage = content["stages"][name]
    fan = stage.get("foreach", [])
    used = re.findall(r"\$\{(\w*)", stage.get("do", stage)["cmd"])
    if "item" in used:  # those of `train_prior` are parameters, which its command leaves out
        used += re.findall(r"\$\{(\w*)", str(fan))
    assert set(used) <= variables | {"key", "item"}
    assert not isinstance(fan, str), f"the names of {name} come from {fan}"
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", word) for word in fan)


def words(content: Any) -> list[str]:
    """Return every value in a document of plain data."""
    if isinstance(content, dict | list):
        inside = content.values() if isinstance(content, dict) else content
        return [word for each in inside for word in words(each)]
    return [str(content)]


def put(content: Values, where: str, name: str) -> None:
    """Give a kind or a part of the study another name."""
    if where.endswith("kind"):
        content[where.partition(".")[0]]["kind"] = name
    else:
        section, _, key = where.rpartition(".")
        owner = content[section] if section == "priors" else content["sampling"]["choices"]
        owner[name] = owner.pop(key)


@pytest.mark.parametrize("word", NASTY)
@pytest.mark.parametrize(
    "where",
    [
        "data.driving.source.kind",
        "autoencoders.vqvae.kind",
        "priors.bottom",
        "sampling.choices.argmax",
    ],
)
def test_names_with_other_characters_are_refused(where: str, word: str, tmp_path: Path) -> None:
    content = preset()
    put(content, where, word)
    with pytest.raises(UserError, match=re.escape(f"p: {where.partition('.')[0]}")):
        study.check(content, "p")
    path = tmp_path / "params.yaml"
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=re.escape(where.partition(".")[0])):
        versions.main(params=path, stages=path.parent, library=path.parent, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["", "a\nb", "a\x00b", "https://example.org/videos", "\ud800", 3])
def test_a_folder_of_videos_is_no_address_and_has_no_line_breaks(name: object) -> None:
    content = preset()
    content["data"]["driving"]["videos"] = name
    with pytest.raises(UserError, match=r"p: data\.driving\.videos"):
        study.check(content, "p")


def test_the_shell_never_sees_a_parameter(by_dvc: smoke.Clone, tmp_path: Path) -> None:
    clone = smoke.copy(by_dvc, tmp_path / "copy")
    path = clone.folder / "params.yaml"
    before = path.read_text()

    def change(old: str, new: str) -> None:
        assert old in before
        path.write_text(before.replace(old, new))

    folder = "videos é'\"; touch ran; $(touch ran) `touch ran` #"
    shutil.copytree(clone.folder / "data/videos", clone.folder / folder)
    change("videos: data/videos", f"videos: {json.dumps(folder)}")
    # Alone, so that no other stage checks the parameters first.
    clone.run("dvc", "repro", "--quiet", "--single-item", "collect")
    change("kind: car_racing", 'kind: "car_racing; touch ran"')
    refused = clone.run("dvc", "repro", "--single-item", "collect", check=False)
    assert refused.returncode != 0
    assert "foreframe.sources.car_racing; touch ran" in refused.stderr
    change("videos: data/videos", "videos: data/videos")
    content = reading.load(path)
    content["priors"]["x; touch ran"] = content["priors"]["top"]
    path.write_text(json.dumps(content))
    refused = clone.run("dvc", "repro", "--quiet", check=False)
    assert "priors.x; touch ran" in refused.stderr
    assert not list(clone.folder.rglob("ran"))


# Wrong parameters ------------------------------------------------------------------------------


def leaves(content: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(content, dict):
        return [path]
    return [leaf for name, value in content.items() for leaf in leaves(value, (*path, name))]


def owner(content: Values, path: tuple[str, ...]) -> Values:
    for name in path[:-1]:
        content = content[name]
    return content


LEAVES = leaves(preset())
# Right nowhere: no parameter is a mapping without names, no number, or has so many digits. (`null`
# is right for some.)
WRONG: list[Any] = [
    {"x": 1},
    float("nan"),
    float("inf"),
    10**5000,
    [[[]]],
    "\ud800",
    b"x",
    {1: 2},
]


@example(path=("autoencoders", "vqvae", "kind"), value=10**5000)
@given(path=st.sampled_from(LEAVES), value=st.sampled_from(WRONG))
@settings(max_examples=100, deadline=None)
def test_a_wrong_value_is_named(path: tuple[str, ...], value: object) -> None:
    content = preset()
    owner(content, path)[path[-1]] = value
    with pytest.raises(UserError, match=path[0]) as error:
        study.check(content, "p")
    assert str(error.value).startswith("p: ")


@given(path=st.sampled_from(LEAVES))
@settings(max_examples=50, deadline=None)
def test_a_missing_key_is_named(path: tuple[str, ...]) -> None:
    content = preset()
    del owner(content, path)[path[-1]]
    with pytest.raises(UserError, match=rf"{path[-1]}\b.* is missing"):
        study.check(content, "p")


@given(path=st.sampled_from(LEAVES), name=st.text(min_size=1, max_size=9))
@example(path=("sampling", "choices", "argmax", "mode"), name="\r")  # a line's end to splitlines
@settings(max_examples=50, deadline=None)
def test_an_unknown_key_is_named(path: tuple[str, ...], name: str) -> None:
    content = preset()
    section = owner(content, path)
    if name in section:
        return
    section[name] = 1
    with pytest.raises(UserError) as error:
        study.check(content, "p")
    assert ".".join(path[:-1]) in str(error.value)
    assert explaining.shown(name) in str(error.value)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=6,
)


@given(path=st.sampled_from(LEAVES), depth=st.integers(1, 9), value=ANYTHING)
@example(path=("autoencoders", "vqvae", "kind"), depth=1, value={})
@settings(max_examples=150, deadline=None)
def test_whatever_stands_there_is_taken_or_refused_by_name(
    path: tuple[str, ...], depth: int, value: object
) -> None:
    content = preset()
    place = path[:depth]
    owner(content, place)[place[-1]] = value
    try:
        study.check(content, "p")
    except UserError as error:
        assert path[0] in str(error)
