"""scikit-learn's HTML diagram of an estimator, drawn from an outline so that it costs and calls next to nothing."""

from __future__ import annotations

import html as _html
from collections.abc import Hashable
from typing import Any

from fitbook.autolog.sklearn._known import is_known_class
from fitbook.autolog.sklearn._params import MASK, is_secret

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="UTF-8"/><title>{title}</title></head>
<body>
{body}
</body>
</html>
"""

# Diagrams drawn before: most of what one takes goes into reading the class's documentation, once for each parameter.
_pages: dict[Hashable, str] = {}
_MAX_PAGES = 100


def outline(estimator: Any) -> Any:
    """An unfitted stand-in of the same class and parameters, nested ones included.

    scikit-learn's diagram of a fitted estimator evaluates every property that it has: 80 ms for a forest of 200
    trees, code of the user's, and a filter on the process's warnings meanwhile. Of an outline it shows parameters only.
    Nothing is copied but references, no constructor is called, and what happens to the estimator later does not show,
    so that the diagram may be drawn on another thread. Values of secret parameters are masked.
    """
    return _outline(estimator, 0, {})


def html(estimator: Any) -> str:
    """scikit-learn's diagram of an estimator (or of its `outline`) as a page of its own.

    An estimator that can't be drawn is a page with its class name.
    """
    hollow = _outline(estimator, 0, {})
    mark = _mark(hollow, set())
    if mark is None:
        return _drawn(hollow)
    page = _pages.get(mark)
    if page is None:
        if len(_pages) >= _MAX_PAGES:
            _pages.clear()
        page = _pages[mark] = _drawn(hollow)
    return page


def _mark(value: Any, seen: set[int]) -> Hashable | None:
    """What all about a diagram follows from; None if it can't be told without code of the user's, or is entangled."""
    cls = type(value)
    if value is None or cls in (bool, int, float, str):
        return cls, repr(value)
    if id(value) in seen:
        return None
    seen.add(id(value))
    parts: list[Any] = []
    if cls in (list, tuple):
        parts += value
    elif is_known_class(cls) and hasattr(cls, "get_params"):
        for name, part in value.__dict__.items():
            if name != "__init__":
                parts += [name, part]
    else:
        return None
    marks = tuple(_mark(part, seen) for part in parts)
    return None if None in marks else (cls, marks)


def _drawn(hollow: Any) -> str:
    name = type(hollow).__name__
    if _asks_strangers(hollow, set()):
        return _PAGE.format(title=_html.escape(name), body=f"<p>{_html.escape(name)}</p>")
    try:
        from sklearn.utils import estimator_html_repr  # noqa: PLC0415

        body = str(estimator_html_repr(hollow))
    except Exception as error:
        body = f"<p>{_html.escape(name)} can't be drawn: {_html.escape(type(error).__name__)}</p>"
    return _PAGE.format(title=_html.escape(name), body=body)


# What drawing would call of a class of the user's.
_OWN_LOOKS = (
    "__getattr__",
    "__getattribute__",
    "__repr__",
    "__str__",
    "_repr_html_",
    "_sk_visual_block_",
    "get_params",
)


def _asks_strangers(value: Any, seen: set[int]) -> bool:
    """Whether drawing an outline would run code of a class that no known library has."""
    if id(value) in seen:
        return False
    seen.add(id(value))
    if type(value) in (list, tuple):
        return any(_asks_strangers(part, seen) for part in value)
    if not hasattr(type(value), "get_params"):
        return False
    own = (cls for cls in type(value).__mro__ if cls is not object and not is_known_class(cls))
    if any(name in cls.__dict__ for cls in own for name in _OWN_LOOKS):
        return True
    return any(_asks_strangers(part, seen) for part in value.__dict__.values())


def _outline(value: Any, depth: int, made: dict[int, Any]) -> Any:
    cls = type(value)
    if depth > 20:
        return value
    if cls in (list, tuple) and len(value) <= 1_000:
        return cls(_outline(v, depth + 1, made) for v in value)
    if cls is dict and len(value) <= 1_000:
        return {k: _masked(k, v, depth, made) for k, v in value.items()}
    if not (hasattr(cls, "get_params") and hasattr(cls, "fit") and hasattr(value, "__dict__")):
        return value
    if id(value) in made:  # estimators may refer to each other
        return made[id(value)]
    hollow = made[id(value)] = object.__new__(cls)
    for name, attribute in value.__dict__.items():
        if not name.startswith("_") and not name.endswith("_"):  # what is learnt ends in "_" by convention
            hollow.__dict__[name] = _masked(name, attribute, depth, made)
    if cls.__init__ is object.__init__:
        # The diagram asks for its signature. That of a builtin is parsed as text, and in Python 3.11 an ``ast.parse`` on
        # this thread makes one that the user's is in the middle of fail.
        hollow.__dict__["__init__"] = _without_parameters
    return hollow


def _masked(name: object, value: Any, depth: int, made: dict[int, Any]) -> Any:
    return MASK if isinstance(name, str) and is_secret(name, value) else _outline(value, depth + 1, made)


def _without_parameters() -> None:
    """Stand in for the constructor of a class that has none of its own."""
