"""Scores and metrics that the user computes after a fit: recorded with the run of the model that predicted."""

from __future__ import annotations

import functools
import inspect
import json
import numbers
import sys
import threading
from collections.abc import Callable, Mapping
from contextvars import Token
from types import FrameType
from typing import TYPE_CHECKING, Any

from fitbook import _validate, settings
from fitbook.autolog._guard import RECORDED, inside, is_library, quietly, suppressed
from fitbook.autolog._session import Hook
from fitbook.autolog.sklearn import _links
from fitbook.autolog.sklearn._links import Prediction
from fitbook.tracking._backend import patience
from fitbook.tracking._run import RunHandle

if TYPE_CHECKING:
    from fitbook.autolog._integration import Integration

UNKNOWN_DATA = "unknown_dataset"

# The parameters in which metrics take predictions.
_PREDICTION_NAMES = ("y_pred", "y_score", "y_proba", "y_prob", "pred_decision", "labels_pred", "labels", "y2")
# Whose frames stand between a metric and its caller.
_VALIDATION = ("sklearn.utils._param_validation", "sklearn.utils.validation")
_MAX_FILE_ELEMENTS = 100_000

_lock = threading.Lock()
_written: dict[tuple[str, str], list[float]] = {}


class PredictHook(Hook):
    """Notes what recorded models predict."""

    __slots__ = ("_integration",)

    def __init__(self, integration: Integration) -> None:
        self._integration = integration

    def note(self, estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """Remember where a prediction came from, if it was made by the user's own code."""
        if inside.get() or not _wanted(self._integration):
            return
        with quietly("noting a prediction"):
            run = _links.run_of(estimator)
            caller = sys._getframe(2)
            if run is not None and _is_user_code(caller):
                data = args[0] if args else next(iter(kwargs.values()), None)
                _links.note_prediction(result, Prediction(run, _name_of(data, caller)))


class ScoreHook(Hook):
    """Records the user's calls of ``score``."""

    __slots__ = ("_integration",)

    def __init__(self, integration: Integration) -> None:
        self._integration = integration

    def begin(self, estimator: Any) -> Scoring | None:
        """Prepare for the score of a recorded model; None for any other call."""
        if inside.get() or not _wanted(self._integration):
            return None
        run = _links.run_of(estimator)
        return None if run is None else Scoring(run)


class Scoring:
    """One call of ``score``."""

    __slots__ = ("_run", "_token")

    def __init__(self, run: RunHandle) -> None:
        self._run = run
        self._token: Token[int] | None = None

    def enter(self) -> None:
        """The call begins; what it calls is no metric of the user's."""
        self._token = inside.set(RECORDED)

    def leave(self) -> None:
        """The call has returned or raised."""
        if self._token is not None:
            inside.reset(self._token)

    def note(self, estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """Record the score."""
        with quietly("recording a score"):
            caller = sys._getframe(2)
            if _is_user_code(caller) and _is_number(result):
                data = args[0] if args else kwargs.get("X")
                _write_number(self._run, f"{type(estimator).__name__}_score", _name_of(data, caller), float(result))


def hook_predict(original: Callable[..., Any], integration: Integration) -> Callable[..., Any]:
    """Wrap a predicting method so that metrics of what it returns find their run."""
    hook = PredictHook(integration)

    @functools.wraps(original)
    def predict(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            result = original(self, *args, **kwargs)
        except BaseException as error:
            # As in hook_fit: no frame of ours in the user's traceback.
            BaseException.with_traceback(error, error.__traceback__ and error.__traceback__.tb_next)
            raise
        if hook:
            hook.note(self, args, kwargs, result)
        return result

    return predict


def hook_score(original: Callable[..., Any], integration: Integration) -> Callable[..., Any]:
    """Wrap a scoring method so that the user's calls of it are recorded."""
    hook = ScoreHook(integration)

    @functools.wraps(original)
    def score(self: Any, *args: Any, **kwargs: Any) -> Any:
        scoring = hook and hook.begin(self)
        try:
            if scoring:
                scoring.enter()
            result = original(self, *args, **kwargs)
        except BaseException as error:
            BaseException.with_traceback(error, error.__traceback__ and error.__traceback__.tb_next)
            raise
        finally:
            if scoring:
                scoring.leave()
        if scoring:
            scoring.note(self, args, kwargs, result)
        return result

    return score


def hook_metric(original: Callable[..., Any], integration: Integration) -> Callable[..., Any]:
    """Wrap what a public metric of scikit-learn calls once it has checked its arguments."""
    name = original.__name__

    @functools.wraps(original)
    def metric(*args: Any, **kwargs: Any) -> Any:
        if inside.get() or not _wanted(integration):
            return original(*args, **kwargs)
        token = inside.set(RECORDED)
        try:
            result = original(*args, **kwargs)
        finally:
            inside.reset(token)
        with quietly(f"recording {name}"):
            caller = _past_validation(sys._getframe(1))
            if caller is not None and _is_user_code(caller):
                prediction = _prediction_among(args, kwargs)
                if prediction is not None:
                    _write(prediction, name, kwargs, result)
        return result

    return metric


def _wanted(integration: Integration) -> bool:
    return integration.config is not None and integration.config.log_post_training_metrics


def _prediction_among(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Prediction | None:
    candidates = [kwargs[name] for name in _PREDICTION_NAMES if name in kwargs]
    # The second argument is the prediction nearly everywhere, and the first one in hand-made orders.
    candidates += [*args[1:2], *args[:1]]
    for values in candidates:
        found = _links.find_prediction(values)
        if found is not None:
            return found
    return None


def _write(prediction: Prediction, name: str, kwargs: dict[str, Any], result: Any) -> None:
    average = kwargs.get("average")
    if isinstance(average, str) and average != "binary":
        name = f"{name}_{average}"
    if _is_number(result):
        _write_number(prediction.run, name, prediction.data_name, float(result))
        return
    text = _as_text(result)
    if text is not None:
        ending = "txt" if isinstance(result, str) else "json"
        path = f"{name}_{_validate.safe_key(prediction.data_name)}.{ending}"
        prediction.run.soon(lambda: _write_file(prediction.run, text, path), len(text))


def _write_file(run: RunHandle, text: str, path: str) -> None:
    with suppressed(), quietly(f"writing {path}"):
        run.log_text(text, path)


def _write_number(run: RunHandle, name: str, data_name: str, value: float) -> None:
    """Log under ``name_data``; another value of the same name gets ``-2`` and so on, the same value is there already."""
    with _lock:
        before = _written.setdefault((run.run_id, f"{name}_{data_name}"), [])
        if value in before:
            return
        before.append(value)
        number = "" if len(before) == 1 else f"-{len(before)}"
    with suppressed(), patience(settings.AUTOLOG_STORE_TIMEOUT.get()):
        run.log_metric(_validate.safe_key(f"{name}{number}_{data_name}"), value)


def _as_text(result: Any) -> str | None:
    if isinstance(result, str):
        return result
    elements = getattr(result, "size", None)
    if isinstance(result, tuple):
        elements = sum(getattr(part, "size", 1) for part in result)
    if not isinstance(result, (tuple, dict)) and not hasattr(result, "tolist"):
        return None
    if elements is not None and elements > _MAX_FILE_ELEMENTS:
        return None
    return json.dumps(result, default=lambda part: part.tolist() if hasattr(part, "tolist") else str(part))


def _is_number(result: Any) -> bool:
    return isinstance(result, numbers.Real) and not isinstance(result, bool)


def _is_user_code(frame: FrameType) -> bool:
    return not is_library(frame.f_globals.get("__name__"))


def _past_validation(frame: FrameType | None) -> FrameType | None:
    while frame is not None and frame.f_globals.get("__name__") in _VALIDATION:
        frame = frame.f_back
    return frame


def _name_of(data: Any, frame: FrameType) -> str:
    """What the calling code calls this object; the metric's name ends with it, as MLflow's does."""
    if data is None:
        return UNKNOWN_DATA
    variables = frame.f_locals
    try:
        return _name_in(variables, data) or _name_in(frame.f_globals, data) or UNKNOWN_DATA
    finally:
        # Before Python 3.13 a function's f_locals is a copy that the frame keeps, and all values in it alive. Who has
        # called locals() holds the very same copy.
        is_copy = isinstance(variables, dict) and variables is not frame.f_globals
        if is_copy and frame.f_code.co_flags & inspect.CO_OPTIMIZED and sys.getrefcount(variables) <= 3:
            variables.clear()


def _name_in(variables: Mapping[str, Any], data: Any) -> str | None:
    found = (name for name, value in list(variables.items()) if value is data and not name.startswith("_"))
    return next(found, None)
