"""Kind `snitch`: where an object is in the end, by attention to the objects of all frames.

The head of Castrejon 2022, 10.4.3, for CATER: a scene model's encoder describes the objects of some
frames of a clip, a transformer looks at all of them, and its last place says which cell of a grid
it is. It minimises

    cross-entropy + a |expected place - true place|_1 + m |what was masked - what is said of it|^2,

where the expected place is the mean of cells under their probabilities, and one object of each
frame is masked in a pass of its own, whose gradient stops before the encoder. Trained by the stage
`finetune_classifier`, which is given the scene model.

Shapes: B clips, C channels of the view, T frames of which S are looked at, H rows, W columns, K
objects of F numbers, D numbers of a token, P = S K + 1 tokens, N classes.
"""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from foreframe import kinds
from foreframe.classifiers import Classifier, ClassifierSettings, Given
from foreframe.config import reading
from foreframe.config.base import Strict
from foreframe.config.training import Plan
from foreframe.errors import UserError
from foreframe.networks.transformer import Block, Embedding
from foreframe.predictors import learned
from foreframe.predictors.describing import describer
from foreframe.randomness import Numbers, generator
from foreframe.training.objective import Moment

Count = Annotated[int, Field(ge=1)]
Weight = Annotated[float, Field(ge=0)]

BEST = 5  # how many guesses are looked at beside the first
STAGE = "Train it by the stage finetune_classifier."


class Encoder(Strict):
    """A scene model: its settings, and what data had told it, as its file holds them."""

    settings: dict[str, Any]
    given: dict[str, Any]


class Settings(ClassifierSettings):
    """The section of params.yaml; numbers in comments are the document's."""

    kind: Literal["snitch"]
    training: Plan
    encoder: Encoder | None  # null in params.yaml: that of the model that the stage is given
    start: Literal["given", "random"]  # the encoder's weights
    moves: bool  # whether they are trained too
    sampled: Count  # S, 40, in order, some others in every step
    crops: Count  # 10: so many choices of S frames say together what a clip is
    width: Count  # D, 128
    layers: Count  # 12
    heads: Count  # not stated; 8
    ratio: Count  # width of a block's perceptron to D; not stated, 4
    hidden: Count  # of the head, 128
    distance: Weight  # a, 1
    masked: Weight  # m, 1e-3; 0: nothing is masked

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.sampled > self.view.frames:
            raise ValueError(
                f"sampled is {self.sampled}, but view.frames is {self.view.frames}. Raise "
                "view.frames, or lower sampled."
            )
        if self.width % self.heads:
            raise ValueError(
                f"width is {self.width}, which {self.heads} heads cannot share. Make it a multiple."
            )
        return self


class Snitch(Classifier):
    """Of 36 classes and objects of 263 numbers, 2,473,771 weights beside those of the encoder."""

    settings: Settings

    def __init__(self, settings: Settings, given: Given) -> None:
        super().__init__(settings, given)
        self.side = math.isqrt(len(given.classes))
        if self.side**2 != len(given.classes):
            raise UserError(
                f"The label {settings.label} has {len(given.classes)} classes, which are no square "
                "grid of cells. Name a label of places."
            )
        # Weights that the encoder begins with; left alone where they come from a file of this kind.
        self.beginning: Mapping[str, Tensor] | None = None
        self.encoder = describer(_model(settings, given))
        if not settings.moves:
            self.encoder.requires_grad_(requires_grad=False)
        width, features = settings.width, self.encoder.width
        self.inward, self.outward = nn.Linear(features, width), nn.Linear(width, features)
        self.frames = Embedding(settings.sampled, width)
        self.answer, self.mask = Embedding(1, width), Embedding(1, width)
        self.blocks = nn.ModuleList(
            Block(width, settings.heads, settings.ratio) for _ in range(settings.layers)
        )
        self.norm = nn.LayerNorm(width)
        self.head = nn.Sequential(
            nn.Linear(width, settings.hidden),
            nn.ReLU(),
            nn.Linear(settings.hidden, len(given.classes)),
        )

    def initialize(self, numbers: Numbers) -> None:
        """Draw every parameter, and take the encoder's from what it begins with.

        Raises:
            UserError: it is to begin with a trained model, and there is none.
        """
        super().initialize(numbers)
        if self.settings.start == "random":
            return
        if self.beginning is None:
            raise UserError(f"snitch begins with a trained scene model, but has none. {STAGE}")
        self.encoder.load_state_dict(dict(self.beginning))

    def logits(self, x_BCTHW: Tensor) -> Tensor:
        """Return log-probabilities (B,N): those of several choices of frames, averaged."""
        objects_BTKF = self._described(x_BCTHW)
        frames = objects_BTKF.shape[1]
        crops = self.settings.crops if frames > self.settings.sampled else 1
        found = []
        for crop in range(crops):
            times = self._times(frames, generator(0, "snitch", "crop", crop))
            found.append(self._told(objects_BTKF[:, times]).log_softmax(dim=1))
        return torch.stack(found).logsumexp(dim=0) - math.log(crops)

    def loss(self, batch: Mapping[str, Any], moment: Moment) -> dict[str, Tensor]:
        """Return the loss and its parts, and shares of clips whose class is not among the best.

        All are scalars; the distance is in cells, along both axes together.
        """
        settings, right_B = self.settings, batch["labels"][self.settings.label]
        times = self._times(batch["x"].shape[2], moment.numbers)
        objects_BSKF = self._described(batch["x"][:, :, times])
        logits_BN = self._told(objects_BSKF)
        entropy = functional.cross_entropy(logits_BN, right_B)
        distance = self.apart(logits_BN, right_B).mean()
        loss = entropy + settings.distance * distance
        found = {"entropy": entropy, "distance": distance}
        if settings.masked:
            hidden = self._masked(objects_BSKF.detach(), moment.numbers)
            loss, found["masked"] = loss + settings.masked * hidden, hidden
        best_BM = logits_BN.topk(min(BEST, logits_BN.shape[1]), dim=1).indices
        missed_BM = best_BM != right_B[:, None]
        return {
            "loss": loss,
            "error": missed_BM[:, 0].float().mean(),
            f"error_{BEST}": missed_BM.all(dim=1).float().mean(),
            **found,
        }

    def apart(self, logits_BN: Tensor, right_B: Tensor) -> Tensor:
        """Return how many cells (B,) the expected place is from the true one, along both axes."""
        cells_N = torch.arange(logits_BN.shape[1], device=logits_BN.device)
        places_N2 = torch.stack([cells_N // self.side, cells_N % self.side], dim=1)
        expected_B2 = logits_BN.softmax(dim=1) @ places_N2.to(logits_BN.dtype)
        return (expected_B2 - places_N2[right_B]).abs().sum(dim=1)

    def _times(self, frames: int, numbers: Numbers) -> Tensor:
        """Return which frames (S,) are looked at, in order."""
        return numbers.permutation(frames)[: self.settings.sampled].sort().values

    def _described(self, x_BCTHW: Tensor) -> Tensor:
        """Return the objects (B,T,K,F) of frames."""
        rows = x_BCTHW.transpose(1, 2)
        with torch.set_grad_enabled(torch.is_grad_enabled() and self.settings.moves):
            found: Tensor = self.encoder(rows.flatten(0, 1))
        return found.unflatten(0, rows.shape[:2])

    def _told(self, objects_BSKF: Tensor) -> Tensor:
        """Return logits (B,N)."""
        logits_BN: Tensor = self.head(self._seen(self.inward(objects_BSKF))[:, -1])
        return logits_BN

    def _seen(self, tokens_BSKD: Tensor) -> Tensor:
        """Return what each token makes of all (B,P,D); the last one is the answer's."""
        known_BSKD = tokens_BSKD + self.frames.weight[: tokens_BSKD.shape[1], None]
        answer_B1D = self.answer.weight.expand(len(tokens_BSKD), -1, -1)
        x_BPD = torch.cat([known_BSKD.flatten(1, 2), answer_B1D], dim=1)
        for block in self.blocks:
            x_BPD = block(x_BPD, functional.scaled_dot_product_attention)
        seen_BPD: Tensor = self.norm(x_BPD)
        return seen_BPD

    def _masked(self, objects_BSKF: Tensor, numbers: Numbers) -> Tensor:
        """Return the squared error of what is said of an object of each frame that is masked."""
        rows, frames, count, _ = objects_BSKF.shape
        hidden_BS = numbers.integers(0, count, (rows, frames)).to(objects_BSKF.device)
        hidden_BSK1 = functional.one_hot(hidden_BS, count).bool()[..., None]
        tokens_BSKD = torch.where(hidden_BSK1, self.mask.weight, self.inward(objects_BSKF))
        seen_BSKD = self._seen(tokens_BSKD)[:, :-1].unflatten(1, (frames, count))
        off_BSKF = self.outward(seen_BSKD) - objects_BSKF
        return (off_BSKF.square() * hidden_BSK1).sum(dim=(2, 3)).mean()


def _model(settings: Settings, given: Given) -> learned.LearnedPredictor:
    """Return a scene model of the encoder's settings, untrained.

    Raises:
        UserError: there are none, or it sees frames otherwise.
    """
    if settings.encoder is None:
        raise UserError(f"snitch has no encoder. {STAGE}")
    own = settings.encoder.settings
    schema = kinds.find(learned.PACKAGE, own["kind"]).Settings
    chosen = reading.validate(schema, own, "encoder")
    told = reading.validate(learned.Given, settings.encoder.given, "encoder")
    size, shape = (told.shape.height, told.shape.width), (given.shape.height, given.shape.width)
    if size != shape:
        raise UserError(
            f"The encoder sees frames of {size[0]} x {size[1]} pixels, but the data have "
            f"{shape[0]} x {shape[1]}. Give it data of its own size."
        )
    for name in ("channels", "scaling", "bits"):
        wanted, found = (getattr(view, name) for view in (chosen.view, settings.view))
        if wanted != found:
            raise UserError(
                f"view.{name} is {found}, but the encoder was trained with {wanted}. Set it to "
                f"{wanted}."
            )
    return learned.ROLE.build(chosen, told)


def build(settings: Settings, given: Given) -> Snitch:
    """Return an untrained classifier.

    Raises:
        UserError: there is no encoder, it sees frames otherwise, or classes are no grid.
    """
    return Snitch(settings, given)
