"""A third study of the tiny project: paths in `vars`, dictionaries as options, one results folder.

Its last stage reads the folder into which the others write.
"""

from pathlib import Path

from tests.workflow import tiny

POEM = "studies/poems/dvc.yaml:"
STAGES = {f"{POEM}{name}" for name in ("write@long", "write@short", "book")}
# What they read of the main study.
NEEDED = {"versions", "collect", "train@loud"}
RESULTS = "data/poems/results"
BOOK = "data/poems/book.txt"

FILES = {
    "studies/poems/params.yaml": """\
poems:
  long: {lines: 3, words: [sun, moon]}
  short: {lines: 1, words: ["a star"]}
""",
    "studies/poems/dvc.yaml": """\
vars:
  - texts: {first: texts/one.txt, others: [texts/two.txt, data/loud.txt]}
  - results: data/poems/results
stages:
  write:
    foreach: ${poems}
    do:
      wdir: ../..
      cmd: python write.py ${texts} ${item} --out ${results}/${key}.txt
      deps:
        - write.py
        - ${texts.first}
        - ${texts.others[0]}
        - ${texts.others[1]}
      outs:
        - ${results}/${key}.txt
  book:
    wdir: ../..
    cmd: python bind.py ${results} data/poems/book.txt
    deps:
      - bind.py
      - ${results}
    outs:
      - data/poems/book.txt
""",
    "write.py": """\
import argparse, pathlib
parser = argparse.ArgumentParser()
for name in ("first", "out"):
    parser.add_argument(f"--{name}", type=pathlib.Path)
parser.add_argument("--lines", type=int)
parser.add_argument("--others", nargs="+", type=pathlib.Path)
parser.add_argument("--words", nargs="+")
options = parser.parse_args()
line = " ".join([*(path.read_text() for path in (options.first, *options.others)), *options.words])
options.out.parent.mkdir(parents=True, exist_ok=True)
options.out.write_text(f"{line}\\n" * options.lines)
""",
    "bind.py": """\
import pathlib, sys
folder, out = map(pathlib.Path, sys.argv[1:])
out.write_text("".join(path.name + path.read_text() for path in sorted(folder.iterdir())))
""",
}


def make(folder: Path) -> Path:
    """Write the tiny project with this study."""
    tiny.write(folder, FILES)
    return tiny.make(folder)
