"""What the stages will do, done once: parameters read, a frame drawn, a video coded, a page set."""

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from foreframe.errors import UserError
from workflow.doctor.check import SET_UP, Check
from workflow.doctor.environment import installed
from workflow.studies import MAIN

SIMULATOR = "car_racing"


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


def simulator(params: Path) -> Iterator[Check]:
    """Check that the driving simulator draws a frame without a screen.

    Without it the main study may be unable to run; of further ones only those that are named are.
    """
    try:
        frame = _drawn()
    except (ImportError, RuntimeError) as error:
        users = _users(params.parent)
        whose = f"needed by: {', '.join(users)}" if users else "if a study is to have its frames"
        status: Literal["missing", "warning"] = "missing" if MAIN in users else "warning"
        yield Check("simulator", status, str(error), f"{SET_UP} ({whose})")
        return
    shape = "x".join(str(size) for size in frame.shape)
    yield Check("simulator", "ok", f"CarRacing-v3 drew a frame of {shape} without a screen")


def _users(root: Path) -> list[str]:
    """Return the studies that have frames of the simulator and can run; `parameters` tells why not.

    A study that builds on the main one is told of its frames, but is not named for them.
    """
    from foreframe.config import reading
    from foreframe.config import study as schema
    from workflow import studies

    found = []
    for place in studies.places(root):
        with contextlib.suppress(UserError):
            data = schema.load(root / place.params).sections["data"]
            own = reading.load(root / place.params).get("data", {})
            if any(data[name]["source"]["kind"] == SIMULATOR for name in own):
                found.append(place.name)
    return found


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
