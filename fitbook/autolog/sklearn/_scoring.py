"""Scores and metrics that the user computes after a fit: recorded with the run of the model that predicted."""

from __future__ import annotations

import contextlib
import dis
import functools
import inspect
import itertools
import json
import numbers
import sys
import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping
from contextvars import Token
from dataclasses import dataclass, field
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from fitbook import _validate, settings
from fitbook._log import logger
from fitbook.autolog._guard import RECORDED, inside, is_library, quietly, say, suppressed
from fitbook.autolog._session import Hook
from fitbook.autolog.sklearn import _links
from fitbook.autolog.sklearn._links import Prediction
from fitbook.errors import NotFound, StoreBusy, StoreUnavailable
from fitbook.tracking._backend import patience
from fitbook.tracking._run import RunHandle, now_ms

if TYPE_CHECKING:
    from fitbook.autolog._integration import Integration

UNKNOWN_DATA = "unknown_dataset"

# The parameters in which metrics take predictions.
_PREDICTION_NAMES = frozenset(
    {"y_pred", "y_score", "y_proba", "y_prob", "pred_decision", "labels_pred", "labels", "y2"}
)
_TRUTH_NAMES = frozenset({"y_true", "labels_true", "y1"})
# Whose frames stand between a metric and its caller.
_VALIDATION = ("sklearn.utils._param_validation", "sklearn.utils.validation")
_MAX_FILE_ELEMENTS = 100_000
_MAX_WRITTEN = 4096

Mark = tuple[object, ...]

_lock = threading.Lock()


@dataclass(slots=True)
class _Written:
    """How many evaluations there are under one name, and the last ones."""

    count: int = 0
    marks: deque[Mark] = field(default_factory=lambda: deque(maxlen=100))


_written: OrderedDict[tuple[str, str, str], _Written] = OrderedDict()
_pending: set[Mark] = set()


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
            caller = sys._getframe(2)
            if run is not None and _is_user_code(caller):
                _links.note_prediction(result, Prediction(run, _name_of(args, kwargs, caller, self._method)))


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
                data_name = _name_of(args, kwargs, caller, "score")
                given = {**{str(position): value for position, value in enumerate(args)}, **kwargs}
                _write_number(self._run, f"{type(estimator).__name__}_score", data_name, given, float(result))


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
                arguments = _arguments(original, args, kwargs)
                prediction = _prediction_among(arguments)
                if prediction is not None:
                    _write(prediction, name, arguments, result)
        return result

    return metric


def _wanted(integration: Integration) -> bool:
    return integration.config is not None and integration.config.log_post_training_metrics


def _arguments(metric: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    return {**dict(zip(_parameters(metric), args, strict=False)), **kwargs}


@functools.lru_cache(maxsize=256)
def _parameters(metric: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(inspect.signature(metric).parameters)


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


def _write(prediction: Prediction, name: str, arguments: Mapping[str, Any], result: Any) -> None:
    if _is_number(result):
        _write_number(prediction.run, name, prediction.data_name, arguments, float(result))
        return
    text = _as_text(result)
    if text is None:
        return
    taken = _take(prediction.run, name, prediction.data_name, (*_told(arguments), hash(text)))
    if taken is not None:
        path = f"{_validate.safe_key(taken)}.{'txt' if isinstance(result, str) else 'json'}"
        prediction.run.soon(lambda: _write_file(prediction.run, text, path), len(text))


def _write_file(run: RunHandle, text: str, path: str) -> None:
    with suppressed(), quietly(f"writing {path}"), _unless_lost(path):
        run.log_text(text, path)


@contextlib.contextmanager
def _unless_lost(name: str) -> Iterator[None]:
    try:
        yield
    except NotFound as error:
        # Either the user has removed the run, or it could not be written, which was said then.
        logger.debug("%s has no run to belong to: %s", name, error)


def _write_number(run: RunHandle, name: str, data_name: str, arguments: Mapping[str, Any], value: float) -> None:
    """Log under ``name_data``; the next evaluation under that name gets ``-2`` and so on, the same one is there already."""
    mark = (*_told(arguments), value)
    taken = _take(run, name, data_name, mark)
    if taken is None:
        return
    key, moment = _validate.safe_key(taken), now_ms()
    if not _pending:
        try:
            with suppressed(), patience(settings.AUTOLOG_STORE_TIMEOUT.get()):
                run.log_metric(key, value, timestamp=moment)
            return
        except StoreBusy:
            say("the store is busy; this metric will be written when it is free", once="busy store")
        except (NotFound, StoreUnavailable) as error:
            logger.debug("%s is tried once more, after all that its run is waiting for: %s", key, error)
        except BaseException:
            _forget(run, name, data_name, mark)
            raise

    def write() -> None:
        try:
            with suppressed(), quietly(f"writing {key}") as guard, _unless_lost(key):
                run.log_metric(key, value, timestamp=moment)
            if guard.failed is not None:
                _forget(run, name, data_name, mark)
        finally:
            _pending.discard(mark)

    _pending.add(mark)  # one wait is enough: until the store is free, what comes next queues up behind
    run.soon(write)


def _take(run: RunHandle, name: str, data_name: str, mark: Mark) -> str | None:
    """Choose the name of a new evaluation; None if this very one is there already."""
    with _lock:
        written = _written.setdefault((run.run_id, name, data_name), _Written())
        _written.move_to_end((run.run_id, name, data_name))
        while len(_written) > _MAX_WRITTEN:
            _written.popitem(last=False)
        if mark in written.marks:
            return None
        written.marks.append(mark)
        written.count += 1
        number = "" if written.count == 1 else f"-{written.count}"
    return f"{name}{number}_{data_name}"


def _forget(run: RunHandle, name: str, data_name: str, mark: Mark) -> None:
    """What was not accepted may come again."""
    with _lock:
        written = _written.get((run.run_id, name, data_name))
        if written is not None and mark in written.marks:
            written.marks.remove(mark)


def _told(arguments: Mapping[str, Any]) -> Mark:
    """What a metric was given, to know it again: data by its content, and unlike anything else if it can't be read."""
    told: list[object] = []
    for name, value in arguments.items():
        plain = value is None or type(value) in (bool, int, float, str)
        told += [name, value if plain else _links.same_data(value) or object()]
    return tuple(told)


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


def _name_of(args: tuple[Any, ...], kwargs: dict[str, Any], frame: FrameType, method: str) -> str:
    """What the calling code calls the data; the metric's name ends with it, as MLflow's does."""
    given = [*args, *kwargs.values()]
    position = 0 if args else next((i for i, name in enumerate(kwargs) if name == "X"), 0)
    if len(given) <= position or given[position] is None:
        return UNKNOWN_DATA
    if sys.version_info < (3, 13) and frame.f_code.co_flags & inspect.CO_OPTIMIZED:
        # Reading f_locals of a function would here change the dict that its own locals() has returned.
        names = _names_in_call(frame.f_code, frame.f_lasti, method)
        name = names[position] if len(names) == len(given) else None
    else:
        name = _name_in(frame.f_locals, given[position])
    return name or _name_in(frame.f_globals, given[position]) or UNKNOWN_DATA


def _name_in(variables: Mapping[str, Any], data: Any) -> str | None:
    found = (name for name, value in list(variables.items()) if value is data and not name.startswith("_"))
    return next(found, None)


@functools.lru_cache(maxsize=1024)
def _names_in_call(code: CodeType, offset: int, method: str) -> tuple[str | None, ...]:
    """The variables that ``….method(a, b=c)`` gives, None for other expressions; empty if no such call is there.

    Reads backwards: the instructions of one argument are those that leave one more value on the stack.
    """
    before = list(itertools.takewhile(lambda one: one.offset <= offset, dis.get_instructions(code)))
    if not before or before[-1].opname != "CALL":
        return ()
    wanted, names, depth, length = before[-1].arg or 0, list[str | None](), 0, 0
    chosen = False
    for opname in ("CALL", "PRECALL", "KW_NAMES"):
        if before and before[-1].opname == opname:
            chosen |= before.pop().is_jump_target
    while before and len(names) < wanted:
        one = before.pop()
        if chosen or one.is_jump_target:  # a condition chooses between expressions
            return ()
        depth, length = depth + dis.stack_effect(one.opcode, one.arg), length + 1
        if depth == 1:
            is_variable = length == 1 and one.opname.startswith(("LOAD_FAST", "LOAD_DEREF"))
            names.append(one.argval if is_variable and not one.argval.startswith("_") else None)
            depth = length = 0
    called = before and before[-1].opname in ("LOAD_METHOD", "LOAD_ATTR") and before[-1].argval == method
    return tuple(reversed(names)) if called else ()
