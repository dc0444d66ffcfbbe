"""Which modules a predictor picks for which moves: are rules of the world and modules one?

A module is counted for a move whenever the slot of the object that moves picked it, in any inner
iteration (Castrejon 2022, figures 8.2, 8.3 and 8.6). The agreement is the share of moves that have
the module of their move, under the best assignment of a module of its own to each.

Shapes: D moves, M modules, as in `following`.
"""

from typing import Literal

import torch

from foreframe.analyses.following import FollowingSettings, batches
from foreframe.analyses.subject import Found, Subject
from foreframe.errors import UserError
from foreframe.evaluation import columns
from foreframe.metrics import matching
from foreframe.predictors.slots import slotted

USED = 0.05  # of all picks: a module that has fewer is spare


class Settings(FollowingSettings):
    """Nothing but how clips are followed."""

    kind: Literal["modules"]


def analyse(subject: Subject, settings: Settings) -> Found:
    """Return the agreement and each move's picks; store their `proportions` and `counts` (D,M).

    Raises:
        UserError: the predictor has no modules, or no object makes a single move; see `batches`.
    """
    modules = slotted(subject.predictor).module_count
    if modules == 0:
        raise UserError(f"{subject.predictor.name} has no modules. Give a predictor that has.")
    counts_DM, shared = torch.zeros(len(matching.MOVES), modules, dtype=torch.int64), []
    for batch in batches(subject, settings):
        moves_BTO = matching.moves(batch.places)
        assert batch.followed.modules is not None
        for modules_BTK in batch.followed.modules.cpu().unbind(dim=2):
            picked_BTO = matching.of_objects(modules_BTK, batch.slots)
            counts_DM += matching.counts(moves_BTO.flatten(), picked_BTO.flatten(), modules)
        shared.append(batch.shared)
    if counts_DM.sum() == 0:
        raise UserError(
            "no object moves along one axis alone in any clip, so no move can be told from others. "
            "Ask about clips of single moves."
        )
    share, assigned = matching.agreement(counts_DM)
    proportions_DM = counts_DM.double() / counts_DM.sum(dim=1, keepdim=True).clamp_min(1)
    picked_M = counts_DM.sum(dim=0) / counts_DM.sum()
    subject.store("counts", counts_DM)
    subject.store("proportions", proportions_DM.float())
    found = {
        move: {
            "picks": int(counts_DM[row].sum()),
            "module": assigned[row],
            "most": float(proportions_DM[row].max()),
            **{f"module_{number}": float(each) for number, each in enumerate(proportions_DM[row])},
        }
        for row, move in enumerate(matching.MOVES)
    }
    return Found(
        {
            "agreement": share,
            "used": int((picked_M > USED).sum()),
            "modules": modules,
            "shared": columns.share(torch.cat(shared)),
            "moves": found,
        }
    )
