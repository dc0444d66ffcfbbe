"""Costs: exact numbers from facts, time and memory from the log, and a dash for what is unknown."""

import json
import re
from dataclasses import replace
from pathlib import Path

import h5py
import numpy
import pytest

from foreframe.artefacts import hdf5, log
from foreframe.config.sampling import Average, Sampling
from foreframe.running import spending
from tests import smoke
from workflow import costs, dag, studies


def test_every_stage_that_ran_here_has_time_memory_and_bytes(by_dvc: smoke.Clone) -> None:
    found = json.loads(smoke.foreframe(by_dvc.folder, "costs", "--json").stdout)
    assert found["schema"] == "foreframe/costs"
    rows = {row["stage"]: row for row in found["stages"]}
    stages = {stage.name: stage for stage in dag.read(by_dvc.folder) if stage.study == "driving"}
    assert {name for name in rows if studies.of(name).name == "driving"} == stages.keys()
    for name, stage in stages.items():
        row = rows[name]
        sizes = [(by_dvc.folder / path).stat().st_size for path in stage.outs]
        assert row["written"] == sum(sizes)
        assert 0 < row["seconds"] < 600
        assert row["memory"] > 10e6
    order = [row["stage"] for row in found["stages"] if row["stage"] in stages]
    assert order.index("collect") < order.index("split") < order.index("train_prior@top")
    assert order[-1] == "report"


def test_parameters_and_operations_are_those_of_the_facts(by_dvc: smoke.Clone) -> None:
    rows = {cost.stage: cost for cost in costs.table(by_dvc.folder)}
    content = json.loads((by_dvc.folder / "data/driving/priors/top.json").read_text())
    top = rows["train_prior@top"]
    assert top.parameters == content["parameters"]
    assert top.operations == 3 * content["flops_per_clip"] * content["samples"]
    with h5py.File(by_dvc.folder / "data/driving/samples/driving.h5") as file:
        clips = {name: len(file[name]["frames"]) for name in ("argmax", "sampled", "averaged")}
        levels = json.loads(file.attrs["operations"]).values()
    each = sum(level["codes"] * level["per_code"] for level in levels)
    futures = clips["argmax"] + clips["sampled"] + 3 * clips["averaged"]  # of which one is the mean
    assert rows["sample@driving"].operations == int(futures * each) > 0
    assert rows["split"].parameters is rows["split"].operations is None


def test_samples_of_an_older_version_show_dashes(by_dvc: smoke.Clone, tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    path = tmp_path / "samples/driving.h5"
    path.write_bytes((by_dvc.folder / "data/driving/samples/driving.h5").read_bytes())
    assert costs._sampled([path]) is not None
    with h5py.File(path, "r+") as file:
        del file.attrs["sampling"]
    assert costs._sampled([path]) is None


def test_frames_are_counted_by_clip_by_future_and_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    path = tmp_path / "samples/next.h5"
    sampling = Sampling(
        show=1,
        choices={"drawn": {}, "mean": {}},
        means={"averaged": Average(of="drawn", futures=4)},
    )
    attributes = {
        "operations": json.dumps({"frames": {"given": 100, "start": 20, "frame": 3}}),
        "sampling": sampling.model_dump_json(),
        "horizon": 5,
    }
    with hdf5.creating(path, "samples", attributes) as file:
        for name, futures in {"drawn": 2, "mean": 1, "averaged": 1}.items():
            hdf5.store(file.create_group(name), "frames", numpy.zeros((6, futures, 5, 1, 1, 3)))
    # Each row tells its clips anew; a mean is made of four futures.
    assert costs._sampled([path]) == 3 * 6 * 100 + 6 * (2 + 1 + 4) * (20 + 5 * 3)


def test_a_clone_without_a_log_shows_dashes(tmp_path: Path) -> None:
    clone = smoke.clone(tmp_path / "clone")
    text = smoke.foreframe(clone.folder, "costs").stdout
    assert "train_prior@top" in text
    assert "A dash for time" in text
    row = next(line for line in text.splitlines() if line.startswith("collect"))
    assert row.split() == ["collect", *"------"]


def event(word: str, seconds: float, *, finished: bool) -> dict[str, object]:
    command = ["-m", "stages.x", "--out", word]
    return {"command": command, "finished": finished, "seconds": seconds, "memory": int(seconds)}


def test_interrupted_runs_count_towards_the_one_that_finished() -> None:
    events = [
        event("a", 100.0, finished=True),
        event("a", 1.0, finished=False),
        event("b", 50.0, finished=True),
        event("a", 2.0, finished=False),
        event("a", 4.0, finished=True),
        event("a", 8.0, finished=False),
    ]
    last, seconds = costs.spent(events, "python -m stages.x --out 'a'")
    assert (seconds, last["memory"]) == (7.0, 4)
    assert costs.spent(events, "python -m stages.x --out c") == ({}, None)


def test_the_log_tells_a_failure_from_a_success(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "log.jsonl"
    with spending.noted(path):
        pass
    with pytest.raises(RuntimeError), spending.noted(path):
        raise RuntimeError
    path.write_text(path.read_text() + '{"cut sho')
    events = log.read(path)
    assert [entry["finished"] for entry in events] == [True, False]
    assert all(entry["memory"] > 0 and entry["seconds"] >= 0 for entry in events)


def test_a_log_that_cannot_be_written_is_said_and_stops_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    with spending.noted(tmp_path / "file" / "log.jsonl"):
        pass
    assert "could not be noted" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (61.0, "1 min 01 s"), (7325.0, "2 h 02 min")]
)
def test_times_are_written_for_people(seconds: float, text: str) -> None:
    cost = costs.Cost("a", 1, 2_000_000, None, None, seconds, 1500)
    line = list(costs.lines([cost]))[1]
    assert line.endswith(f"{text:>14}{'1.5 kB':>10}")
    assert "2 M" in line


def test_the_longest_values_stand_apart_from_their_neighbours() -> None:
    long = costs.Cost("a", 101_606_144, 10**15, 999 * 10**6, 999 * 10**9, 0.0, 999 * 10**6)
    values = ["101,606,144", "1 P", "999 MB", "999 GB", "999 MB"]
    for seconds, text in ((3599.0, "59 min 59 s"), (999 * 3600 + 59 * 60.0, "999 h 59 min")):
        header, row, total, *_ = costs.lines([replace(long, seconds=seconds)])
        assert re.split(r" {2,}", row) == ["a", *values[:4], text, values[4]]
        assert len(header) == len(row) == len(total)
