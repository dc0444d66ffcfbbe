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
DEFINITION = Path("dvc.yaml")


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
    except ImportError as error:
        sys.exit(f"error: the environment is not whole ({error}). Run: make setup")
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="foreframe", description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_preset(commands)
    _add_check(commands)
    _add_predict(commands)
    _add_compare(commands)
    _add_contexts(commands)
    _add_protocols(commands)
    _add_doctor(commands)
    _add_costs(commands)
    _add_verify(commands)
    _add_manifest(commands)
    _add_weights(commands)
    _add_drive(commands)
    _add_data(commands)
    return parser


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _add_preset(commands: Commands) -> None:
    parser = commands.add_parser("preset", help="write every params.yaml at the scale of a preset")
    parser.add_argument("name", metavar="NAME", help="smoke, laptop or thesis")
    parser.set_defaults(run=_preset)


def _add_check(commands: Commands) -> None:
    parser = commands.add_parser("check", help="check every params.yaml and name each mistake")
    parser.add_argument("study", nargs="*", help="main, replication, ... (default: all)")
    parser.set_defaults(run=_check)


def _add_predict(commands: Commands) -> None:
    parser = commands.add_parser("predict", help="continue a video with the trained study")
    parser.add_argument("video", metavar="VIDEO", type=Path, help="a video file of your own")
    parser.add_argument("--out", required=True, type=Path, help="FUTURE.mp4, .webm or .gif")
    parser.add_argument("--frames", type=int, help="how many to predict (default: the clip's rest)")
    parser.add_argument("--choice", help="a name under sampling.choices (default: the first)")
    parser.add_argument("--seed", type=int, help="for the choices that sample (default: seed)")
    parser.set_defaults(run=_predict)


def _add_compare(commands: Commands) -> None:
    parser = commands.add_parser("compare", help="one table over predictors from several results")
    parser.add_argument("files", metavar="FILE", type=Path, nargs="+", help="evaluations, samples")
    parser.add_argument("--protocol", help="of samples (.h5), which are measured on the spot")
    parser.add_argument("--csv", type=Path, help="write the table to this file too")
    parser.set_defaults(run=_compare)


def _add_contexts(commands: Commands) -> None:
    parser = commands.add_parser("contexts", help="the frames that another model is to continue")
    parser.add_argument("--protocol", required=True, help="a name under protocols, or ready-made")
    parser.add_argument("--out", required=True, type=Path, help="FILE.h5")
    parser.set_defaults(run=_contexts)


def _add_protocols(commands: Commands) -> None:
    parser = commands.add_parser("protocols", help="list ready-made protocols, or add one")
    parser.add_argument("action", nargs="?", choices=["list", "add"], default="list")
    parser.add_argument("name", nargs="?", help="of the protocol to add")
    parser.set_defaults(run=_protocols)


def _add_doctor(commands: Commands) -> None:
    parser = commands.add_parser("doctor", help="what this machine can run, and what is missing")
    parser.set_defaults(run=_doctor)


def _add_costs(commands: Commands) -> None:
    parser = commands.add_parser("costs", help="parameters, operations, memory and time by stage")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=_costs)


def _add_verify(commands: Commands) -> None:
    parser = commands.add_parser(
        "verify",
        help="hash every artefact of every study again and compare it with dvc.lock",
        epilog="Exit codes: 0 everything is as dvc.lock says; 1 it could not be checked; "
        "3 something is damaged or missing; 4 all is whole, but something is out of date or not "
        "made yet; 5 a rebuild gives other bytes. Of several, the first of 3, 5, 4 counts.",
    )
    parser.add_argument("target", nargs="*", help="stages, studies or paths (default: all)")
    parser.add_argument("--cache", action="store_true", help="check the objects in DVC's cache")
    parser.add_argument("--remote", default="", metavar="NAME", help="check a remote's objects")
    parser.add_argument(
        "--rebuild", default="", metavar="STAGE", help="run a stage elsewhere and compare the bytes"
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=_verify)


def _add_manifest(commands: Commands) -> None:
    parser = commands.add_parser(
        "manifest",
        help="SHA-256 checksums of every output, as sha256sum -c reads them",
        epilog="The MD5 digests of dvc.lock notice accidents, but two files with the same MD5 can "
        "be made on purpose. Publish these checksums beside a release.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--out", type=Path, metavar="FILE", help="write them to a file")
    what.add_argument("--check", type=Path, metavar="FILE", help="compare with an earlier manifest")
    parser.set_defaults(run=_manifest)


def _add_drive(commands: Commands) -> None:
    parser = commands.add_parser("drive", help="drive in the learned simulator, by arrow keys")
    parser.add_argument("--web", action="store_true", help="on a local page, not in the terminal")
    parser.add_argument("--port", type=int, default=0, help="of the page (default: a free one)")
    parser.add_argument("--seed", type=int, default=0, help="of the drive (default: 0)")
    parser.add_argument("--clip", type=int, help="number of the test clip to begin with")
    parser.add_argument(
        "--frames-per-prediction", type=int, default=1, metavar="N", dest="per_prediction",
        help="frames that one action is held for; more are faster (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--priors", type=Path, default=Path("data/replication/priors"), metavar="FOLDER",
        help="with top_actions.safetensors and bottom_actions.safetensors",
    )  # fmt: skip
    parser.add_argument("--frames", type=int, help="nobody drives: write so many frames to --out")
    parser.add_argument("--actions", type=Path, metavar="FILE.csv", help="for --out, one a frame")
    parser.add_argument("--out", type=Path, help="FILE.mp4, .webm or .gif")
    parser.set_defaults(run=_drive)


def _add_weights(commands: Commands) -> None:
    parser = commands.add_parser("weights", help="the public weights that some metrics need")
    actions = parser.add_subparsers(metavar="ACTION", required=True, dest="action")
    folder = argparse.ArgumentParser(add_help=False)
    folder.add_argument("--folder", type=Path, default=Path("data/weights"), help="the store")
    actions.add_parser("list", parents=[folder], help="what there is, from where, what is stored")
    adding = actions.add_parser("add", parents=[folder], help="store a public file that you have")
    adding.add_argument("name", metavar="NAME")
    adding.add_argument("file", metavar="FILE", type=Path)
    fetching = actions.add_parser("fetch", parents=[folder], help="download and store weights")
    fetching.add_argument("name", metavar="NAME")
    actions.add_parser("check", parents=[folder], help="hash the stored weights again")
    parser.set_defaults(run=_weights)


def _add_data(commands: Commands) -> None:
    parser = commands.add_parser("data", help="the public datasets that sources read")
    actions = parser.add_subparsers(metavar="ACTION", required=True, dest="action")
    actions.add_parser("list", help="what there is, from where, and what is in the videos' folder")
    checking = actions.add_parser("check", help="is a copy complete? (exit code 0: yes, 1: no)")
    checking.add_argument("name", metavar="NAME", help="a source, such as kth")
    checking.add_argument("--folder", type=Path, help="the copy (default: videos of params.yaml)")
    parser.set_defaults(run=_data)


def _preset(options: argparse.Namespace) -> int:
    from workflow import preset

    for path, changes in preset.write_all(options.name, PARAMS).items():
        print(f"{path} now holds the preset {options.name}; {len(changes)} values changed.")
        for change in changes:
            print(f"  {change}")
    return 0


def _check(options: argparse.Namespace) -> int:
    from workflow import preset, protocols, studies

    known = preset.checkable(PARAMS)
    if not {*options.study} <= {*known}:
        raise UserError(f"Choose studies of: {', '.join(known)}.")
    for study in options.study or known:
        path = preset.check(PARAMS, study)
        if study == studies.MAIN:
            protocols.check(PARAMS, DEFINITION)
        print(f"{path} is right.")
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


def _compare(options: argparse.Namespace) -> int:
    from workflow import compare

    compare.run(options.files, PARAMS, protocol=options.protocol, out=options.csv)
    return 0


def _contexts(options: argparse.Namespace) -> int:
    from workflow import contexts

    contexts.run(options.protocol, options.out, PARAMS)
    return 0


def _protocols(options: argparse.Namespace) -> int:
    from workflow import protocols

    if options.action == "list":
        protocols.show(PARAMS)
    elif options.name is None:
        raise UserError("Which protocol? `foreframe protocols` lists them.")
    else:
        protocols.add(options.name, PARAMS, DEFINITION)
    return 0


def _doctor(_: argparse.Namespace) -> int:
    from workflow import doctor

    return doctor.run(PARAMS)


def _costs(options: argparse.Namespace) -> int:
    from workflow import costs

    return costs.run(Path(), as_json=options.json)


def _verify(options: argparse.Namespace) -> int:
    from workflow import verify

    wanted = verify.Options(options.target, options.cache, options.remote, options.rebuild)
    return verify.run(Path(), wanted, as_json=options.json)


def _manifest(options: argparse.Namespace) -> int:
    from workflow import manifest

    if options.check is not None:
        return manifest.check(Path(), options.check)
    return manifest.write(Path(), options.out)


def _drive(options: argparse.Namespace) -> int:
    from workflow import drive

    values = {name: value for name, value in vars(options).items() if name != "run"}
    drive.run(drive.Options(**values))
    return 0


def _weights(options: argparse.Namespace) -> int:
    from workflow import weights

    if options.action == "add":
        weights.add(options.folder, options.name, options.file)
    elif options.action == "fetch":
        weights.fetch(options.folder, options.name)
    elif options.action == "check":
        return weights.check(options.folder)
    else:
        weights.show(options.folder)
    return 0


def _data(options: argparse.Namespace) -> int:
    from workflow import datasets

    if options.action == "check":
        return datasets.check(options.name, PARAMS, options.folder)
    datasets.show(PARAMS)
    return 0


if __name__ == "__main__":
    main()
