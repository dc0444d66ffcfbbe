"""A DVC project whose five stages take an instant: fan-out, parameters, a folder, code versions.

A second study, `songs`, adds four: parameters of its own, and some that one of its stages writes.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests import forking
from tests.smoke import PROGRAMS, ROOT

FILES = {
    ".gitignore": "/data\n/logs\n/.snakemake\n__pycache__\n",
    ".dvcignore": "__pycache__\n",
    "params.yaml": """\
word: forest
models:
  loud: {kind: shout, times: 2}
  quiet: {kind: whisper, times: 1}
""",
    "dvc.yaml": """\
stages:
  versions:
    cmd: python write_versions.py library data/versions.json
    deps:
      - library
    params:
      - params.yaml:
    outs:
      - data/versions.json
  collect:
    desc: every text, and one word more
    cmd: python join.py data/all.txt ${word} texts/
    deps:
      - texts
    params:
      - word
    outs:
      - data/all.txt
  train:
    foreach: ${models}
    do:
      cmd: python join.py data/${key}.txt data/all.txt ${item.kind} ${item.times}
      deps:
        - data/all.txt
      params:
        - models.${key}
        - data/versions.json:
            - library.${item.kind}
      outs:
        - data/${key}.txt
      meta:
        threads: 2
        resources:
          gpu: 1
  report:
    cmd: python join.py data/report.txt data/loud.txt data/quiet.txt
    deps:
      - data/loud.txt
      - data/quiet.txt
    outs:
      - data/report.txt
""",
    "join.py": """\
import hashlib, pathlib, sys
out, *parts = sys.argv[1:]
def read(part):
    path = pathlib.Path(part)
    if path.is_dir():
        return "".join(read(str(inside)) for inside in sorted(path.iterdir()))
    return (path.read_text() if "/" in part else part).strip() + "\\n"
text = "".join(map(read, parts))
# The library as a whole, so that a change of its code changes the result.
code = "".join(p.read_text().split("#")[0] for p in sorted(pathlib.Path("library").glob("*.py")))
pathlib.Path("data").mkdir(exist_ok=True)
pathlib.Path(out).write_text(text + hashlib.md5(code.encode()).hexdigest())
print("made", out)
""",
    "write_versions.py": """\
import json, pathlib, sys
from foreframe import versions
content = versions.nested(versions.all_versions([pathlib.Path(sys.argv[1])]))
pathlib.Path("data").mkdir(exist_ok=True)
pathlib.Path(sys.argv[2]).write_text(json.dumps(content))
print("made", sys.argv[2])
""",
    "library/__init__.py": "",
    "library/shout.py": "VOLUME = 11\n",
    "library/whisper.py": "VOLUME = 1\n",
    "texts/one.txt": "one\n",
    "texts/two.txt": "two\n",
}

STAGES = {"versions", "collect", "train@loud", "train@quiet", "report"}

SONGS = {
    "studies/songs/params.yaml": """voices:
  high: {from: loud, kind: shout, changes: {times: 3}}
  low: {from: quiet, kind: whisper, changes: {}}
""",
    "studies/songs/dvc.yaml": """stages:
  voices:
    wdir: ../..
    cmd: python write_voices.py params.yaml studies/songs/params.yaml data/songs/voices.json
    params:
      - models
      - studies/songs/params.yaml:
    outs:
      - data/songs/voices.json
  train:
    foreach: ${voices}
    do:
      wdir: ../..
      cmd: python sing.py data/songs/voices.json ${key} data/${item.from}.txt data/songs/${key}.txt
      deps:
        - data/${item.from}.txt
        - sing.py
      params:
        - word
        - data/songs/voices.json:
            - ${key}
        - data/versions.json:
            - library.${item.kind}
      outs:
        - data/songs/${key}.txt
      meta:
        threads: 2
  book:
    wdir: ../..
    cmd: python join.py data/songs/book.txt data/songs/high.txt data/songs/low.txt texts
    deps:
      - data/songs/high.txt
      - data/songs/low.txt
      - texts
    outs:
      - data/songs/book.txt
""",
    "write_voices.py": """import json, pathlib, sys
from ruamel.yaml import YAML
first, second, out = map(pathlib.Path, sys.argv[1:])
load = YAML(typ="safe").load
models, voices = load(first.read_text())["models"], load(second.read_text())["voices"]
out.parent.mkdir(parents=True, exist_ok=True)
content = {key: {**models[v["from"]], **v["changes"]} for key, v in voices.items()}
out.write_text(json.dumps(content))
print("made", out)
""",
    "sing.py": """import json, pathlib, sys
voices, key, source, out = sys.argv[1:]
voice = json.loads(pathlib.Path(voices).read_text())[key]
text = pathlib.Path(source).read_text() * voice["times"]
pathlib.Path(out).write_text(voice["kind"] + text)
print("made", out)
""",
}
SONG = "studies/songs/dvc.yaml:"
SONGS_STAGES = {f"{SONG}{name}" for name in ("voices", "train@high", "train@low", "book")}
SONGS_PARAMS = "studies/songs/params.yaml"
SONGS_LOCK = "studies/songs/dvc.lock"


def make_both(folder: Path) -> Path:
    """Write the project with its second study."""
    write(folder, SONGS)
    return make(folder)


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write files into a project."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def make(folder: Path) -> Path:
    """Write the project, with the real Snakefile and profile, and commit it."""
    write(folder, FILES)
    for name in ("Snakefile", "profiles/default/profile.yaml", ".dvc/config"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    # The Snakefile imports the code beside it.
    for name in ("foreframe", "workflow"):
        (folder / name).symlink_to(ROOT / name)
    run(folder, "git", "init", "-q")
    return folder


def run(folder: Path, *command: str) -> str:
    """Run a command in the project and return all it printed; it must succeed."""
    if command[0] in forking.MAINS:
        result = forking.run(folder, command)
        assert result.returncode == 0, result.stdout
        return result.stdout
    result = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert result.returncode == 0, result.stdout
    return result.stdout


def wanted_by_snakemake(folder: Path, *studies: str) -> set[str]:
    """Return the identifiers of the stages that `snakemake` would run; a bare one by default."""
    text = run(folder, "snakemake", "-n", *studies)
    return set(re.findall(r"^(?:local)?rule (\w+):", text, re.M)) - {"all", *studies}


def run_by_dvc(folder: Path, *targets: str) -> set[str]:
    """Run `dvc repro` and return the names of the stages that it ran."""
    text = run(folder, "dvc", "repro", *targets)
    return set(re.findall(r"^Running stage '([^']+)'", text, re.M))


def lock(folder: Path, name: str = "dvc.lock") -> Any:
    """Return the stages of a dvc.lock as data."""
    return YAML(typ="safe").load((folder / name).read_text())["stages"]


def edit(folder: Path, name: str, old: str, new: str) -> None:
    """Replace a text that is in a file of the project."""
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))


def values(stage: Any) -> dict[tuple[str, str], Any]:
    """Return a stage's parameters with their values."""
    return {param: json.loads(text) for param, text in zip(stage.params, stage.values, strict=True)}
