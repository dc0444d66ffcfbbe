"""Trainings that several processes may share: a program, run in the folder that it writes to."""

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from foreframe.running import instructions

instructions.adopt()  # before torch is loaded

from torch import Tensor  # noqa: E402

from foreframe.config.training import Phase, Plan  # noqa: E402
from foreframe.errors import UserError  # noqa: E402
from foreframe.models import SingleLoss  # noqa: E402
from foreframe.randomness import generator  # noqa: E402
from foreframe.running.compute import prepare  # noqa: E402
from foreframe.training.objective import Objective, Plain  # noqa: E402
from foreframe.training.result import Result  # noqa: E402
from foreframe.training.run import Origin, train  # noqa: E402
from foreframe.training.samples import Samples  # noqa: E402
from tests.foreframe.autoencoders import small  # noqa: E402
from tests.foreframe.predictors import moving, test_svg  # noqa: E402
from tests.foreframe.priors import tiny  # noqa: E402
from tests.foreframe.training import games, runs  # noqa: E402

# With batches of 8 the last one of an epoch has fewer samples than there may be shards.
COUNT, BATCH = 18, 8
OUT = Path("out")
Case = tuple[Objective[Any], Samples[Any], Plan]


def _short(**changes: Any) -> Plan:
    """Return a plan of a run of two epochs; the second one has a short batch too."""
    given = {"learning_rate": 0.01}
    phases = (games.phase(epochs=2, batch_size=BATCH),)
    return games.plan(phases=phases, players={"model": games.adam(**given)}, **changes)


def _single(model: SingleLoss, data: Tensor | dict[str, Tensor]) -> Case:
    def read(indices: Tensor) -> Any:
        if isinstance(data, dict):
            return {name: values[indices] for name, values in data.items()}
        return {"x": data[indices]}

    return Plain(model, model.loss), Samples(COUNT, read), _short()


def vqvae() -> Case:
    """Return codebooks that follow, codes that die and restart, indices with noise."""
    noise = {**small.SMALL["index_noise"], "sigma": 1.0}
    model = small.model(index_noise=noise, restart_threshold=0.4)
    return _single(model, small.moving_stripes(COUNT))


def prior() -> Case:
    """Return an autoregressive prior."""
    model = tiny.top()
    ids = generator(0, "codes").integers(0, 7, (COUNT, 2, 3, 3))
    return _single(model, {"top": ids})


def svg() -> Case:
    """Return a recurrent predictor with batch normalisation and several uses of it in a clip."""
    model = test_svg.model()
    model.initialize(generator(0, "weights"))
    return _single(model, moving.clips(COUNT))


def duel() -> Case:
    """Return two players, one of them averaged, whose validation is judged."""
    plan = games.duel_plan()
    batches = [phase.model_copy(update={"batch_size": BATCH}) for phase in plan.phases]
    # As many as fill whole batches: a batch norm of points cannot have a shard with a single one.
    data = runs.samples(3 * BATCH)
    return games.Duel(), data, plan.model_copy(update={"phases": tuple(batches)})


CASES: Mapping[str, Callable[[], Case]] = {
    "vqvae": vqvae,
    "prior": prior,
    "svg": svg,
    "duel": duel,
}


def main(case: str, shards: int, pause: float) -> None:
    """Train a case with batches of so many shards; wait so long before each batch is read."""
    objective, data, plan = CASES[case]()
    plan = Plan(**{**dict(plan), "shards": shards})
    device = prepare(runs.COMPUTE)
    Path("data").touch()

    def read(indices: Tensor) -> Any:
        time.sleep(pause)
        return data.read(indices)

    def samples(phase: Phase) -> Samples[Any]:
        return Samples(data.count, read)

    def finish(result: Result) -> dict[str, object]:
        runs.write(OUT, objective.model, result)
        return {}

    OUT.mkdir(exist_ok=True)
    train(
        objective,
        samples,
        samples,
        plan,
        purpose=case,
        origin=Origin(
            [Path("data")], {"case": case, "shards": shards}, ["foreframe.training.loop"]
        ),
        seed=3,
        compute=runs.COMPUTE,
        device=device,
        out=OUT / "record.json",
        finish=finish,
    )


if __name__ == "__main__":
    try:
        main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
    except UserError as error:
        sys.exit(f"error: {error}")
