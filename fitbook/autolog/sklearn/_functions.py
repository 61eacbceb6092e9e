"""Cross-validation and inspection: each call of one of scikit-learn's functions for them is one run."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fitbook import _validate, settings
from fitbook.autolog._config import Config
from fitbook.autolog._guard import inside, quietly, suppressed, tell
from fitbook.autolog._record import RunRecord, points
from fitbook.autolog._session import Session
from fitbook.autolog.sklearn import _describe, _inspection, _links
from fitbook.autolog.sklearn._explain import explanation_of_call
from fitbook.autolog.sklearn._facts import Facts
from fitbook.autolog.sklearn._files import write_files
from fitbook.autolog.sklearn._params import MASK, is_secret, text_of_argument
from fitbook.entities import RunStatus
from fitbook.tracking._backend import get_tracking_uri, patience
from fitbook.tracking._run import now_ms

if TYPE_CHECKING:
    from fitbook.autolog._integration import Integration

# What a function is given to work on; all else of its arguments is a parameter of the run.
_DATA = ("estimator", "X", "y")


def hook_function(original: Callable[..., Any], integration: Integration) -> Callable[..., Any]:
    """Wrap what a public function of scikit-learn calls once it has checked its arguments."""
    signature = inspect.signature(original)

    @functools.wraps(original)
    def function(*args: Any, **kwargs: Any) -> Any:
        session = None if inside.get() else _begin(integration, original.__name__, signature, args, kwargs)
        try:
            if session:
                session.enter()
            result = original(*args, **kwargs)
        except BaseException as error:
            if session:
                session.failed(error)
            # As in hook_fit: no frame of ours in the user's traceback.
            BaseException.with_traceback(error, error.__traceback__ and error.__traceback__.tb_next)
            raise
        if session:
            session.ended(result)
        return result

    return function


def _begin(
    integration: Integration,
    function: str,
    signature: inspect.Signature,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Session | None:
    config = integration.config
    if config is None:
        return None
    record = None
    with quietly(f"beginning the record of {function}"), suppressed():
        began = time.perf_counter()
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        estimator = bound.arguments["estimator"]
        if config.records(type(estimator)):
            if config.explain:
                told = explanation_of_call(config, function, estimator, bound.arguments["X"], get_tracking_uri())
                tell(told, once=f"explained {function}", asked=True)
            record = FunctionRecord(config, function, bound.arguments)
            record.overhead = time.perf_counter() - began
            record.began = time.perf_counter()
    return Session(record)


class FunctionRecord(RunRecord):
    """One call of a function, and its run."""

    def __init__(self, config: Config, function: str, arguments: Mapping[str, Any]) -> None:
        self.function, self.arguments = function, arguments
        self.began = 0.0
        estimator = arguments["estimator"]
        self.data = _describe.fingerprint(arguments["X"], arguments["y"])
        tags = {**_describe.tags(estimator), "fitbook.method": function}
        model_run = _links.run_of(estimator) if function == "permutation_importance" else None
        if model_run is not None:
            tags["fitbook.model_run"] = model_run.run_id
        super().__init__(config, f"{function} {type(estimator).__name__}", _params(arguments), tags)

    def ended(self, result: Any) -> None:
        """Take down what the call has led to; figures and files follow in the background."""
        began, end_time = time.perf_counter(), now_ms()
        try:
            with suppressed(), patience(settings.AUTOLOG_STORE_TIMEOUT.get()):
                self._describe_result(result, began - self.began, end_time)
        finally:
            self.overhead += time.perf_counter() - began
            self.arguments = {}
            self.end(RunStatus.FINISHED, end_time)

    def failed(self, error: BaseException) -> None:
        """Take down that and why the call has failed."""
        try:
            with_data = self.config.log_datasets
            self.commit_failure(error, self.data.tags() if with_data else {}, self.data.datasets() if with_data else [])
        finally:
            self.arguments = {}

    def _describe_result(self, result: Any, seconds: float, end_time: int) -> None:
        facts = Facts()
        with self.quietly("reading the results"):
            deadline = time.perf_counter() + self.config.budget(seconds)
            facts = _inspection.found(self.function, self.arguments, result, self.config, deadline=deadline)
        self.notes += facts.notes
        self.bytes_copied += self.data.bytes_copied
        tags, datasets = dict(facts.tags), []
        if self.config.log_datasets:
            tags |= self.data.tags()
            datasets = self.data.datasets()
        if self.notes:
            tags["fitbook.notes"] = _validate.safe_text("\n".join(self.notes))
        metrics = points({**facts.metrics, "duration_seconds": seconds}, end_time) + facts.points(end_time)
        params = {_validate.safe_key(key): value for key, value in facts.params.items()}
        outline = _describe.outline(self.arguments["estimator"])
        self.commit(metrics, params, tags, datasets)
        if self.config.log_post_training_metrics:
            self._link(result)
        write_files(self, facts.tables, facts.pictures, outline)

    def _link(self, result: Any) -> None:
        """Metrics of out-of-fold predictions, and of the folds' estimators, belong to this run."""
        if self.function == "cross_val_predict":
            _links.note_prediction(result, _links.Prediction(self.run, self.function))
        elif self.function == "cross_validate":
            for estimator in result.get("estimator", ()):
                _links.link(estimator, self.run)


def _params(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Parameters under the names that a search gives them: its own, and the estimator's as ``estimator__…``."""
    estimator = arguments["estimator"]
    own = {key: value for key, value in arguments.items() if key not in _DATA}
    found = {"estimator": type(estimator).__name__}
    found |= {f"estimator__{key}": value for key, value in _describe.params(estimator).items()}
    return found | {key: MASK if is_secret(key, value) else text_of_argument(value) for key, value in own.items()}
