"""How much a predictor is surprised at each true frame, and at which: prior against posterior.

Every frame is predicted from the true ones before it. Its bits under latents of the prior, less
those under latents of the posterior, are the gap between what was expected and what could be said;
the KL is what the posterior had to tell (Glissov and Konradsen 2021, figures 10.4, 10.6 to 10.8,
11.1 and A.7). Events, such as bounces, say where surprises ought to be.

Shapes: N clips, B of a batch, T frames, t given ones, S = T - t, H rows, W columns.
"""

from collections.abc import Mapping
from typing import Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.stepping import Batch, batches, bits, predictor
from foreframe.analyses.subject import Found, Subject
from foreframe.config.base import Strict
from foreframe.evaluation import columns
from foreframe.predictors.recurrent import Terms

BITS, KL = "bits", "kl"
BOUND = "bound"  # of a clip's predicted frames together, in nats: what training minimises
PRIOR, POSTERIOR = "prior", "posterior"  # whose latents a frame is said with
MODEL = "model"  # of what is neither's
TAKEN = {"mean", "low", "high", "clips", "first", "later", "drop"}  # beside the events of a value


class Event(Strict):
    """When something happens: `later` frames after one in which one of `states` is above 0.

    `near` are two pairs of states, the left and upper edges of two things; it happens as well while
    both edges are less than `within` pixels apart.
    """

    states: tuple[str, ...] = ()
    near: tuple[tuple[str, str], tuple[str, str]] | None = None
    within: float = Field(default=0.0, ge=0)
    later: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _can_happen(self) -> Self:
        if (self.near is None) != (self.within == 0):
            raise ValueError("near and within belong together: give two pairs, and a distance.")
        if self.near is None and not self.states:
            raise ValueError("an event of no states never happens. Name some, or near.")
        return self


class Settings(AnalysisSettings):
    """`events` by name, of states that the source says."""

    kind: Literal["one_step"]
    events: dict[str, Event]

    @model_validator(mode="after")
    def _names_are_free(self) -> Self:
        if taken := sorted(TAKEN & self.events.keys()):
            raise ValueError(f"events.{taken[0]}: this name is taken. Choose another one.")
        return self


def analyse(subject: Subject, settings: Settings) -> Found:
    """Return means by frame, and at events; frames of the clips that are shown are stored.

    Raises:
        UserError: the predictor has no latents or no likelihood, or the data no such state.
    """
    given = subject.futures.context
    happens = {name: happening(subject, event) for name, event in settings.events.items()}
    parts, shown = [], []
    for batch in batches(subject, "one step"):
        terms = predictor(subject).terms(batch.x, given, batch.noise)
        prior_BS, expected_BSHWC = _expected(subject, batch)
        parts.append(_measured(subject, terms, batch, prior_BS))
        if batch.places[0] < settings.show:
            shown.append(_pictures(subject, batch, expected_BSHWC))
    for name, frames in columns.join(shown).items() if shown else ():
        subject.store(name, frames[: settings.show])
    found: dict[str, dict[str, Any]] = {PRIOR: {}, POSTERIOR: {}, MODEL: {}}
    series = []
    measured = columns.join(parts)
    bound_N = measured.pop(BOUND)
    for name, values_NS in measured.items():
        whose, quantity = name.split("/")
        found[whose][quantity] = _course(values_NS, happens, given)
        series += columns.rows(values_NS, samples=MODEL, predictor=whose, quantity=quantity)
    for name, event_NT in happens.items():
        share_NS = event_NT[:, given:].double()
        series += columns.rows(share_NS, samples=MODEL, predictor=name, quantity="share")
    found[MODEL][BOUND] = columns.mean(bound_N)
    return Found(found, series, {BOUND: bound_N})


def happening(subject: Subject, event: Event) -> Tensor:
    """Return in which frames an event happens, bool (N,T)."""
    found_NT = torch.zeros(len(subject), subject.futures.frames, dtype=torch.bool)
    for name in event.states:
        found_NT |= subject.state(name) > 0
    if event.near is not None:
        (first_x, first_y), (second_x, second_y) = event.near
        across = (subject.state(first_x) - subject.state(second_x)).abs()
        down = (subject.state(first_y) - subject.state(second_y)).abs()
        found_NT |= (across < event.within) & (down < event.within)
    # What happens in a frame may show in a later one: a bounce turns a digit, and then it moves.
    return functional.pad(found_NT, (event.later, 0))[:, : found_NT.shape[1]]


def _expected(subject: Subject, batch: Batch) -> tuple[Tensor, Tensor]:
    """Return bits (B,S) under latents of the prior, and frames (B,S,H,W,3) that they say."""
    model, given = predictor(subject), subject.futures.context
    surprisals, frames = [], []
    for time in range(given, subject.futures.frames):
        seen = model.encode(batch.x[:, :, :time])
        state = model.start(seen, subject.options, batch.noise)
        true_BCHW = batch.x[:, :, time]
        surprisals.append(model.surprisal(state, true_BCHW, time, subject.options, batch.noise))
        frames.append(model.advance(state, time, subject.options, batch.noise)[0])
    shown = model.scaling.outward(torch.stack(frames, dim=2)).cpu()
    return bits(subject, torch.stack(surprisals, dim=1), batch.x), shown


def _measured(subject: Subject, terms: Terms, batch: Batch, prior_BS: Tensor) -> dict[str, Tensor]:
    posterior_BS = bits(subject, terms.nll, batch.x)
    found = {
        BOUND: sum(terms.kl.values(), terms.nll).double().sum(dim=1).cpu(),
        f"{PRIOR}/{BITS}": prior_BS,
        f"{POSTERIOR}/{BITS}": posterior_BS,
        f"{MODEL}/gap": prior_BS - posterior_BS,
    }
    found |= {f"{MODEL}/{KL}_{name}": each.double().cpu() for name, each in terms.kl.items()}
    of_frames = {name: each for name, each in terms.about.items() if each.ndim == 2}
    return found | {f"{MODEL}/{name}": each.double().cpu() for name, each in of_frames.items()}


def _course(values_NS: Tensor, happens: Mapping[str, Tensor], given: int) -> dict[str, Any]:
    """Return the mean, the first and the later frames' and those at events and elsewhere."""
    found: dict[str, Any] = {
        **columns.mean(values_NS.mean(dim=1)),
        "first": columns.mean(values_NS[:, 0]),
    }
    if values_NS.shape[1] > 1:
        later_N = values_NS[:, 1:].mean(dim=1)
        found |= {"later": columns.mean(later_N)}
        found |= {"drop": columns.difference(values_NS[:, 0], later_N)}
    for name, event_NT in happens.items():
        # The first frame is a surprise of its own.
        at_NS, all_NS = event_NT[:, given + 1 :].double(), values_NS[:, 1:]
        both = (at_NS.sum(dim=1) > 0) & (at_NS.sum(dim=1) < at_NS.shape[1])
        if both.any():
            at_n = (all_NS * at_NS).sum(dim=1)[both] / at_NS.sum(dim=1)[both]
            other_n = (all_NS * (1 - at_NS)).sum(dim=1)[both] / (1 - at_NS).sum(dim=1)[both]
            found[name] = {
                "at": columns.mean(at_n),
                "elsewhere": columns.mean(other_n),
                "difference": columns.difference(at_n, other_n),
            }
    return found


def _pictures(subject: Subject, batch: Batch, expected_BSHWC: Tensor) -> dict[str, Tensor]:
    """Return frames of clips: true ones, what was expected, and what is told; changes and errors.

    Those that are true are (B,T,H,W,3), all others (B,S,H,W,3).
    """
    model, given, true_BTHWC = predictor(subject), subject.futures.context, batch.frames
    told_BCSHW = model.replay(batch.x, given, subject.options, batch.noise)
    return {
        "real": true_BTHWC,
        PRIOR: expected_BSHWC,
        POSTERIOR: model.scaling.outward(told_BCSHW).cpu(),
        "change": _apart(true_BTHWC[:, given:], true_BTHWC[:, given - 1 : -1]),
        "error": _apart(true_BTHWC[:, given:], expected_BSHWC),
    }


def _apart(one: Tensor, other: Tensor) -> Tensor:
    return (one.int() - other.int()).abs().to(torch.uint8)
