"""Wrong parameters are named, with their place and a cure."""

from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from foreframe.config import reading
from foreframe.config.base import Strict
from foreframe.errors import UserError


class Inner(Strict):
    size: Annotated[int, Field(ge=1)]
    rate: float


class Outer(Strict):
    mode: Literal["a", "b"]
    inner: Inner
    named: dict[str, Inner]
    kernel: tuple[int, int]
    absent: Inner | None
    maybe: dict[str, Inner] | None


GOOD: dict[str, Any] = {
    "mode": "a",
    "inner": {"size": 1, "rate": 1},
    "named": {"x": {"size": 2, "rate": 0.5}},
    "kernel": [1, 3],
    "absent": None,
    "maybe": None,
}


def test_good_values_pass_and_are_frozen() -> None:
    value = reading.validate(Outer, GOOD, "p: outer")
    assert value.kernel == (1, 3)
    with pytest.raises(ValueError, match="frozen"):
        value.mode = "b"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mode": "c"}, r"p: outer\.mode: .*'a' or 'b'.*\"c\""),
        ({"inner": {"size": 1}}, r"p: outer\.inner\.rate is missing"),
        ({"inner": {"size": "1", "rate": 1.0}}, r"p: outer\.inner\.size: .*integer"),
        ({"inner": {"size": 1.0, "rate": 1.0}}, r"p: outer\.inner\.size"),
        ({"inner": {"size": True, "rate": 1.0}}, r"p: outer\.inner\.size"),
        ({"inner": {"size": 0, "rate": 1.0}}, r"p: outer\.inner\.size: .*greater"),
        ({"inner": {"size": 1, "rate": float("nan")}}, r"p: outer\.inner\.rate"),
        ({"named": {"x": {"size": 1, "rte": 1.0, "rate": 1.0}}}, r"named\.x\.rte.*mean rate\?"),
        ({"extra": 1}, r"p: outer\.extra is no parameter.*allowed here: absent, inner, kernel"),
        (
            {"absent": {"size": 1, "rat": 1.0, "rate": 1.0}},
            r"absent\.rat .*mean rate\?.*: rate, size",
        ),
        ({"maybe": {"x": {"size": 1, "rat": 1.0, "rate": 1.0}}}, r"maybe\.x\.rat .*mean rate\?"),
        ({"kernel": [1, 2, 3]}, r"p: outer\.kernel"),
    ],
)
def test_bad_values_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        reading.validate(Outer, GOOD | change, "p: outer")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_anything_else_is_a_user_error(raw: Any) -> None:
    with pytest.raises(UserError, match="p: outer"):
        reading.validate(Outer, raw, "p: outer")


@given(st.sampled_from(sorted(GOOD)), JSON)
def test_any_value_in_any_place_passes_or_is_named(name: str, raw: Any) -> None:
    try:
        reading.validate(Outer, GOOD | {name: raw}, "p: outer")
    except UserError as error:
        assert name in str(error)


def test_a_file_that_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    with pytest.raises(UserError, match=r"settings\.json does not exist. A stage writes it"):
        reading.load(tmp_path / "settings.json")
    with pytest.raises(UserError, match=r"params\.yaml does not exist. `foreframe preset"):
        reading.load(path)
    path.write_text("a: [1")
    with pytest.raises(UserError, match="cannot be read as YAML"):
        reading.load(path)
    path.write_text("- 1")
    with pytest.raises(UserError, match="holds no parameters"):
        reading.load(path)
    path.write_text("a: !!python/object:os.system {}")
    with pytest.raises(UserError, match="cannot be read as YAML"):
        reading.load(path)


def test_numbers_are_read_as_yaml_1_2_writes_them(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("rate: 1e-3\nname: no\n")
    assert reading.load(path) == {"rate": 0.001, "name": "no"}


def test_a_missing_key_is_named() -> None:
    with pytest.raises(UserError, match=r"priors\.top is missing"):
        reading.select({"priors": {}}, "priors.top", Path("params.yaml"))
