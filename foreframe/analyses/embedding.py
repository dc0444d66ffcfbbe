"""Do pictures of a class lie together among the latents of a model?

All latents of a picture, one after the other, are a point; t-SNE shows the points in a plane
(Glissov and Konradsen 2021, figure 2.1). A plane can show clusters that are none and tear those
that are, so nearest neighbours and silhouettes are taken among the latents as well. t-SNE is exact,
without trees, on one thread and from numbers of the seed: with portable instructions every CPU
gives the same plane.

Shapes: N clips, D values of a picture, H rows, W columns, C = 3 colours.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Protocol, Self, runtime_checkable

import numpy
import torch
from pydantic import Field, model_validator
from torch import Tensor

from foreframe.analyses import AnalysisSettings
from foreframe.analyses.subject import Found, Subject
from foreframe.errors import UserError
from foreframe.evaluation import columns
from foreframe.randomness import generator

SPREAD = 1e-4  # of the points at the start, as of scikit-learn's own


@runtime_checkable
class PictureLatents(Protocol):
    """A model that tells what pictures are made of, and makes pictures of it: a flow, or an ALI."""

    def latents(self, frames_NHWC: Tensor, numbers: Sequence[int], seed: int) -> list[Tensor]:
        """Return the latents of pictures, uint8, in parts (N,...); numbers and seed name noise."""

    def decoded(self, latents: Sequence[Tensor]) -> Tensor:
        """Return the pictures that have these latents, uint8 (N,H,W,3) on the CPU."""


class Settings(AnalysisSettings):
    """Which label the classes are of, and how many neighbours t-SNE counts on (30 as a rule)."""

    kind: Literal["embedding"]
    label: str
    perplexity: Annotated[float, Field(ge=1)]

    @model_validator(mode="after")
    def _shows_points(self) -> Self:
        if self.show:
            raise ValueError(
                f"show is {self.show}, but an embedding shows a point of every clip. Set it to 0."
            )
        return self


def analyse(subject: Subject, settings: Settings) -> Found:
    """Store the points (N,2) and labels (N,); return how well classes keep together.

    Raises:
        UserError: the predictor has no latents of pictures, the clips have no such label or fewer
            than two classes, or there are too few of them.
    """
    labels_N = classes(subject, settings.label)
    if len(labels_N) <= settings.perplexity:
        raise UserError(
            f"perplexity is {settings.perplexity:g}, but there are {len(labels_N)} clips. Lower "
            "it, or take more clips."
        )
    if not 2 <= len(labels_N.unique()) < len(labels_N):
        raise UserError(
            f"{len(labels_N)} clips have {len(labels_N.unique())} classes of {settings.label}: "
            "nothing can lie together or apart. Take more clips."
        )
    latents_ND = _latents(subject)
    points_N2 = plane(latents_ND, settings.perplexity, subject.futures.seed)
    subject.store("points", points_N2.float())
    subject.store("labels", labels_N)
    found = {
        name: separation(rows, labels_N)
        for name, rows in (("latents", latents_ND), ("points", points_N2))
    }
    return Found({**found, "chance": chance(labels_N)})


def classes(subject: Subject, label: str) -> Tensor:
    """Return the class (N,) of each clip.

    Raises:
        UserError: the data have no such label, or a clip has none.
    """
    found = subject.labels.get(label)
    if found is None or bool((found < 0).any()):
        known = ", ".join(subject.labels) or "none"
        raise UserError(
            f"not every clip has the label {label}. The data have: {known}. Name one of these, or "
            "collect data with labels."
        )
    return found


def model(subject: Subject) -> PictureLatents:
    """Return the predictor, whose latents are asked for.

    Raises:
        UserError: it has none.
    """
    predictor = subject.predictor
    if not isinstance(predictor, PictureLatents):
        raise UserError(
            f"{predictor.name} has no latents of a picture. Give a glow, an ali, a gan or a vae."
        )
    return predictor


def latents(subject: Subject, frames_BHWC: Tensor, places: list[int]) -> list[Tensor]:
    """Return the latents of pictures, uint8, of clips at these places, in parts (B,...)."""
    numbers = [subject.numbers[place] for place in places]
    return model(subject).latents(frames_BHWC, numbers, subject.futures.seed)


def pictures(subject: Subject, places: list[int]) -> Tensor:
    """Return the first frame of some clips that is not given, uint8 (B,H,W,C)."""
    return subject.clips.read(places)[:, subject.futures.context]


def plane(rows_ND: Tensor, perplexity: float, seed: int) -> Tensor:
    """Return where t-SNE puts rows in a plane, float64 (N,2)."""
    # Only here: loading it takes a second.
    from sklearn.manifold import TSNE

    start_N2 = SPREAD * generator(seed, "embedding").normal((len(rows_ND), 2))
    found = TSNE(
        n_components=2,
        perplexity=perplexity,
        init=start_N2.numpy(),
        learning_rate="auto",
        method="exact",
        n_jobs=1,
    ).fit_transform(rows_ND.double().numpy())
    return torch.from_numpy(found.astype(numpy.float64))


def separation(rows_ND: Tensor, labels_N: Tensor) -> dict[str, Any]:
    """Return the share of rows whose nearest other row is of their class, and the silhouette.

    A silhouette is 1 where a class keeps to itself, 0 where it lies among others and below 0 where
    these are nearer (Rousseeuw 1987).
    """
    from sklearn.metrics import silhouette_samples

    rows_ND = rows_ND.double()
    distance_NN = torch.cdist(rows_ND, rows_ND, compute_mode="donot_use_mm_for_euclid_dist")
    silhouette_N = silhouette_samples(distance_NN.numpy(), labels_N.numpy(), metric="precomputed")
    nearest_N = distance_NN.fill_diagonal_(torch.inf).argmin(dim=1)
    return {
        "nearest_neighbour": columns.share(labels_N[nearest_N] == labels_N),
        "silhouette": columns.mean(torch.from_numpy(silhouette_N)),
    }


def chance(labels_N: Tensor) -> float:
    """Return how often another row, taken at random, is of a row's class."""
    counts = torch.bincount(labels_N).double()
    return float((counts * (counts - 1)).sum() / (len(labels_N) * (len(labels_N) - 1)))


def _latents(subject: Subject) -> Tensor:
    """Return all latents of every picture, one after the other, (N,D) on the CPU."""
    found = []
    for places in subject.batches():
        parts = latents(subject, pictures(subject, places), places)
        found.append(torch.cat([part.flatten(1) for part in parts], dim=1).cpu())
    return torch.cat(found)
