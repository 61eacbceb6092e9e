"""The record of one stream: what it has come to between two calls of ``partial_fit``, and the model at its end."""

from __future__ import annotations

import functools
import math
import traceback
from typing import Any

from fitbook import _validate, settings
from fitbook.autolog._config import Config
from fitbook.autolog._guard import package_of, suppressed, told
from fitbook.autolog._record import RunRecord, points
from fitbook.autolog.sklearn import _describe, _plots
from fitbook.autolog.sklearn._call import FitCall, head
from fitbook.autolog.sklearn._files import write_files
from fitbook.autolog.sklearn._fit import EXAMPLE_ROWS, MODEL_PATH, freeze, write_model
from fitbook.entities import Metric, RunStatus
from fitbook.tracking._backend import patience
from fitbook.tracking._run import now_ms

# Whose data has rows that can be counted and copied by no code of the user's.
TABLES = frozenset({"numpy", "pandas", "polars", "scipy"})
_ROWS = 200  # of the last batch are measured
_END_SECONDS = 0.02
_MAX_NOTES = 20


class StreamRecord(RunRecord):
    """One stream and its run.

    Attributes
    ----------
    calls : int
        How many have returned.
    rows : float
        How many rows they were given; NaN if that can't be told of one.
    seconds : float
        How long they took together.
    status : str
        How the last one has ended, and the stream would if it were over.
    """

    def __init__(self, config: Config, estimator: Any, call: FitCall) -> None:
        self.calls, self.rows, self.seconds = 0, 0.0, 0.0
        self.status, self._errors, self._error, self._trace = RunStatus.FINISHED, 0, "", ""
        self._sample = FitCall(None, None, None)
        self._steps: dict[str, set[int]] = {}
        self._columns = _describe.feature_names(call.X)
        self.data = _describe.fingerprint(call.X, call.y)
        tags = {**_describe.tags(estimator), "fitbook.method": "partial_fit", "fitbook.stream": "true"}
        super().__init__(config, type(estimator).__name__, _describe.params(estimator), tags)

    def keep(self, call: FitCall) -> None:
        """Keep a few rows of a batch, to measure on when the stream ends."""
        self._sample = FitCall(*map(_few_rows, (call.X, call.y, call.sample_weight)))

    def raised(self, error: BaseException) -> None:
        """A call has raised: the stream goes on if another one returns, else this is how it ends."""
        if not self.calls:
            self.commit_failure(error, self._data_tags(), self._datasets())
            return
        self._errors += 1
        self.status = RunStatus.FAILED if isinstance(error, Exception) else RunStatus.KILLED
        self._error, self._trace = told(error)[:5000], "".join(traceback.format_exception(error))

    def look(self, estimator: Any, seconds: float) -> None:
        """Write what the stream has come to; after the first call at once, and then in the background.

        Parameters
        ----------
        estimator : estimator
            Between two calls.
        seconds : float
            What measuring it may take.
        """
        with suppressed():
            moment = now_ms()
            report = self._report(estimator, seconds)
            found = points(report.metrics, moment, self.calls) + self._progress(estimator, moment)
            if self.calls > 1:
                self.soon("writing the progress of a stream", functools.partial(self.run.log_batch, found))
                return
            tags = self._data_tags()
            classes = _describe.stored(estimator).get("classes_")
            if classes is not None:
                tags["fitbook.data.classes"] = _describe.text(classes)[:5000]
            with patience(settings.AUTOLOG_STORE_TIMEOUT.get()):
                self.commit(found, {}, tags, self._datasets())

    def close(self, estimator: Any) -> None:
        """Write the model, or note that it is gone if it is None, and end the run; all but the snapshot in the background."""
        end_time = now_ms()
        try:
            with suppressed():
                found = self._progress(estimator, end_time, whole=True)
                report = self._report(estimator, _END_SECONDS)
                found += points(report.metrics, end_time, self.calls)
                self.soon("writing the progress of a stream", functools.partial(self.run.log_batch, found))
                if estimator is None:
                    self._note(["model not kept: the estimator was gone before a snapshot could be taken"])
                else:
                    self._write_model(estimator, report.sample)
                if self._errors:
                    self._note([f"{self._errors:,} calls of partial_fit raised"])
                    self.soon("writing a traceback", functools.partial(self.run.log_text, self._trace, "traceback.txt"))
                tags = {"fitbook.error": self._error} if self._errors else {}
                if self.notes:
                    tags["fitbook.notes"] = _validate.safe_text("\n".join(self.notes))
                if tags:
                    self.soon("writing the notes of a stream", functools.partial(self.run.log_batch, tags=tags))
        finally:
            self._sample = FitCall(None, None, None)
            self.end(self.status, end_time)

    def _write_model(self, estimator: Any, predicted: Any) -> None:
        if self.config.log_models:
            pending = freeze(self, estimator, MODEL_PATH, **self._options(predicted))
            if pending is not None:
                config = self.config if _describe.predicts(estimator) else None
                write = functools.partial(write_model, pending, config)
                self.soon("writing the model", write, pending.snapshot.size_bytes)
        with self.quietly("reading feature importances"):
            weights = _describe.importances(estimator, self._columns)
            tables = {} if weights is None else {f"{weights.kind}.csv": weights}
            write_files(self, tables, _plots.pictures(_describe.Report(), weights), _describe.outline(estimator))

    def _report(self, estimator: Any, seconds: float) -> _describe.Report:
        report = _describe.training_report(
            estimator,
            self._sample.X,
            self._sample.y,
            self._sample.sample_weight,
            fit_seconds=0.0,
            budget_ms=1e3 * seconds,
            pos_label=self.config.pos_label,
        )
        self._note(report.notes)
        return report

    def _progress(self, estimator: Any, moment: int, *, whole: bool = False) -> list[Metric]:
        """Counts, and what the estimator tells of its iterations: the last of each curve, or all not written yet."""
        values = {"stream_calls": self.calls, "stream_rows": self.rows, "fit_duration_seconds": self.seconds}
        curves = _describe.iteration_curves(estimator, None, None, deadline=0.0, notes=[])
        values |= {name: curve[0][1] for name, curve in curves.items() if len(curve) == 1 and curve[0][0] == 0}
        found = points({n: v for n, v in values.items() if not math.isnan(v)}, moment, self.calls)
        curves = {name: curve for name, curve in curves.items() if name not in values}
        for name, curve in (_describe.thinned(curves, self.notes) if whole else curves).items():
            steps = self._steps.setdefault(name, set())
            for step, value in curve if whole else curve[-1:]:
                if step not in steps:
                    steps.add(step)
                    found.append(Metric(_validate.safe_key(name), value, moment, step))
        return found

    def _options(self, predicted: Any) -> dict[str, Any]:
        config, rows = self.config, self._sample.X
        options: dict[str, Any] = {"serialization_format": config.serialization_format, "signature": False}
        if config.log_input_examples:
            options["input_example"] = head(rows, EXAMPLE_ROWS)
        if config.log_model_signatures:
            options["example"] = (rows, predicted)
        return options

    def _note(self, notes: list[str]) -> None:
        new = [note for note in dict.fromkeys(notes) if note not in self.notes]
        self.notes += new[: max(0, _MAX_NOTES - len(self.notes))]

    def _data_tags(self) -> dict[str, str]:
        return self.data.tags() if self.config.log_datasets else {}

    def _datasets(self) -> list[Any]:
        return self.data.datasets() if self.config.log_datasets else []


def _few_rows(data: Any) -> Any:
    """A copy, which keeps nothing else alive; None of what can't be copied."""
    known = type(data) is list or package_of(type(data).__module__) in TABLES
    rows: Any = head(data, _ROWS) if known else None
    return rows.copy() if hasattr(type(rows), "copy") else None
