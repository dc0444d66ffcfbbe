"""Tiny causal transformers for tests: untrained, with every number drawn from a seed."""

from typing import Any

from foreframe.priors import Codes, Grid, build, causal_transformer
from foreframe.priors.causal_transformer import CausalTransformer
from tests.foreframe.priors import tiny


def settings(**changes: Any) -> causal_transformer.Settings:
    values: dict[str, Any] = {
        "kind": "causal_transformer",
        "level": "bottom",
        "condition_on": (),
        "actions": "none",
        "width": 8,
        "heads": 2,
        "layers": 2,
        "mlp_ratio": 2,
        "training": tiny.TRAINING,
    }
    return causal_transformer.Settings(**(values | changes))


def prior(
    grid: Grid = (2, 2, 3),
    size: int = 7,
    above: dict[str, Codes] | None = None,
    seed: int = 0,
    **changes: Any,
) -> CausalTransformer:
    """Return a prior that is given the levels `above`, with weights that make it take sides."""
    chosen = settings(condition_on=tuple(above or {}), **changes)
    made = build(chosen, Codes(grid, size), above or {}, tiny.actions(grid))
    tiny.drawn(made, seed)
    assert isinstance(made, CausalTransformer)
    return made


def driven(grid: Grid = (4, 2, 4), **changes: Any) -> CausalTransformer:
    """Return a prior that is given two levels of other sizes, and actions."""
    frames, rows, columns = grid
    above = {
        "top": Codes((frames // 2, 1, columns // 2), 5),
        "middle": Codes((frames, rows, columns // 4), 3),
    }
    return prior(grid, above=above, actions="input", **changes)
