"""The numbers of a tiny study's evaluation, as its stages write them, for a report to show."""

import math
from collections.abc import Mapping
from typing import Any

import pandas

SETS = ("train", "validation", "test")
CLIP, CONTEXT, CODES, SHOWN = 16, 8, 32, 2
PREDICTORS = {
    "copy_last_frame": 21.17,
    "mean_frame": 14.64,
    "linear_motion": 20.02,
    "argmax": 22.83,
    "sampled": 20.62,
    "someone_elses": 23.41,
    "reconstruction": 29.31,
}  # PSNR in dB
BASELINES = {"copy_last_frame", "mean_frame", "linear_motion"}
COST = {"codes": 24, "steps": 17, "per_code": 12345.0, "times_fewer": 23.4}
ENVIRONMENT = {
    "system": "Linux x86_64",
    "torch": "2.13.0",
    "device": "cpu",
    "gpu": None,
    "instructions": "portable",
    "cpu_instructions": "AVX2",
    "threads": 2,
    "precision": "float32",
    "deterministic": True,
}


def _three(first: float, step: float = 0.05) -> dict[str, float]:
    return {name: first + index * step for index, name in enumerate(SETS)}


def _prior(parameters: int, nll: float) -> dict[str, Any]:
    values = _three(nll, 0.08)
    return {
        "parameters": parameters,
        "nll": values,
        "bits": {name: value / math.log(2) for name, value in values.items()},
        "perplexity": {name: math.exp(value) for name, value in values.items()},
        "chance": math.log(CODES),
        "baselines": {
            "unigram": _three(3.01),
            "copy_previous": _three(2.47),
            "bigram": _three(2.31),
        },
    }


def models() -> dict[str, Any]:
    """Return the content of models.json."""
    use = {"size": CODES, "used": 24, "usage": 0.75, "dead": 8, "perplexity": 14.52}
    return {
        "protocol": {
            "dataset": "0" * 32,
            "split": "1" * 32,
            "clips": {"train": 290, "validation": 4, "test": 4},
            "clip_strides": {"train": 1, "validation": 8, "test": 8},
            "clip_frames": CLIP,
            "frame_size": [24, 32],
            "value_range": "[0, 1]",
            "metrics": {"psnr": "per frame", "nll": "nats"},
        },
        "protocol_digest": "cd" * 32,
        "clips": {"train": 290, "validation": 4, "test": 4},
        "autoencoder": {
            "run": "vqvae",
            "parameters": 98765,
            "mse": _three(0.0612, 0.0041),
            "psnr": _three(29.74, -0.21),
            "codebook": {"top": use, "bottom": {**use, "used": 30, "usage": 0.9375, "dead": 2}},
        },
        "compression": {
            "raw_bits": 294912.0,
            "code_bits": 2160.0,
            "reduction": 0.98537,
            "factor": 68.27,
        },
        "priors": {"top": _prior(543210, 1.712), "bottom": _prior(1234567, 2.134)},
        "environment": ENVIRONMENT,
    }


def evaluation(predictors: Mapping[str, float] = PREDICTORS) -> dict[str, Any]:
    """Return the content of an evaluation's JSON, for predictors with these PSNR in dB."""
    reference = max(BASELINES & predictors.keys(), key=predictors.__getitem__)
    return {
        "name": "driving",
        "reference": {"psnr": reference, "ssim": reference},
        "missing": {"fid": "there are no weights"},
        "protocol": {
            "dataset": "0" * 32,
            "split": "1" * 32,
            "set": "test",
            "clip_choice": "evenly",
            "clip_starts": [0, 1, 3],
            "context": CONTEXT,
            "horizon": CLIP - CONTEXT,
            "context_encoding": "full_clip",
            "frame_size": [24, 32],
            "resizing": "none",
            "value_range": "[0, 1]",
            "metrics": {"psnr": "per frame", "ssim": "gaussian"},
            "features": {},
            "samples": 1,
            "best": "none",
            "likelihood": None,
            "seed": 0,
        },
        "protocol_digest": "ab" * 32,
        "clips": 3,
        "likelihood": {"bits": 3.25, "kind": "elbo", "samples": 1, "low": 3.0, "high": 3.5},
        "metrics": {
            "psnr": {"better": "higher", "unit": "dB"},
            "ssim": {"better": "higher", "unit": "1"},
        },
        "predictors": {
            name: {"psnr": around(value, 0.9), "ssim": around(value / 41, 0.02)}
            for name, value in predictors.items()
        },
        "differences": {
            name: {
                "psnr": {**around(value - predictors[reference], 0.6), "won": 0.75},
                "ssim": {**around((value - predictors[reference]) / 40, 0.01), "won": 0.5},
            }
            if name != reference
            else {}
            for name, value in predictors.items()
        },
        "states": {
            name: {"speed": around(2.114 + place, 0.3), "curvature": around(0.072 + place, 0.01)}
            for place, name in enumerate(("true_frames", *predictors))
        },
        "per_frame": per_frame(predictors).to_dict(orient="list"),
        "environment": ENVIRONMENT,
    }


def around(mean: float, width: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - width, "high": mean + 1.1 * width}


def per_frame(predictors: Mapping[str, float] = PREDICTORS) -> pandas.DataFrame:
    """Return the evaluation's table by frame; predictors that are better fall more slowly."""
    rows = []
    ordered = sorted(predictors, key=predictors.__getitem__, reverse=True)
    for place, name in enumerate(ordered):
        for frame in range(1, CLIP - CONTEXT + 1):
            # The mean frame is as good in the last frame as in the first one.
            fall = 0.0 if name == "mean_frame" else frame * (0.1 + 0.4 * place)
            psnr = 31.0 - 2 * place - fall
            ssim = 0.95 - 0.05 * place - frame * 0.01 * place
            row = {"psnr": psnr, "psnr_low": psnr - 0.5, "psnr_high": psnr + 0.4}
            row |= {"ssim": ssim, "ssim_low": ssim - 0.01, "ssim_high": ssim + 0.01}
            row |= {"sharpness_ratio": 1.0 - 0.05 * place - 0.01 * frame}
            rows.append({"predictor": name, "frame": frame, **row})
    return pandas.DataFrame(rows)
