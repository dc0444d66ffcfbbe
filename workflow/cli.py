"""The command `foreframe`: what a user does around `dvc repro`, each command a module beside this.

The modules are imported when their command runs, so that `foreframe preset` need not load torch.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from foreframe.errors import UserError

PARAMS = Path("params.yaml")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; a user's mistake is printed in plain words and ends with exit code 1."""
    options = _parser().parse_args(arguments)
    try:
        code = options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader, `head` say, has seen enough. What is left must not be flushed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except UserError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="foreframe", description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_preset(commands)
    _add_check(commands)
    _add_predict(commands)
    _add_doctor(commands)
    return parser


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _add_preset(commands: Commands) -> None:
    parser = commands.add_parser("preset", help="write params.yaml at the scale of a preset")
    parser.add_argument("name", metavar="NAME", help="smoke, laptop or thesis")
    parser.set_defaults(run=_preset)


def _add_check(commands: Commands) -> None:
    parser = commands.add_parser("check", help="check params.yaml and name every mistake in it")
    parser.set_defaults(run=_check)


def _add_predict(commands: Commands) -> None:
    parser = commands.add_parser("predict", help="continue a video with the trained study")
    parser.add_argument("video", metavar="VIDEO", type=Path, help="a video file of your own")
    parser.add_argument("--out", required=True, type=Path, help="FUTURE.mp4, .webm or .gif")
    parser.add_argument("--frames", type=int, help="how many to predict (default: the clip's rest)")
    parser.add_argument("--choice", help="a name under sampling.choices (default: the first)")
    parser.add_argument("--seed", type=int, help="for the choices that sample (default: seed)")
    parser.set_defaults(run=_predict)


def _add_doctor(commands: Commands) -> None:
    parser = commands.add_parser("doctor", help="what this machine can run, and what is missing")
    parser.set_defaults(run=_doctor)


def _preset(options: argparse.Namespace) -> int:
    from workflow import preset

    changes = preset.write(options.name, PARAMS)
    print(f"{PARAMS} now holds the preset {options.name}; {len(changes)} values changed.")
    for change in changes:
        print(f"  {change}")
    return 0


def _check(_: argparse.Namespace) -> int:
    from foreframe.config import params

    params.load(PARAMS)
    print(f"{PARAMS} is right.")
    return 0


def _predict(options: argparse.Namespace) -> int:
    from workflow import predict

    predict.run(
        options.video,
        options.out,
        PARAMS,
        frames=options.frames,
        choice=options.choice,
        seed=options.seed,
    )
    return 0


def _doctor(_: argparse.Namespace) -> int:
    from workflow import doctor

    return doctor.run(PARAMS)


if __name__ == "__main__":
    main()
