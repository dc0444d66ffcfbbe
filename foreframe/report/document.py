"""What the Typst source reads besides results, thesis and pictures: settings, protocols, artefacts.

Typst sets what stands here and computes nothing but rounding, sums and comparisons.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from foreframe.config.reading import merged
from foreframe.report.desk import Run, ordered, others
from foreframe.report.library import Library
from foreframe.report.reading import Reader
from foreframe.report.results import ANALYSES
from foreframe.report.settings import Settings, as_rows, word
from foreframe.running.instructions import agreement


def of(
    library: Library, settings: Settings, titles: Mapping[str, Run], pictures: Sequence[str]
) -> dict[str, Any]:
    """Return all of it as JSON values.

    `driving` says whether the data are of driving, so that words can follow. `settings` holds the
    sections of all files, of a value that two have the first one; `runs` each run's title, its
    whole settings and the changes that made it; `analyses` the facts of each analysis as they are.
    """
    reader = Reader(library)
    trained = {each.run: reader.training(each.run).facts for each in library.of("training")}
    layers = {run: folded(found.get("layers", [])) for run, found in trained.items()}
    sections: dict[str, Any] = {}
    for content in settings.files.values():
        sections = merged(content, sections)
    return {
        "title": settings.title,
        "driving": settings.driving,
        "author": settings.report.author,
        "artefacts": [artefact.facts() for artefact in library.artefacts.values()],
        "settings": sections,
        "runs": {
            name: {
                "title": titles[name].title if name in titles else "",
                "settings": settings.runs.get(name, {}),
                "changes": settings.changes(name) if name in settings.runs else {},
                "layers": layers.get(name, []),
            }
            for name in sorted({*settings.runs, *titles})
        },
        "bases": list(settings.bases),
        "parameters": {
            path: {name: as_rows(section) for name, section in sections.items()}
            for path, sections in settings.files.items()
            if not path.endswith(".json")
        },
        "pictures": list(pictures),
        "environments": _environments(reader),
        "protocols": _protocols(reader),
        "evaluations": _evaluations(reader, settings.drawn),
        "analyses": {
            name: reader.facts(name, artefact.run)
            for name in ANALYSES
            for artefact in library.of(name)
        },
    }


def folded(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of layers with what makes a layer's weight, such as its norm, in its row.

    A layer that only lends its weight has no output.
    """
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        name, _, inside = row["name"].partition(".parametrizations.")
        known = found.setdefault(name, {"name": name, "layer": "weight", "output": None})
        if not inside:
            known |= {"layer": row["layer"].removeprefix("Parametrized"), "output": row["output"]}
        known["parameters"] = known.get("parameters", 0) + row["parameters"]
    return list(found.values())


def _evaluations(reader: Reader, choices: Sequence[str]) -> dict[str, Any]:
    """Return what evaluations say besides numbers: predictors in the order of tables, metrics.

    `missing` has for each metric that could not be measured why not.
    """
    found: dict[str, Any] = {}
    for artefact in reader.library.of("evaluation"):
        content = reader.facts("evaluation", artefact.run, artefact.where)
        about = {
            "predictors": ordered(content["predictors"], choices),
            "others": others(content["predictors"], choices),
            "metrics": content["metrics"],
            "reference": content["reference"],
            "missing": content["missing"],
            "states": list(content["states"].get("true_frames", {})),
        }
        found.setdefault(artefact.run, {})[artefact.where] = about
    return found


def _protocols(reader: Reader) -> dict[str, Any]:
    """Return each protocol with its digest: of evaluations, and of models on whole sets."""
    found: dict[str, Any] = {}
    for schema in ("evaluation", "models", "autoencoders"):
        for each in reader.library.of(schema):
            content = reader.facts(schema, each.run, each.where)
            protocol = {"digest": content["protocol_digest"], "facts": content["protocol"]}
            found.setdefault(schema, {}).setdefault(each.run, {})[each.where] = protocol
    return found


def _environments(reader: Reader) -> dict[str, Any]:
    """Return for every recorded fact which value each training and each evaluation ran with.

    A column is of all that ran on the same. `agreement` says which machines give the same bytes, a
    sentence for each that is another one.
    """
    sources: dict[str, Mapping[str, Any]] = {}
    for schema in ("training", "evaluation"):
        for each in reader.library.of(schema):
            name = "evaluation" if schema == "evaluation" else each.run
            sources.setdefault(name, reader.facts(schema, each.run, each.where)["environment"])
    names: Iterable[str] = sorted(set().union(*sources.values()))
    alike: dict[tuple[str, ...], list[str]] = {}
    for source, facts in sources.items():
        alike.setdefault(tuple(word(facts.get(name)) for name in names), []).append(source)
    columns = [", ".join(each) for each in alike.values()]
    return {
        "agreement": sorted({agreement(source) for source in sources.values()}),
        "columns": columns if len(columns) > 1 else ["every run"],
        "rows": [
            [name.replace("_", " "), *(values[place] for values in alike)]
            for place, name in enumerate(names)
        ],
    }
