"""Numbers that bear out what is claimed of adversarial video, or its opposite, or tell nothing."""

from tests import turned

DRAWN = 10  # trainings of ALI and of a GAN whose settings are drawn
LATER = ("points_inverse", "points_posthoc", "points_vae")
WAYS = ("rali", "rali_copied", "rali_first", "rali_frames")
HELPED = (
    "flow_first", "flow_no_error", "flow_first_critic", "flow_no_memory", "flow_unconditioned",
    "flow_coarse", "flow_fine",
)  # fmt: skip
INDIFFERENT = ("flow_5", "flow_7", "flow_at_once")
INVERSES = ("flow_correlation", "flow_relation")
FEW = tuple(f"few_objects_{times}" for times in (1, 2, 4, 8))
Changes = list[turned.Change]


def points(kind: str) -> tuple[str, ...]:
    return tuple(f"points_{kind}_{number}" for number in range(DRAWN))


def of_pictures(sign: int) -> Changes:
    """Return what is found of labels: what the document says (1), the opposite (-1), or neither."""
    found: Changes = [
        ("mistakes/few_numbers", "error", "", 0.5 - 0.3 * sign, 0.05),
        ("features/ali_numbers", "error", "", 0.5, 0.05),
        ("labels/ali_labels", "changed", "", 0.1 * sign, 0.05),
    ]
    for place, run in enumerate(FEW):
        found += [(f"mistakes/{run}", "error", "", 0.5 - 0.1 * sign * place, 0.04)]
    return found


def of_points(sign: int) -> Changes:
    """Return what is found of 25 components; in both games trainings differ a little."""
    found: Changes = []
    for kind, more in (("ali", sign), ("gan", -sign)):
        for place, run in enumerate(points(kind)):
            found += [(f"modes/{run}", "modes.found", "", 12 + 6 * more + place % 2, None)]
            found += [(f"modes/{run}", "far", "", 0.5 - 0.2 * sign, 0.05)]
            found += [(f"modes/{run}", "distance", "", 1.0 - 0.3 * sign, 0.1)]
    inverse, posthoc, vae = (f"modes/{run}" for run in LATER)
    return [
        *found,
        (inverse, "distance", "", 1.0 + 0.7 * sign, 0.1),
        (posthoc, "distance", "", 1.0, 0.1),
        (vae, "distance", "", 1.0 - 0.7 * sign, 0.1),
        (vae, "modes.found", "", 25 if sign > 0 else 24, None),
        (vae, "far", "", 0.5 + 0.2 * sign, 0.05),
    ]


# Errors of classifiers on the validation set, with half their intervals: borne out, open, refuted.
ERRORS = {
    "temporal": ((0.87, 0.01), (0.9, 0.1), (0.7, 0.01)),
    "temporal_legacy": ((0.93, 0.01), (0.9, 0.1), (0.6, 0.01)),
    "spatial": ((0.9, 0.01), (0.9, 0.1), (0.6, 0.01)),
    "two_streams": ((0.9, 0.01), (0.7, 0.1), (0.6, 0.01)),
    "relation": ((0.74, 0.01), (0.7, 0.1), (0.6, 0.01)),
    "memory": ((0.72, 0.01), (0.7, 0.1), (0.72, 0.01)),
    "volumes": ((0.4, 0.01), (0.6, 0.1), (0.7, 0.01)),
    "volumes_memory": ((0.3, 0.01), (0.65, 0.1), (0.8, 0.01)),
}
WHICH = {1: 0, 0: 1, -1: 2}


def of_motions(sign: int) -> Changes:
    """Return what is found of ten motions; guessing errs in nine of ten."""
    found: Changes = [
        (f"motions/{run}", "error.validation", "", *errors[WHICH[sign]])
        for run, errors in ERRORS.items()
    ]
    nearest = ERRORS["spatial"][WHICH[sign]]
    remembered = ((0.01, 0.01), (0.6, 0.1), (0.72, 0.01))[WHICH[sign]]
    return [
        *found,
        ("motions/spatial", "nearest.error.validation", "", *nearest),
        ("motions/memory", "error.train", "", *remembered),
    ]


def of_clips(sign: int) -> Changes:
    """Return what is found of clips from nothing: octaves, and distances that have intervals."""
    ranks = {"rali": -sign, "rali_frames": sign}
    return [
        (f"{run}/drawn", name, "generated", 2.0 + ranks.get(run, 0), 0.2)
        for run in WAYS
        for name in ("random_video_distance", "motion", "sharpness")
    ]


def ahead(one: str, other: str, metric: str, value: float, half: float) -> turned.Change:
    return f"{one}/drawn", f"over.{other}/drawn.{metric}", "tuning", value, half


def of_flow(sign: int) -> Changes:
    """Return what is found of Feature Flow, clip by clip; within 0.1 dB is nothing."""
    nothing, half = {1: (0.0, 0.05), 0: (0.1, 0.05), -1: (-1.0, 0.05)}[sign]
    found = [
        ahead("flow_first", "flow_masked", "motion", sign, 0.4),
        ahead("flow_unmasked", "flow", "motion", sign, 0.4),
        *(ahead("flow", run, "psnr", sign, 0.4) for run in HELPED),
        *(ahead("flow", run, "psnr", nothing, half) for run in INDIFFERENT),
        *(ahead(run, "flow", "psnr", nothing, half) for run in INVERSES),
        ahead(*INVERSES, "psnr", -0.1 + 0.5 * sign, 0.2),
    ]
    found += [
        ("flow/drawn", f"psnr.{end}", "futures", 15.0 + by * sign, 1.0)
        for end, by in (("first", 3), ("last", -3))
    ]
    return found + [
        (run, "accuracy_real", where, known, None)
        for run in ("flow_first", "flow")
        for where, known in (("train", 0.9), ("validation", 0.5 if sign > 0 else 0.9))
    ]


def claimed(sign: int) -> Changes:
    """Return numbers that bear out every claim of the thesis (1), none (-1), or tell nothing (0).

    Of whole numbers, and of shares without an interval, nothing is open.
    """
    return [
        *of_pictures(sign), *of_points(sign), *of_motions(sign), *of_clips(sign), *of_flow(sign),
    ]  # fmt: skip
