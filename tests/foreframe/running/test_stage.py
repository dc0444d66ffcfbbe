"""A stage's command line is its signature, and a user's mistake ends it in plain words."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from foreframe.config.compute import Compute
from foreframe.errors import UserError
from foreframe.running import stage

STAGE = '''
"""A stage for tests."""
import time
from pathlib import Path
from foreframe.running import stage
from foreframe.artefacts import atomic
from foreframe.errors import UserError

def main(*, seed: int, out: Path) -> None:
    """Write the seed."""
    if seed == 1:
        raise UserError("seed 1 is unlucky. Take another.")
    with atomic.writing(out) as temporary:
        temporary.write_text(str(seed))
        if seed == 2:
            print("waiting", flush=True)
            time.sleep(60)

if __name__ == "__main__":
    stage.run(main)
'''


def example(*, seed: int, compute: Compute, some_file: Path) -> None:
    """An example."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "stage.py").write_text(STAGE)
    (tmp_path / "params.yaml").write_text(
        "seed: 0\nlucky: {yes: 3, one: 1, two: 2}\n"
        "compute: {device: cpu, instructions: portable, threads: 1, precision: float32}\n"
    )
    return tmp_path


def command(folder: Path, key: str) -> list[str]:
    seed = f"{folder / 'params.yaml'}:{key}"
    return [sys.executable, str(folder / "stage.py"), "--seed", seed, "--out", str(folder / "out")]


def test_arguments_are_the_signature(folder: Path) -> None:
    params = folder / "params.yaml"
    values = stage.parse(
        example,
        ["--seed", f"{params}:lucky.yes", "--compute", f"{params}:compute", "--some-file", "a/b"],
    )
    assert values["seed"] == 3
    assert values["compute"].threads == 1
    assert values["some_file"] == Path("a/b")


def test_a_key_of_a_dictionary_in_dvc_yaml_is_an_option_as_it_stands(folder: Path) -> None:
    seed, compute = f"{folder / 'params.yaml'}:seed", f"{folder / 'params.yaml'}:compute"
    given = ["--seed", seed, "--compute", compute]
    dashed = stage.parse(example, [*given, "--some-file", "a"])
    assert stage.parse(example, [*given, "--some_file", "a"]) == dashed


def test_several_files_follow_one_flag() -> None:
    def compare(*, curves: tuple[Path, ...], out: Path) -> None:
        """Compare."""

    values = stage.parse(compare, ["--curves", "a.csv", "b/c.csv", "--out", "d"])
    assert values == {"curves": (Path("a.csv"), Path("b/c.csv")), "out": Path("d")}
    with pytest.raises(SystemExit):
        stage.parse(compare, ["--curves", "--out", "d"])


def test_every_argument_is_required_and_no_other_is_taken(folder: Path) -> None:
    with pytest.raises(SystemExit):
        stage.parse(example, ["--some-file", "a"])
    seed = f"{folder / 'params.yaml'}:seed"
    with pytest.raises(SystemExit):
        stage.parse(example, ["--seed", seed, "--compute", seed, "--some-file", "a", "--more", "b"])
    with pytest.raises(UserError, match="should be an object"):
        stage.parse(example, ["--seed", seed, "--compute", seed, "--some-file", "a"])


def test_a_mistake_is_plain_words_and_exit_code_1(folder: Path) -> None:
    run = subprocess.run(command(folder, "lucky.one"), capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr == "error: seed 1 is unlucky. Take another.\n"
    assert not (folder / "out").exists()


def test_a_stage_that_works(folder: Path) -> None:
    subprocess.run(command(folder, "lucky.yes"), check=True)
    assert (folder / "out").read_text() == "3"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_with_its_code_and_leaves_nothing(
    folder: Path, number: signal.Signals, code: int
) -> None:
    before = set(folder.iterdir())
    run = subprocess.Popen(
        command(folder, "lucky.two"),
        stdout=subprocess.PIPE,
        text=True,
        # A shell lets its background jobs ignore SIGINT, and they would hand that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert run.stdout is not None
    assert run.stdout.readline() == "waiting\n"
    start = time.monotonic()
    run.send_signal(number)
    assert run.wait(timeout=20) == code
    assert time.monotonic() - start < 10
    assert set(folder.iterdir()) == before
