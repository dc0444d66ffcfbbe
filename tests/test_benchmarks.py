"""Benchmarks are run by hand; here they are only read, and given their sizes, to stay in step."""

import importlib
import json
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

import benchmarks
from benchmarks import (
    paired,
    planned,
    recurrent,
    recurrent_models,
    recurrent_peers,
    sizes,
    twice,
    work,
)
from foreframe.priors.engines import Step
from foreframe.priors.engines.naive import Naive
from tests.smoke import ROOT
from workflow import dag, plan, studies


@pytest.mark.parametrize("name", [each.name for each in pkgutil.iter_modules(benchmarks.__path__)])
def test_a_benchmark_can_be_read(name: str) -> None:
    importlib.import_module(f"benchmarks.{name}")


def test_sizes_are_those_of_the_presets_and_multiples() -> None:
    grids = {level: prior.grid for level, prior in sizes.parse("smoke*2").priors().items()}
    assert grids == {"top": (4, 8, 8), "bottom": (8, 16, 16)}


def test_a_study_of_pictures_gives_its_priors_with_engines_and_no_games() -> None:
    # A step's work is counted where engines are timed: in inference mode.
    with torch.inference_mode():
        found = sizes.parse("noisy_codes/smoke").priors()
        naive = Step(torch.tensor([10]), 10)
        work_of = {level: work.counted(prior, Naive, naive, 1) for level, prior in found.items()}
    assert {level: prior.grid for level, prior in found.items()} == {
        "top": (1, 8, 8),
        "bottom": (1, 16, 16),
    }
    assert {prior.settings.kind for prior in found.values()} == {"image_pixel_snail"}
    assert min(work_of.values()) > 0


def test_a_study_whose_games_stand_first_gives_those_after_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    size = sizes.parse("noisy_codes/smoke")
    whole = size._study()
    games_first = dict(sorted(whole.priors.items(), key=lambda each: "gan" not in each[0]))
    study = whole.model_copy(update={"priors": games_first})
    monkeypatch.setattr(sizes.Size, "_study", lambda self: study)
    with torch.device("meta"):
        kinds = {level: prior.settings.kind for level, prior in size.untrained().items()}
    assert kinds == {"top": "image_pixel_snail", "bottom": "image_pixel_snail"}


@pytest.mark.parametrize("kind", recurrent_models.KINDS)
def test_predictors_can_be_built_at_all_sizes_and_drawn_as_it_is_said(kind: str) -> None:
    with torch.device("meta"):
        model = recurrent_models.build(kind)
        if kind in recurrent_peers.PEERS:
            peer = recurrent_peers.PEERS[kind]
            assert recurrent_models.build(kind, peer.rows, **peer.changes).trainable()
    options = model.options.model_validate(recurrent.OPTIONS.get(kind, {}))
    assert (kind in recurrent.OPTIONS) == options.random


def test_a_step_moves_weights_and_its_arithmetic_is_that_of_its_clips() -> None:
    model = recurrent_models.predictor("conv_lstm_autoencoder")
    before = [weight.detach().clone() for weight in model.parameters()]
    one, two = (recurrent_models.Lesson(model, batch) for batch in (1, 2))
    assert two.operations == 2 * one.operations
    one.take()
    assert not any(map(torch.equal, before, model.parameters()))


def test_a_round_that_was_disturbed_changes_no_ratio() -> None:
    times = {"one": (2.0, 8.0, 1.0), "other": (1.0, 4.0, 4.0)}
    assert paired.ratio(times, "one", "other") == 2


def kept(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (ROOT / f"benchmarks/results/{name}.json").read_text("utf-8")
    )
    return found


def words(page: str) -> str:
    return " ".join((ROOT / f"docs/{page}.md").read_text("utf-8").split())


@pytest.mark.parametrize("convolve", [functional.conv2d, functional.conv_transpose2d])
def test_convolutions_of_both_ways_count_as_kernels_of_torch(convolve: Any) -> None:
    # Forward alone: gradients of both are kernels of the same name.
    x_BCHW, kernel = torch.ones(16, 64, 32, 32), torch.ones(64, 64, 3, 3)
    assert 0.6 < recurrent_peers.products(lambda: convolve(x_BCHW, kernel)) <= 1


def test_the_page_on_speed_says_what_the_run_beside_public_code_found() -> None:
    found, page = kept("recurrent"), words("sampling")
    # What ran again later stands in the place of what it was.
    peers = {
        peer["kind"]: peer for name in ("", "_svg") for peer in kept(f"recurrent{name}")["peers"]
    }
    assert len(peers) == len(found["peers"])
    for peer in peers.values():
        numbers = [
            *(f"{peer[who]['weights']:,}" for who in ("theirs", "ours")),
            *(f"{peer[who]['operations'] / 1e9:.1f}" for who in ("theirs", "ours")),
            f"{peer['times_theirs']:.2f}", f"{peer['at_most']:.2f}",
        ]  # fmt: skip
        row = re.search(rf"\| `{peer['kind']}` \|([^|]*\|){{2}}(.*?\|.*?\|.*?\|.*?) \|", page)
        assert row is not None
        assert re.findall(r"[\d,]*\d\.?\d*", row[2]) == numbers, peer["kind"]
    shares = {
        name: [round(100 * row[f"share_of_{name}"]) for row in found["training"]]
        for name in ("convolution", "product")
    }
    further = [row["further"]["100"] for row in found["sampling"]]
    large, small = (row["times_torch"] for row in found["pooling"] if row["name"] == "enlarge")
    for said in (
        f"{min(shares['convolution'])} to {max(shares['convolution'])} % of what",
        f"{min(shares['product'])} to {max(shares['product'])} % of a matrix product",
        f"cost {min(further):.2f} to {max(further):.2f} of the first",
        f"enlarging {large:.2f} of it on pictures of 32 x 32 pixels and {small:.2f} times as long",
    ):
        assert said in page, said


def test_the_page_on_models_says_how_the_memory_of_flows_grew() -> None:
    growth, page = kept("flows")["growth"], words("models")
    above = [growth[kind]["above"] for kind in ("stored", "checkpointed", "inverted")]
    steps = [growth[kind]["step"] for kind in ("checkpointed", "inverted")]
    stored, checkpointed, inverted = (f"{times:.1f}-fold" for times in above)
    said = f"grows {stored} stored, {checkpointed} by checkpoints and {inverted} undone"
    assert f"{said}, for {steps[0]:.2f} and {steps[1]:.2f} times the time" in page


@pytest.mark.parametrize("how", ["one", "eight"])
def test_the_page_on_speed_says_how_fast_pictures_were_drawn(how: str) -> None:
    found, page = kept(f"sampling_pictures_{how}"), words("sampling")
    for row in found["rows"]:
        name = f"{row['level']} {'x'.join(map(str, row['grid'][1:]))}, {row['engine']}"
        numbers = f"{row['steps']:,} | {1e3 * row['seconds']:,.2f} | {row['times_naive']:,.0f} |"
        assert re.search(rf"{name} \| {row['clips']},[^|]*\| {re.escape(numbers)}", page), name
    for call in found["calls"]:
        assert f"{call['seconds_per_clip']:.1f} s for its {call['level']}" in page


def test_the_page_on_gpus_says_what_steps_took() -> None:
    page = words("gpu")
    for step in kept("planned")["steps"]:
        # Planned bytes stand once for the precisions that keep as much.
        held, shares = f"{step['bytes'] / 1e9:.2f} GB", (step["reached"], step["of_peak"])
        took = f"{held} | {step['seconds']:.3f} | {shares[0]:.0%} | {shares[1]:.1%} |"
        assert took.replace("%", " %") in page


def test_a_step_is_measured_beside_what_is_planned_of_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    asked = [str(out), "driving:train_prior@top", "--scale", "smoke", "--device", "cpu"]
    monkeypatch.setattr("sys.argv", ["planned", *asked])
    monkeypatch.setattr(planned, "product", lambda device, settings: 1e9)
    planned.main()
    place = studies.named(ROOT, "driving")
    rows = {row.stage: row for row in plan.table(ROOT, place, "smoke", "h100", "float32")}
    row, steps = rows["train_prior@top"], json.loads(out.read_text(encoding="utf-8"))["steps"]
    assert [step["precision"] for step in steps] == [*plan.PRECISIONS, "float32"]
    for step in steps:
        assert (step["parameters"], step["batch"]) == (row.parameters, row.batch)
        assert step["operations"] == row.operations
        kept_bytes = row.recomputed if step["recomputed"] else row.activations
        assert step["planned_bytes"] == kept_bytes
        assert step["reached"] == pytest.approx(step["operations"] / step["seconds"] / 1e9)
    monkeypatch.setattr("sys.argv", ["planned", str(out), "driving:train_nothing", *asked[2:]])
    with pytest.raises(SystemExit, match="driving trains nothing by train_nothing"):
        planned.main()


def test_two_clones_are_compared_byte_by_byte(tmp_path: Path) -> None:
    stages = twice.needed(dag.read(ROOT), ["driving_thesis"])
    assert {stage.study for stage in stages} == {"driving", "driving_thesis"}
    split = next(stage for stage in stages if stage.name == "split")
    clones = tmp_path / "first", tmp_path / "second"
    (out,) = split.outs
    for clone, text in zip(clones, ("same", "same"), strict=True):
        (clone / out).parent.mkdir(parents=True)
        (clone / out).write_text(text)
    runs = twice.Runs(clones, [split], [frozenset()])
    assert [*runs.ready()] == [(0, 0), (1, 0)]
    runs.ended = {(0, 0): twice.DONE}
    assert twice.compared(runs) == {True: [], False: []}  # one of them has not ended
    runs.ended[1, 0] = twice.DONE
    assert twice.compared(runs) == {True: [out], False: []}
    (clones[1] / out).write_text("else")
    assert twice.compared(runs) == {True: [], False: [out]}


@pytest.mark.slow
def test_the_driving_study_runs_twice_to_the_same_bytes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.twice", "out.json", "--studies"]
    ended = subprocess.run(
        [*command, "driving", "--workers", "2"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    found = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert found["ended"] == {"done": found["stages"]} and found["stages"] > 20, ended.stdout
    assert found["same"] > 20 and not found["different"]
    unknown = subprocess.run(
        [*command, "nothing"], env=os.environ | {"PYTHONPATH": str(ROOT)}, cwd=tmp_path
    )
    assert unknown.returncode != 0
