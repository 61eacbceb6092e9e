"""The outermost fit is a run: the hook around every ``fit``, and how its context reaches worker threads."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Protocol

from fitbook.autolog._guard import inside, quietly
from fitbook.tracking import _active
from fitbook.tracking._writer import writer


class Record(Protocol):
    """What takes down one fit."""

    def ended(self, result: Any) -> None:
        """The fit has returned."""

    def failed(self, error: BaseException) -> None:
        """The fit has raised."""


Begin = Callable[[Any, str, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Record | None]


def hook_fit(original: Callable[..., Any], begin: Begin) -> Callable[..., Any]:
    """Wrap a fitting method so that its outermost call is recorded.

    Parameters
    ----------
    original : function
        The method; what it returns or raises reaches the caller untouched.
    begin : callable
        Opens the record, given estimator, method name, method, args and kwargs; None if this fit is not to be recorded.
    """
    method = original.__name__

    @functools.wraps(original)
    def fit(self: Any, *args: Any, **kwargs: Any) -> Any:
        if inside.get():
            return original(self, *args, **kwargs)
        record = None
        with quietly("beginning the record of a fit"):
            record = begin(self, method, original, args, kwargs)
        if record is None:
            return original(self, *args, **kwargs)
        token = inside.set(True)
        try:
            with writer.busy():
                result = original(self, *args, **kwargs)
        except BaseException as error:
            with quietly("recording a failed fit"):
                record.failed(error)
            raise
        finally:
            inside.reset(token)
        with quietly("recording a fit"):
            record.ended(result)
        return result

    return fit


def hook_batch_init(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the making of a joblib batch, so that it remembers what it was made inside of."""

    @functools.wraps(original)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        original(self, *args, **kwargs)
        # joblib pickles a batch by its own list of parts, so this goes to threads and never to other processes.
        self._fitbook = (inside.get(), _active.stack())

    return __init__


def hook_batch_call(original: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap the running of a joblib batch: a worker thread is as much inside a fit as the thread that sent it."""

    @functools.wraps(original)
    def __call__(self: Any) -> Any:  # noqa: N807
        was_inside, runs = getattr(self, "_fitbook", (False, ()))
        if not was_inside and not runs:
            return original(self)
        token, before = inside.set(was_inside), _active.stack()
        _active.set_stack(runs)
        try:
            return original(self)
        finally:
            _active.set_stack(before)
            inside.reset(token)

    return __call__
