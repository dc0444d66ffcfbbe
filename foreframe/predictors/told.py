"""Labels that a predictor is told: what it refuses of those that a context has."""

from foreframe.errors import UserError
from foreframe.predictors import Context
from foreframe.predictors.learned import LearnedPredictor


def require_labels(predictor: LearnedPredictor, context: Context) -> None:
    """Refuse a context without the labels that a predictor is told, or with unknown classes.

    Raises:
        UserError: names the label.
    """
    for name in predictor.settings.labels:
        label_N, classes = context.labels.get(name), predictor.given.labels[name]
        if label_N is None:
            raise UserError(
                f"{predictor.name} is told the label {name}, which these clips do not have. Take "
                "data that have it."
            )
        if not bool(((label_N >= 0) & (label_N < len(classes))).all()):
            raise UserError(
                f"A clip has a {name} that is none of the {len(classes)} classes, counted from 0, "
                f"which {predictor.name} was trained with. Correct the label."
            )
