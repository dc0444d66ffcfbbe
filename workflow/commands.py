"""What each command of `foreframe` runs, in a module of its own; each returns the exit code.

The modules are imported when their command runs, so that `foreframe preset` need not load torch.
"""

import argparse
from pathlib import Path

from foreframe.errors import UserError
from workflow import studies
from workflow.studies import MAIN

PARAMS = Path("params.yaml")
DEFINITION = Path("dvc.yaml")


def preset(options: argparse.Namespace) -> int:
    """Write the parameters of studies at a scale."""
    from workflow import preset

    for path, changes in preset.write(options.name, Path(), options.study).items():
        print(f"{path} now holds the preset {options.name}; {len(changes)} values changed.")
        for change in changes:
            print(f"  {change}")
    return 0


def check(options: argparse.Namespace) -> int:
    """Check the parameters of studies."""
    from foreframe.config import study
    from workflow import protocols

    only = None if options.study is None else studies.named(Path(), options.study)
    for place in studies.places(Path()) if only is None else [only]:
        try:
            found = study.load if place.name != MAIN else study.load_plain
            found(Path(place.params))
        except study.LeftOutError as reason:
            if only is not None:
                raise
            print(reason)
            continue
        if place.name == MAIN:
            protocols.check(PARAMS, DEFINITION)
        print(f"{place.params} is right.")
    return 0


def predict(options: argparse.Namespace) -> int:
    """Continue a user's video."""
    from workflow import predict

    names = ("study", "run", "frames", "choice", "seed")
    wanted = predict.Wanted(**{name: getattr(options, name) for name in names})
    predict.run(options.video, options.out, Path(), wanted)
    return 0


def compare(options: argparse.Namespace) -> int:
    """Print one table over results."""
    from workflow import compare

    compare.run(
        options.files, Path(), protocol=options.protocol, out=options.csv, study=options.study
    )
    return 0


def contexts(options: argparse.Namespace) -> int:
    """Write the frames to go on from."""
    from workflow import contexts

    contexts.run(options.protocol, options.out, Path(), options.study)
    return 0


def protocols(options: argparse.Namespace) -> int:
    """List protocols, or add one."""
    from workflow import protocols

    if options.action == "list":
        protocols.show(PARAMS)
    elif options.name is None:
        raise UserError("Which protocol? `foreframe protocols` lists them.")
    else:
        protocols.add(options.name, PARAMS, DEFINITION)
    return 0


def doctor(_: argparse.Namespace) -> int:
    """Say what this machine can run."""
    from workflow import doctor

    return doctor.run(PARAMS)


def metrics(options: argparse.Namespace) -> int:
    """Print the metrics of what was run."""
    from workflow import metrics

    return metrics.run(Path(), options.study)


def index(_: argparse.Namespace) -> int:
    """Write the page that opens all reports."""
    from workflow import index

    print(f"{index.run(Path())} opens every report that was made here.")
    return 0


def showcase(_: argparse.Namespace) -> int:
    """Write what README.md opens with."""
    from workflow import showcase

    showcase.run(Path())
    print(f"{showcase.README} shows the report of the driving study; commit it and docs/.")
    return 0


def costs(options: argparse.Namespace) -> int:
    """Say what stages hold and took, or what the trainings of a preset would."""
    if options.plan is not None:
        from workflow import plan

        what = (options.plan, options.study, options.gpu or "h100", options.precision or "float32")
        return plan.run(Path(), *what, as_json=options.json)
    if options.gpu or options.precision:
        raise UserError("--gpu and --precision are of a plan. Add: --plan PRESET")
    if options.profile is not None:
        from workflow import requests

        return requests.run(Path(), options.study, options.profile)
    from workflow import costs

    return costs.run(Path(), options.study, as_json=options.json)


def verify(options: argparse.Namespace) -> int:
    """Compare every artefact with dvc.lock."""
    from workflow import verify

    wanted = verify.Options(options.target, options.cache, options.remote, options.rebuild)
    return verify.run(Path(), wanted, as_json=options.json)


def manifest(options: argparse.Namespace) -> int:
    """Write checksums, or compare with them."""
    from workflow import manifest

    if options.check is not None:
        return manifest.check(Path(), options.check)
    return manifest.write(Path(), options.out)


def publish(options: argparse.Namespace) -> int:
    """Write a study for others to have."""
    from workflow import publishing
    from workflow.publishing import publish

    place = publishing.place(Path(), options.out, options.remote, options.study)
    words = publish.Words(options.licence, options.data_licence)
    publish.run(Path(), options.study, place, words)
    return 0


def fetch(options: argparse.Namespace) -> int:
    """Take over a study that others have run."""
    from workflow import publishing
    from workflow.publishing import fetch

    fetch.run(Path(), publishing.place(Path(), options.folder, options.remote, options.study))
    return 0


def drive(options: argparse.Namespace) -> int:
    """Drive in the learned simulator."""
    from workflow import drive

    values = {name: value for name, value in vars(options).items() if name != "command"}
    drive.run(drive.Options(**values))
    return 0


def weights(options: argparse.Namespace) -> int:
    """Store, fetch or check public weights."""
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


def data(options: argparse.Namespace) -> int:
    """List public datasets, or check a copy."""
    from workflow import datasets

    if options.action == "check":
        return datasets.check(options.name, PARAMS, options.folder)
    datasets.show(PARAMS)
    return 0


def label(options: argparse.Namespace) -> int:
    """Show a person clips without names, or score what was answered."""
    from workflow import label

    if options.action == "score":
        label.score(options.out)
        return 0
    paths = (options.frames.as_posix(), options.split.as_posix())
    label.write(label.Asked(*paths, options.label, options.each, options.seed), options.out)
    return 0
