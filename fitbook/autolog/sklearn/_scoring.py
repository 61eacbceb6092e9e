"""Scores and metrics that the user computes after a fit: recorded with the run of the model that predicted."""

from __future__ import annotations

import functools
import inspect
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar, Token
from types import BuiltinFunctionType, FrameType, FunctionType
from typing import TYPE_CHECKING, Any

from fitbook.autolog._guard import RECORDED, inside, quietly
from fitbook.autolog._session import Hook
from fitbook.autolog.sklearn import _links, _results
from fitbook.autolog.sklearn._caller import name_of, users_frame
from fitbook.autolog.sklearn._evaluations import Evaluation
from fitbook.autolog.sklearn._links import Prediction
from fitbook.autolog.sklearn._watch import look_at_evaluation

if TYPE_CHECKING:
    from fitbook.autolog._integration import Integration

# The parameters in which metrics take predictions.
_PREDICTION_NAMES = frozenset(
    {"y_pred", "y_score", "y_proba", "y_prob", "pred_decision", "labels_pred", "labels", "y2"}
)
_TRUTH_NAMES = frozenset({"y_true", "labels_true", "y1"})
_SCORED = ("X", "y", "sample_weight")

Parts = list[tuple[Mapping[str, Any], Any]]

# What scikit-learn computes for the classification report that is being made: its text has few digits.
_report_parts: ContextVar[Parts | None] = ContextVar("fitbook_report_parts", default=None)


class PredictHook(Hook):
    """Notes what recorded models predict."""

    __slots__ = ("_integration", "_method")

    def __init__(self, integration: Integration, method: str) -> None:
        self._integration = integration
        self._method = method

    def note(self, estimator: Any, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        """Remember where a prediction came from, if it was made by the user's own code."""
        if inside.get() or not _wanted(self._integration):
            return
        with quietly("noting a prediction"):
            run = _links.run_of(estimator)
            caller = None if run is None else users_frame(sys._getframe(2))
            if run is not None and caller is not None:
                classes = None if self._method == "predict" else _classes_of(estimator)
                prediction = Prediction(run, name_of(0, args, kwargs, caller, self._method))
                _links.note_prediction(result, prediction, classes)
                look_at_evaluation(run, args[0] if args else kwargs.get("X"))


class CallHook(Hook, ABC):
    """Decides about each call of something that evaluates models whether it is recorded."""

    __slots__ = ("_function", "_integration")

    def __init__(self, integration: Integration, function: Callable[..., Any]) -> None:
        self._integration = integration
        self._function = function

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
        """Open the record of a call of the user's; None for any other."""
        if inside.get():
            return self.part(args, kwargs)
        if _wanted(self._integration):
            with quietly(f"recording {self._function.__name__}"):
                return self.opened(sys._getframe(2), args, kwargs)
        return None

    def part(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
        """Open the record of a call inside a recorded one, if that has a use for it."""
        return None

    @abstractmethod
    def opened(self, frame: FrameType, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
        """Open the record of an outermost call, made in ``frame``; None if there is nothing to record."""


class Call:
    """One evaluation that is going on. What it calls itself is no evaluation of the user's."""

    __slots__ = ("_doing", "_note", "_parts", "_tokens")

    def __init__(self, name: str, note: Callable[[Any], None], parts: Parts | None = None) -> None:
        self._doing = f"recording {name}"
        self._note = note
        self._parts = parts
        self._tokens: tuple[Token[int], Token[Parts | None]] | None = None

    def enter(self) -> None:
        """The call begins."""
        self._tokens = inside.set(RECORDED), _report_parts.set(self._parts)

    def leave(self) -> None:
        """The call has returned or raised."""
        if self._tokens is not None:
            inside.reset(self._tokens[0])
            _report_parts.reset(self._tokens[1])

    def returned(self, result: Any) -> None:
        """Record the result."""
        with quietly(self._doing):
            self._note(result)


class ScoreHook(CallHook):
    """Records the user's calls of ``score``."""

    __slots__ = ()

    def opened(self, frame: FrameType, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
        """Do so if the model has a run."""
        model, *rest = args
        return _noting_score(model, tuple(rest), kwargs, frame)


class ScorerHook(CallHook):
    """Records the user's calls of scorers: what ``make_scorer``, ``get_scorer`` and ``check_scoring`` give."""

    __slots__ = ()

    def opened(self, frame: FrameType, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
        """Do so if the model has a run."""
        scorer, *rest = args
        return _noting_score(rest[0], tuple(rest[1:]), kwargs, frame, scorer) if rest else None


class DisplayHook(CallHook):
    """Records the data of displays that the user has made from a model or from its predictions."""

    __slots__ = ()

    def opened(self, frame: FrameType, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
        """Do so if the model has a run."""
        arguments = _arguments(self._function, args, kwargs)
        run = _links.run_of(arguments.get("estimator"))
        caller = users_frame(frame)
        if caller is None:
            return None
        if run is not None:
            data_name = name_of(1, args[1:], kwargs, caller, self._function.__name__)
        else:
            prediction = _prediction_among(arguments)
            if prediction is None:
                return None
            run, data_name = prediction.run, prediction.data_name
        config = self._integration.config
        rows = config is not None and config.log_input_examples

        def note(display: Any) -> None:
            shown = _results.display_of(display, rows=rows)
            if shown:
                # By what it shows: colours make no other evaluation.
                Evaluation(run, type(display).__name__, data_name).write(shown, _results.sums_of(shown), shown)

        return Call(self._function.__name__, note)


class MetricHook(CallHook):
    """Records the user's calls of metrics."""

    __slots__ = ()

    def part(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
        """Open the record of what a report is made of."""
        parts, name = _report_parts.get(), self._function.__name__
        if parts is None or name != _results.PER_CLASS:
            return None
        return Call(name, lambda result: parts.append((_arguments(self._function, args, kwargs), result)))

    def opened(self, frame: FrameType, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
        """Do so, unless scikit-learn needs the metric for something else."""
        if users_frame(frame) is None:
            return None
        name = self._function.__name__
        is_report = name == _results.REPORT
        parts: Parts = []

        def note(result: Any) -> None:
            arguments = _arguments(self._function, args, kwargs)
            prediction = _prediction_among(arguments)
            if prediction is None:
                return
            whole = result
            if is_report and isinstance(result, str):
                whole = _results.report_of(result, arguments.get("target_names"), parts)
            numbers = _results.numbers_of(name, arguments, whole)
            file = result if is_report or not numbers else None
            Evaluation(prediction.run, name, prediction.data_name).write(arguments, numbers, file, options=arguments)

        return Call(name, note, parts if is_report else None)


def hook_predict(original: Callable[..., Any], integration: Integration) -> Callable[..., Any]:
    """Wrap a predicting method so that metrics of what it returns find their run."""
    hook = PredictHook(integration, original.__name__)

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


def hook_call(original: Callable[..., Any], hook: CallHook) -> Callable[..., Any]:
    """Wrap something that evaluates models so that the user's calls of it are recorded."""

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        evaluation = hook and hook.begin(args, kwargs)
        try:
            if evaluation:
                evaluation.enter()
            result = original(*args, **kwargs)
        except BaseException as error:
            BaseException.with_traceback(error, error.__traceback__ and error.__traceback__.tb_next)
            raise
        finally:
            if evaluation:
                evaluation.leave()
        if evaluation:
            evaluation.returned(result)
        return result

    return call


def _wanted(integration: Integration) -> bool:
    return integration.config is not None and integration.config.log_post_training_metrics


def _noting_score(
    model: Any,
    rest: tuple[Any, ...],
    kwargs: dict[str, Any],
    frame: FrameType,
    scorer: Any = None,
) -> Call | None:
    """Prepare for what ``model.score(*rest)``, or ``scorer(model, *rest)``, gives."""
    run = _links.run_of(model)
    caller = None if run is None else users_frame(frame)
    if run is None or caller is None:
        return None
    if scorer is None:
        data_name = name_of(0, rest, kwargs, caller, "score")
    else:
        data_name = name_of(1, (model, *rest), kwargs, caller)
    given = {**dict(zip(_SCORED, rest, strict=False)), **kwargs}
    own_name = f"{type(model).__name__}_score"

    def note(result: Any) -> None:
        if scorer is None and _results.is_number(result):
            look_at_evaluation(run, given.get("X"), float(result))
        for name, value, options in _scores_of(scorer, result, own_name):
            if _results.is_number(value):
                evaluation = Evaluation(run, name, data_name)
                evaluation.write({**given, **options}, {"": float(value)}, options=options)

    return Call("a score", note)


def _scores_of(scorer: Any, result: Any, own_name: str) -> Iterator[tuple[str, Any, Mapping[str, Any]]]:
    """Metric, value and options of a score; one that scikit-learn negates, so that more is better, as the metric gives it."""
    state = {} if scorer is None else vars(scorer)
    if "_scorers" in state and isinstance(result, dict):
        for key, value in result.items():
            inner = state["_scorers"].get(key)
            yield from _scores_of(inner, value, own_name) if hasattr(type(inner), "_score") else [(key, value, {})]
    elif "_score_func" in state:
        function = state["_score_func"]
        while isinstance(function, functools.partial):
            function = function.func
        named = isinstance(function, (FunctionType, BuiltinFunctionType))
        value = -result if state["_sign"] < 0 and _results.is_number(result) else result
        yield function.__name__ if named else type(function).__name__, value, state["_kwargs"]
    else:
        yield own_name, result, {}


def _arguments(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    return {**dict(zip(_parameters(function), args, strict=False)), **kwargs}


@functools.lru_cache(maxsize=256)
def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(function).parameters)


def _prediction_among(arguments: Mapping[str, Any]) -> Prediction | None:
    """The prediction that a metric was given; what is true never counts, it equals that of every perfect model."""
    # Beside X, labels are what a clustering has found; elsewhere they are a list of the classes.
    names = _PREDICTION_NAMES if "X" in arguments else _PREDICTION_NAMES - {"labels"}
    others = arguments.keys() - names - _TRUTH_NAMES
    for name in sorted(arguments, key=others.__contains__):
        if name not in _TRUTH_NAMES:
            found = _links.find_prediction(arguments[name], by_content=name in names)
            if found is not None:
                return found
    return None


def _classes_of(estimator: Any) -> Any:
    """The classes of a classifier, of one at the end of a pipeline, or of a search's best; read without a call."""
    for _ in range(10):
        classes = inspect.getattr_static(estimator, "classes_", None)
        steps = inspect.getattr_static(estimator, "steps", None)
        if not isinstance(classes, property):
            return classes
        estimator = steps[-1][1] if steps else inspect.getattr_static(estimator, "best_estimator_", None)
    return None
