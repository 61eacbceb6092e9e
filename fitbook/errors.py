"""The exception tree.

::

    FitbookError
    ├── InvalidValue          a name, key, value or filter that breaks a rule
    │   └── InvalidFilter     a search filter that can't be read; knows the place
    ├── NotFound              the thing asked for does not exist
    ├── AlreadyExists         the name is taken
    ├── WrongState            the thing exists, but is deleted, ended, or already active
    ├── ParamConflict         a parameter is written once; it has another value already
    ├── StoreUnavailable      the store can't be reached, opened or written
    │   └── StoreBusy         another process is at it, and was waited for in vain
    ├── StoreIncompatible     the store was written by a newer or unknown fitbook
    ├── DamagedFile           an artifact is not what was written
    ├── ModelError            a model can't be saved, read or used as asked
    │   ├── SchemaMismatch    the input of a prediction does not fit the model's signature
    │   └── UntrustedModel    a model's pickle could run code that nobody trusts
    └── IntegrationUnavailable   an autologging integration that was asked for by name can't run here

Every message says what was asked, what was found and what to do. ``error_code`` is the word that MLflow's REST
protocol uses for the same failure, ``exit_code`` what the command line exits with.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class FitbookError(Exception):
    """Base of everything that fitbook raises on purpose."""

    error_code = "INTERNAL_ERROR"
    exit_code = 1


class InvalidValue(FitbookError, ValueError):
    """A name, key or value breaks a rule."""

    error_code = "INVALID_PARAMETER_VALUE"
    exit_code = 2


class InvalidFilter(InvalidValue):
    """A search filter or ordering that can't be understood.

    Parameters
    ----------
    text : str
        The whole filter.
    position : int
        Where in ``text`` the trouble starts, counted from 0.
    reason : str
        What is wrong there, and what would be right.
    """

    def __init__(self, text: str, position: int, reason: str) -> None:
        self.text, self.position, self.reason = text, position, reason
        super().__init__(f"Cannot read the filter at character {position + 1}: {reason}\n  {text}\n  {' ' * position}^")


class NotFound(FitbookError, LookupError):
    """What was asked for does not exist.

    Parameters
    ----------
    kind : str
        The kind of thing, e.g. ``"run"``.
    key : object
        What was asked for.
    known : iterable of str, optional
        Names that do exist: the closest are offered.
    hint : str, optional
        What to do instead.
    """

    error_code = "RESOURCE_DOES_NOT_EXIST"
    exit_code = 3

    def __init__(self, kind: str, key: object, known: Iterable[str] = (), hint: str = "") -> None:
        self.kind, self.key = kind, key
        message = f"No {kind} {key!r}."
        known = list(known)
        near = get_close_matches(str(key), known, n=3)
        if near:
            message += f" Did you mean {' or '.join(map(repr, near))}?"
        elif known:
            message += f" There is: {', '.join(map(repr, known[:10]))}{' …' if len(known) > 10 else ''}."
        super().__init__(f"{message} {hint}".strip())


class AlreadyExists(FitbookError):
    """The name is taken."""

    error_code = "RESOURCE_ALREADY_EXISTS"

    def __init__(self, kind: str, key: object, hint: str = "") -> None:
        self.kind, self.key = kind, key
        super().__init__(f"A {kind} {key!r} exists already. {hint}".strip())


class WrongState(FitbookError):
    """The thing exists, but its state forbids what was asked."""

    error_code = "INVALID_STATE"


class ParamConflict(FitbookError):
    """A parameter was logged before with another value."""

    error_code = "INVALID_PARAMETER_VALUE"

    def __init__(self, run_id: str, key: str, old: str, new: str) -> None:
        self.run_id, self.key, self.old, self.new = run_id, key, old, new
        super().__init__(
            f"Parameter {key!r} of run {run_id} is {_short(old)} and can't become {_short(new)}: a parameter is written "
            "once. Log the new value under another key or in another run, or correct it with correct_param()."
        )


class StoreUnavailable(FitbookError):
    """The store can't be reached, opened, or written."""

    error_code = "TEMPORARILY_UNAVAILABLE"
    exit_code = 4


class StoreBusy(StoreUnavailable):
    """Another process keeps the store locked, and was waited for in vain: nothing was written."""


class StoreIncompatible(FitbookError):
    """The store's schema is not one that this version of fitbook knows."""

    error_code = "INVALID_STATE"
    exit_code = 4


class DamagedFile(FitbookError):
    """An artifact's content is not what was written, or is gone.

    Parameters
    ----------
    run_id : str
        The run that it belongs to.
    path : str
        Its path within the run.
    expected, found : str
        What was noted when it was written, and what is there now.
    """

    error_code = "DATA_LOSS"
    exit_code = 4

    def __init__(self, run_id: str, path: str, expected: str, found: str) -> None:
        self.run_id, self.path, self.expected, self.found = run_id, path, expected, found
        super().__init__(
            f"The artifact {path!r} of run {run_id} is not what was written: found {found}, expected {expected}. It was "
            "changed by something else than fitbook, by two processes at once, or by a fault of the disk. Bring it back "
            "from a backup, or write or delete it anew with fitbook, which then takes it for right."
        )


class ModelError(FitbookError):
    """A model can't be saved, read or used as asked."""

    error_code = "BAD_REQUEST"


class SchemaMismatch(ModelError, ValueError):
    """The input of a prediction does not fit the model's signature."""


class UntrustedModel(ModelError):
    """A model is not loaded because its pickle could run code that nobody trusts, or crash the interpreter.

    Parameters
    ----------
    source : str
        Where it comes from.
    names : sequence of str
        What it names that is neither on fitbook's list nor trusted by the caller, as ``module.name``.
    reason : str
        What else is wrong with it, where no name is.
    """

    error_code = "PERMISSION_DENIED"
    exit_code = 5

    def __init__(self, source: str, names: Sequence[str] = (), reason: str = "") -> None:
        self.source, self.names, self.reason = source, list(names), reason
        if names:
            shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
            message = (
                f"The model {source} is not loaded: loading it would run code by names that fitbook does not know to be "
                f"harmless: {shown}. If you know who made it, load it with load_model(..., trusted={self.names!r}), or set "
                f"FITBOOK_TRUSTED={','.join(self.names)}."
            )
        else:
            message = (
                f"The model {source} is not loaded: {reason}. No fitted model's pickle does that; ask who made it. If you "
                "know that it is harmless, FITBOOK_ALLOW_UNSAFE_PICKLE=1 loads whatever there is."
            )
        super().__init__(message)


class IntegrationUnavailable(FitbookError):
    """An autologging integration that was asked for by name can't run here."""


def _short(value: str, limit: int = 60) -> str:
    return repr(value if len(value) <= limit else value[:limit] + "…")
