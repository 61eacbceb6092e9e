"""The record of one fit: opened before it, filled in after it, closed by the background writer."""

from __future__ import annotations

import functools
import inspect
import time
import traceback
import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fitbook import _validate, settings
from fitbook._log import logger
from fitbook.autolog._config import Config
from fitbook.autolog._guard import quietly, say, suppressed, told
from fitbook.autolog.sklearn import _describe, _links, _plots
from fitbook.autolog.sklearn._call import FitCall, fit_call, head
from fitbook.autolog.sklearn._search import SearchResult, search_result
from fitbook.entities import Dataset, DatasetInput, Metric, RunDraft, RunStatus
from fitbook.errors import ModelError, ParamConflict, StoreBusy, StoreUnavailable
from fitbook.tracking import _active, _context
from fitbook.tracking._backend import current, current_experiment_id, patience
from fitbook.tracking._lease import leases
from fitbook.tracking._models import PendingModel, freeze_model
from fitbook.tracking._run import RunHandle, new_draft, now_ms

if TYPE_CHECKING:
    from fitbook.autolog._integration import Integration

MODEL_PATH = "model"
BEST_PATH = "best_estimator"
_EXAMPLE_ROWS = 5

# The stores for which a fit has waited in vain: until one of their background writes is through, none waits again.
_busy: set[str] = set()
# Those for which a background job has waited in vain: until another one is through, none waits for long again.
_given_up: set[str] = set()

# The tag by which the first fit in a user's run takes it, whatever process it comes from.
_FIRST_FIT = "fitbook.first_fit"


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
        if not _describe.is_model(estimator):
            return None
        record = FitRecord(config, estimator, method, fit_call(original, args, kwargs))
    record.overhead = time.perf_counter() - began
    record.fit_began = time.perf_counter()
    return record


class FitRecord:
    """One fit and its run.

    Whose run it is: that of the user's active run, if this is the first fit in it; a child of it for any further one;
    else one of its own.
    """

    def __init__(self, config: Config, estimator: Any, method: str, call: FitCall) -> None:
        self.config, self.estimator, self.method, self.call = config, estimator, method, call
        self.name = type(estimator).__name__
        self.overhead = self.fit_began = 0.0
        self.notes: list[str] = []
        self.dropped: list[str] = []
        self.params = {_validate.safe_key(k): v for k, v in _describe.params(estimator).items()}
        self.tags = {
            **_describe.tags(estimator),
            _context.AUTOLOGGING: "sklearn",
            **({"fitbook.method": method} if method != "fit" else {}),
            **config.extra_tags,
        }
        self.data = _describe.fingerprint(call.X, call.y)
        with patience(settings.AUTOLOG_STORE_TIMEOUT.get()):
            self.backend = current()
            self.draft, self.run = self._choose_run()
            self.saved = False
            if self.backend.uri not in _busy:
                self._save_begin()
        _active.remember(self.run.run_id)

    # -- after the fit -----------------------------------------------------------------------------------------------

    def ended(self, result: Any) -> None:
        """Take down what the fit has led to; figures and files follow in the background."""
        fit_seconds = time.perf_counter() - self.fit_began
        began, end_time = time.perf_counter(), now_ms()
        try:
            with suppressed(), patience(settings.AUTOLOG_STORE_TIMEOUT.get()):
                self._describe_result(result, fit_seconds, end_time)
        finally:
            self.overhead += time.perf_counter() - began
            self._end(RunStatus.FINISHED, end_time)

    def failed(self, error: BaseException) -> None:
        """Take down that and why the fit has failed."""
        end_time = now_ms()
        try:
            trace = "".join(traceback.format_exception(error))
            tags = {"fitbook.error": told(error)[:5000], **self._data_tags()}
            with suppressed(), patience(settings.AUTOLOG_STORE_TIMEOUT.get()):
                self._commit([], {}, tags)
                self.run.soon(self._job("writing the traceback", lambda: self.run.log_text(trace, "traceback.txt")))
        finally:
            self._end(RunStatus.FAILED if isinstance(error, Exception) else RunStatus.KILLED, end_time)

    # -- the run -----------------------------------------------------------------------------------------------------

    def _choose_run(self) -> tuple[RunDraft | None, RunHandle]:
        """Give the run to write to, and its draft unless it is the user's own."""
        active = None if self.config.exclusive else _active.innermost()
        if active is not None:
            self.backend = active.backend
            if self._takes(active):
                return None, RunHandle(active.backend, active.run_id)
            experiment_id = self.backend.store.get_run_info(active.run_id).experiment_id
        else:
            experiment_id = current_experiment_id()
        draft = new_draft(
            experiment_id,
            f"{self.name[:200]}-{_context.random_name()}",
            parent_run_id=active.run_id if active else None,
            tags=self.tags,
        )
        draft.params = self.params
        return draft, RunHandle(self.backend, draft.run_id)

    def _takes(self, active: RunHandle) -> bool:
        """Take the user's run, unless another fit has; when that can't be told now, leave it."""
        mine = uuid.uuid4().hex
        try:
            return active.backend.store.set_tag_once(active.run_id, _FIRST_FIT, mine) == mine
        except StoreUnavailable:
            return False

    def _save_begin(self) -> None:
        try:
            if self.draft is not None:
                leases.begin(self.backend.store, self.draft)
            else:
                self._log_to_users_run()
            self.saved = True
        except StoreUnavailable as error:
            if isinstance(error, StoreBusy):
                _busy.add(self.backend.uri)
            logger.debug("the record waits until after the fit: %s", error)

    def _log_to_users_run(self) -> None:
        try:
            self.run.log_batch(params=self.params, tags=self.tags)
        except ParamConflict:
            # What the user wrote by hand stands; ours goes beside it.
            taken = self.backend.store.get_run(self.run.run_id).data.params
            self.params = {
                key if taken.get(key, value) == value else _validate.safe_key(f"{self.name}/{key}"): value
                for key, value in self.params.items()
            }
            self.run.log_batch(params=self.params, tags=self.tags)

    def _commit(self, metrics: list[Metric], params: Mapping[str, str], tags: Mapping[str, str]) -> None:
        """Write everything in one transaction; in the background if the store is busy for too long."""
        datasets = self._datasets()

        def write() -> None:
            if not self.saved:
                if self.draft is not None:
                    leases.begin(self.backend.store, self.draft)
                else:
                    self._log_to_users_run()
                self.saved = True
            self.run.log_batch(metrics, params, tags, datasets)

        self._write_now_or_later("writing the record of a fit", write, first=True)

    def _write_now_or_later(self, doing: str, write: Callable[[], None], *, first: bool = False) -> None:
        uri = self.backend.uri
        if uri not in _busy and (first or self.saved):
            try:
                write()
                return
            except StoreBusy:
                _busy.add(uri)
            except StoreUnavailable as error:
                logger.debug("%s is tried once more, in the background: %s", doing, error)
        if uri in _busy:
            say("the store is busy; the record of this fit will be written when it is free", once="busy store")

        def write_patiently() -> None:
            try:
                write()
            finally:
                _busy.discard(uri)

        self.run.soon(self._job(doing, write_patiently, first=first))

    def _end(self, status: str, end_time: int) -> None:
        """Let the run end after everything else; the data and the model are let go of here."""
        self.call, self.estimator = FitCall(None, None, None), None

        def end() -> None:
            tags = {"fitbook.dropped": _validate.safe_text("\n".join(self.dropped)[:5000])} if self.dropped else {}
            try:
                self.run.log_batch([Metric("fitbook_overhead_seconds", self.overhead, now_ms())], tags=tags)
            finally:
                if self.draft is not None:
                    try:
                        self.backend.store.update_run(self.run.run_id, status=status, end_time=end_time)
                    finally:
                        leases.release(self.backend.store, self.run.run_id)

        self.run.later(self._job("ending the run", end))

    # -- what is written ---------------------------------------------------------------------------------------------

    def _describe_result(self, result: Any, fit_seconds: float, end_time: int) -> None:
        call, config = self.call, self.config
        report = _describe.training_report(
            self.estimator,
            call.X,
            call.y,
            call.sample_weight,
            fit_seconds=fit_seconds,
            budget_ms=settings.AUTOLOG_BUDGET_MS.get(),
            pos_label=config.pos_label,
            predicted=result if self.method == "fit_predict" else None,
        )
        if not config.log_input_examples:
            report.curves.pop("predicted_vs_true", None)  # it would store targets, and no data is stored unasked
        self.notes += report.notes
        metrics = {**report.metrics, "fit_duration_seconds": fit_seconds}
        params: dict[str, str] = {}
        tags = self._data_tags()
        if 0 < report.rows_used < report.n_rows:
            tags["fitbook.training_rows_used"] = f"{report.rows_used} of {report.n_rows}"
        weights = None
        with self._quietly("reading feature importances"):
            weights = _describe.importances(self.estimator, _describe.feature_names(call.X))
        search: SearchResult | None = None
        with self._quietly("reading the results of a search"):
            search = search_result(self.estimator, config.max_tuning_runs)
            if search is not None:
                metrics |= search.metrics
                params |= search.params
                tags |= search.tags
        models = self._freeze_models(search, report.sample)
        outline = _describe.outline(self.estimator)
        if self.notes:
            tags["fitbook.notes"] = _validate.safe_text("\n".join(self.notes))
        self._commit(_points(metrics, end_time), params, tags)
        self._link(search, result)
        if search is not None:
            self.run.soon(
                self._job(
                    "writing cv_results.csv",
                    functools.partial(self.run.log_text, search.table.to_csv(), "cv_results.csv"),
                )
            )
            with self._quietly("recording the candidates of a search"):
                self._write_children(search, end_time)
        self._write_models(models, is_search=search is not None)
        self._write_files(report, weights, outline)

    def _data_tags(self) -> dict[str, str]:
        if not self.config.log_datasets:
            return {}
        data = self.data
        tags = {"fitbook.data.digest": data.digest, "fitbook.data.kind": data.kind}
        if data.n_rows is not None:
            tags["fitbook.data.shape"] = f"{data.n_rows} x {data.n_features}"
        if data.dtypes:
            tags["fitbook.data.dtypes"] = ", ".join(sorted(set(data.dtypes)))
        if data.sampled:
            tags["fitbook.data.sampled"] = "true"
        return tags

    def _datasets(self) -> list[DatasetInput]:
        if not self.config.log_datasets:
            return []
        data = self.data
        dataset = Dataset("dataset", data.digest, "code", "{}", data.schema_json, data.profile_json)
        return [DatasetInput(dataset, {"mlflow.data.context": "train"})]

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
        rows = head(self.call.X, _EXAMPLE_ROWS)
        if config.log_input_examples:
            options["input_example"] = rows
        pair = None
        if config.log_model_signatures:
            pair = (self.call.X, self._predicted(estimator, rows) if sample is None else sample)
        with self._quietly("keeping the model"):
            try:
                pending = freeze_model(self.run, "sklearn", estimator, path, example=pair, **options)
            except ModelError as error:
                self.notes.append(f"model not kept: {error}")
                say(f"the fitted model could not be kept with its run: {error}")
            else:
                self.notes += pending.notes
                return pending
        return None

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

    def _write_children(self, search: SearchResult, end_time: int) -> None:
        start_time = self.draft.start_time if self.draft is not None else end_time
        experiment_id = self._experiment_id()
        drafts = []
        for child in search.children:
            draft = new_draft(
                experiment_id,
                child.name,
                parent_run_id=self.run.run_id,
                tags={**child.tags, _context.AUTOLOGGING: "sklearn", **self.config.extra_tags},
                start_time=start_time,
            )
            draft.params, draft.metrics = child.params, _points(child.metrics, end_time)
            draft.end_time, draft.status = end_time, child.status
            drafts.append(draft)
        write = functools.partial(self.backend.store.create_runs, drafts)
        self._write_now_or_later("recording the candidates of a search", write)

    def _experiment_id(self) -> str:
        if self.draft is not None:
            return self.draft.experiment_id
        return self.backend.store.get_run_info(self.run.run_id).experiment_id

    def _write_models(self, models: list[PendingModel], *, is_search: bool) -> None:
        chosen = BEST_PATH if is_search else MODEL_PATH
        for model in models:
            register = self.config.registered_model_name if model.path == chosen else None
            self.run.soon(
                self._job(f"writing the model {model.path!r}", functools.partial(_write_model, model, register)),
                model.snapshot.size_bytes,
            )

    def _write_files(self, report: _describe.Report, weights: _describe.Table | None, outline: Any) -> None:
        tables = {f"{_describe.PREFIX}{kind}.csv": table for kind, table in report.curves.items()}
        if weights is not None:
            tables[f"{weights.kind}.csv"] = weights

        def write_data() -> None:
            texts = {path: table.to_csv() for path, table in tables.items()}
            texts["estimator.html"] = _describe.html(outline)
            self.run.writable.put_all({path: text.encode("utf-8", "surrogatepass") for path, text in texts.items()})

        def draw(path: str, paint: Callable[[], bytes]) -> None:
            self.run.artifacts.put(path, paint())

        self.run.later(self._job("writing tables and diagram", write_data))
        if self.config.log_plots:
            for path, paint in _plots.pictures(report, weights).items():
                self.run.later(self._job(f"drawing {path}", functools.partial(draw, path, paint)))

    # -- guards ------------------------------------------------------------------------------------------------------

    def _quietly(self, doing: str) -> quietly:
        return quietly(f"{doing} ({self.name})")

    def _job(self, doing: str, work: Callable[[], Any], *, first: bool = False) -> Callable[[], None]:
        """Guard a background job; what fails is noted with the run."""

        def job() -> None:
            if self.draft is not None and not (first or self.saved):
                return  # there is no run, as was said: nothing can belong to it
            with suppressed(), patience(self._background_patience()), self._quietly(doing) as guard:
                work()
            if guard.failed is None:
                _given_up.discard(self.backend.uri)
                return
            self.dropped.append(f"{doing}: {told(guard.failed)}"[:500])
            if isinstance(guard.failed, StoreBusy):
                _given_up.add(self.backend.uri)

        return job

    def _background_patience(self) -> float:
        """How long a background job waits for a locked store: as long as the program's end would, but only once."""
        if self.backend.uri in _given_up:
            return settings.AUTOLOG_STORE_TIMEOUT.get()
        return max(settings.EXIT_TIMEOUT.get(), settings.SQLITE_TIMEOUT.get())


def _write_model(model: PendingModel, register: str | None) -> None:
    model.write()
    if register is not None:
        model.register(register)


def _points(values: Mapping[str, float], timestamp: int) -> list[Metric]:
    return [Metric(_validate.safe_key(key), float(value), timestamp) for key, value in values.items()]
