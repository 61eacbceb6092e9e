"""What a recorded grid search costs, every candidate being a run of its own."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks.measure import Effort, Goal, Measure, Spread, clock, interleave
from benchmarks.tools import Tool

# Of the 10,000 x 5 that the goal is about, a fifth: a search takes half a minute, and what is added grows with it.
LARGE = 2000
LARGE_ROUNDS = 3


def _search(candidates: int, folds: int, n_jobs: int, goal: Goal, tool: Tool, effort: Effort) -> list[Measure]:
    """One shape of grid: ``candidates`` values of C for a logistic regression, ``folds`` folds."""
    import numpy as np
    from sklearn.datasets import make_classification
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV

    X, y = make_classification(2000, 20, random_state=0)
    grid = {"C": np.logspace(-3, 2, candidates)}

    def call() -> float:
        search = GridSearchCV(LogisticRegression(), grid, cv=folds, n_jobs=n_jobs)
        return clock(lambda: search.fit(X, y))

    before = tool.count_runs()
    rounds = effort.rounds(LARGE_ROUNDS, quick=1) if candidates == LARGE else effort.rounds(9, quick=2)
    result = interleave(tool, call, rounds)
    calls = len(result.plain) + 1
    runs, rest = divmod(tool.count_runs() - before, calls)
    # The peer keeps five candidates by default; the table shows how many runs each tool has written.
    if rest or runs < 2 or (not tool.is_peer and runs != candidates + 1):
        raise RuntimeError(f"{calls} searches left {runs * calls + rest} runs behind, not {candidates + 1} each.")
    name = f"grid-{candidates}x{folds}-{n_jobs}"
    title = f"GridSearchCV {candidates}×{folds}, `n_jobs={n_jobs}`"
    plain = Spread.of(result.plain)
    return [
        Measure(name, f"{title}, until `fit` returns", Spread.of(result.added), plain, goal, runs=runs),
        Measure(f"{name}-flushed", f"{title}, everything written", Spread.of(result.added_flushed), plain, runs=runs),
    ]


CASES: dict[str, Callable[[Tool, Effort], list[Measure]]] = {
    f"grid-{candidates}x{folds}-{n_jobs}": partial(_search, candidates, folds, n_jobs, goal)
    for candidates, folds, goal in ((12, 5, Goal(0.120, 0.03)), (100, 3, Goal(0.400, 0.03)), (LARGE, 5, Goal(0, 0.02)))
    for n_jobs in (1, 2)
}
