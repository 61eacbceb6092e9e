"""What saving and loading a model costs, beside pickle."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.measure import Effort, Goal, Measure, Spread, clock
from benchmarks.tools import Tool


def models(tool: Tool, effort: Effort) -> list[Measure]:
    """A forest of 100 trees to a folder and back; beside pickle to a file and back."""
    from sklearn.datasets import make_classification
    from sklearn.ensemble import RandomForestClassifier

    X, y = make_classification(2000, 20, random_state=0)
    model = RandomForestClassifier(100, random_state=0).fit(X, y)
    here = Path(tempfile.mkdtemp(dir=Path.cwd()))
    results: dict[str, list[float]] = {"plain save": [], "plain load": [], "save": [], "load": []}
    for number in range(effort.rounds(15) + 1):
        bare, folder = here / f"{number}.pkl", here / f"model-{number}"
        calls: dict[str, Callable[[], object]] = {
            "plain save": partial(_dump, model, bare),
            "plain load": partial(_load, bare),
            "save": partial(tool.save_model, model, folder),
            "load": partial(tool.sklearn.load_model, str(folder)),
        }
        for call, function in calls.items():
            seconds = clock(function)
            if number:  # the first round loads libraries
                results[call].append(seconds)
    spreads = {call: Spread.of(seconds) for call, seconds in results.items()}
    return [
        Measure("save-model", "`save_model`, forest of 100", spreads["save"], spreads["plain save"], whole=True),
        Measure("load-model", "`load_model`, forest of 100", spreads["load"], spreads["plain load"], whole=True),
    ]


def loads(tool: Tool, effort: Effort) -> list[Measure]:
    """Loading what is checked before it is loaded; beside reading and unpickling the same file."""
    from sklearn.datasets import make_classification
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    X, y = make_classification(2000, 20, random_state=0)
    found = []
    for name, title, model in (
        ("load-logistic", "`load_model`, LogisticRegression", LogisticRegression()),
        ("load-forest-200", "`load_model`, forest of 200", RandomForestClassifier(200, random_state=0)),
    ):
        folder = Path(tempfile.mkdtemp(dir=Path.cwd())) / "model"
        tool.save_model(model.fit(X, y), folder)
        plain, whole = [], []
        for number in range(effort.rounds(31) + 1):
            seconds = clock(partial(_load, folder / "model.pkl")), clock(partial(tool.sklearn.load_model, str(folder)))
            if number:
                plain.append(seconds[0])
                whole.append(seconds[1])
        goal = Goal(0.005, 1.3)
        found.append(Measure(name, title, Spread.of(whole), Spread.of(plain), goal, whole=True))
    if not tool.is_peer:
        found.append(_scan((folder / "model.pkl").read_bytes(), effort))
    return found


def _scan(data: bytes, effort: Effort) -> Measure:
    """What looking at the names and contents of a model of many small pieces takes, before any of it is unpickled."""
    from fitbook.flavors import _trust

    rounds = [clock(partial(_trust._looked_at, data, set())) for _ in range(effort.rounds(31) + 1)][1:]
    size = len(data) / 1e6
    title = f"scan of names and contents, forest of 200: {size:.1f} MB at 100 MB/s"
    return Measure("scan-forest-200", title, Spread.of(rounds), None, Goal(size / 100), whole=True)


def _dump(model: object, file: Path) -> None:
    file.write_bytes(pickle.dumps(model, protocol=5))


def _load(file: Path) -> object:
    return pickle.loads(file.read_bytes())


CASES: dict[str, Callable[[Tool, Effort], list[Measure]]] = {"models": models, "loads": loads}
