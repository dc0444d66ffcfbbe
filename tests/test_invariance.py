"""The bytes depend on inputs, parameters and code, and on nothing else about where they are made.

Held elsewhere: batches of clips (test_sampling, test_evaluate), workers of the simulator
(test_car_racing), order of names (test_video_folder), two clones and two engines (test_pipeline).
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from foreframe.artefacts import digest, tensors
from foreframe.config import reading
from foreframe.data import video
from foreframe.sources import video_folder
from foreframe.training.checkpoints import Checkpoints, Snapshot
from stages import collect
from tests import smoke
from tests.foreframe.sources import making
from tests.foreframe.training import runs
from workflow import dag

# Whatever a study is run in, as far from usual as it may be.
ELSEWHERE = {
    "TZ": "Asia/Kathmandu",
    "LC_ALL": "C",
    "LANG": "C",
    "PYTHONHASHSEED": "123",
    "OMP_NUM_THREADS": "3",
    "COLUMNS": "40",
}
STRANGE = "ä b/ç'd"
# Quick ones that write facts, a PDF and a page of HTML; the slow test runs them all.
CHEAP = ("versions", "split", "measure_colours", "report")


def german(folder: Path) -> dict[str, str]:
    """Return the variables of a locale with a decimal comma, compiled here if it can be."""
    compiler = shutil.which("localedef")
    if compiler is None:
        return {}
    name = folder / "de_DE.UTF-8"
    folder.mkdir(parents=True)
    run = subprocess.run(
        [compiler, "-i", "de_DE", "-f", "UTF-8", str(name)], capture_output=True, check=False
    )
    return {"LOCPATH": str(folder), "LC_ALL": name.name} if run.returncode == 0 else {}


def run(clone: smoke.Clone, environment: dict[str, str], mask: int, *command: str) -> None:
    """Run a command in a clone, in another environment and under another umask."""
    path = os.pathsep.join([str(smoke.PROGRAMS), os.environ["PATH"]])
    result = subprocess.run(
        command,
        cwd=clone.folder,
        env={"PATH": path, "HOME": str(clone.traces), **environment},
        umask=mask,
        capture_output=True,
        text=True,
        errors="replace",
    )
    assert result.returncode == 0, result.stderr


def assert_equal(one: smoke.Clone, other: smoke.Clone, names: set[str]) -> None:
    outs = [out for stage in dag.read(one.folder) if stage.name in names for out in stage.outs]
    assert outs
    for out in outs:
        assert digest.digest(one.folder / out) == digest.digest(other.folder / out), out
    assert reading.load(one.folder / "dvc.lock") == reading.load(other.folder / "dvc.lock")


def test_another_place_time_locale_and_mask_give_the_same_bytes(
    by_dvc: smoke.Clone, tmp_path: Path
) -> None:
    clone = smoke.copy(by_dvc, tmp_path / STRANGE)
    run(clone, ELSEWHERE, 0o077, "dvc", "repro", "--quiet", "--force", "--single-item", *CHEAP)
    assert_equal(clone, by_dvc, set(CHEAP))


@pytest.mark.slow
def test_a_whole_study_elsewhere_gives_the_same_bytes(by_dvc: smoke.Clone, tmp_path: Path) -> None:
    clone = smoke.clone(tmp_path / "x" / STRANGE)
    environment = {**ELSEWHERE, "TZ": "America/St_Johns", **german(tmp_path / "locales")}
    run(clone, environment, 0o000, "dvc", "repro", "--quiet")
    assert_equal(
        clone, by_dvc, {stage.name for stage in dag.read(by_dvc.folder) if stage.study == "driving"}
    )


# Serialisers that the tests of their own formats do not run in two processes.


def write_video(path: Path) -> None:
    video.write(path, making.moving(12, 32, 48), 0.1)


def write_checkpoint(path: Path) -> None:
    folder = path.with_suffix("")
    values = dict(runs.Network().state_dict())
    Checkpoints(folder).save(Snapshot(3, values, {"epochs": [], "curve": [{"loss": 0.1}]}))
    (written,) = folder.iterdir()
    written.rename(path)


def write_state(path: Path) -> None:
    tensors.write(path, runs.Network().state_dict(), "test", {"b": {"d": 1, "c": 2}, "a": 0.1})


WRITERS = {
    "one.mp4": (write_video, "second é.mp4"),
    "one.webm": (write_video, "second é.webm"),
    "one.gif": (write_video, "second é.gif"),
    "one.checkpoint": (write_checkpoint, "second.other"),
    "one.safetensors": (write_state, "second é"),
}


def test_a_serialiser_gives_the_same_bytes_in_another_process_under_another_name(
    tmp_path: Path,
) -> None:
    code = (
        "import sys; from pathlib import Path; from tests.test_invariance import WRITERS\n"
        "for write, other in WRITERS.values(): write(Path(sys.argv[1], other))"
    )
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
    for name, (write, _) in WRITERS.items():
        write(tmp_path / "here" / name)
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "there")],
        cwd=smoke.ROOT,
        env={**os.environ, **ELSEWHERE, "PYTHONUTF8": "1"},
        umask=0o077,
        check=True,
    )
    for name, (_, other) in WRITERS.items():
        again = (tmp_path / "there" / other).read_bytes()
        assert (tmp_path / "here" / name).read_bytes() == again, name


def test_neither_workers_nor_the_order_on_disk_change_what_is_collected(tmp_path: Path) -> None:
    names = [f"{number}.mkv" for number in (3, 1, 10, 2, 7)]
    for folder, order in (("one", names), ("two", names[::-1]), ("three", sorted(names))):
        (tmp_path / folder).mkdir()
        for name in order:
            making.write(tmp_path / folder / name, making.moving(8 + int(name[0]), 16, 24))
    settings = video_folder.Settings(kind="video_folder", height=16, width=24, frame_interval=0.1)
    found = set()
    for folder, workers in (("one", 1), ("two", 2), ("three", 4)):
        out = tmp_path / f"{folder}.h5"
        collect.main(videos=tmp_path / folder, source=settings, seed=0, workers=workers, out=out)
        found.add(out.read_bytes())
    assert len(found) == 1


def test_numbers_are_written_alike_under_a_decimal_comma(tmp_path: Path) -> None:
    locale = german(tmp_path / "locales")
    if not locale:
        pytest.skip("needs localedef and the sources of the German locale")
    code = (
        "import locale, sys; from pathlib import Path; import pandas\n"
        "from foreframe.artefacts import facts, tables\n"
        "locale.setlocale(locale.LC_ALL, '')\n"
        "sys.stdout.write(locale.str(0.5))\n"
        "tables.write(Path(sys.argv[1], 't.csv'), pandas.DataFrame({'x': [0.1, 1e-9, 12345.5]}))\n"
        "facts.write(Path(sys.argv[1], 'f.json'), 'test', {'x': 0.1, 'y': 12345.5})"
    )
    found = []
    for name, environment in (("plain", {"LC_ALL": "C"}), ("german", locale)):
        run = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / name)],
            cwd=smoke.ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        found.append(
            (run.stdout, *((tmp_path / name / f).read_bytes() for f in ("t.csv", "f.json")))
        )
    assert [text for text, *_ in found] == ["0.5", "0,5"]
    assert found[0][1:] == found[1][1:]
