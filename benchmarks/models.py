"""What logging a model costs beside pickle and joblib, and what its signature adds to a prediction."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measure import Effort, Goal, Measure, Spread, clock
from benchmarks.tools import Tool

CALLS = 100


def logging(tool: Tool, effort: Effort) -> list[Measure]:
    """``log_model`` in a run that is there already; beside plain pickle, and joblib, to a file."""
    import joblib
    from sklearn.datasets import make_classification
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    X, y = make_classification(2000, 20, random_state=0)
    here = Path(tempfile.mkdtemp(dir=Path.cwd()))
    estimators: list[tuple[str, str, Any, Goal]] = [
        ("logistic", "LogisticRegression", LogisticRegression().fit(X, y), Goal(0.015)),
        ("forest", "forest of 200", RandomForestClassifier(200, random_state=0).fit(X, y), Goal(0.015, 1.5)),
    ]
    rows = []
    for name, title, model, goal in estimators:
        results: dict[str, list[float]] = {"plain": [], "joblib": [], "tool": []}
        for number in range(effort.rounds(15) + 1):
            with tool.module.start_run():
                calls: dict[str, Callable[[], object]] = {
                    "plain": partial(_dump, model, here / "m.pkl"),
                    "joblib": partial(joblib.dump, model, here / "m.joblib"),
                    "tool": partial(tool.log_model, model),
                }
                for call, function in calls.items():
                    seconds = clock(function)
                    if number:  # the first round loads libraries
                        results[call].append(seconds)
        plain, by_joblib, by_tool = (Spread.of(results[call]) for call in ("plain", "joblib", "tool"))
        rows += [
            Measure(f"log-{name}", f"`log_model`, {title}", by_tool, plain, goal, whole=True),
            Measure(f"joblib-{name}", f"`joblib.dump`, {title}", by_joblib, plain, whole=True),
        ]
    return rows


def predicting(tool: Tool, effort: Effort) -> list[Measure]:
    """One row through pyfunc, its signature enforced, on top of the model's own ``predict``."""
    import importlib

    import pandas as pd
    from sklearn.datasets import make_classification
    from sklearn.linear_model import LogisticRegression

    pyfunc = importlib.import_module(f"{tool.name}.pyfunc")
    infer = importlib.import_module(f"{tool.name}.models").infer_signature
    X, y = make_classification(500, 20, random_state=0)
    table = pd.DataFrame(X, columns=[f"c{n}" for n in range(20)])
    cases: list[tuple[str, str, Any, Goal]] = [
        ("array", "a numpy row", X, Goal(100e-6)),
        ("table", "a DataFrame of a row", table, Goal(300e-6)),
    ]
    rows = []
    for name, title, data, goal in cases:
        model = LogisticRegression().fit(data, y)
        folder = Path(tempfile.mkdtemp(dir=Path.cwd())) / "model"
        tool.save_model(model, folder, signature=infer(data, model.predict(data)))
        loaded, row = pyfunc.load_model(str(folder)), data[:1]
        plain, added = [], []
        for number in range(effort.rounds(15) + 1):
            bare = clock(partial(_repeat, model.predict, row)) / CALLS
            checked = clock(partial(_repeat, loaded.predict, row)) / CALLS
            if number:
                plain.append(bare)
                added.append(checked - bare)
        title = f"`PyFuncModel.predict`, {title}"
        rows.append(Measure(f"predict-{name}", title, Spread.of(added), Spread.of(plain), goal))
    return rows


def _dump(model: object, file: Path) -> None:
    file.write_bytes(pickle.dumps(model, protocol=5))


def _repeat(predict: Callable[[Any], object], row: Any) -> None:
    for _ in range(CALLS):
        predict(row)


CASES: dict[str, Callable[[Tool, Effort], list[Measure]]] = {"log-model": logging, "predict": predicting}
