"""The record of one fit: what is taken down of the estimator before it, and of what it has led to."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fitbook import _validate, settings
from fitbook.autolog._config import Config
from fitbook.autolog._guard import quietly, say, suppressed, tell
from fitbook.autolog._record import RunRecord, points
from fitbook.autolog.sklearn import _describe, _links, _plots
from fitbook.autolog.sklearn._call import FitCall, fit_call, head
from fitbook.autolog.sklearn._children import Children
from fitbook.autolog.sklearn._explain import explanation
from fitbook.autolog.sklearn._facts import Facts
from fitbook.autolog.sklearn._files import write_files
from fitbook.autolog.sklearn._live import LiveSearch, Rung, is_search
from fitbook.autolog.sklearn._search import SearchResult, search_result
from fitbook.autolog.sklearn._warm import warm_fit
from fitbook.autolog.sklearn._watch import findings_of_fit
from fitbook.entities import DatasetInput, RunStatus
from fitbook.errors import ModelError
from fitbook.tracking._backend import get_tracking_uri, patience
from fitbook.tracking._models import PendingModel, freeze_model
from fitbook.tracking._promotion import promote_fitted
from fitbook.tracking._run import now_ms

if TYPE_CHECKING:
    from fitbook.autolog._integration import Integration

MODEL_PATH = "model"
BEST_PATH = "best_estimator"
EXAMPLE_ROWS = 5
# So many candidates are written while the user waits, and more of them in the background.
_MANY = 400
# What training metrics may take of the budget; the rest is for fingerprint, findings and snapshot, and for writing.
_SHARE_OF_BUDGET = 0.5


def begin(
    integration: Integration,
    estimator: Any,
    method: str,
    original: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> FitRecord | None:
    """Open the record of a fit; None if it is not one to be recorded."""
    config = integration.config
    if config is None:
        return None
    began = time.perf_counter()
    with suppressed():
        if not (_describe.is_model(estimator) and config.records(type(estimator))):
            return None
        call = fit_call(original, args, kwargs)
        if config.explain:
            with quietly("explaining what is recorded"):
                told = explanation(config, estimator, method, call, get_tracking_uri())
                tell(told, once=f"explained {type(estimator)}", asked=True)
        record = FitRecord(config, estimator, method, call)
    record.overhead = time.perf_counter() - began
    record.fit_began = time.perf_counter()
    return record


class FitRecord(RunRecord):
    """One fit and its run."""

    def __init__(self, config: Config, estimator: Any, method: str, call: FitCall) -> None:
        self.estimator, self.method, self.call = estimator, method, call
        self.fit_began = 0.0
        self._registers = False
        self._live: LiveSearch | None = None
        self.steps: list[tuple[int, float]] = []  # of a sequential feature selection
        self.data = _describe.fingerprint(call.X, call.y)
        tags = {**_describe.tags(estimator), **({"fitbook.method": method} if method != "fit" else {})}
        params = _describe.params(estimator)
        self._warm = warm_fit(config, estimator, params)
        super().__init__(config, type(estimator).__name__, params, tags, self._warm.before)

    def observer(self) -> Rung | None:
        """What observes the tasks that are given to joblib now: the splits of a search."""
        if self._live is None and is_search(self.estimator) and self.config.max_tuning_runs != 0:
            self._live = LiveSearch(self, self.estimator, self.data)
        return self._live.observer() if self._live is not None else None

    def ended(self, result: Any) -> None:
        """Take down what the fit has led to; figures and files follow in the background."""
        fit_seconds = time.perf_counter() - self.fit_began
        if self._live is not None:
            with self.quietly("following a search"):
                self._live.close()
        began, end_time = time.perf_counter(), now_ms()
        try:
            with suppressed(), patience(settings.AUTOLOG_STORE_TIMEOUT.get()):
                self._describe_result(result, fit_seconds, end_time)
        finally:
            self.overhead += time.perf_counter() - began
            self._let_go()
            self.end(RunStatus.FINISHED, end_time)

    def failed(self, error: BaseException) -> None:
        """Take down that and why the fit has failed."""
        live = self._live
        try:
            if live is not None:
                with self.quietly("following a search"):
                    live.close()
            self.commit_failure(error, {**self._data_tags(), **(live.tags if live else {})}, self._datasets())
            if live is not None:
                with self.quietly("recording the candidates of a search"):
                    live.abandon(RunStatus.FAILED if isinstance(error, Exception) else RunStatus.KILLED)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        """Keep neither the data nor the model alive for what is done in the background."""
        self.call, self.estimator = FitCall(None, None, None), None

    def _describe_result(self, result: Any, fit_seconds: float, end_time: int) -> None:
        call, config = self.call, self.config
        report = _describe.training_report(
            self.estimator,
            call.X,
            call.y,
            call.sample_weight,
            fit_seconds=fit_seconds,
            budget_ms=1e3 * _SHARE_OF_BUDGET * config.budget(fit_seconds),
            sampling=config.sampling,
            pos_label=config.pos_label,
            predicted=result if self.method == "fit_predict" else None,
        )
        if not config.log_input_examples:
            report.curves.pop("predicted_vs_true", None)  # it would store targets, and no data is stored unasked
        self.notes += report.notes
        self.bytes_copied += self.data.bytes_copied + report.bytes_copied
        metrics = {**report.metrics, "fit_duration_seconds": fit_seconds, **self._warm.metrics}
        params: dict[str, str] = {}
        tags = self._data_tags() | self._warm.tags
        if 0 < report.rows_used < report.n_rows:
            tags["fitbook.training_rows_used"] = f"{report.rows_used} of {report.n_rows}"
        weights = None
        with self.quietly("reading feature importances"):
            weights = _describe.importances(self.estimator, _describe.feature_names(call.X))
        facts = Facts()
        with self.quietly("reading what a meta-estimator tells"):
            facts = _describe.meta_facts(self.estimator, _describe.feature_names(call.X), self.steps)
        facts.curves |= self._curves(report)
        metrics = {name: value for name, value in (metrics | facts.metrics).items() if name not in facts.curves}
        tags |= facts.tags
        self.notes += facts.notes
        search: SearchResult | None = None
        with self.quietly("reading the results of a search"):
            search = search_result(self.estimator, config.max_tuning_runs)
            if search is not None:
                metrics |= search.metrics
                params |= search.params
                tags |= search.tags | (self._live.tags if self._live is not None else {})
        with self.quietly("looking for findings"):
            tags |= findings_of_fit(self, self.estimator, call.X, call.y, metrics)
        models = self._freeze_models(search, report.sample)
        outline = _describe.outline(self.estimator)
        self._registers = _describe.predicts(self.estimator if search is None else search.best_estimator)
        if self.notes:
            tags["fitbook.notes"] = _validate.safe_text("\n".join(self.notes))
        self.commit(points(metrics, end_time, self._warm.number), params, tags, self._datasets())
        self._warm.keep(self.estimator, self)
        if facts.curves:
            self.soon("writing curves", functools.partial(self.run.log_batch, facts.points(end_time)))
        self._link(search, result)
        if search is not None:
            write_table = functools.partial(self.run.log_text, search.table.to_csv(), "cv_results.csv")
            self.soon("writing cv_results.csv", write_table)
            with self.quietly("recording the candidates of a search"):
                self._write_children(search, end_time)
        self._write_models(models, is_search=search is not None)
        self._write_files(report, weights, facts, outline)

    def _data_tags(self) -> dict[str, str]:
        return self.data.tags() if self.config.log_datasets else {}

    def _datasets(self) -> list[DatasetInput]:
        return self.data.datasets() if self.config.log_datasets else []

    def _freeze_models(self, search: SearchResult | None, sample: Any) -> list[PendingModel]:
        if not self.config.log_models:
            return []
        frozen = [self._freeze(self.estimator, MODEL_PATH, sample)]
        if search is not None and search.best_estimator is not None:
            frozen.append(self._freeze(search.best_estimator, BEST_PATH, sample))
        return [model for model in frozen if model is not None]

    def _freeze(self, estimator: Any, path: str, sample: Any) -> PendingModel | None:
        config = self.config
        options: dict[str, Any] = {"serialization_format": config.serialization_format, "signature": False}
        rows = head(self.call.X, EXAMPLE_ROWS)
        if config.log_input_examples:
            options["input_example"] = rows
        pair = None
        if config.log_model_signatures:
            pair = (self.call.X, self._predicted(estimator, rows) if sample is None else sample)
        return freeze(self, estimator, path, example=pair, **options)

    def _predicted(self, estimator: Any, rows: Any) -> Any:
        if rows is None or not _describe.may_predict(estimator):
            return None
        try:
            with _describe.uncounted(estimator):
                return estimator.predict(rows)
        except Exception as error:  # that it fits says nothing about predicting what it was fitted on
            self.notes.append(f"signature: predicting the first rows raised {type(error).__name__}: {error}")
            return None

    def _link(self, search: SearchResult | None, result: Any) -> None:
        if not self.config.log_post_training_metrics:
            return
        _links.link(self.estimator, self.run)
        if search is not None and search.best_estimator is not None:
            _links.link(search.best_estimator, self.run)
        # A clusterer's labels are predictions too, for silhouette_score and the like.
        labels = result if self.method == "fit_predict" else inspect.getattr_static(self.estimator, "labels_", None)
        if hasattr(labels, "dtype"):
            _links.note_prediction(labels, _links.Prediction(self.run, "training_data"))

    def _curves(self, report: _describe.Report) -> _describe.Curves:
        """A loss or score for each iteration, where the estimator tells."""
        with self.quietly("reading iteration curves"):
            X, y = self.call.X, self.call.y
            found = _describe.iteration_curves(self.estimator, X, y, deadline=report.deadline, notes=self.notes)
            return _describe.thinned(self._warm.new_points(found), self.notes)
        return {}

    def _write_children(self, search: SearchResult, end_time: int) -> None:
        followed = self._live.children if self._live is not None else None
        children = followed or Children(self, inspect.getattr_static(self.estimator, "estimator", None))
        start_time = self.draft.start_time if self.draft is not None else end_time
        write = functools.partial(children.finish, search.children, start_time, end_time)
        # What was noted of them while they were evaluated is in the store already.
        put = self.soon if followed is not None and len(search.children) > _MANY else self.write
        put("recording the candidates of a search", write)

    def _write_models(self, models: list[PendingModel], *, is_search: bool) -> None:
        chosen = BEST_PATH if is_search else MODEL_PATH
        for model in models:
            # A version that the first of several fits made is of this run, whose model is now this one.
            register = model.path == chosen and self._warm.number < 2 and self._registers
            write = functools.partial(write_model, model, self.config if register else None)
            self.soon(f"writing the model {model.path!r}", write, model.snapshot.size_bytes)

    def _write_files(
        self, report: _describe.Report, weights: _describe.Table | None, facts: Facts, outline: Any
    ) -> None:
        tables = report.tables() | facts.tables
        if weights is not None:
            tables[f"{weights.kind}.csv"] = weights
        write_files(self, tables, _plots.pictures(report, weights) | facts.pictures, outline)


def freeze(record: RunRecord, estimator: Any, path: str, **options: Any) -> PendingModel | None:
    """Take the snapshot of a model for a record's run; None, which is said and noted, if that can't be done.

    None, too, for one that is not wanted.
    """
    if path not in record.config.artifacts:
        return None
    with record.quietly("keeping the model"):
        try:
            pending = freeze_model(record.run, "sklearn", estimator, path, **options)
        except ModelError as error:
            record.notes.append(f"model not kept: {error}")
            say(f"the fitted model could not be kept with its run: {error}")
        else:
            record.notes += pending.notes
            record.bytes_copied += pending.snapshot.size_bytes
            return pending
    return None


def write_model(model: PendingModel, register: Config | None) -> None:
    """Write a model that was frozen; make it a version of a registered model, and promote it, as options may say."""
    model.write()
    if register is None or register.registered_model_name is None:
        return
    version = model.register(register.registered_model_name)
    if register.promote is not None:
        promotion = promote_fitted(model.run.backend, version, register.promote)
        if not promotion.figures.get("compared", True):
            say(f"the alias {register.promote!r} stays where it is: {promotion.reason}", once="not compared")
