"""Whether a metric is better when it is smaller: told from its name, as nobody says it when logging. Standard library only."""

from __future__ import annotations

import re

_SMALLER = frozenset(
    """loss losses error err errors mse rmse mae mape smape msle rmsle mad mdae medae nll logloss deviance perplexity
    impurity inertia distance divergence residual regret hinge brier bic aic fpr fnr eer wer cer fid duration seconds latency
    misclassification""".split()
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def smaller_is_better(metric: str) -> bool:
    """Tell whether a metric of this name is better when it is smaller.

    One of its words is that of a loss or an error (``val_loss``, ``mean_squared_error``, ``test/RMSE``), and none is
    ``neg``: scikit-learn turns losses into scores by their sign. Everything else is better when it is larger.
    """
    words = {word.lower() for word in _WORD.findall(metric)}
    return bool(words & _SMALLER) and not words & {"neg", "negative"}
