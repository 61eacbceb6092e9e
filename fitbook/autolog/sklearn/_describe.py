"""From a fitted estimator and its data to plain data: the one door to everything that autologging records of a fit.

All of it is pure. Nothing here knows runs, stores or threads.
"""

from __future__ import annotations

from typing import Any

from fitbook.autolog.sklearn._diagram import html, outline
from fitbook.autolog.sklearn._fingerprint import Fingerprint, fingerprint
from fitbook.autolog.sklearn._importances import importances
from fitbook.autolog.sklearn._iterations import Curves, iteration_curves, stored, thinned
from fitbook.autolog.sklearn._kinds import estimator_type, is_model, predicts
from fitbook.autolog.sklearn._known import unknown_part
from fitbook.autolog.sklearn._meta import meta_facts
from fitbook.autolog.sklearn._params import class_name, params, text
from fitbook.autolog.sklearn._report import PREFIX, Report, training_report
from fitbook.autolog.sklearn._table import Table
from fitbook.autolog.sklearn._trees import uncounted

__all__ = [
    "PREFIX",
    "Curves",
    "Fingerprint",
    "Report",
    "Table",
    "feature_names",
    "fingerprint",
    "html",
    "importances",
    "is_model",
    "iteration_curves",
    "may_predict",
    "meta_facts",
    "outline",
    "params",
    "predicts",
    "stored",
    "tags",
    "text",
    "thinned",
    "training_report",
    "uncounted",
]


def tags(estimator: object) -> dict[str, str]:
    """MLflow's tags ``estimator_name`` and ``estimator_class``, and ``fitbook.estimator_type``."""
    return {
        "estimator_name": type(estimator).__name__,
        "estimator_class": class_name(estimator),
        "fitbook.estimator_type": estimator_type(estimator),
    }


def feature_names(X: Any) -> list[str] | None:
    """Column names of a table; None for data without."""
    columns = getattr(X, "columns", None)
    if columns is None:
        return None
    return [str(name) for name in columns]


def may_predict(estimator: object) -> bool:
    """Whether fitbook may call ``predict`` on its own initiative: there is one, and no code of the user's runs.

    Call it within `uncounted`.
    """
    return unknown_part(estimator) is None and hasattr(estimator, "predict")
