"""A run is asked to stop by a signal, and by the death of the `dvc` that started it."""

import os
import signal
import subprocess
import sys

import pytest

from foreframe.training.interruption import STARTED_BY_DVC, Interruption

# Starts a command under a shell that stays, as `dvc` does, and dies when the command is at work.
PARENT = """
import os, subprocess, sys
shell = ["sh", "-c", '"$0" -c "$1"; exit $?', sys.executable, sys.argv[1]]
child = subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
os.kill(os.getpid(), 9)
"""
CHILD = """
import sys, time
from foreframe.training.interruption import Interruption
with Interruption() as interruption:
    before = interruption.number
    print("at work", flush=True)
    sys.stdin.read()  # until the parent, who holds the other end, is gone
    time.sleep(0.5)
    after = interruption.number
    sys.stderr.write(f"{before} {after and int(after)}")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_noted_and_the_second_acts(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interruption() as interruption:
        earlier = interruption.number
        os.kill(os.getpid(), number)
        assert (earlier, interruption.number) == (None, number)
        assert signal.getsignal(number) is before


@pytest.mark.parametrize("by_dvc", [True, False])
def test_a_run_that_dvc_started_stops_when_dvc_is_gone(by_dvc: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if name != STARTED_BY_DVC}
    run = subprocess.run(
        [sys.executable, "-c", PARENT, CHILD],
        env={**environment, **({STARTED_BY_DVC: "train"} if by_dvc else {})},
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == -signal.SIGKILL
    assert run.stderr == ("None 15" if by_dvc else "None None")
