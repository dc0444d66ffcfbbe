"""Random projects as dvc.yaml allows them: fan-outs, templates, folders, parameter files."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from ruamel.yaml import YAML

# DVC allows any letter, digit, -, _ and spaces in a stage's name. Some of these differ in nothing
# that Snakemake can put into a rule's name, and one is what the Snakefile calls its own rule.
NAMES = ("train", "train-it", "train_it", "train it", "all", "1st", "größe", "grösse", "rule", "x")
KEYS = ("a", "b", "a-b", "a_b", "1", "0.5", "ü")
# Braces, quotes and dollar signs mean something to one of the three that read a command.
COMMANDS = (
    "python work.py",
    "awk '{print $1}' x",
    'echo "{input}" \\$HOME',
    ["echo 1", "echo '{wildcards.x}'"],
)
FILES: dict[str, dict[str, Any]] = {
    "params.yaml": {
        "seed": 1,
        "text": "{wildcards.x} ü",
        "deep": {"er": {"est": [1, 2.5, None]}},
        "models": {key: {"kind": f"kind{key}", "times": 2} for key in KEYS[2:4]},
        "keys": list(KEYS[:3]),
    },
    "more/other.yaml": {"rate": 0.5, "deep": {"one": True}},
    "vars.yaml": {"folder": "texts"},
}
PARAMS = (
    "seed",
    "text",
    "deep.er.est",
    "models",
    "missing.key",
    {"params.yaml": None},
    {"more/other.yaml": ["rate", "deep.one"]},
    {"more/other.yaml": None},
)
SOURCES = ("texts", "${folder}", "texts/one.txt", "source one.txt", "texts/inner")


@dataclass(frozen=True)
class Project:
    """The content of dvc.yaml, and of that of a second study, if it has one."""

    stages: Mapping[str, Any]
    more: Mapping[str, Any]

    def write(self, folder: Path, snakefile: str) -> None:
        """Write it, and all that it reads."""
        yaml = YAML()
        contents: dict[str, Any] = {
            "dvc.yaml": {"vars": ["vars.yaml"], "stages": self.stages},
            **FILES,
        }
        if self.more:
            contents["studies/more/dvc.yaml"] = {"stages": self.more}
            contents["studies/more/params.yaml"] = {**FILES["params.yaml"], **FILES["vars.yaml"]}
        for name, content in contents.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            with (folder / name).open("w") as file:
                yaml.dump(content, file)
        texts = {
            ".dvc/config": "[core]\n    no_scm = true\n    analytics = false\n",
            ".dvcignore": "*.pyc\n",
            "Snakefile": snakefile,
            "source one.txt": "",
        }
        inside = ("one.txt", "two.txt", "x.pyc", "inner/three.txt", "inner/four.txt")
        for name in inside:
            texts[f"texts/{name}"] = name
        for name, text in texts.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)
        (folder / "work").mkdir()


@dataclass
class _Made:
    """What the stages drawn so far write: paths as dvc.yaml names them, templates resolved.

    `folder` is what a stage of the study at hand must name as its working folder, if anything.
    """

    outs: list[str] = field(default_factory=list)
    jsons: list[str] = field(default_factory=list)
    folder: str = ""


@st.composite
def projects(draw: st.DrawFn) -> Project:
    """Draw a project with one to twelve entries, some of which fan out.

    A second study has none to five, which may be named as those of the first and read from them.
    """
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=12, unique=True))
    others = draw(st.lists(st.sampled_from(NAMES), max_size=5, unique=True))
    made = _Made()
    stages, more = {}, {}
    for number, name in enumerate(names):
        stages[name] = draw(st.sampled_from(_KINDS))(draw, number, made)
    made.folder = "../.."
    for number, name in enumerate(others, start=len(names)):
        more[name] = draw(st.sampled_from(_KINDS))(draw, number, made)
    return Project(stages, more)


def _plain(draw: st.DrawFn, number: int, made: _Made) -> dict[str, Any]:
    return _entry(draw, number, made, "", [""])


def _over_dictionary(draw: st.DrawFn, number: int, made: _Made) -> dict[str, Any]:
    keys = list(KEYS[2:4])
    do = _entry(draw, number, made, "-${key}-${item.kind}", [f"-{key}-kind{key}" for key in keys])
    return {"foreach": "${models}", "do": do}


def _over_list(draw: st.DrawFn, number: int, made: _Made) -> dict[str, Any]:
    keys = draw(st.lists(st.sampled_from(KEYS), min_size=1, max_size=3, unique=True))
    return {"foreach": keys, "do": _entry(draw, number, made, "-${item}", [f"-{k}" for k in keys])}


def _matrix(draw: st.DrawFn, number: int, made: _Made) -> dict[str, Any]:
    sizes = draw(st.lists(st.sampled_from([1, 2.5, "s m"]), min_size=1, max_size=2, unique=True))
    ends = [f"-{key}-{size}" for key in KEYS[:3] for size in sizes]
    entry = _entry(draw, number, made, "-${item.key}-${item.size}", ends)
    return {"matrix": {"key": "${keys}", "size": sizes}, **entry}


_KINDS: Sequence[Callable[[st.DrawFn, int, _Made], dict[str, Any]]] = (
    _plain,
    _plain,
    _over_dictionary,
    _over_list,
    _matrix,
)


def _entry(
    draw: st.DrawFn, number: int, made: _Made, template: str, ends: Sequence[str]
) -> dict[str, Any]:
    """Draw one entry whose paths end with `template`, which resolves to each of `ends`."""
    wdir = made.folder or draw(st.sampled_from(["", "", "work"]))
    up = "../" if wdir == "work" else ""
    deps = draw(st.lists(st.sampled_from([*SOURCES, *made.outs]), max_size=4, unique=True))
    params = draw(st.lists(st.sampled_from(PARAMS), max_size=3, unique_by=str))
    written = draw(st.lists(st.sampled_from(made.jsons), max_size=1)) if made.jsons else []
    entry: dict[str, Any] = {
        "cmd": draw(st.sampled_from(COMMANDS)),
        "deps": [f"{up}{path}" for path in deps],
        "params": [_below(up, param) for param in [*params, *({path: ["k"]} for path in written)]],
    }
    # Each entry writes into a folder, and others may read that as a whole.
    stem = f"out/{number}/made{template}"
    entry["outs"] = [f"{up}{stem}.txt"]
    kind = draw(st.sampled_from(["", "metrics", "plots", "outs"]))
    if kind:
        entry.setdefault(kind, []).append({f"{up}{stem}.json": {"cache": False}})
    if wdir:
        entry["wdir"] = wdir
    for key in ("frozen", "always_changed"):
        if draw(st.integers(0, 5)) == 0:
            entry[key] = True
    entry["meta"] = draw(st.sampled_from(METAS))
    # Only later entries may read these, so that there is no circle.
    made.outs += [f"out/{number}", *(f"out/{number}/made{end}.txt" for end in ends)]
    made.jsons += [f"out/{number}/made{end}.json" for end in ends if kind]
    return entry


METAS: Sequence[Mapping[str, Any]] = (
    {},
    {"threads": 3},
    {"resources": {"gpu": 1, "memory_gb": 8}, "note": ["any", "thing"]},
)


def _below(up: str, param: Any) -> Any:
    """Name a parameter's file as seen from a stage's working folder."""
    if not up:
        return param
    if isinstance(param, str):
        return {f"{up}params.yaml": [param]}
    return {f"{up}{file}": keys for file, keys in param.items()}
