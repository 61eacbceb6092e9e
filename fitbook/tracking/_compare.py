"""Runs and versions of models side by side, from what was recorded of them: no model is loaded."""

from __future__ import annotations

import contextlib
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbook.entities import ModelVersion, Run
from fitbook.errors import InvalidValue
from fitbook.registry import RegisteredUri, parse
from fitbook.tracking._backend import Backend, readable
from fitbook.tracking._folds import PairedTest, fold_scores, paired_test
from fitbook.tracking._report import report
from fitbook.tracking._run import RunHandle
from fitbook.tracking._subject import Subject

if TYPE_CHECKING:
    import pandas as pd

_SHORT = 8


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several runs side by side.

    Attributes
    ----------
    subjects : sequence of Subject
    tests : mapping of int to tuple
        For those that were scored in the same way on the same folds as the first: by which metric, and the test of the
        difference from the first.
    """

    subjects: Sequence[Subject]
    tests: Mapping[int, tuple[str, PairedTest]]

    def params(self, *, everything: bool = False) -> dict[str, list[str | None]]:
        """Values of each parameter; only of those that differ, unless all are wanted."""
        found = side_by_side([subject.run.data.params for subject in self.subjects])
        return {key: values for key, values in found.items() if everything or len(set(values)) > 1}

    def metrics(self) -> dict[str, list[float | None]]:
        """Values of each metric."""
        return side_by_side([subject.run.data.metrics for subject in self.subjects])

    def significance(self) -> list[dict[str, Any]]:
        """The tests as plain data; ``p`` is two-sided."""
        names = [subject.label for subject in self.subjects]
        return [
            {
                "new": names[number],
                "old": names[0],
                "metric": metric,
                "folds": test.n,
                "difference": test.difference,
                "t": test.t,
                "p": test.two_sided,
            }
            for number, (metric, test) in self.tests.items()
        ]

    def frame(self) -> pd.DataFrame:
        """One row for each, under its label."""
        import pandas as pd  # noqa: PLC0415

        runs = [subject.run for subject in self.subjects]
        columns: dict[str, Any] = {"run_id": [run.info.run_id for run in runs]}
        columns["status"] = [run.info.status for run in runs]
        columns |= {f"params.{key}": values for key, values in self.params().items()}
        columns |= {f"metrics.{key}": pd.array(values, dtype=float) for key, values in self.metrics().items()}
        table = pd.DataFrame(columns, index=[subject.label for subject in self.subjects])
        table.attrs["significance"] = self.significance()
        return table


def compare(runs_or_versions: Sequence[Any] | pd.DataFrame, *, html: str | Path | None = None) -> pd.DataFrame:
    """Put runs, or versions of registered models, side by side.

    Parameters
    ----------
    runs_or_versions : sequence
        Two or more: ids of runs, runs, versions, or ``"churn/3"`` and ``"churn@champion"``, with or without ``models:/``. Or
        what `fitbook.search_runs` returns.
    html : str or Path, optional
        Also write a report there, one file that needs no other: besides the table curves, confusion matrices, and whether
        scores over the same folds differ by more than chance. No model is loaded for it.

    Returns
    -------
    DataFrame
        A row for each; a column ``params.…`` for each parameter that differs, and ``metrics.…`` for each metric.
        ``attrs["significance"]`` has, for each that was scored on the same folds as the first, the corrected resampled
        t-test of the difference (two-sided; see `fitbook.promote`).

    Raises
    ------
    NotFound
        One of them does not exist.
    InvalidValue
        There are fewer than two, or something else was given.
    """
    backend = readable()
    if isinstance(runs_or_versions, (str, Run, ModelVersion, RunHandle)):
        raise InvalidValue("compare takes a list of runs or versions: compare([one, other]).")
    given: Any = runs_or_versions
    items = given["run_id"] if hasattr(given, "columns") else given
    compared = comparison(backend, [found(backend, item) for item in items])
    if html is not None:
        write_report(backend, compared, html)
    return compared.frame()


def found(backend: Backend, item: Any) -> tuple[str, Run]:
    """Read what somebody names as one side of a comparison, and give it a label."""
    if isinstance(item, RunHandle):
        item = item.run_id
    if isinstance(item, Run):
        item = item.info.run_id
    if isinstance(item, str) and ("/" in item or "@" in item):
        uri = parse(item if item.lower().startswith("models:") else f"models:/{item}")
        if not isinstance(uri, RegisteredUri):
            raise InvalidValue(
                f"{item!r} is no version of a registered model; write models:/<name>/<version> or @<alias>."
            )
        item = backend.registry.resolve(uri)
    if isinstance(item, ModelVersion):
        if not item.run_id:
            raise InvalidValue(
                f"Version {item.version} of {item.name!r} comes from no run; there is nothing to compare."
            )
        return f"{item.name}/{item.version}", backend.store.get_run(item.run_id)
    if not isinstance(item, str):
        raise InvalidValue(f"compare got a {type(item).__name__}; give ids of runs, runs, or versions of models.")
    run = backend.store.get_run(item)
    return run.info.run_name or run.info.run_id[:_SHORT], run


def comparison(backend: Backend, labelled: Sequence[tuple[str, Run]]) -> Comparison:
    """Put what was read side by side; labels that several have are made different.

    Raises
    ------
    InvalidValue
        There are fewer than two.
    """
    if len(labelled) < 2:
        raise InvalidValue("Comparing takes two runs or versions, or more.")
    counts = Counter(label for label, _ in labelled)
    subjects = [
        Subject(label if counts[label] == 1 else f"{label} ({run.info.run_id[:_SHORT]})", run)
        for label, run in labelled
    ]
    folds = [fold_scores(backend.store, subject.run) for subject in subjects]
    tests: dict[int, tuple[str, PairedTest]] = {}
    first = folds[0]
    for number, other in enumerate(folds):
        same = first and other and first.same == other.same != "" and len(first.scores) == len(other.scores)
        if number and same and first and other:
            tests[number] = (other.metric, paired_test(other.scores, first.scores, first.ratio))
    return Comparison(subjects, tests)


def side_by_side(columns: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """The values of each key, None where there is none."""
    return {
        key: [column.get(key) for column in columns] for key in sorted({key for column in columns for key in column})
    }


def write_report(backend: Backend, compared: Comparison, path: str | Path) -> None:
    """Write a comparison as one HTML file, wholly or not at all."""
    text = report(backend, compared.subjects, compared.params(), compared.metrics(), compared.significance())
    target = Path(path).absolute()
    unfinished = target.with_name(f".fitbook-report-{uuid.uuid4().hex}")
    try:
        unfinished.write_text(text, encoding="utf-8", errors="replace")
        unfinished.replace(target)
    except OSError as error:
        raise InvalidValue(f"The report can't be written to {target}: {error.strerror or error}.") from error
    finally:
        with contextlib.suppress(OSError):
            unfinished.unlink()
