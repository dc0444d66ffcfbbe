"""`foreframe doctor`: what this machine can run, what is missing, and the cure for each.

Every check really does what the pipeline will do, such as rendering a frame or encoding a video.
"""

import importlib.metadata
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from foreframe.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
GIB = 2**30

SET_UP = "Run: make setup"
SHOWN = 3  # deviating packages that are named
NEEDED_DISK = 5  # GiB
LAPTOP_MEMORY = 4  # GiB of main memory that the preset takes
THESIS_GPU_MEMORY = 32  # GiB of a GPU's


@dataclass(frozen=True)
class Check:
    """One finding; `cure` is empty where nothing is to be done."""

    name: str
    status: Literal["ok", "warning", "missing"]
    detail: str
    cure: str = ""


def run(params: Path) -> int:
    """Print every finding about the project around `params`; return 1 if something is missing."""
    checks = [check for find in CHECKS for check in find(params)]
    for line in table(checks):
        print(line)
    return 1 if any(check.status == "missing" for check in checks) else 0


def table(checks: list[Check]) -> Iterator[str]:
    """Yield a line for each check, its cure beneath it, and a last line that sums up."""
    width = max(len(check.name) for check in checks)
    for check in checks:
        yield f"{check.status:<8} {check.name:<{width}}  {check.detail}"
        if check.cure:
            yield f"{'':<8} {'':<{width}}  -> {check.cure}"
    missing = [check.name for check in checks if check.status == "missing"]
    yield f"Missing: {', '.join(missing)}." if missing else "Everything needed is here."


def python(_: Path) -> Iterator[Check]:
    """Check the version of Python."""
    supported = (3, 11) <= sys.version_info[:2] <= (3, 13)
    yield Check(
        "python",
        "ok" if supported else "missing",
        sys.version.split()[0],
        "" if supported else "Install Python 3.11, 3.12 or 3.13; then make clean, make setup",
    )


def programs(_: Path) -> Iterator[Check]:
    """Check that git, DVC and Snakemake are found and start."""
    for name in ("git", "dvc", "snakemake"):
        path = shutil.which(name)
        if path is None:
            cure = "Install git" if name == "git" else f"{SET_UP}; then: . .venv/bin/activate"
            yield Check(name, "missing", "not in PATH", cure)
            continue
        answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
        version = re.search(r"\d[\w.]*", answer.stdout)
        works = answer.returncode == 0 and version is not None
        detail = version[0] if works and version else f"{path} does not start"
        yield Check(name, "ok" if works else "missing", detail, "" if works else SET_UP)


def packages(_: Path) -> Iterator[Check]:
    """Check that the installed packages are those of the lock."""
    wrong = [
        f"{name} {found or 'missing'} instead of {wanted}"
        for name, wanted in locked(ROOT / "requirements" / "core.lock").items()
        if (found := installed(name)) != wanted
    ]
    if not wrong:
        yield Check("packages", "ok", "as in requirements/core.lock")
        return
    more = f"; {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
    yield Check("packages", "warning", "; ".join(wrong[:SHOWN]) + more, SET_UP)


def locked(path: Path) -> dict[str, str]:
    """Return {name: version} of the packages that a lock demands on every platform."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+) \\$", path.read_text(encoding="utf-8"), re.M))


def installed(name: str) -> str | None:
    """Return the version of an installed package, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def torch_and_gpu(_: Path) -> Iterator[Check]:
    """Check torch, its build, and what GPU it can use."""
    from workflow import install

    try:
        import torch
    except ImportError as error:
        yield Check("torch", "missing", str(error), SET_UP)
        return
    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU"
    yield Check("torch", "ok", f"{torch.__version__} ({build} build)")
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            facts = torch.cuda.get_device_properties(index)
            yield Check("gpu", "ok", f"{facts.name}, {facts.total_memory / GIB:.0f} GiB")
    elif not install.has_nvidia_gpu():
        yield Check("gpu", "ok", "no NVIDIA GPU; everything runs on the CPU")
    elif torch.version.cuda:
        yield Check("gpu", "warning", "torch cannot use it", "Update the NVIDIA driver")
    else:
        cure = "Run: make clean, then make setup TORCH=cuda"
        yield Check("gpu", "warning", "there is one, but torch is the CPU build", cure)


def machine(params: Path) -> Iterator[Check]:
    """Check cores, memory and disk."""
    cores = len(os.sched_getaffinity(0))
    yield Check("cores", "ok", f"{cores} that this process may use")
    memory = _memory()
    enough = memory >= LAPTOP_MEMORY
    cure = "" if enough else "Use the preset smoke, or smaller batches"
    yield Check("memory", "ok" if enough else "warning", f"{memory:.0f} GiB", cure)
    free = shutil.disk_usage(params.absolute().parent).free / GIB
    enough = free >= NEEDED_DISK
    cure = "" if enough else "Free some: artefacts are kept twice, in data/ and in .dvc/cache"
    yield Check("disk", "ok" if enough else "warning", f"{free:.0f} GiB free", cure)


def _memory() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / GIB


def folders(params: Path) -> Iterator[Check]:
    """Check that the project is a git repository and that results can be written."""
    root = params.absolute().parent
    if not (root / ".git").exists():
        yield Check("project", "missing", "no git repository", "Clone it with git: DVC needs that")
        return
    blocked = []
    for path in (root, *(root / name for name in ("data", "reports", ".dvc"))):
        if not path.exists():
            continue
        try:
            with tempfile.TemporaryFile(dir=path):
                pass
        except OSError as error:
            blocked.append(f"{path.relative_to(root)}: {error.strerror}")
    cure = "Give yourself the right to write there" if blocked else ""
    detail = "; ".join(blocked) or "a git repository; its folders can be written"
    yield Check("project", "missing" if blocked else "ok", detail, cure)


def simulator(params: Path) -> Iterator[Check]:
    """Check that the driving simulator draws a frame without a screen."""
    try:
        frame = _drawn()
    except (ImportError, RuntimeError) as error:
        needed = "kind: car_racing" in params.read_text(encoding="utf-8")
        yield Check("simulator", "missing" if needed else "warning", str(error), SET_UP)
        return
    shape = "x".join(str(size) for size in frame.shape)
    yield Check("simulator", "ok", f"CarRacing-v3 drew a frame of {shape} without a screen")


def _drawn() -> Any:
    import gymnasium

    try:
        environment = gymnasium.make("CarRacing-v3", render_mode="rgb_array")
    except gymnasium.error.Error as error:
        raise RuntimeError(str(error)) from error
    try:
        environment.reset(seed=0)
        return environment.render()
    finally:
        environment.close()


def video(_: Path) -> Iterator[Check]:
    """Check that videos can be encoded as H.264 and decoded again."""
    try:
        version, count = _recoded()
    except (ImportError, ValueError, OSError) as error:
        yield Check("video", "missing", f"H.264 does not work: {error}", SET_UP)
        return
    status: Literal["ok", "missing"] = "ok" if count == 1 else "missing"
    yield Check("video", status, f"PyAV {version} encodes and decodes H.264")


def _recoded() -> tuple[str, int]:
    """Encode one black frame; return PyAV's version and the number of frames decoded from that."""
    import av
    import numpy

    data = io.BytesIO()
    with av.open(data, mode="w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        picture = numpy.zeros((64, 64, 3), numpy.uint8)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    data.seek(0)
    with av.open(data, mode="r") as container:
        return av.__version__, len(list(container.decode(video=0)))


def typesetting(_: Path) -> Iterator[Check]:
    """Check that Typst compiles a page."""
    try:
        import typst

        pdf = typst.compile(b"$ x^2 $", ignore_system_fonts=True)
    except (ImportError, RuntimeError) as error:
        yield Check("typst", "missing", str(error), SET_UP)
        return
    works = isinstance(pdf, bytes) and pdf.startswith(b"%PDF")
    version = installed("typst") or ""
    yield Check("typst", "ok" if works else "missing", version, "" if works else SET_UP)


def parameters(params: Path) -> Iterator[Check]:
    """Check every params.yaml, and that it asks for no more threads than there are cores."""
    from foreframe.config import study as schema
    from workflow import studies

    try:
        content = schema.load(params).study
    except UserError as error:
        yield Check("params", "missing", str(error), "Correct it, or run: foreframe preset laptop")
        return
    threads, cores = content.compute.threads, len(os.sched_getaffinity(0))
    if threads > cores:
        detail = f"right, but compute.threads is {threads} and there are {cores} cores"
        yield Check("params", "warning", detail, f"Set compute.threads to {cores}")
    else:
        yield Check("params", "ok", f"{params.name} is right")
    for place in studies.places(params.parent)[1:]:
        try:
            schema.load(params.parent / place.params)
            yield Check(place.name, "ok", f"{place.params} is right")
        except schema.LeftOutError as reason:
            yield Check(place.name, "ok", str(reason))
        except UserError as error:
            cure = "Correct the file, if you need that study"
            yield Check(place.name, "warning", str(error), cure)


def presets(_: Path) -> Iterator[Check]:
    """Tell which presets fit this machine."""
    fitting = ["smoke"]
    if _memory() >= LAPTOP_MEMORY:
        fitting.append("laptop")
    if _gpu_memory() >= THESIS_GPU_MEMORY:
        fitting.append("thesis")
    more = "" if "thesis" in fitting else f" (thesis: a GPU with {THESIS_GPU_MEMORY} GB)"
    yield Check("presets", "ok", f"{', '.join(fitting)}{more}")


def _gpu_memory() -> float:
    """Return the memory of the largest usable GPU in GB, 0 without one."""
    try:
        import torch
    except ImportError:
        return 0.0
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    sizes = [torch.cuda.get_device_properties(index).total_memory for index in range(count)]
    return max(sizes, default=0) / 1e9


CHECKS: tuple[Callable[[Path], Iterator[Check]], ...] = (
    python,
    programs,
    packages,
    torch_and_gpu,
    machine,
    folders,
    parameters,
    simulator,
    video,
    typesetting,
    presets,
)
