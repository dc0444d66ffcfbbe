"""Kind `ali`: Adversarially Learned Inference (Dumoulin et al. 2017), of pictures or of points.

With labels it is conditional: what they embed to is told encoder, decoder and critic
(Mastropietro 2017, equation 4.7); it moves with the first two, while in the authors' code it kept
the weights that it began with. With `supervision` it learns classes from few labels: the critic
has a logit l_k of each of K classes, and one more class, whose logit is 0, for what is made
(Salimans et al. 2016, without feature matching). Of Z = sum_k exp l_k a pair is true with
D = Z / (Z + 1), so log Z is the critic's logit in the game, and

    L_d = [log Z - l_y of labelled pairs] + weight/2 [-log D(true) - log(1 - D(made))].

Shapes: B rows, N pictures, K classes, E values of an embedding, Z latents; `x` as in
`single_frames`.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from foreframe.data.partners import Labelled
from foreframe.errors import UserError
from foreframe.networks.chains import Count
from foreframe.networks.dropout import NONE, Dropout
from foreframe.networks.gaussian import wide
from foreframe.networks.noise import Drawn, Fresh
from foreframe.networks.pair_networks import (
    Embedding,
    EncoderSettings,
    PairCritic,
    PairCriticSettings,
)
from foreframe.predictors import Context, Prediction
from foreframe.predictors.adversarial import CRITIC, GENERATOR, Labels, PairGame
from foreframe.predictors.learned import Given
from foreframe.predictors.single_frames import (
    SingleFrames,
    SingleFrameSettings,
    parts,
    require_players,
)
from foreframe.predictors.told import require_labels
from foreframe.randomness import Draws
from foreframe.training.objective import Losses, Moment, Turn


class Supervision(Labelled):
    """The game of K + 1 classes; with `training.average` the averaged critic is the classifier."""

    weight: Annotated[float, Field(gt=0)]  # of what is unsupervised; 1


class Settings(SingleFrameSettings):
    """The section of params.yaml; the players of `training` are `generator` and `critic`."""

    kind: Literal["ali"]
    encoder: EncoderSettings
    critic: PairCriticSettings
    label_width: Count | None  # E, 256; null without labels
    supervision: Supervision | None

    @property
    def labelled(self) -> Labelled | None:
        """Which training clips have the label that the critic learns."""
        return self.supervision

    @model_validator(mode="after")
    def _moves_both(self) -> Self:
        require_players(self.training, self.kind, (GENERATOR, CRITIC))
        return self

    @model_validator(mode="after")
    def _is_told_or_learns(self) -> Self:
        if bool(self.labels) != (self.label_width is not None):
            raise ValueError(
                f"label_width is {self.label_width}, and labels is "
                f"{', '.join(self.labels) or '[]'}. Give both, or null and []."
            )
        if self.labels and self.supervision is not None:
            raise ValueError(
                "The critic is told labels and is to learn one by supervision. Set labels to [], "
                "or supervision to null."
            )
        return self


class ALI(SingleFrames):
    """Encoder, decoder, critic of pairs, and an embedding of labels that moves with the first two.

    The pictures' nets of Dumoulin et al. 2017 have 10.4 (SVHN), 6.7 (CIFAR10), 33.8 (CelebA) and
    44.0 million weights; those of points 164,002, 484,802 and 407,201.
    """

    settings: Settings

    def __init__(self, settings: Settings, given: Given) -> None:
        """Build all nets.

        Raises:
            UserError: a chain does not fit the size of frames, or a label has one class.
        """
        known = {name: len(classes) for name, classes in given.labels.items()}
        for name, count in known.items():
            if count < 2:
                raise UserError(
                    f"The label {name} has one class and tells nothing apart. Take data with more "
                    "classes, or do without the label."
                )
        width, supervision = settings.label_width or 0, settings.supervision
        told = {name: known[name] for name in settings.labels}
        super().__init__(settings, given, settings.encoder, width)
        self.embedding = Embedding(told, width, settings.deviation) if told else None
        outputs = 1 if supervision is None else known[supervision.label]
        self.critic = PairCritic(
            settings.critic, self.picture, settings.latents, width, outputs, settings.deviation
        )

    def players(self) -> Mapping[str, tuple[nn.Module, ...]]:
        """Return the modules of both players."""
        generator = parts(self.encoder, self.decoder, self.embedding)
        return {GENERATOR: generator, CRITIC: (self.critic,)}

    def objective(self) -> PairGame:
        """Return the game."""
        return Game(self) if self.settings.supervision is None else SemiSupervised(self)

    def told(self, labels: Labels) -> Tensor | None:
        """Return the embedding (B,E,1,1) of labels; None: it is told none."""
        if self.embedding is None:
            return None
        found: Tensor = self.embedding(labels)
        return found

    def logits(self, x: Tensor, z: Tensor, labels: Labels, dropout: Dropout = NONE) -> Tensor:
        """Return the critic's outputs (B,K) of pairs; (B,1) where it learns no classes."""
        return wide(self.critic(self.maps(x), z, self.told(labels), dropout))

    def judge(self, x: Tensor, z: Tensor, labels: Labels, dropout: Dropout = NONE) -> Tensor:
        """Return logits (B,) of pairs being of true pictures and inferred latents: log Z."""
        logits_BK = self.logits(x, z, labels, dropout)
        # Of one output that is the output itself.
        return logits_BK.logsumexp(dim=1)

    @torch.no_grad()
    def classify(self, frames_NHWC: Tensor, numbers: Sequence[int], seed: int) -> Tensor:
        """Return log-probabilities (N,K) of the classes of pictures, uint8, on its device.

        Latents are drawn from the encoder; `numbers` of the clips and `seed` name their noise.
        """
        assert self.settings.supervision is not None
        x, draws = self._inward(frames_NHWC), Draws.first(seed, numbers)

        def rows_of(rows: list[int]) -> Tensor:
            noise = Drawn(draws.of(rows), "classify", x.device)
            return self.logits(x[rows], self.infer(x[rows], {}, noise), {}).log_softmax(dim=1)

        return self._in_rows(len(x), rows_of)

    def _predict(self, context: Context, horizon: int, options: Any, draws: Draws) -> Prediction:
        require_labels(self, context)
        return super()._predict(context, horizon, options, draws)


class Game(PairGame):
    """The game over pairs, whose output begins as the mean picture."""

    def start(self, batch: Mapping[str, Any], moment: Moment) -> None:
        """Let the decoder begin from the first batch."""
        self._of.begin(batch["x"])

    def judged(self, x_BCTHW: Tensor, z: Tensor, labels: Labels, moment: Moment) -> Tensor:
        """Return the critic's logits (B,), in training with masks of the step."""
        return self._of.judge(x_BCTHW, z, labels, self.masks(moment))

    def masks(self, moment: Moment) -> Dropout:
        """Return where masks are drawn from; shares are the layers' own."""
        return Dropout(0.0, moment.numbers if self.model.training else None)


class SemiSupervised(Game):
    """The same of K + 1 classes; each row of a training batch has a labelled partner."""

    def __init__(self, model: ALI) -> None:
        super().__init__(model)
        self.averaged = (model.critic,)
        assert model.settings.supervision is not None
        self.supervision = model.settings.supervision

    def losses(self, batch: Mapping[str, Any], moment: Moment, turn: Turn) -> Losses:
        """Return (4.4) of the unlabelled, and for the critic what labels add."""
        found = super().losses(batch, moment, turn)
        logits_BK, label_B = self._classes(batch["partners"], moment)
        critic, supervised = found[CRITIC], functional.cross_entropy(logits_BK, label_B)
        about = {
            "loss": supervised + self.supervision.weight * critic["loss"] / 2,
            "supervised": supervised,
            "labelled_error": _error(logits_BK, label_B),
        }
        return {**found, CRITIC: {**critic, **about}}

    def measure(self, batch: Mapping[str, Any], moment: Moment) -> Mapping[str, Tensor]:
        """Return what the critic knows of a validation batch, and which share it misses; scalars.

        The class is the likeliest of the K.
        """
        return {**super().measure(batch, moment), "error": _error(*self._classes(batch, moment))}

    def _classes(self, batch: Mapping[str, Any], moment: Moment) -> tuple[Tensor, Tensor]:
        """Return logits (B,K) of clips with their inferred latents, and their labels (B,)."""
        x = batch["x"]
        with torch.no_grad():  # only the critic learns from labels
            z = self._of.infer(x, {}, Fresh(moment.numbers, len(x), x.device))
        logits_BK = self._of.logits(x, z, {}, self.masks(moment))
        return logits_BK, batch["labels"][self.supervision.label]


def _error(logits_BK: Tensor, label_B: Tensor) -> Tensor:
    return (logits_BK.argmax(dim=1) != label_B).float().mean()


def build(settings: Settings, given: Given) -> ALI:
    """Return an untrained predictor.

    Raises:
        UserError: a chain does not fit the size of frames, or a label has one class.
    """
    return ALI(settings, given)
