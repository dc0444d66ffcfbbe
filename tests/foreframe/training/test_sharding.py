"""Batches in shards: as many processes as one likes, killed and regrown, and always the same bytes.

`shared` has the trainings, small ones of the real kinds, run as programs.
"""

import os
import queue
import re
import signal
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from torch import Tensor

from foreframe.networks.quantizer import Averages, Quantizer
from foreframe.networks.shards import Notes, gathering
from foreframe.randomness import generator
from foreframe.running import crew as module
from foreframe.running import processes
from foreframe.running.crew import Crew
from foreframe.training.checkpoints import FOLDER, Checkpoints
from foreframe.training.sharding import Adder, Shards, tree_sum
from tests import killing
from tests.foreframe.training import runs, shared

ROOT = Path(__file__).parents[3]
SHARDS = 4
SLOW = pytest.mark.slow
HERE = {"PYTHONPATH": str(ROOT)}


def command(case: str, shards: int = SHARDS, pause: float = 0.0) -> list[str]:
    return [sys.executable, "-m", "tests.foreframe.training.shared", case, str(shards), str(pause)]


def environment(count: int) -> dict[str, str]:
    return {processes.WANTED: str(count), **HERE}


def trained(folder: Path, case: str, count: int, shards: int = SHARDS) -> Mapping[str, bytes]:
    """Return the bytes of all that a training by `count` processes leaves."""
    folder.mkdir()
    with killing.started(command(case, shards), folder, environment(count)) as running:
        assert running.wait() == 0, running.text
    assert not list((folder / FOLDER).glob("*")), "checkpoints of a run that ended are gone"
    return runs.contents(folder / shared.OUT)


def failed(folder: Path, case: str, count: int, shards: int = SHARDS) -> str:
    with killing.started(command(case, shards), folder, environment(count)) as running:
        assert running.wait() == 1, running.text
        return running.text


@pytest.mark.parametrize(
    ("case", "counts"),
    [("vqvae", (2,)), *(pytest.param(case, (2, 4), marks=SLOW) for case in shared.CASES)],
)
def test_any_number_of_processes_leaves_the_same_bytes(
    case: str, counts: tuple[int, ...], tmp_path: Path
) -> None:
    alone = trained(tmp_path / "1", case, 1)
    assert {"model.safetensors", "curve.csv", "epochs.csv", "record.json"} <= {*alone}
    for count in counts:
        assert trained(tmp_path / str(count), case, count) == alone
    # The number of shards is another matter.
    whole = trained(tmp_path / "whole", case, 1, shards=1)
    assert whole["model.safetensors"] != alone["model.safetensors"]


@pytest.mark.slow
@pytest.mark.parametrize("case", ["vqvae", "duel"])
def test_a_run_killed_with_four_goes_on_with_two(case: str, tmp_path: Path) -> None:
    wanted = trained(tmp_path / "whole", case, 1)
    folder = tmp_path / "killed"
    folder.mkdir()
    with killing.started(command(case, pause=0.3), folder, environment(4)) as running:
        killing.await_true(lambda: checkpoints(folder), "a checkpoint")
        running.kill(whole=True)
    assert not (folder / shared.OUT / "record.json").exists()
    with killing.started(command(case), folder, environment(2)) as running:
        assert running.wait() == 0, running.text
        assert "the run goes on after step" in running.text
    assert runs.contents(folder / shared.OUT) == wanted


def checkpoints(folder: Path) -> list[Path]:
    return list((folder / FOLDER).glob("*/step-*.safetensors"))


@pytest.mark.parametrize("who", [pytest.param("first", marks=SLOW), "other"])
def test_all_stop_when_one_is_asked_to(who: str, tmp_path: Path) -> None:
    with killing.started(command("vqvae", pause=0.3), tmp_path, environment(2)) as running:
        killing.await_true(lambda: checkpoints(tmp_path), "a checkpoint")
        (other,) = [each for each in running.note_family() if each.name().startswith("python")]
        asked = running.process.pid if who == "first" else other.pid
        os.kill(asked, signal.SIGTERM)
        assert running.wait() == 128 + signal.SIGTERM
        running.await_orphans()
    assert checkpoints(tmp_path)
    assert not (tmp_path / shared.OUT / "record.json").exists()


def test_a_lost_process_ends_the_run_with_its_last_words(tmp_path: Path) -> None:
    with killing.started(command("vqvae", pause=0.3), tmp_path, environment(2)) as running:
        killing.await_true(lambda: checkpoints(tmp_path), "a checkpoint")
        (other,) = [each for each in running.note_family() if each.name().startswith("python")]
        other.kill()
        assert running.wait() == 1
    assert re.search(
        r"error: Another process of this run has been lost \(process 1 ended with -9.*\)\. Start "
        r"the run again, .*: it goes on from its last checkpoint\.\n$",
        running.text,
        re.DOTALL,
    )
    assert checkpoints(tmp_path)


@pytest.mark.slow
def test_torchrun_starts_them_too(tmp_path: Path) -> None:
    wanted = trained(tmp_path / "alone", "prior", 1)
    folder = tmp_path / "torchrun"
    folder.mkdir()
    starting = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    line = [*starting, *command("prior")[1:]]
    with killing.started(line, folder, HERE) as running:
        assert running.wait() == 0, running.text
    assert runs.contents(folder / shared.OUT) == wanted


def test_what_is_refused_before_the_first_step(tmp_path: Path) -> None:
    assert "FOREFRAME_PROCESSES is '3'. Choose a power of two" in failed(tmp_path, "prior", 3)
    text = failed(tmp_path, "prior", 4, shards=2)
    assert "there are 4 processes, but a batch has 2 shards. Start 2 at most" in text
    assert not list(tmp_path.glob("**/step-*"))


@pytest.mark.parametrize(
    ("shards", "batch_size", "words"),
    [
        (3, 6, "3 is no power of two"),
        (0, 4, "greater than or equal to 1"),
        (8, 4, "A batch of 4 has no 8 equal shards. Let shards divide batch_size"),
    ],
)
def test_shards_that_fit_no_batch(shards: int, batch_size: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        runs.training(shards=shards, batch_size=batch_size)


def test_processes_that_differ_are_refused(tmp_path: Path) -> None:
    """As nodes may, of which one has another package installed."""
    other = tmp_path / "other"
    described = other / "another-1.0.dist-info" / "METADATA"
    described.parent.mkdir(parents=True)
    described.write_text("Metadata-Version: 2.1\nName: another\nVersion: 1.0\n")

    def member(rank: int, *more: Path) -> dict[str, str]:
        paths = os.pathsep.join(map(str, (ROOT, *more)))
        address = (tmp_path / "meeting").as_uri()
        return {processes.MEMBER: f"{rank}:2:{address}", "PYTHONPATH": paths}

    folder = tmp_path / "run"
    folder.mkdir()
    with (
        killing.started(command("prior"), folder, member(0)) as one,
        killing.started(command("prior"), folder, member(1, other)) as two,
    ):
        assert (one.wait(), two.wait()) == (1, 1)
    assert re.search(
        r"error: Processes 0 and 1 of this run differ in their packages: \w{12} and \w{12}\. Give "
        r"all nodes the same, and start again\.\n$",
        one.text,
    )
    assert not checkpoints(folder)


def test_shards_of_a_loss_have_the_gradient_of_the_whole(tmp_path: Path) -> None:
    """Without noise, which is drawn by shard; and a moving average follows the mean."""
    found = []
    for shards in (1, 2, 4):
        network = runs.Network()
        # The network's noise is 0.1 of this.
        silence = lambda batch, noise, of=network: of.loss(batch, Silent())  # noqa: E731
        settings = runs.training(shards=shards, epochs=2)
        checkpoints = Checkpoints(tmp_path / str(shards))
        result = runs.run(network, checkpoints, loss=silence, training=settings)
        found.append((network.layer.weight, network.mean, result.epochs))
    for weight, mean, epochs in found[1:]:
        torch.testing.assert_close(weight, found[0][0])
        torch.testing.assert_close(mean, found[0][1])
        numpy.testing.assert_allclose(epochs, found[0][2], rtol=1e-5)


class Silent:
    """Random numbers that are all zero."""

    def normal(self, shape: torch.Size) -> Tensor:
        return torch.zeros(shape)


def test_a_codebook_follows_all_shards_as_one_batch() -> None:
    averages = Averages(0.9, 1e-5, 1.0, "normal", restart_threshold=0.0)
    books = []
    z_BDTHW = generator(0, "z").normal((6, 3, 2, 2, 2))
    for parts in ([z_BDTHW], z_BDTHW.split([2, 2, 2])):
        quantizer = Quantizer(5, 3, averages)
        quantizer.start(generator(0, "codebook"))
        pages = []
        for number, part in enumerate(parts):
            notes = Notes(number, len(parts))
            with gathering(notes):
                quantizer(part, None)
            pages.append(next(sums for _, sums in notes.pages))
        quantizer.follow([sum(each[1:], each[0]) for each in zip(*pages, strict=True)])
        books.append(quantizer)
    assert torch.equal(books[0].count, books[1].count)
    torch.testing.assert_close(books[0].codebook, books[1].codebook)


def test_dead_codes_restart_from_outputs_of_every_shard() -> None:
    averages = Averages(0.9, 1e-5, 0.0, "normal", restart_threshold=100.0)
    quantizer = Quantizer(8, 1, averages)
    quantizer.start(generator(0, "codebook"))
    pages = []
    for number in range(2):
        notes = Notes(number, 2)
        with gathering(notes):
            quantizer(torch.full((1, 1, 1, 2, 2), 10.0 + number), generator(0, "restart", number))
        pages.append(notes.pages[0][1])
    quantizer.follow([one + other for one, other in zip(*pages, strict=True)])
    assert quantizer.codebook.flatten().tolist() == [10.0, 11.0] * 4


@pytest.mark.parametrize("count", [1, 2, 8])
@pytest.mark.parametrize("samples", [1, 5, 8, 19])
def test_processes_read_each_row_once_and_in_order(count: int, samples: int) -> None:
    shards = [Shards(8, Crew(rank, count)) for rank in range(count)]
    indices = torch.arange(samples) * 10
    rows = [each.rows(indices) for each in shards]
    assert torch.equal(torch.cat(rows), indices)
    parts: list[Any] = []
    for each, own in zip(shards, rows, strict=True):
        parts += each.cut(samples, own if len(own) else None)
    assert [number for number, _, _ in parts] == [*range(8)]
    assert torch.equal(torch.cat([part for _, part, size in parts if size]), indices)
    sizes = [size for _, _, size in parts]
    assert max(sizes) - min(sizes) <= 1
    assert sum(size > 0 for size in sizes) == shards[0].filled(samples)


@pytest.mark.parametrize("count", [1, 2, 4, 8])
def test_the_tree_is_that_of_one_process_and_what_is_sent_that_of_a_ring(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes are threads here, whose messages are counted."""
    leaves = [generator(0, "leaf", each).normal((15,)) for each in range(8)]
    each = len(leaves) // count
    place, sent = threading.local(), [0] * count
    post: dict[tuple[int, int], queue.Queue[Tensor]] = {
        (one, other): queue.Queue() for one in range(count) for other in range(count)
    }

    def swap(partner: int, given: Tensor, received: Tensor) -> None:
        sent[place.rank] += len(given)
        post[place.rank, partner].put(given.clone())
        received.copy_(post[partner, place.rank].get(timeout=60))

    def total(rank: int) -> Tensor:
        place.rank = rank
        adder = Adder(Crew(rank, count), torch.device("cpu"), whole=True)
        for leaf in leaves[rank * each : (rank + 1) * each]:
            adder.add({"a": leaf[:9].view(3, 3), "b": leaf[9:]})
        found = adder.total()
        return torch.cat([found["a"].flatten(), found["b"]])

    monkeypatch.setattr(module, "_swap", swap)
    with ThreadPoolExecutor(count) as threads:
        totals = [*threads.map(total, range(count))]
    assert all(torch.equal(each, tree_sum(leaves)) for each in totals)
    # All that is sent, of numbers that halve unevenly; a process alone sends nothing.
    assert sum(sent) == 2 * (count - 1) * 15
