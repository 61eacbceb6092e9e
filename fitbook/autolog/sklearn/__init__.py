"""Autologging for scikit-learn: which hooks go where. What is recorded is in the files beside this one."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

from fitbook.autolog._guard import quietly, say
from fitbook.autolog._integration import Integration
from fitbook.autolog._session import FitHook, hook_fit
from fitbook.autolog._tasks import hook_parallel
from fitbook.autolog._warned import hook_show
from fitbook.autolog.sklearn import _links, _points, _streams
from fitbook.autolog.sklearn._boosters import hook_output
from fitbook.autolog.sklearn._fit import FitRecord, begin
from fitbook.autolog.sklearn._functions import hook_function
from fitbook.autolog.sklearn._points import POINTS, HookPoint, Role
from fitbook.autolog.sklearn._scoring import DisplayHook, MetricHook, ScoreHook, ScorerHook, hook_call, hook_predict
from fitbook.autolog.sklearn._steps import hook_steps

__all__ = ["POINTS", "HookPoint", "Role", "SklearnIntegration"]

# scikit-learn's mixin for set_output replaces methods of a new class once BaseEstimator has seen it.
_SET_OUTPUT = "_SetOutputMixin"


class SklearnIntegration(Integration):
    """Hooks for scikit-learn's estimators and metrics, the user's own estimators included."""

    name = "sklearn"
    distribution = "scikit-learn"
    supported = ((1, 5), (2,))
    modules = tuple(dict.fromkeys(point.module for point in POINTS))

    def __init__(self) -> None:
        super().__init__()
        self._fit_hook = FitHook(functools.partial(_begin_anew, self), "sklearn fit")

    def apply(self, module_name: str) -> None:
        """Put the hooks of one module in."""
        module = sys.modules[module_name]
        missing = []
        for point in POINTS:
            if point.module == module_name:
                target = getattr(module, point.path, None)
                if target is None or not self._apply(point, target):
                    missing.append(point)
        if missing:
            found = self.version()
            names = ", ".join(point.path for point in missing if point.since <= found)
            if names:
                say(f"this version of {module_name} can't be hooked everywhere; not recorded are: {names}")

    def disable(self) -> None:
        """Turn off, leave no trace, end all streams, and let go of copies of predictions."""
        super().disable()
        _streams.end_all()
        _links.forget_copies()

    def _apply(self, point: HookPoint, target: Any) -> bool:
        """Put the hooks of one point in; False if it is not what it was in the versions that are known."""
        method, cell = self.patches.method, self.patches.cell
        if point.role is Role.ESTIMATORS:
            for cls in (target, *_subclasses(target)):
                self._hook_class(cls)
            self._watch_new_classes(target)
            return True
        if point.role is Role.METRIC:
            # Every public metric checks its arguments first, and reaches the real one through this variable.
            return cell(target, "func", lambda metric: hook_call(metric, MetricHook(self, metric)))
        if point.role is Role.FUNCTION:
            return cell(target, "func", lambda function: hook_function(function, self))
        if point.role is Role.STEPS:
            return method(target, _points.STEP_METHOD, hook_steps)
        if point.role is Role.SCORER:
            return method(target, "__call__", lambda scorer: hook_call(scorer, ScorerHook(self, scorer)))
        if point.role is Role.DISPLAY:
            makers = {name: target.__dict__.get(name) for name in _points.DISPLAY_METHODS}
            for name, make in makers.items():
                if isinstance(make, classmethod):
                    self.patches.class_method(target, name, hook_call(make.__func__, DisplayHook(self, make.__func__)))
            return all(isinstance(make, classmethod) for make in makers.values())
        if point.role in (Role.OUTPUT, Role.WARNING):
            module: Any = sys.modules[point.module]
            return method(module, point.path, hook_output if point.role is Role.OUTPUT else hook_show)
        return method(target, "__call__", lambda original: hook_parallel(original, self))

    def _hook_class(self, cls: type) -> None:
        for name, hook in self._hooks():
            for owner in cls.__mro__:
                if name in owner.__dict__:
                    hooked = self.patches.method(owner, name, hook)
                    if not hooked and name == "fit" and callable(owner.__dict__[name]):
                        say(f"{owner.__name__}.fit is no Python function, so its fits are not recorded")
                    # Further up are those that super() leads to; they are patched with the classes they belong to.
                    break

    def _hooks(self) -> Iterator[tuple[str, Callable[[Callable[..., Any]], Callable[..., Any]]]]:
        for name in _points.FIT_METHODS:
            yield name, lambda original: hook_fit(original, self._fit_hook)
        for name in _points.STREAM_METHODS:
            yield name, lambda original: _streams.hook_partial_fit(original, self)
        for name in _points.PREDICT_METHODS:
            yield name, lambda original: hook_predict(original, self)
        for name in _points.SCORE_METHODS:
            yield name, lambda original: hook_call(original, ScoreHook(self, original))

    def _watch_new_classes(self, base: type) -> None:
        set_output = next((c for cls in _subclasses(base) for c in cls.__mro__ if c.__name__ == _SET_OUTPUT), None)
        if set_output is None:
            set_output = getattr(sys.modules.get("sklearn.utils._set_output"), _SET_OUTPUT, None)

        def has_set_output(cls: type) -> bool:
            return set_output is not None and issubclass(cls, set_output)

        def watch(owner: type, mine: Callable[[type], bool]) -> None:
            own = owner.__dict__.get("__init_subclass__")
            inherited = own.__func__ if own is not None else None

            def __init_subclass__(cls: Any, *args: Any, **kwargs: Any) -> None:
                if inherited is not None:
                    inherited(cls, *args, **kwargs)
                else:
                    super(owner, cls).__init_subclass__(*args, **kwargs)  # type: ignore[arg-type]
                if self.attached and mine(cls):
                    with quietly("hooking a new class"):
                        self._hook_class(cls)

            if inherited is not None:
                functools.update_wrapper(__init_subclass__, inherited)
            self.patches.class_method(owner, "__init_subclass__", __init_subclass__)

        watch(base, lambda cls: not has_set_output(cls))
        if set_output is not None:
            watch(set_output, lambda cls: issubclass(cls, base))


def _begin_anew(integration: Integration, estimator: Any, method: str, *call: Any) -> FitRecord | None:
    _streams.fit_begins(estimator)
    # `fit = lambda self, X: ...` has another name.
    return begin(integration, estimator, method if method in _points.FIT_METHODS else "fit", *call)


def _subclasses(cls: type) -> list[type]:
    found: dict[type, None] = {}
    waiting: list[type] = [cls]
    while waiting:
        subclasses: list[type] = type.__subclasses__(waiting.pop())
        for sub in subclasses:
            if sub not in found:
                found[sub] = None
                waiting.append(sub)
    return list(found)
