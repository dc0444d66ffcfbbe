"""Runs the real stages on the toys, in the folder and with the code that it is started in."""

import json
from pathlib import Path
from typing import Any

from foreframe.running import stage
from stages import (
    analyse,
    classify_clips,
    classify_latents,
    collect,
    derive_flow,
    evaluate,
    extract_latents,
    finetune_classifier,
    locate,
    measure_colours,
    question,
    sample,
    split,
    train_autoencoder,
    train_classifier,
    train_predictor,
    train_prior,
    train_probe,
)

VIEW = {
    "of": "frames", "frames": 4, "train_stride": 4, "evaluation_stride": 4, "channels": "colour",
    "scaling": "unit", "bits": 8, "dequantise": False,
}  # fmt: skip
TRAINING = {
    "optimizer": "adam", "learning_rate": 0.05, "weight_decay": 0.0, "batch_size": 8, "epochs": 6,
    "gradient_clip": None, "schedule": "constant", "warmup_steps": 0, "log_every": 2,
    "diverging": "stop",
    "shards": 1,
}  # fmt: skip
ADAM = {
    "kind": "adam", "learning_rate": 0.01, "betas": [0.5, 0.9], "epsilon": 1e-8,
    "weight_decay": 0.0, "clip": None, "schedule": "constant", "warmup_steps": 0,
}  # fmt: skip
PHASE = {
    "steps": 4, "epochs": None, "batch_size": 4, "frames": None, "players": None,
    "restart_optimizers": False,
}  # fmt: skip
PLAN = {
    "phases": [PHASE], "players": {"critic": ADAM, "generator": ADAM}, "average": None,
    "validate_every": None, "judge": None, "patience": None, "diverging": "stop", "log_every": 2,
    "shards": 1,
}  # fmt: skip
LAYERS = {"width": 4, "layers": 1, "kernel": 3, "scaled": 1}
SCENE = {
    "slots": 2, "dim": 4, "iterations": 1, "hidden": 4, "waves": 0, "encoder": LAYERS,
    "decoder": LAYERS,
}  # fmt: skip
# One player that takes a few steps, of a model with slots and of who looks at these.
FEW = {**PLAN, "players": {"model": ADAM}}
FUTURES = {
    "set": "test", "clips": None, "stride": 8, "context": 2, "context_encoding": "context_only",
    "horizon": 2, "samples": 3, "keep": 1, "seed": 0,
}  # fmt: skip
MEASURES = {
    "metrics": ["psnr"], "best": "none", "sets": {"see": "clip", "repeats": 1, "few": "refuse"},
    "resize": None, "likelihood": {"samples": 1, "given": None, "frames": None},
}  # fmt: skip
CHOICE = {"mode": "sample", "temperature": 1.0, "top_k": 0, "top_p": 1.0}
PARAMS: dict[str, Any] = {
    "seed": 0,
    "workers": 1,
    "compute": {"device": "cpu", "instructions": "portable", "threads": 1, "precision": "float32"},
    "videos": "videos",
    "source": {
        "kind": "dynamics", "height": 16, "width": 16, "frame_interval": 0.1,
        "train_episodes": 20, "test_episodes": 10, "frames_per_episode": 8,
    },
    "split": {"by": "official", "train": 0.8, "validation": 0.1, "test": 0.1},
    "autoencoder": {"kind": "toy", "view": VIEW, "codes": 6, "training": TRAINING},
    "latents": {"train_stride": 4},
    "prior": {
        "kind": "toy", "level": "blocks", "condition_on": [], "actions": "none", "noise": 3,
        "training": PLAN,
    },
    "predictor": {
        "kind": "toy", "view": VIEW, "actions": "none", "labels": [], "training": TRAINING,
    },
    "classifier": {
        "kind": "toy", "view": {**VIEW, "channels": "grey"}, "label": "class",
        "training": TRAINING,
    },
    "slots": {
        "kind": "scoff", "view": VIEW, "actions": "none", "labels": [], "scene": SCENE,
        "schemata": 2, "key": 2, "training": FEW,
    },
    "locator": {
        "kind": "snitch", "view": VIEW, "label": "path", "encoder": None, "start": "given",
        "moves": True, "sampled": 2, "crops": 2, "width": 4, "layers": 1, "heads": 1, "ratio": 1,
        "hidden": 4, "distance": 1.0, "masked": 0.001, "training": FEW,
    },
    "flow": {
        "pyramid_scale": 0.5, "levels": 3, "window": 15, "iterations": 3, "neighbourhood": 5,
        "deviation": 1.2, "subtract_mean": True, "largest": 5.0, "scale": 25.0,
        "pairs": "consecutive",
    },
    "classification": {"merged": ["path", "speed"], "nearest": 4, "train_clips": None},
    "sampling": {
        "show": 2,
        "choices": {"drawn": {"share": 1.0}, "mean": {"share": 0.0}},
        "means": {"of_three": {"of": "drawn", "futures": 3}},
    },
    "sampling_codes": {"show": 2, "choices": {"drawn": CHOICE}, "means": {}},
    "futures": FUTURES,
    "protocol": {"futures": FUTURES, "measures": MEASURES},
    "evaluation": {"batch_size": 8},
    "analysis": {"kind": "toy", "clips": 9, "show": 2},
    "question": {"kind": "index_pictures", "clips": 9, "show": 2},
    "probing": {
        "kind": "index_linear", "level": "blocks", "label": "class", "sets": ["train", "test"],
        "folds": 2, "training": TRAINING,
    },
}  # fmt: skip


def run(module: Any, **given: str) -> None:
    """Run a stage; parameters stand in params.json under their own names unless given otherwise."""
    words = []
    for name, annotation in stage.signature(module.main).items():
        plain = annotation is Path or annotation == stage.PATHS
        value = given.get(name, f"{name}.h5" if plain else name)
        words += [f"--{name.replace('_', '-')}"]
        words += value.split() if plain else [f"params.json:{value}"]
    stage.run(module.main, words)


def main() -> None:
    """Run every stage that a network of some role passes."""
    Path("params.json").write_text(json.dumps(PARAMS), encoding="utf-8")
    for folder in ("external", "weights"):
        Path(folder).mkdir()
    data = {"frames": "frames.h5", "split": "split.json", "normalization": "colours.json"}
    run(collect, out="frames.h5")
    run(derive_flow, frames="frames.h5", out="flow.h5")
    run(split, frames="frames.h5", out="split.json")
    run(measure_colours, frames="frames.h5", split="split.json", out="colours.json")
    run(train_probe, **data, model="probe.safetensors", facts="probe.json")
    for module, name in (
        (train_autoencoder, "autoencoder"),
        (train_predictor, "predictor"),
        (train_classifier, "classifier"),
    ):
        run(module, **data, model=f"{name}.safetensors", record=f"{name}.json")
    run(
        classify_clips, **data, models="classifier.safetensors", found="clips.json",
        arrays="clips.h5",
    )  # fmt: skip
    slots = {"model": "slots.safetensors", "record": "slots.json"}
    run(train_predictor, **data, predictor="slots", **slots)
    located = {"model": "locator.safetensors", "record": "locator.json"}
    run(finetune_classifier, **data, given="slots.safetensors", classifier="locator", **located)
    run(locate, **data, models="locator.safetensors", found="places.json", arrays="places.h5")
    run(extract_latents, **data, model="autoencoder.safetensors", out="latents.h5")
    run(train_prior, latents="latents.h5", model="prior.safetensors", record="prior.json")
    for name, models, sampling in (
        ("predictor", "predictor.safetensors", "sampling"),
        ("codes", "prior.safetensors autoencoder.safetensors", "sampling_codes"),
    ):
        made = {"models": models, "sampling": sampling}
        run(sample, **data, **made, out=f"{name}.h5")
        run(
            evaluate, **data, models=models, samples=f"{name}.h5", probe="probe.safetensors",
            external_samples="external", weights="weights", scores=f"{name}_scores.json",
            metrics=f"{name}_metrics.json",
        )  # fmt: skip
    run(
        analyse, **data, models="predictor.safetensors", found="analysis.json", arrays="analysis.h5"
    )
    coded = {"model": "autoencoder.safetensors", "frames": "frames.h5"}
    run(question, **{**data, **coded}, found="answer.json", arrays="answer.h5")
    run(
        classify_latents, **coded, latents="latents.h5", classifier="probing",
        found="classes.json", arrays="classes.h5",
    )  # fmt: skip


if __name__ == "__main__":
    main()
