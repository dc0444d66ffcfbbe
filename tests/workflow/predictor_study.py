"""A tiny study of untrained predictors of frames and of what is none, as commands find it."""

import json
from pathlib import Path
from typing import Any

from foreframe import autoencoders
from foreframe.models import Shape
from foreframe.predictors import learned
from foreframe.predictors.learned import LearnedPredictor
from foreframe.randomness import generator
from tests.foreframe.models.every import KINDS
from tests.foreframe.predictors import test_rfn
from tests.stages import evaluation_models
from tests.stages import evaluation_study as tiny

NAME = "frames"
LATENTS = {"latents": "sample", "temperature": 1.0, "frames": "mean"}
MEAN = {**LATENTS, "latents": "mean"}
CODES = {"mode": "argmax", "temperature": 1.0, "top_k": 0, "top_p": 1.0}
CHOICES: dict[str, dict[str, Any]] = {
    "srnn": {"drawn": LATENTS, "mean": MEAN},
    "vrnn": {"drawn": LATENTS},
    "hierarchical_vrnn": {"drawn": LATENTS},
    "svg": {"drawn": LATENTS},
    "prednet": {"only": {}},
    "conv_lstm_autoencoder": {"only": {}},
    "rfn": {"drawn": {"flow": 0.7, "prior": 1.0}},
    "sequence_vae": {"drawn": LATENTS},
    "feature_flow": {"drawn": {"temperature": 1.0}},
    "autoencoder": {"right": CODES},
}
FRAMEWISE = tuple(name for name in CHOICES if name not in ("sequence_vae", "autoencoder"))
DEFINITION = """\
stages:
  sample:
    foreach: [{runs}]
    do:
      wdir: ../..
      cmd: >-
        python -m stages.sample --frames data/frames/frames.h5 --split data/frames/split.json
        --normalization data/frames/normalization.json --models data/frames/${{item}}.safetensors
        --sampling data/frames/params.json:${{item}} --futures data/frames/params.json:futures
        --compute data/frames/params.json:compute --out data/frames/samples/${{item}}.h5
      outs: ["data/frames/samples/${{item}}.h5"]
"""


def network(kind: str) -> LearnedPredictor:
    """Return an untrained predictor, of frames of the study's size or of states."""
    if kind == "rfn":
        settings = test_rfn.settings(smoothing=True)
        made: LearnedPredictor = learned.ROLE.build(settings, test_rfn.given(settings, tiny.SIZE))
        made.initialize(generator(0, "weights"))
        return made
    found = KINDS[learned.SCHEMA, kind]()
    assert isinstance(found, LearnedPredictor)
    return found


def make(folder: Path) -> Path:
    """Write the study into a folder, a project of its own; return the folder."""
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").write_text("[core]\n    no_scm = true\n")
    (folder / "dvc.yaml").write_text('stages: {nothing: {cmd: "true", outs: [data/nothing]}}\n')
    (folder / "params.yaml").write_text("{}\n")
    definition = folder / "studies" / NAME / "dvc.yaml"
    definition.parent.mkdir(parents=True)
    definition.write_text(DEFINITION.format(runs=", ".join(CHOICES)))
    study = tiny.Study(folder / "data" / NAME)
    study.folder.mkdir(parents=True)
    tiny.make_data(study)
    sections: dict[str, Any] = {
        name: {"show": 1, "choices": choices, "means": {}} for name, choices in CHOICES.items()
    }
    sections |= {
        "futures": tiny.PROTOCOL.futures.model_dump(mode="json"),
        "compute": tiny.COMPUTE.model_dump(mode="json"),
    }
    (study.folder / "params.json").write_text(json.dumps(sections))
    for kind in (*FRAMEWISE, "sequence_vae"):
        learned.ROLE.save(study.folder / f"{kind}.safetensors", network(kind))
    shape = Shape(3, tiny.FRAMES, tiny.SIZE, tiny.SIZE)
    autoencoder = evaluation_models.autoencoder(shape)
    autoencoders.save(study.folder / "autoencoder.safetensors", autoencoder)
    return folder
