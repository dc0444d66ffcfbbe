"""The command `foreframe`: what a user does around `dvc repro`."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

from foreframe.errors import UserError
from workflow import commands as run
from workflow.studies import MAIN


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; a user's mistake is printed in plain words and ends with exit code 1."""
    options = _parser().parse_args(arguments)
    try:
        code = options.command(options)
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
    _add_metrics(commands)
    _add_index(commands)
    _add_showcase(commands)
    _add_costs(commands)
    _add_verify(commands)
    _add_manifest(commands)
    _add_publish(commands)
    _add_fetch(commands)
    _add_weights(commands)
    _add_drive(commands)
    _add_data(commands)
    _add_label(commands)
    return parser


def _add_study(parser: argparse.ArgumentParser, default: str | None, what: str) -> None:
    shown = f" (default: {default})" if default else ""
    parser.add_argument("--study", metavar="NAME", default=default, help=f"{what}{shown}")


Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def _add_preset(commands: Commands) -> None:
    parser = commands.add_parser("preset", help="write every params.yaml at the scale of a preset")
    parser.add_argument("name", metavar="NAME", help="smoke, laptop or thesis")
    _add_study(parser, None, "set this one alone (default: all)")
    parser.set_defaults(command=run.preset)


def _add_check(commands: Commands) -> None:
    parser = commands.add_parser("check", help="check every params.yaml and name each mistake")
    _add_study(parser, None, "check this one alone (default: all)")
    parser.set_defaults(command=run.check)


def _add_predict(commands: Commands) -> None:
    parser = commands.add_parser("predict", help="continue a video with the trained study")
    parser.add_argument("video", metavar="VIDEO", type=Path, help="a video file of your own")
    parser.add_argument("--out", required=True, type=Path, help="FUTURE.mp4, .webm or .gif")
    parser.add_argument("--frames", type=int, help="how many to predict (default: the clip's rest)")
    parser.add_argument("--choice", help="a name under sampling (default: the first)")
    parser.add_argument("--seed", type=int, help="for what is drawn (default: the protocol's)")
    _add_study(parser, MAIN, "whose models predict")
    parser.add_argument("--run", help="of the study's stage sample (default: the first)")
    parser.set_defaults(command=run.predict)


def _add_compare(commands: Commands) -> None:
    parser = commands.add_parser("compare", help="one table over predictors from several results")
    parser.add_argument("files", metavar="FILE", type=Path, nargs="+", help="evaluations, samples")
    parser.add_argument("--protocol", help="of samples (.h5), which are measured on the spot")
    parser.add_argument("--csv", type=Path, help="write the table to this file too")
    _add_study(parser, MAIN, "that has the protocol of samples")
    parser.set_defaults(command=run.compare)


def _add_contexts(commands: Commands) -> None:
    parser = commands.add_parser("contexts", help="the frames that another model is to continue")
    parser.add_argument("--protocol", required=True, help="a name under protocols, or ready-made")
    parser.add_argument("--out", required=True, type=Path, help="FILE.h5")
    _add_study(parser, MAIN, "that has the protocol and the clips")
    parser.set_defaults(command=run.contexts)


def _add_protocols(commands: Commands) -> None:
    parser = commands.add_parser("protocols", help="list ready-made protocols, or add one")
    parser.add_argument("action", nargs="?", choices=["list", "add"], default="list")
    parser.add_argument("name", nargs="?", help="of the protocol to add")
    parser.set_defaults(command=run.protocols)


def _add_doctor(commands: Commands) -> None:
    parser = commands.add_parser("doctor", help="what this machine can run, and what is missing")
    parser.set_defaults(command=run.doctor)


def _add_metrics(commands: Commands) -> None:
    parser = commands.add_parser("metrics", help="a few numbers of each study that was run here")
    _add_study(parser, None, "of this one alone (default: all)")
    parser.set_defaults(command=run.metrics)


def _add_index(commands: Commands) -> None:
    parser = commands.add_parser("index", help="write reports/index.html, which opens all reports")
    parser.set_defaults(command=run.index)


def _add_showcase(commands: Commands) -> None:
    parser = commands.add_parser("showcase", help="let README.md open with the main study's clip")
    parser.set_defaults(command=run.showcase)


def _add_costs(commands: Commands) -> None:
    parser = commands.add_parser("costs", help="parameters, operations, memory and time by stage")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--plan", metavar="PRESET", help="what its trainings would take")
    parser.add_argument("--gpu", help="that is planned for (default: h100)")
    parser.add_argument(
        "--precision", choices=["float32", "tf32", "bf16"],
        help="that is planned for (default: float32)",
    )  # fmt: skip
    parser.add_argument(
        "--profile", type=Path, metavar="FOLDER",
        help="write what jobs ask a cluster for, as they were measured: a profile for Snakemake",
    )  # fmt: skip
    _add_study(parser, None, "of this one alone (default: all)")
    parser.set_defaults(command=run.costs)


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
    parser.set_defaults(command=run.verify)


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
    parser.set_defaults(command=run.manifest)


def _add_publish(commands: Commands) -> None:
    parser = commands.add_parser(
        "publish", help="a study that ran here, with report, checksums and card, for others to have"
    )
    parser.add_argument("study", metavar="STUDY")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", type=Path, metavar="FOLDER", help="into a folder")
    where.add_argument("--remote", default="", metavar="NAME", help="into one of DVC's remotes")
    parser.add_argument("--licence", default="MIT, as the code", help="(default: MIT, as the code)")
    parser.add_argument(
        "--data-licence", default="", help="of the frames, where they are of no public dataset"
    )
    parser.set_defaults(command=run.publish)


def _add_fetch(commands: Commands) -> None:
    parser = commands.add_parser("fetch", help="a published study, as if it had run here")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("folder", nargs="?", type=Path, metavar="FOLDER", help="that was published")
    where.add_argument("--remote", default="", metavar="NAME", help="from one of DVC's remotes")
    _add_study(parser, MAIN, "which one, of a remote")
    parser.set_defaults(command=run.fetch)


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
    _add_study(
        parser, "learned_simulator", "whose models predict; those without actions go on alone"
    )
    parser.add_argument("--run", default="actions", help="of its stage sample (default: actions)")
    parser.add_argument("--choice", help="a name under sampling.choices (default: the first)")
    parser.add_argument("--frames", type=int, help="nobody drives: write so many frames to --out")
    parser.add_argument("--actions", type=Path, metavar="FILE.csv", help="for --out, one a frame")
    parser.add_argument("--out", type=Path, help="FILE.mp4, .webm or .gif")
    parser.set_defaults(command=run.drive)


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
    parser.set_defaults(command=run.weights)


def _add_data(commands: Commands) -> None:
    parser = commands.add_parser("data", help="the public datasets that sources read")
    actions = parser.add_subparsers(metavar="ACTION", required=True, dest="action")
    actions.add_parser("list", help="what there is, from where, and what is in the videos' folder")
    checking = actions.add_parser("check", help="is a copy complete? (exit code 0: yes, 1: no)")
    checking.add_argument("name", metavar="NAME", help="a source, such as kth")
    checking.add_argument("--folder", type=Path, help="the copy (default: videos of params.yaml)")
    parser.set_defaults(command=run.data)


def _add_label(commands: Commands) -> None:
    parser = commands.add_parser("label", help="how often a person errs where classifiers do")
    actions = parser.add_subparsers(metavar="ACTION", required=True, dest="action")
    showing = actions.add_parser("clips", help="write clips without names, and a table to fill in")
    showing.add_argument("--frames", required=True, type=Path, metavar="FILE.h5")
    showing.add_argument("--split", required=True, type=Path, metavar="FILE.json")
    showing.add_argument("--label", required=True, help="that is asked for, such as class")
    showing.add_argument("--each", type=int, default=10, help="clips of each class (default: 10)")
    showing.add_argument("--seed", type=int, default=0, help="that chooses them (default: 0)")
    showing.add_argument("--out", required=True, type=Path, metavar="FOLDER")
    scoring = actions.add_parser("score", help="compare the filled-in table with the truth")
    scoring.add_argument("out", type=Path, metavar="FOLDER")
    parser.set_defaults(command=run.label)


if __name__ == "__main__":
    main()
