"""Numbers that bear out every claim of the report on recurrent flows, or none of them."""

from tests.turned import Change


def claimed(sign: float) -> list[Change]:
    """Return numbers that bear out every claim of the thesis (1), or none of them (-1)."""
    falls = [
        (f"{run}/flow", f"psnr.{end}", where, 10.0 + (6.0 * sign if end == "first" else 0.0), 1.0)
        for run, where in (("rfn", "digits"), ("rfn_colour", "colour"), ("rfn_grey", "grey"))
        for end in ("first", "last")
    ]
    return [*falls, *tuned(sign), *alone(sign), *asked(sign)]


def tuned(sign: float) -> list[Change]:
    """Return how tuned runs differ clip by clip: a decibel where one should, nothing elsewhere."""
    right, digits = sign > 0, "digits_tuning"
    gains = [
        ("srnn_smoothing/sampled", "srnn_plain/sampled", digits),
        ("srnn_residual/sampled", "srnn_plain/sampled", digits),
        ("rfn_conditioning/flow", "rfn_none/flow", digits),
        ("rfn_later/flow", "rfn_early/flow", "steps"),
        ("rfn_grey/flow", "rfn_later/flow", "steps"),
    ]
    equal = [
        ("srnn_smoothing_residual/sampled", "srnn_smoothing/sampled", digits),
        ("srnn_ahead_2/sampled", "srnn_smoothing/sampled", digits),
        ("srnn_ahead_3/sampled", "srnn_smoothing/sampled", digits),
        ("rfn_shallow/flow", "rfn_middle/flow", "colour_tuning"),
        ("rfn_deep/flow", "rfn_middle/flow", "colour_tuning"),
        *((f"rfn_colour/{way}", "rfn_colour/p10", "prior_temperatures")
          for way in ("p05", "p15", "p20")),
    ]  # fmt: skip
    return [
        *((one, f"over.{other}.psnr", where, sign, 0.4) for one, other, where in gains),
        *(
            (one, f"over.{other}.psnr", where, 0.0 if right else 1.0, 0.1)
            for one, other, where in equal
        ),
        ("rfn_none", "bits_per_dimension", digits, 3.0, 0.02),
        ("rfn_conditioning", "bits_per_dimension", digits, 3.0 if right else 2.0, 0.02),
    ]


def alone(sign: float) -> list[Change]:
    """Return what one temperature at a time does: too little motion, and too much noise.

    Ratios to the truth have no interval; octaves from it, and their differences, do.
    """
    run, flow, prior = "rfn_colour", "flow_alone", "prior_alone"
    ratios = [
        (flow, "t10", "motion", 0.1),
        (prior, "t00", "motion", 0.3 - 0.1 * sign),
        (prior, "t10", "motion", 0.3),
        (flow, "t00", "sharpness", 4.0 - sign),
        (flow, "t10", "sharpness", 4.0),
    ]
    return [
        *(
            (f"{run}/{way}", f"{kind}_ratio.{end}", protocol, value, None)
            for protocol, way, kind, value in ratios
            for end in ("first", "last")
        ),
        (f"{run}/t10", "motion", flow, 2.3 + sign, 0.5),
        (f"{run}/t00", f"over.{run}/t10.motion", prior, sign, 0.5),
        (f"{run}/t00", f"over.{run}/t10.sharpness", flow, -sign, 0.5),
    ]


def asked(sign: float) -> list[Change]:
    """Return what analyses found."""
    positive = [
        *((run, "model.gap") for run in ("bounces/rfn", "steps/rfn_colour", "steps/rfn_grey")),
        ("bounces/rfn", "model.kl_z.drop"),
        ("traces/rfn", "model.gap.bounce.difference"),
        ("traces/rfn", "model.kl_z.bounce.difference"),
        ("traces_one/rfn_one", "model.kl_z.bounce.difference"),
        ("traces/rfn", "model.base_deviation.overlap.difference"),
        ("traces/rfn", "model.prior_deviation.overlap.difference"),
        ("future/rfn_colour", "bits.growth"),
        ("future/rfn_grey", "bits.growth"),
    ]
    stages = enumerate(("rfn_early", "rfn_later", "rfn_grey"))
    return [
        *((run, quantity, "", sign, 0.5) for run, quantity in positive),
        *((f"steps/{run}", "prior.bits", "", 3 - place * sign, 0.2) for place, run in stages),
        ("blurs/deterministic", "beyond", "", -sign, 0.5),
        ("between/rfn_one", "largest_step", "", 0.4 - 0.2 * sign, 0.1),
        ("between/rfn_one", "even_step", "", 0.2, None),
    ]
