"""What a recorded fit costs: estimators of different weight, and fits inside another fit."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.measure import Effort, Goal, Measure, Spread, clock, interleave
from benchmarks.tools import Tool

INNER_BLOCKS, INNER_FITS = 40, 50


def logistic() -> Any:
    """The lightest fit that people really run: a few milliseconds."""
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression()


def pipeline() -> Any:
    """A scaler and the same."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression())


def forest() -> Any:
    """200 inner fits, a model of several megabytes, expensive predictions."""
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(200, random_state=0)


def boosting() -> Any:
    """200 inner fits, one after the other."""
    from sklearn.ensemble import GradientBoostingClassifier

    return GradientBoostingClassifier(n_estimators=200, random_state=0)


def neighbours() -> Any:
    """Nothing to fit, all the work in predict: what training metrics cost when they aren't bounded."""
    from sklearn.neighbors import KNeighborsClassifier

    return KNeighborsClassifier()


def _fit(
    name: str,
    title: str,
    make: Callable[[], Any],
    rows: int,
    rounds: int,
    goal: Goal | None,
    tool: Tool,
    effort: Effort,
) -> list[Measure]:
    """One kind of estimator, cloned by making it anew: until fit returns, and until everything is written."""
    from sklearn.datasets import make_classification

    X, y = make_classification(rows, 20, random_state=0)
    before = tool.count_runs()
    result = interleave(
        tool, lambda: clock(partial(make().fit, X, y)), effort.rounds(rounds, quick=3 if rounds > 20 else 2)
    )
    calls = len(result.plain) + 1
    runs = (tool.count_runs() - before) / calls
    if runs != 1:
        raise RuntimeError(f"{calls} fits left {runs * calls:g} runs behind: this is not the cost of recording them.")
    if type(tool.load_last_model()) is not type(make()):
        raise RuntimeError("The last fit left no model of its own behind: this is not the cost of keeping it.")
    plain = Spread.of(result.plain)
    return [
        Measure(f"{name}", f"{title}, until `fit` returns", Spread.of(result.added), plain, goal, runs=1),
        Measure(f"{name}-flushed", f"{title}, everything written", Spread.of(result.added_flushed), plain, runs=1),
    ]


def inner(tool: Tool, effort: Effort) -> list[Measure]:
    """A fit inside a recorded one, seen from inside, so that the outer fit's record isn't part of it.

    The inner estimator is scikit-learn's own, hence hooked; the outer one is a user's, in a pipeline that is recorded.
    One fit takes a hundred times as long as what is looked for, and another program on the machine slows it down by
    half: so every round counts only the fastest of its blocks.
    """
    import numpy as np
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.dummy import DummyRegressor
    from sklearn.pipeline import make_pipeline

    def block(X: Any, y: Any) -> float:
        start = time.perf_counter()
        for _ in range(INNER_FITS):
            DummyRegressor().fit(X, y)
        return (time.perf_counter() - start) / INNER_FITS

    class Meta(RegressorMixin, BaseEstimator):  # type: ignore[misc]
        def fit(self, X: Any, y: Any) -> Meta:
            self.seconds_ = min(block(X, y) for _ in range(INNER_BLOCKS))
            return self

        def predict(self, X: Any) -> Any:
            return np.zeros(len(X))

    X, y = np.zeros((4, 1)), np.arange(4.0)

    def call() -> float:
        model = make_pipeline(Meta()).fit(X, y)
        return float(model[-1].seconds_)

    before = tool.count_runs()
    result = interleave(tool, call, effort.rounds(61, quick=11))
    runs = (tool.count_runs() - before) / (len(result.plain) + 1)
    if runs != 1:
        raise RuntimeError(f"A pipeline with {INNER_BLOCKS * INNER_FITS} inner fits left {runs:g} runs behind, not 1.")
    added, plain = Spread.of(result.added), Spread.of(result.plain)
    return [Measure("inner", "one fit inside a recorded fit", added, plain, Goal(5e-6), runs=0)]


def stream(tool: Tool, effort: Effort) -> list[Measure]:
    """One call of `partial_fit` in a stream: in blocks, of which a round counts the fastest, as with `inner`."""
    import numpy as np
    from sklearn.naive_bayes import GaussianNB

    X, y = np.random.default_rng(0).normal(size=(10, 2)), np.arange(10) % 2

    def block(model: Any) -> float:
        start = time.perf_counter()
        for _ in range(INNER_FITS):
            model.partial_fit(X, y)
        return (time.perf_counter() - start) / INNER_FITS

    def call() -> float:
        model = GaussianNB().partial_fit(X, y, classes=[0, 1])
        return min(block(model) for _ in range(INNER_BLOCKS))

    result = interleave(tool, call, effort.rounds(31, quick=11))
    if not tool.is_peer and tool.count_runs() < len(result.plain):
        raise RuntimeError("The streams have left no runs behind: this is not the cost of recording them.")
    added, plain = Spread.of(result.added), Spread.of(result.plain)
    return [Measure("stream", "one call of `partial_fit`", added, plain, Goal(10e-6))]


CASES: dict[str, Callable[[Tool, Effort], list[Measure]]] = {
    "logistic": partial(_fit, "logistic", "LogisticRegression, 2,000×20", logistic, 2000, 31, Goal(0.020)),
    "pipeline": partial(_fit, "pipeline", "Pipeline(scaler, LogisticRegression)", pipeline, 2000, 31, Goal(0.020)),
    "forest": partial(_fit, "forest", "RandomForest(200), 2,000×20", forest, 2000, 11, Goal(0.060, 0.05)),
    "boosting": partial(_fit, "boosting", "GradientBoosting(200), 2,000×20", boosting, 2000, 11, Goal(0.060, 0.05)),
    "neighbours": partial(_fit, "neighbours", "KNeighbors, 20,000×20", neighbours, 20_000, 11, None),
    "inner": inner,
    "stream": stream,
}
