"""What is wrong between the sections of a study that are each right by themselves."""

from collections.abc import Iterator

from foreframe.config import fit
from foreframe.config.protocols import REPORTED, ProtocolSettings
from foreframe.config.sampling import Choice
from foreframe.config.sections import Study
from foreframe.config.variants import Raw
from foreframe.errors import UserError


def contradictions(study: Study, base: Raw) -> Iterator[str]:
    """Yield what is wrong between sections that are each right by themselves.

    `base` is what the study builds on, or empty. Only dvc.yaml says which entries meet, so what
    some other entry can be meant for is right.
    """
    yield from fit.misfits(study, base)
    yield from _prior_contradictions(study)
    # What a choice may say is up to the predictor: those of codes share one schema, others do not.
    if study.priors and not study.predictors:
        yield from _unknown_choices(study)
    yield from _protocol_contradictions(study)


def _prior_contradictions(study: Study) -> Iterator[str]:
    levels = [set(each.strides()) for each in study.autoencoders.values()]
    every = set().union(*levels)
    done: set[str] = set()
    for name, prior in study.priors.items():
        if not every:
            yield f"priors.{name} is over codes, and autoencoders has none. Add one."
        elif prior.level not in every:
            known = ", ".join(sorted(every))
            yield f"priors.{name}.level is {prior.level}, which no autoencoder has: {known}."
        for condition in prior.condition_on:
            if condition not in done:
                yield (
                    f"priors.{name}.condition_on names {condition}, which no prior above it "
                    f"models. Write the priors in the order they are sampled."
                )
        done.add(prior.level)
    # An autoencoder none of whose levels has a prior is there for itself.
    if missing := set().union(*(own - done for own in levels if own & done)):
        yield f"priors: the levels {', '.join(sorted(missing))} have no prior. Add one for each."


def _unknown_choices(study: Study) -> Iterator[str]:
    try:
        study.sampling.drawings(Choice)
    except UserError as error:
        yield from str(error).split("\n")


def _protocol_contradictions(study: Study) -> Iterator[str]:
    limits = [
        (each.view.frames - max(stride[0] for stride in each.strides().values()), each.view.frames)
        for each in study.autoencoders.values()
    ]
    if limits and not study.predictors:
        most, window = max(limits)
        for name, protocol in study.protocols.items():
            if protocol.futures.context > most:
                yield (
                    f"protocols.{name}.futures.context is {protocol.futures.context}; priors of "
                    f"{window} frames (autoencoders.*.view.frames) can go on from at most {most}."
                )
    main = study.report.protocol
    if main is None:
        return
    if main not in study.protocols:
        yield f"protocols.{main} is missing; the report is about it. Add it."
    else:
        yield from _reported_contradictions(study, main, study.protocols[main])


def _reported_contradictions(study: Study, name: str, protocol: ProtocolSettings) -> Iterator[str]:
    futures, measures = protocol.futures, protocol.measures
    # A study with samplings of its own draws nothing by the base's.
    show = 0 if study.samplings else study.sampling.show
    if futures.clips is not None and show > futures.clips:
        yield (
            f"sampling.show is {show}, but only protocols.{name}.futures.clips = {futures.clips} "
            "clips are continued."
        )
    if not futures.context or not futures.keep:
        yield f"protocols.{name}.futures: context and keep must be 1 or more, as the report shows."
    if missing := [each for each in REPORTED if each not in measures.metrics]:
        yield (
            f"protocols.{name}.measures.metrics lacks {' and '.join(missing)}, which the report "
            "needs."
        )
