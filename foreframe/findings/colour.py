"""Who carries colour: what is left of a clip when only one level of codes is decoded.

Xu 2022, 6.1: the top codes alone give vague shapes and colour, the bottom codes alone nearly the
full picture without its colour. Chroma and luma, coarse and fine, are compared apart.

Shapes: n clips, B clips of a batch, T frames, H rows, W columns, C = 3 colours.
"""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from foreframe.evaluation import columns
from foreframe.evaluation.columns import Columns
from foreframe.findings import light
from foreframe.roots import root

PARTS = ("cb", "cr", "luma_coarse", "luma_fine")
PIXELS = (1, 2, 3)  # the axes T, H, W


def measure(real_BTHWC: Tensor, decoded_BTHWC: Tensor) -> dict[str, Tensor]:
    """Return of each part of the picture what the decoded clip has of the real one: (B,) each.

    `PART_correlation` is Pearson's, over all pixels of a clip; `PART_error` the sum of squared
    errors and `PART_total` the sum of squares around the clip's mean; `saturation` the mean length
    of the chroma vector, of the decoded clip, `saturation_real` of the real one, in grey levels.
    """
    real, decoded = _parts(real_BTHWC), _parts(decoded_BTHWC)
    found = {"saturation": _saturation(decoded), "saturation_real": _saturation(real)}
    for part in PARTS:
        centred = real[part] - real[part].mean(dim=PIXELS, keepdim=True)
        found[f"{part}_correlation"] = light.correlation(real[part], decoded[part], axes=3)
        found[f"{part}_error"] = (real[part] - decoded[part]).square().sum(dim=PIXELS)
        found[f"{part}_total"] = centred.square().sum(dim=PIXELS)
    return found


def summarize(decodings: Mapping[str, Columns]) -> dict[str, Any]:
    """Return, for each way of decoding, correlation, explained share and saturation of each part.

    The explained share is 1 - sum of errors / sum of squares over all clips; a wrong mean colour
    makes it negative. None: the real clips have nothing of that part. `decodings` must have
    `top_only` and `bottom_only`; `winner` says which of them correlates better, and by how much.
    """
    found: dict[str, Any] = {name: _one(values) for name, values in decodings.items()}
    top, bottom = decodings["top_only"], decodings["bottom_only"]
    found["winner"] = {}
    for part in PARTS:
        pair = top[f"{part}_correlation"], bottom[f"{part}_correlation"]
        gain = columns.difference(*pair)
        level = "top" if gain["mean"] > 0 else "bottom" if gain["mean"] < 0 else None
        found["winner"][part] = {"level": level, "top_minus_bottom": gain}
    return found


def _one(values: Columns) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part in PARTS:
        total, error = float(values[f"{part}_total"].sum()), float(values[f"{part}_error"].sum())
        found[part] = {
            "correlation": columns.mean(values[f"{part}_correlation"]),
            "explained": 1 - error / total if total else None,
        }
    full = float(values["saturation_real"].mean())
    kept = float(values["saturation"].mean())
    found["saturation"] = columns.mean(values["saturation"])
    found["saturation_share"] = kept / full if full else None
    return found


def _parts(frames_BTHWC: Tensor) -> dict[str, Tensor]:
    planes = light.planes(frames_BTHWC)
    blurred = light.coarse(planes["luma"])
    return {
        "cb": planes["cb"],
        "cr": planes["cr"],
        "luma_coarse": blurred,
        "luma_fine": planes["luma"] - blurred,
    }


def _saturation(parts: Mapping[str, Tensor]) -> Tensor:
    return root(parts["cb"].square() + parts["cr"].square()).mean(dim=PIXELS)
