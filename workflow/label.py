"""`foreframe label`: how often a person errs where classifiers do, on some clips without names.

`clips` writes validation clips to a folder, in an order that says nothing, with a table to fill in;
`score` compares it with the truth, which is in the frames' file alone.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from PIL import Image

from foreframe.artefacts import atomic, facts
from foreframe.data import frames as frames_file
from foreframe.data import labels
from foreframe.data.clips import Run, load_split
from foreframe.errors import UserError
from foreframe.evaluation import classes
from foreframe.randomness import generator, permutation
from foreframe.report import animations
from foreframe.report.strips import enlarge, factor_for

SCHEMA, ASKED, ANSWERS = "labelling", "asked.json", "answers.csv"
CLIP, ANSWER = "clip", "class"
SIDE = 256  # pixels, the least width of a clip that is shown


@dataclass(frozen=True)
class Asked:
    """Which clips of a study's data a person is shown: so many of each class."""

    frames: str
    split: str
    label: str
    each: int
    seed: int

    def clips(self) -> tuple[list[Run], list[int], tuple[str, ...]]:
        """Return episodes of the validation set in the order in which they are shown.

        With their classes, and the names of these.

        Raises:
            UserError: the data have no such label, or a class has fewer clips.
        """
        if self.each < 1:
            raise UserError(f"--each is {self.each}. Ask for at least 1 clip of each class.")
        runs = load_split(Path(self.split)).validation
        with frames_file.opening(Path(self.frames)) as file:
            own = labels.of_clips(file, [self.label], [start for start, _ in runs])[self.label]
            names = labels.classes(file)[self.label]
        chosen = []
        for number, name in enumerate(names):
            places = (own == number).nonzero().flatten()
            if len(places) < self.each:
                raise UserError(
                    f"The validation set has {len(places)} clips of the {self.label} {name}, fewer "
                    f"than {self.each}. Lower --each, or collect more."
                )
            mixed = permutation(len(places), self.seed, "label", number)
            chosen.append(places[mixed[: self.each]])
        every = torch.cat(chosen)
        order = every[generator(self.seed, "label", "order").permutation(len(every))].tolist()
        return [runs[place] for place in order], own[order].tolist(), names


def write(asked: Asked, out: Path) -> None:
    """Write the clips, what was asked, and a table without answers.

    Raises:
        UserError: there is a table already, or see `Asked.clips`.
    """
    if (out / ANSWERS).exists():
        raise UserError(f"{out / ANSWERS} is there already. Choose another folder for --out.")
    runs, _, names = asked.clips()
    out.mkdir(parents=True, exist_ok=True)
    with frames_file.opening(Path(asked.frames)) as file:
        frames_NHWC, interval = file["frames"], float(file.attrs["frame_interval"])
        factor = factor_for(frames_NHWC.shape[2], SIDE)
        for number, (start, stop) in enumerate(runs, start=1):
            clip = [Image.fromarray(enlarge(frame, factor)) for frame in frames_NHWC[start:stop]]
            animations.save(clip, interval, out / _name(number))
    facts.write(out / ASKED, SCHEMA, asdict(asked))
    empty = [f"{_name(number)}," for number in range(1, len(runs) + 1)]
    atomic.write_text(out / ANSWERS, "\n".join([f"{CLIP},{ANSWER}", *empty, ""]))
    print(
        f"{out}: {len(runs)} clips. Look at each and write its class into {out / ANSWERS}; the "
        f"classes are: {', '.join(names)}. Then: foreframe label score {out}"
    )


def score(out: Path) -> None:
    """Print how often the answers of a folder are wrong, of all clips and of each class.

    Raises:
        UserError: an answer is missing, or is no class.
    """
    found = facts.read(out / ASKED, SCHEMA)
    asked = Asked(**{name: found[name] for name in Asked.__dataclass_fields__})
    _, actual, names = asked.clips()
    given = torch.tensor(list(_answers(out / ANSWERS, len(actual), names)))
    values = classes.measured(given, torch.tensor(actual), names, asked.seed, "label")
    error = values["error"]
    ends = "" if error["low"] is None else f" ({error['low']:.1%} to {error['high']:.1%})"
    print(f"{error['mean']:.1%} of {len(actual)} clips are wrong{ends}; by class:")
    for name, wrong in values["by_class"].items():
        print(f"  {name:{max(map(len, names))}}  {wrong:.1%}")


def _name(number: int) -> str:
    return f"{number:04}.webp"


def _answers(path: Path, count: int, names: tuple[str, ...]) -> Iterator[int]:
    """Yield the number of the class that each clip was given."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path} does not exist. Run `foreframe label clips` first.") from None
    rows = csv.DictReader(io.StringIO(text))
    known = {row.get(CLIP): (row.get(ANSWER) or "").strip() for row in rows}
    for number in range(1, count + 1):
        answer = known.get(_name(number), "")
        if answer not in names:
            said = f"is called {answer!r}" if answer else "has no answer"
            raise UserError(
                f"{path}: the clip {_name(number)} {said}. Write one of: {', '.join(names)}."
            )
        yield names.index(answer)
