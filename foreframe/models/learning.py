"""How a model of frames is given its data: clips as its view shows them, phase by phase.

What three training stages share. Pixels stay 8-bit until they are on the device; there they become
the numbers that the view asks for, under the random numbers of the step.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from foreframe.config.compute import Compute
from foreframe.config.split import SETS
from foreframe.config.training import Phase
from foreframe.data import actions as recorded
from foreframe.data import frames as frames_file
from foreframe.data import labels
from foreframe.data.clips import SplitRuns, load_split
from foreframe.data.examples import Batch, Examples, refuse_lacking
from foreframe.data.partners import Labelled, Paired, chosen
from foreframe.data.scaling import Scaling
from foreframe.data.views import View
from foreframe.models import AnyModel, Role, Shape
from foreframe.randomness import Numbers, generator
from foreframe.running import compute as computing
from foreframe.training.objective import Losses, Moment, Objective, Turn
from foreframe.training.result import Result
from foreframe.training.run import Origin, train
from foreframe.training.samples import Samples


@dataclass(frozen=True)
class Files:
    """What a model of frames learns from."""

    frames: Path
    split: Path
    normalization: Path

    @property
    def all(self) -> list[Path]:
        """The three of them."""
        return [self.frames, self.split, self.normalization]


@dataclass(frozen=True)
class Lesson:
    """The clips of a data set as a view shows them; open as long as `opening` is."""

    stack: ExitStack
    files: Files
    runs: SplitRuns
    view: View
    scaling: Scaling
    with_actions: bool
    with_labels: Sequence[str]
    labelled: Labelled | None

    @property
    def actions(self) -> tuple[str, ...]:
        """The names of the action channels of the data."""
        with frames_file.opening(self.files.frames) as file:
            return recorded.names(file)

    def known_classes(self, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return the names of the classes of some labels of the data.

        Raises:
            UserError: the data have no such label.
        """
        with frames_file.opening(self.files.frames) as file:
            labels.of_clips(file, names, [])
            known = labels.classes(file)
        return {name: known[name] for name in names}

    @property
    def shape(self) -> Shape:
        """What a model sees of a clip; states are as many channels of a single pixel.

        Raises:
            UserError: the view is of states, and the data have none.
        """
        with frames_file.opening(self.files.frames) as file:
            if self.view.of == "states":
                refuse_lacking(file, ["states"])
                return Shape(file["states"].shape[1], self.view.frames, 1, 1)
            _, height, width, _ = file["frames"].shape
        return Shape(self.view.colours, self.view.frames, height, width)

    def windows(self) -> dict[str, int]:
        """Return how many clips each set has."""
        return {name: len(self.view.starts(self.runs, name)) for name in SETS}

    def clips(self, set_name: str, every: int = 1) -> Callable[[Phase], Samples[Batch]]:
        """Return what gives each phase of a training the clips of a set, each `every`-th of them.

        A phase that says how long its clips are has its own. Where few are labelled, those of the
        training have partners, and the others their labels.
        """

        def samples(phase: Phase) -> Samples[Batch]:
            length = self.view.frames if phase.frames is None else phase.frames
            view = self.view.model_copy(update={"frames": length})
            clips = view.clips(self.files.frames, self.runs, set_name, every=every)

            def examples(*more: str) -> Examples:
                names = (*self.with_labels, *more)
                return self.stack.enter_context(
                    Examples(clips, view, with_actions=self.with_actions, with_labels=names)
                )

            if self.labelled is None:
                return Samples(len(clips), examples().read)
            label = self.labelled.label
            if set_name != "train":
                return Samples(len(clips), examples(label).read)
            with frames_file.opening(self.files.frames) as file:
                labels_N = labels.of_clips(file, [label], clips.starts)[label]
                labelled = chosen(labels_N, labels.classes(file)[label], self.labelled)
            return Samples(len(clips), Paired(examples(), examples(label), labelled).read)

        return samples

    def seen(self, batch: Batch, numbers: Numbers) -> dict[str, Any]:
        """Return a batch with `x` as the model takes it: float (B,C,T,H,W), or states (B,T,S)."""
        found = {**batch, "x": self.scaling.inward(batch["x"], numbers)}
        if "partners" in batch:
            found["partners"] = self.seen(batch["partners"], numbers)
        return found

    def objective(self, inner: Objective[Any]) -> Objective[Batch]:
        """Return an objective of models as one of these clips, which its models then see."""
        return _Seen(inner, self)


@contextmanager
def opening(
    view: View,
    files: Files,
    *,
    with_actions: bool = False,
    with_labels: Sequence[str] = (),
    labelled: Labelled | None = None,
) -> Iterator[Lesson]:
    """Yield the data of a training.

    Raises:
        ArtefactError: a file is missing or damaged.
    """
    scaling = Scaling.load(view, files.normalization)
    with ExitStack() as stack:
        runs = load_split(files.split)
        names = tuple(with_labels)
        yield Lesson(stack, files, runs, view, scaling, with_actions, names, labelled)


@dataclass(frozen=True)
class Task:
    """What is trained: a network of `settings`, as the stage `name`, on `files`.

    Attributes:
        given: what a lesson tells the network besides its settings.
        facts: what the record says of the trained network besides its training.
        with_actions: whether batches have the actions that led to the frames.
        with_labels: the names of the labels that they have.
        labelled: which few training clips have a label, that all others do without.
    """

    name: str
    settings: Any
    files: Files
    given: Callable[[Lesson], object]
    facts: Callable[[Any], dict[str, Any]]
    with_actions: bool = False
    with_labels: Sequence[str] = ()
    labelled: Labelled | None = None


def learn(
    role: Role[AnyModel], task: Task, *, seed: int, compute: Compute, model: Path, record: Path
) -> None:
    """Train a network on the training clips, validate it, and write its weights and its record."""
    device = computing.prepare(compute)
    settings, files = task.settings, task.files
    origin = Origin(
        inputs=files.all,
        settings={role.schema: settings.model_dump(mode="json")},
        code=[f"stages.{task.name}", f"{role.package}.{settings.kind}"],
    )
    lessons = opening(
        settings.view,
        files,
        with_actions=task.with_actions,
        with_labels=task.with_labels,
        labelled=task.labelled,
    )
    with lessons as lesson:
        network = role.build(settings, task.given(lesson))
        network.initialize(generator(seed, task.name, "weights"))

        def finish(result: Result) -> dict[str, Any]:
            role.save(model, network)
            seen = {"clip_frames": settings.view.frames, "windows": lesson.windows()}
            return {**seen, **task.facts(network)}

        train(
            lesson.objective(network.objective()),
            lesson.clips("train"),
            lesson.clips("validation"),
            settings.training.plan(),
            purpose=task.name,
            origin=origin,
            seed=seed,
            compute=compute,
            device=device,
            out=record,
            finish=finish,
        )


class _Seen(Objective[Batch]):
    """An objective whose batches come as the files hold them."""

    def __init__(self, inner: Objective[Any], lesson: Lesson) -> None:
        self._inner, self._lesson = inner, lesson
        self.model, self.players = inner.model, inner.players
        self.turns, self.averaged = inner.turns, inner.averaged

    def losses(self, batch: Batch, moment: Moment, turn: Turn) -> Losses:
        return self._inner.losses(self._lesson.seen(batch, moment.numbers), moment, turn)

    def measure(self, batch: Batch, moment: Moment) -> Mapping[str, Tensor]:
        return self._inner.measure(self._lesson.seen(batch, moment.numbers), moment)

    def start(self, batch: Batch, moment: Moment) -> None:
        self._inner.start(self._lesson.seen(batch, moment.numbers), moment)

    def enter(self, phase: int) -> None:
        self._inner.enter(phase)
