"""The sections that a study's params.yaml may have, and what each holds."""

from typing import Annotated, Any, get_args

from pydantic import Field
from pydantic.fields import FieldInfo

from foreframe.analyses import AnalysisSettings
from foreframe.autoencoders import AutoencoderSettings
from foreframe.classifiers import ClassifierSettings
from foreframe.config import explaining, reading
from foreframe.config.base import Folder, Strict
from foreframe.config.classification import Classification
from foreframe.config.compute import Compute
from foreframe.config.evaluation import Evaluation
from foreframe.config.finetune import Finetune
from foreframe.config.flow import FlowSettings
from foreframe.config.latents import LatentSettings
from foreframe.config.protocols import ProtocolSettings
from foreframe.config.report import Report
from foreframe.config.sampling import Sampling
from foreframe.config.search import Search
from foreframe.config.split import Split
from foreframe.config.steering import Steering
from foreframe.config.variants import Name
from foreframe.errors import UserError
from foreframe.findings.settings import Findings
from foreframe.kinds import Kind
from foreframe.predictors.learned import PredictorSettings
from foreframe.priors import PriorSettings
from foreframe.probing import ProbeSettings
from foreframe.questions import QuestionSettings
from foreframe.sources import SourceSettings


class DataSet(Strict):
    """Frames of one source, cut into sets; `videos` is the folder that a source of files reads."""

    videos: Folder
    source: Annotated[SourceSettings, Kind("foreframe.sources")]
    split: Split


class Study(Strict):
    """All sections after every check, with those of the base; entries by name, the base's first."""

    seed: Annotated[int, Field(ge=0, lt=2**63)]
    compute: Compute
    data: dict[Name, DataSet]
    flows: dict[Name, FlowSettings]  # that are derived from frames
    autoencoders: dict[Name, Annotated[AutoencoderSettings, Kind("foreframe.autoencoders")]]
    latents: dict[Name, LatentSettings]
    priors: dict[Name, Annotated[PriorSettings, Kind("foreframe.priors")]]
    predictors: dict[Name, Annotated[PredictorSettings, Kind("foreframe.predictors")]]
    classifiers: dict[Name, Annotated[ClassifierSettings, Kind("foreframe.classifiers")]]
    classifications: dict[Name, Classification]
    sampling: Sampling
    samplings: dict[Name, Sampling]  # of predictors that are drawn in other ways
    protocols: dict[Name, ProtocolSettings]
    analyses: dict[Name, Annotated[AnalysisSettings, Kind("foreframe.analyses")]]
    questions: dict[Name, Annotated[QuestionSettings, Kind("foreframe.questions")]]
    probes: dict[Name, ProbeSettings]
    seeds: dict[Name, Annotated[int, Field(ge=0, lt=2**63)]] | None  # of runs that are repeated
    evaluation: Evaluation
    search: Search | None
    finetune: Finetune | None
    steering: Steering | None
    findings: Findings | None
    report: Report
    sources: Annotated[tuple[Name, ...], Field(min_length=1)] | None  # it can run on; null: any


# Sections of entries by name. A study that has none of a kind leaves the section out.
NAMED = (
    "data",
    "flows",
    "autoencoders",
    "latents",
    "priors",
    "predictors",
    "classifiers",
    "classifications",
    "samplings",
    "protocols",
    "analyses",
    "questions",
    "probes",
)
# Single sections: those that a base lends, and those that a study may do without.
LENT = ("seed", "compute", "sampling", "evaluation")
OPTIONAL = ("sources", "seeds", "search", "finetune", "steering", "findings")


def kind_of(section: str) -> Kind | None:
    """Return the package whose files are the kinds of a section's entries, or of their sources."""
    entry = DataSet.model_fields["source"] if section == "data" else None
    field = Study.model_fields[section]
    return reading.kind_of(_annotation(entry) if entry else _of_entries(field))


def entry(section: str, raw: Any, where: str) -> Any:
    """Return an entry of a section as its own schema has it.

    Raises:
        UserError: a value is wrong; the message names it.
    """
    if section == "data":
        return _data_set(raw, where)
    return reading.validate(_of_entries(Study.model_fields[section]), raw, where)


def _data_set(raw: Any, where: str) -> DataSet:
    fields = DataSet.model_fields
    for name in raw.keys() ^ fields.keys():
        problem = "is no parameter" if name in raw else "is missing"
        raise UserError(
            f"{where}.{explaining.shown(str(name))} {problem}. A data set has: {', '.join(fields)}."
        )
    return DataSet.model_construct(
        **{
            name: reading.validate(_annotation(field), raw[name], f"{where}.{name}")
            for name, field in fields.items()
        }
    )


def _annotation(field: FieldInfo) -> Any:
    """Return a field's annotation as it was written, with what stands beside the type."""
    return Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation


def _of_entries(field: FieldInfo) -> Any:
    return get_args(field.annotation)[1]


def single(section: str, raw: Any, where: str) -> Any:
    """Return a single section as its schema has it.

    Raises:
        UserError: as `entry`.
    """
    return reading.validate(_annotation(Study.model_fields[section]), raw, where)
