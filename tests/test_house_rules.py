"""Laws of the house, held against the text of the project rather than against its behaviour."""

import ast
import functools
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.smoke import ROOT
from workflow import dag

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


@functools.cache
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


# Files are read, and their calls listed, once for all rules, and not before a rule is tried.


@functools.cache
def python() -> Mapping[str, Path]:
    """Return the files of Python by their names in the project."""
    return {str(path.relative_to(ROOT)): path for path in tracked() if path.suffix == ".py"}


@functools.cache
def trees(folder: str = "") -> Mapping[str, ast.Module]:
    """Return the syntax trees of all files of Python, or of those below a folder."""
    if folder:
        return {name: tree for name, tree in trees().items() if name.startswith(folder)}
    return {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in python().items()}


def shipped() -> Mapping[str, ast.Module]:
    """Return the trees of all but the tests, which write freely into their own folders."""
    return {name: tree for name, tree in trees().items() if not name.startswith("tests/")}


def made_of() -> Mapping[str, ast.Module]:
    """Return the trees of what makes results: the stages and the library."""
    return {**trees("stages/"), **trees("foreframe/")}


@functools.cache
def calls(tree: ast.AST) -> tuple[tuple[str, ast.Call], ...]:
    return tuple(
        (ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)
    )


def places(name: str, nodes: list[ast.Call]) -> list[str]:
    return [f"{name}:{node.lineno}: {ast.unparse(node)}" for node in nodes]


@functools.cache
def imports(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found


def test_there_is_something_to_check() -> None:
    assert trees("stages/")
    assert trees("foreframe/")
    assert ROOT / "dvc.yaml" in tracked()


def test_nothing_that_is_loaded_can_run_code() -> None:
    wrong = []
    for name, tree in shipped().items():
        wrong += places(name, [node for text, node in calls(tree) if text in FORBIDDEN_CALLS])
        modules = {module.partition(".")[0] for module in imports(tree)} & FORBIDDEN_MODULES
        wrong += [f"{name} imports {module}" for module in sorted(modules)]
    assert wrong == []


def test_no_check_is_softened_and_no_shell_is_used() -> None:
    wrong = [
        place
        for name, tree in shipped().items()
        for _, node in calls(tree)
        for keyword in node.keywords
        if keyword.arg in FORBIDDEN_KEYWORDS
        and isinstance(keyword.value, ast.Constant)
        and keyword.value.value == FORBIDDEN_KEYWORDS[keyword.arg]
        for place in places(name, [node])
    ]
    assert wrong == []


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


def test_files_are_written_by_the_atomic_writer_alone() -> None:
    wrong = []
    for name, tree in shipped().items():
        if name.startswith("foreframe/artefacts/"):
            continue
        safe = atomically(tree)
        writing = [
            node
            for text, node in calls(tree)
            if opens_to_write(text, node) or text.rpartition(".")[2] in WRITING
            if node not in safe and "atomic." not in ast.unparse(node)
        ]
        wrong += places(name, writing)
    assert wrong == []


def test_no_result_can_depend_on_the_clock() -> None:
    wrong = []
    for name, tree in made_of().items():
        wrong += places(name, [node for text, node in calls(tree) if text in CLOCKS])
    assert wrong == []


def test_square_roots_are_those_of_any_cpu() -> None:
    """Torch's differ between makers of CPUs: in foreframe/roots.py it says why."""
    wrong = []
    for name, tree in made_of().items():
        found = [
            node
            for text, node in calls(tree)
            if (text.endswith(".sqrt") and text not in {"math.sqrt", "numpy.sqrt"})
            or (text == "torch.cdist" and "compute_mode" not in ast.unparse(node))
            or text == "torch.optim.RMSprop"
        ]
        wrong += places(name, found)
    assert wrong == []


def test_random_numbers_come_from_positions() -> None:
    """No global seed, and no generator but those of foreframe.randomness."""
    seeding = {
        "torch.manual_seed", "torch.seed", "torch.cuda.manual_seed_all", "torch.Generator",
        *(f"torch.{name}" for name in ("rand", "randn", "randint", "randperm", "bernoulli")),
        "torch.multinomial", "torch.normal", "torch.rand_like", "torch.randn_like",
        "random.seed", "random.Random", "numpy.random.seed", "np.random.seed",
        "numpy.random.default_rng", "np.random.default_rng",
    }  # fmt: skip
    wrong = []
    for name, tree in made_of().items():
        if name == "foreframe/randomness.py":
            continue
        wrong += places(name, [node for text, node in calls(tree) if text in seeding])
        wrong += [f"{name} imports random"] * ("random" in imports(tree))
    assert wrong == []


def test_files_are_short_and_begin_with_what_they_are() -> None:
    texts = {name: path.read_text(encoding="utf-8") for name, path in python().items()}
    assert [name for name, text in texts.items() if text.count("\n") > LONGEST_FILE] == []
    said = {name for name, tree in trees().items() if ast.get_docstring(tree)}
    assert [name for name, text in texts.items() if text.strip() and name not in said] == []


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


def silent(name: str, tree: ast.Module) -> Iterator[str]:
    """Yield what is public in a file of the library and does not say enough."""
    for node in public(tree):
        text = ast.get_docstring(node)
        overrides = any("override" in ast.unparse(mark) for mark in node.decorator_list)
        if not text and not overrides:
            yield f"{name}:{node.lineno} {node.name} has no docstring"
        elif isinstance(node, ast.FunctionDef) and text and returns_tensors(node):
            names = " ".join(argument.arg for argument in [*node.args.args, *node.args.kwonlyargs])
            if not SHAPE.search(text) and not SHAPE.search(names):
                yield f"{name}:{node.lineno} {node.name} names no shape"


def test_what_is_public_says_what_it_does_and_which_shapes_it_returns() -> None:
    found = [line for name, tree in trees("foreframe/").items() for line in silent(name, tree)]
    assert found == []


def test_every_stage_is_a_file_and_every_file_a_stage() -> None:
    files = {Path(name).stem for name in trees("stages/")} - {"__init__"}
    named = {shlex.split(stage.command)[2].removeprefix("stages.") for stage in dag.read(ROOT)}
    assert named <= files
    # Until a study has a network of some role, the toys alone pass its stages.
    toys = imports(ast.parse((ROOT / "tests/toys/run.py").read_text(encoding="utf-8")))
    assert {f"stages.{name}" for name in files - named} <= toys


# Stages that do the work of another in parts, to the bytes of the whole, by its steps and sizes.
PARTS = {
    "collect_shard": "collect",
    "join_frames": "collect",
    "extract_latents_shard": "extract_latents",
    "join_latents": "extract_latents",
    "sample_share": "sample",
    "join_samples": "sample",
    "evaluate_share": "evaluate",
    "join_scores": "evaluate",
}


def test_no_stage_imports_another_but_the_one_whose_work_it_shares() -> None:
    found = {
        Path(name).stem: {module.split(".")[1] for module in imports(tree)
                          if module.startswith("stages.")}
        for name, tree in trees("stages/").items()
    }  # fmt: skip
    wrong = {name: others - {PARTS.get(name)} for name, others in found.items()}
    assert not any(wrong.values()), wrong
    assert all(found[name] == {whole} for name, whole in PARTS.items())


# Folders that exist on one machine only, and addresses of a private network.
MACHINE = re.compile(
    r"(?<![\w.<{}])/(?:home|root|work|Users|opt|mnt|scratch)/\w"
    r"|\b(?:192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d+\.\d+\b"
    r"|\blocalhost\b|file://"
)
TEXT = {".py", ".md", ".yaml", ".yml", ".toml", ".in", ".sh", ".typ", ".bib", ".lock", ".json", ""}


def texts() -> Iterator[tuple[str, str]]:
    """Yield the name and the content of each file of text but this, which holds the patterns."""
    for path in tracked():
        if path.suffix in TEXT and path != Path(__file__).resolve():
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")


def test_nothing_names_a_folder_or_host_of_one_machine() -> None:
    wrong = [
        f"{name}: {line}"
        for name, text in texts()
        for line in text.splitlines()
        if MACHINE.search(line)
    ]
    assert wrong == []


def test_hosts_to_download_from_stand_in_two_files_alone() -> None:
    pattern = re.compile(r"pypi\.org|pythonhosted\.org|download\.pytorch\.org|npmjs\.|debian\.org")
    found = {name for name, text in texts() if pattern.search(text)}
    # Where packages come from, and where a user may fetch published weights.
    assert found <= {"workflow/install.py", "foreframe/features/registry.py"}
