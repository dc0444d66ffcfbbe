"""Laws of the house, held against the text of the project rather than against its behaviour."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.smoke import ROOT
from workflow import dag, studies

LONGEST_FILE = 350

# Calls by which loading data could run code, and settings that make a check a mere remark.
FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "os.system", "os.popen", "torch.load", "torch.save",
    "yaml.load", "yaml.full_load", "yaml.unsafe_load", "numpy.load", "np.load",
    "pandas.read_pickle", "pd.read_pickle",
}  # fmt: skip
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
FORBIDDEN_KEYWORDS = {"warn_only": True, "shell": True, "allow_pickle": True, "weights_only": False}
CLOCKS = {
    "time.time", "time.time_ns", "datetime.now", "datetime.datetime.now", "datetime.utcnow",
    "datetime.today", "date.today", "datetime.date.today", "time.strftime", "time.localtime",
}  # fmt: skip
WRITING = {"write_text", "write_bytes", "to_csv", "to_json", "save_file"}


def tracked() -> list[Path]:
    """Return the files that git tracks, or would."""
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = [ROOT / name for name in sorted(set(filter(None, names.split("\0"))))]
    return [path for path in paths if path.is_file()]


FILES = tracked()
PYTHON = {str(path.relative_to(ROOT)): path for path in FILES if path.suffix == ".py"}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in PYTHON.items()}
# Tests write freely into their own folders.
SHIPPED = {name: tree for name, tree in TREES.items() if not name.startswith("tests/")}
STAGES = {name: tree for name, tree in TREES.items() if name.startswith("stages/")}
LIBRARY = {name: tree for name, tree in TREES.items() if name.startswith("foreframe/")}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def places(name: str, nodes: list[ast.Call]) -> list[str]:
    return [f"{name}:{node.lineno}: {ast.unparse(node)}" for node in nodes]


def imports(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found


def test_there_is_something_to_check() -> None:
    assert STAGES
    assert LIBRARY
    assert ROOT / "dvc.yaml" in FILES


@pytest.mark.parametrize("name", SHIPPED)
def test_nothing_that_is_loaded_can_run_code(name: str) -> None:
    tree = TREES[name]
    assert places(name, [node for text, node in calls(tree) if text in FORBIDDEN_CALLS]) == []
    assert {module.partition(".")[0] for module in imports(tree)} & FORBIDDEN_MODULES == set()


@pytest.mark.parametrize("name", SHIPPED)
def test_no_check_is_softened_and_no_shell_is_used(name: str) -> None:
    wrong = [
        node
        for _, node in calls(TREES[name])
        for keyword in node.keywords
        if keyword.arg in FORBIDDEN_KEYWORDS
        and isinstance(keyword.value, ast.Constant)
        and keyword.value.value == FORBIDDEN_KEYWORDS[keyword.arg]
    ]
    assert places(name, wrong) == []


def opens_to_write(text: str, node: ast.Call) -> bool:
    """Tell whether a call opens a file by Python's own `open` in a mode that writes."""
    if text.rpartition(".")[2] != "open" or text in {"av.open", "webbrowser.open"}:
        return False
    arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
    constants = [part.value for part in arguments if isinstance(part, ast.Constant)]
    return any(
        isinstance(value, str) and re.fullmatch(r"[rbt]*[wax+][wax+bt]*", value)
        for value in constants
    )


def atomically(tree: ast.AST) -> set[ast.AST]:
    """Return what stands inside `with atomic.writing(...)`, where the path given is temporary."""
    return {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.With)
        if any("atomic." in ast.unparse(item.context_expr) for item in node.items)
        for inner in ast.walk(node)
    }


@pytest.mark.parametrize("name", SHIPPED)
def test_files_are_written_by_the_atomic_writer_alone(name: str) -> None:
    if name.startswith("foreframe/artefacts/"):
        return
    safe = atomically(TREES[name])
    wrong = [
        node
        for text, node in calls(TREES[name])
        if node not in safe and "atomic." not in ast.unparse(node)
        if opens_to_write(text, node) or text.rpartition(".")[2] in WRITING
    ]
    assert places(name, wrong) == []


@pytest.mark.parametrize("name", [*STAGES, *LIBRARY])
def test_no_result_can_depend_on_the_clock(name: str) -> None:
    assert places(name, [node for text, node in calls(TREES[name]) if text in CLOCKS]) == []


@pytest.mark.parametrize("name", [*STAGES, *LIBRARY])
def test_random_numbers_come_from_positions(name: str) -> None:
    """No global seed, and no generator but those of foreframe.randomness."""
    if name == "foreframe/randomness.py":
        return
    seeding = {
        "torch.manual_seed", "torch.seed", "torch.cuda.manual_seed_all", "torch.Generator",
        "random.seed", "random.Random", "numpy.random.seed", "np.random.seed",
        "numpy.random.default_rng", "np.random.default_rng",
    }  # fmt: skip
    assert places(name, [node for text, node in calls(TREES[name]) if text in seeding]) == []
    assert "random" not in imports(TREES[name])


@pytest.mark.parametrize("name", PYTHON)
def test_files_are_short_and_begin_with_what_they_are(name: str) -> None:
    text = PYTHON[name].read_text(encoding="utf-8")
    assert text.count("\n") <= LONGEST_FILE
    assert ast.get_docstring(TREES[name]) or not text.strip()


def public(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    """Yield the public functions, classes and methods of a module."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from (
                    inner
                    for inner in node.body
                    if isinstance(inner, ast.FunctionDef) and not inner.name.startswith("_")
                )


def returns_tensors(node: ast.FunctionDef) -> bool:
    return node.returns is not None and "Tensor" in ast.unparse(node.returns)


# (B, T, H, W), names such as clips_BCTHW, or the plain word.
SHAPE = re.compile(r"\([A-Za-z0-9_.+*/' -]+(?:,[^()]*)\)|\b[a-z]+_[A-Z]{1,6}\b|scalar|shape")


@pytest.mark.parametrize("name", LIBRARY)
def test_what_is_public_says_what_it_does_and_which_shapes_it_returns(name: str) -> None:
    silent = []
    for node in public(LIBRARY[name]):
        text = ast.get_docstring(node)
        overrides = any("override" in ast.unparse(mark) for mark in node.decorator_list)
        if not text and not overrides:
            silent.append(f"{name}:{node.lineno} {node.name} has no docstring")
        elif isinstance(node, ast.FunctionDef) and text and returns_tensors(node):
            names = " ".join(argument.arg for argument in [*node.args.args, *node.args.kwonlyargs])
            if not SHAPE.search(text) and not SHAPE.search(names):
                silent.append(f"{name}:{node.lineno} {node.name} names no shape")
    assert silent == []


def test_every_stage_is_a_file_and_every_file_a_stage() -> None:
    files = {Path(name).stem for name in STAGES} - {"__init__"}
    named = {studies.local(stage.name).partition("@")[0] for stage in dag.read(ROOT)}
    assert named <= files
    # Until a study has a network of some role, the toys alone pass its stages.
    toys = imports(ast.parse((ROOT / "tests/toys/run.py").read_text(encoding="utf-8")))
    assert {f"stages.{name}" for name in files - named} <= toys


@pytest.mark.parametrize("name", STAGES)
def test_no_stage_imports_another(name: str) -> None:
    others = {module for module in imports(TREES[name]) if module.split(".")[0] == "stages"}
    assert others == set()


# Folders that exist on one machine only, and addresses of a private network.
MACHINE = re.compile(
    r"(?<![\w.<{}])/(?:home|root|work|Users|opt|mnt|scratch)/\w"
    r"|\b(?:192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d+\.\d+\b"
    r"|\blocalhost\b|file://"
)
TEXT = {".py", ".md", ".yaml", ".yml", ".toml", ".in", ".sh", ".typ", ".bib", ".lock", ".json", ""}


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if path.suffix in TEXT and path != Path(__file__).resolve()],
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_nothing_names_a_folder_or_host_of_one_machine(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if MACHINE.search(line)] == []


def test_hosts_to_download_from_stand_in_two_files_alone() -> None:
    pattern = re.compile(r"pypi\.org|pythonhosted\.org|download\.pytorch\.org|npmjs\.|debian\.org")
    found = {
        str(path.relative_to(ROOT))
        for path in FILES
        if path.suffix in TEXT and path != Path(__file__).resolve()
        if pattern.search(path.read_text(encoding="utf-8"))
    }
    # Where packages come from, and where a user may fetch published weights.
    assert found <= {"workflow/install.py", "foreframe/features/registry.py"}
