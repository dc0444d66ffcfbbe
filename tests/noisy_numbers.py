"""Numbers that bear out what is claimed of noisy codes, or its opposite, or that tell nothing."""

from collections.abc import Mapping

from tests import turned


def repeated(run: str) -> tuple[str, str, str]:
    """Return the names of a run's trainings."""
    return run, f"{run}_second", f"{run}_third"


TRAININGS = {run: repeated(run) for run in ("s00", "s10", "restarts")}
PLAIN, NOISY = TRAININGS["s00"], TRAININGS["s10"]
LEVELS = ("top", "bottom")
Changes = list[turned.Change]


def of_trainings(by: Mapping[str, float]) -> Changes:
    """Return what three kinds of training find, by how far they are ahead of what is usual."""
    found: Changes = []
    for run, x in ((name, by[kind]) for kind, names in TRAININGS.items() for name in names):
        for level in LEVELS:
            found += [
                (f"order/{run}", f"{level}.used.adjacency", "", 0.8 - 0.2 * x, 0.0),
                (f"order/{run}", f"{level}.usage", "test", 0.5 + 0.2 * x, 0.0),
                (f"order/{run}", f"{level}.outputs", "", 1 - 0.2 * x, 0.0),
                (f"classes_{level}/{run}", "accuracy", "", 0.5 + 0.2 * x, 0.1),
                (f"classes_{level}/{run}", "most_named", "", 0.5 - 0.2 * x, 0.0),
            ]
        found += [(f"reconstruction/{run}", "psnr.test", "", 20.0 + x, 0.1)]
        if run not in TRAININGS["restarts"]:
            found += [(f"brittleness/{run}", "indices.width_1.share_1", "", 20.0 + x, 0.1)]
    return found


def of_codes(sign: int) -> Changes:
    """Return what is found of codes: what the document says (1), the opposite (-1), or neither."""
    found: Changes = [(f"order/{run}", "top.all.at_origin", "", 50 * abs(sign), 0) for run in PLAIN]
    found += [(f"order/{run}", "top.all.at_origin", "", 5 if sign < 0 else 0, 0) for run in NOISY]
    far = {1: 0.0, 0: 0.05, -1: 0.2}[sign]
    found += [
        (run, f"over.{other}.error", f"classes_{level}", far, 0.01)
        for run in ("s15", "s18")
        for other in NOISY
        for level in LEVELS
    ]
    found += [
        ("few_codes", "over.s10.mse", "reconstruction", 0.01 * sign, 0.001),
        ("s10", "over.many_codes.mse", "reconstruction", 0.01 * sign, 0.001),
        ("few_codes", "over.many_codes.error", "classes_bottom", -0.05 * sign, 0.01),
    ]
    return found


def of_pictures(sign: int) -> Changes:
    """Return what is found of reconstructions, of what lies between two, and of levels."""
    errors = {1: (0.1, 0.1, 0.105), 0: (0.105, 0.11, 0.12), -1: (0.2, 0.2, 0.2)}[sign]
    found: Changes = [(f"reconstruction/{run}", "mse.test", "", 0.1, 0.01) for run in PLAIN]
    noisy = zip(NOISY, errors, strict=True)
    found += [(f"reconstruction/{run}", "mse.test", "", mse, 0.01) for run, mse in noisy]
    found += [("s18", f"over.{run}.mse", "reconstruction", 0.01 * sign, 0.001) for run in NOISY]
    for what in ("to_real", "to_blend"):
        found += [(f"interpolation/{run}", f"indices.{what}", "", 0.2, 0.01) for run in PLAIN]
        found += [("interpolation/s05", f"indices.{what}", "", 0.2 - 0.1 * sign, 0.01)]
    found += [(f"poses/{run}", "over_blend", "", -0.01 * sign, 0.001) for run in NOISY]
    tight, wide = {1: (0.005, 0.2), 0: (0.01, 0.01), -1: (0.1, 0.05)}[sign]
    found += [("dead/dead_top", "top.share", "", tight, 0.0)]
    found += [("dead/dead_top", "top.change", "", 1.0, 0.1)]
    found += [("dead/dead_top", "top.perplexity", "", 3.0, 0.0)]
    found += [(f"dead/{run}", "top.share", "", wide, 0.0) for run in PLAIN]
    found += [(f"dead/{run}", "top.psnr_lost", "", float(sign), 0.5) for run in PLAIN]
    return found


def without_truth(why: str) -> Changes:
    """Return that nothing is known of what lies between two poses, and why."""
    found: Changes = [(f"poses/{run}", "over_blend", "", None, None) for run in (*PLAIN, *NOISY)]
    return [*found, ("poses/s00", "missing", "", why, None)]


def of_priors(sign: int) -> Changes:
    """Return what is found of priors, whose draws stand between 0 and 100."""
    draws = {
        1: {"pixels_s00": 20.0, "pixels_s05": 20.0, "gan_s00": 95.0, "gan_s05": 50.0},
        0: {"pixels_s00": 100.0, "pixels_s05": 90.0, "gan_s00": 90.0, "gan_s05": 90.0},
        -1: {"pixels_s00": 150.0, "pixels_s05": 120.0, "gan_s00": 30.0, "gan_s05": 95.0},
    }[sign]
    found: Changes = [
        (f"{training}/drawn", "random_image_distance", "pictures", value, 2.0)
        for run, value in draws.items()
        for training in (repeated(run) if run.startswith("gan") else (run,))
    ]
    for run in ("s00", "s05"):
        found += [(f"floor/{run}", "scattered", "", 100.0, 1.0)]
        found += [(f"floor/{run}", "decoded", "", 0.0, 1.0)]
        for level, mixed in zip(LEVELS, (1, -1), strict=True):
            by = sign or mixed  # neither: one level is as it should be
            found += [(f"pixels_{run}/{level}", "nll", "test", 2.0 - by, 0.0)]
            found += [(f"pixels_{run}/{level}", "baselines.unigram", "test", 2.0, 0.0)]
            for player in ("generator", "critic"):
                gamma = 0.5 if by > 0 else 0.01
                found += [
                    (training, f"{player}_gamma", "train", -gamma, 0.0)
                    for training in repeated(f"gan_{level}_{run}")
                ]
    for level, run, mixed in (("top", "s00", 1), ("bottom", "s05", -1)):
        by = sign or mixed
        found += [(f"dcgan_{level}", "accuracy_fake", "train", 1.0 if by > 0 else 0.5, 0.0)]
        found += [
            (training, "mismatch", "validation", 0.5 * by, 0.0)
            for training in repeated(f"gan_bottom_{run}")
        ]
        work = "training.operations"
        found += [("gan_s05/cost", f"{level}.{work}", "", 20.0 if by > 0 else 50.0, 0.0)]
        found += [("pixels_s05/cost", f"{level}.{work}", "", 100.0, 0.0)]
    return found


def claimed(sign: int) -> Changes:
    """Return numbers that bear out every claim of the thesis (1), none (-1), or tell nothing (0).

    Restarts without noise do what noise does.
    """
    by = {"s00": 0.0, "s10": float(sign), "restarts": float(sign)}
    return [*of_trainings(by), *of_codes(sign), *of_pictures(sign), *of_priors(sign)]
