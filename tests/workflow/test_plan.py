"""What is planned for a training is what a run of it then holds, to the number and to the byte."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from foreframe import autoencoders
from foreframe.errors import UserError
from foreframe.models import Shape
from foreframe.randomness import generator
from foreframe.training.objective import Losses, Moment, Objective, Turn
from tests import smoke
from workflow import costs, passes, plan, preset, studies

ROOT = smoke.ROOT


def table(study: str, scale: str, **changes: Any) -> dict[str, plan.Planned]:
    place = studies.named(ROOT, study)
    how = {"gpu": "h100", "precision": "float32", **changes}
    rows = plan.table(ROOT, place, scale, **how)
    return {studies.local(row.stage): row for row in rows}


def test_the_plan_of_a_study_is_what_its_run_recorded(by_dvc: smoke.Clone) -> None:
    found = table("driving", "smoke")
    for stage, name in (
        ("train_autoencoder", "vqvae"),
        ("train_prior@top", "priors/top"),
        ("train_prior@bottom", "priors/bottom"),
    ):
        record = json.loads((by_dvc.folder / f"data/driving/{name}.json").read_text())
        row = found[stage]
        assert row.parameters == record["parameters"]
        assert (
            row.batch
            == smoke.parameters()["priors" if "prior" in stage else "autoencoders"][
                name.rpartition("/")[2]
            ]["training"]["batch_size"]
        )
        assert row.operations is not None and row.batch is not None
        per_clip = row.operations / costs.PASSES / row.batch
        # The loss has the codebook's products as well.
        assert record["flops_per_clip"] <= per_clip < 1.6 * record["flops_per_clip"]


def test_priors_of_codes_in_shards_have_the_plan_of_those_they_are_like() -> None:
    whole, sharded = table("driving", "smoke"), table("sharded", "smoke")
    for level in ("top", "bottom"):
        name = f"train_prior@{level}"
        assert whole[name].parameters == sharded[name].parameters is not None


@pytest.mark.parametrize("batch", [1, 3])
def test_what_is_kept_on_the_meta_device_is_what_a_real_pass_keeps(batch: int) -> None:
    main = preset.resolved("smoke", ROOT, studies.Place(studies.MAIN))
    settings = main.study.autoencoders["vqvae"]
    real: Any = autoencoders.build(settings, Shape(3, settings.view.frames, 32, 32))
    real.initialize(generator(0, "weights"))
    with torch.device("meta"):
        empty = autoencoders.build(settings, real.given)
    counted = passes.pass_of(empty, batch)
    kept = passes.Kept(real)
    x = generator(0, "clips").normal((batch, 3, settings.view.frames, 32, 32))
    with kept:
        real.loss({"x": x}, Moment(0, 1, 0, 0, 1, generator(0, "step")))
    assert counted is not None and counted[1] == pytest.approx(kept.bytes, rel=0.02)


def test_more_clips_keep_more_and_weights_do_not_count() -> None:
    # The second layer's weight is kept for the gradient of what it is given.
    layers = torch.nn.Linear(10, 20, bias=False), torch.nn.Tanh(), torch.nn.Linear(20, 5)
    model = torch.nn.Sequential(*layers)
    found = []
    for clips in (1, 4):
        kept = passes.Kept(model)
        with kept:
            model(torch.ones(clips, 10))
        found.append(kept.bytes)
    # The input, for the first weight's gradient; what tanh gave, for its own and the second's.
    assert found == [4 * (10 + 20), 4 * 4 * (10 + 20)]


class Game(Objective[Any]):
    """A critic of four numbers that are made of two, and who makes them, one after the other."""

    turns = (("critic",), ("maker",))

    def __init__(self) -> None:
        self.maker, self.critic = torch.nn.Linear(2, 4), torch.nn.Linear(4, 3)
        self.model = torch.nn.ModuleList([self.maker, self.critic])

    def losses(self, batch: Any, moment: Moment, turn: Turn) -> Losses:
        made = self.maker(batch)
        judged = self.critic(made.detach() if turn == ("critic",) else made)
        return {turn[0]: {"loss": judged.square().sum()}}

    def measure(self, batch: Any, moment: Moment) -> Any:
        raise NotImplementedError


def test_players_that_move_in_turns_have_a_pass_each() -> None:
    found = passes.taken(Game(), torch.ones(5, 2))
    # Each makes and judges five; what was made, what is shown and what is squared are kept.
    assert found == (2 * (2 * 5 * (2 * 4 + 4 * 3)), 4 * 5 * (2 + 4 + 3))


@pytest.mark.parametrize("study", [place.name for place in studies.places(ROOT)])
def test_every_model_of_a_smoke_run_can_be_built_for_its_frames(study: str) -> None:
    # A model that does not fit is refused.
    built = [model for _, model in plan.models(ROOT, studies.named(ROOT, study), "smoke")]
    assert any(not isinstance(model, str) for model in built)


@pytest.mark.slow
@pytest.mark.parametrize("study", [place.name for place in studies.places(ROOT)])
def test_every_training_of_a_thesis_has_a_plan_or_a_reason(study: str) -> None:
    found = table(study, "thesis")
    declared = [row for row in found.values() if row.parameters is None]
    assert all(row.why for row in declared)
    counted = [row for row in found.values() if row.hours is not None]
    assert all((row.activations or 0) > 0 and (row.operations or 0) > 0 for row in counted)
    unknown = [row for row in found.values() if row.parameters is not None and row.hours is None]
    assert {row.why for row in unknown} <= {"its loss needs numbers, or has a gradient in it"}


def test_a_faster_gpu_takes_less_and_an_unknown_one_is_refused() -> None:
    slow, fast = (
        table("driving", "thesis", gpu=gpu, precision=precision)["train_prior@top"].hours
        for gpu, precision in (("a100", "float32"), ("h100", "bf16"))
    )
    assert slow is not None and fast is not None and slow > 10 * fast
    with pytest.raises(UserError, match=r"--gpu is abacus\. Choose one of: rtx4090, a100"):
        table("driving", "thesis", gpu="abacus")


def test_the_table_says_what_its_numbers_are() -> None:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert plan.run(ROOT, "thesis", "driving", "h100", "bf16", as_json=False) == 0
    head, *rows, meaning, time = out.getvalue().splitlines()
    assert head.split()[:3] == ["stage", "parameters", "batch"]
    assert len(rows) == 3 and "3,198,339" in rows[0]
    share = dict(zip(plan.PRECISIONS, plan.REACHED, strict=True))["bf16"]
    assert meaning.startswith("Operations")
    assert f"h100 that reaches {share:.0%} of its peak in bf16" in time
    assert preset.values("thesis", Path(ROOT, "studies/driving/presets"))["priors"]
