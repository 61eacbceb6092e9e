"""The one door through which every pickle of every flavor is loaded, and who may open it for what.

A pickle is a program. It is loaded if it names nothing but what is on fitbook's list or what the caller trusts, and if what
it builds holds together; or as it is, if it is the user's own work, byte for byte, or the user has turned all of this off.
"""

from __future__ import annotations

import contextlib
import hashlib
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path

from fitbook import settings
from fitbook._log import FitbookWarning
from fitbook.errors import InvalidValue, ModelError, UntrustedModel
from fitbook.flavors._allowed import allowed
from fitbook.flavors._contents import Contents
from fitbook.flavors._nodes import Refused
from fitbook.flavors._scan import Scanner
from fitbook.flavors._unpickler import load_anything, load_permitted

_trusted: ContextVar[frozenset[str]] = ContextVar("fitbook_trusted", default=frozenset())
_own: ContextVar[Callable[[], Collection[str]]] = ContextVar("fitbook_own", default=tuple)


@contextlib.contextmanager
def trusting(names: Iterable[str]) -> Iterator[None]:
    """Trust exact names of classes and functions, e.g. ``"mypackage.features.Cleaner"``, while a model is loaded.

    Raises
    ------
    InvalidValue
        The names are no list of names.
    """
    if isinstance(names, (str, bool)) or not all(isinstance(name, str) for name in names):
        raise InvalidValue(f"trusted is a list of names like 'mypackage.features.Cleaner', not {names!r}.")
    token = _trusted.set(frozenset(names))
    try:
        yield
    finally:
        _trusted.reset(token)


@contextlib.contextmanager
def owning(digests: Callable[[], Collection[str]]) -> Iterator[None]:
    """Say what gives the digests (sha256, in hex) of files that are the user's own work; it is called if it matters."""
    token = _own.set(digests)
    try:
        yield
    finally:
        _own.reset(token)


def loads(data: bytes, *, source: str, also: Collection[str] = ()) -> object:
    """Unpickle a model.

    Unpickling can run any code, so nothing else in fitbook does it; a test keeps it the only place.

    Parameters
    ----------
    data : bytes
    source : str
        Where the bytes come from, for messages.
    also : collection of str
        Exact names, ``module.name``, that the flavor's library needs besides those on fitbook's list. They are the flavor's
        own, never read from a file.

    Raises
    ------
    UntrustedModel
        It names what nobody trusts, or would build what crashes the interpreter; nothing was imported or built.
    ModelError
        The pickle needs something that is not installed here, or is damaged.
    """
    if _is_own(data):
        return _loaded(lambda: load_anything(data), source)
    refusal = None
    try:
        permitted, unknown = _looked_at(data, set(also))
        if unknown:
            refusal = UntrustedModel(source, unknown)
    except EOFError as error:
        raise ModelError(f"The model {source} can't be unpickled: {error}. It is damaged.") from error
    except Refused as error:
        refusal = UntrustedModel(source, reason=str(error))
    if refusal is None:
        return _loaded(lambda: load_permitted(data, source, permitted), source)
    _let_pass(data, source, refusal)
    return _loaded(lambda: load_anything(data), source)


def check(look: Callable[[], object], data: bytes, *, source: str) -> None:
    """Look at a model in another format than pickle; raises `UntrustedModel` where that finds what would crash."""
    try:
        with _holding_together():
            look()
    except (Refused, EOFError) as error:
        _let_pass(data, source, UntrustedModel(source, reason=str(error)))


def look_at_contents(data: bytes) -> None:
    """Look at the contents of a pickle, whatever it names: of what another format has built, and this process pickled."""
    contents = Contents(data)
    scanner = Scanner(data, contents.called, contents.built)
    scanner.scan()
    contents.finish(scanner.nodes, scanner.filled, scanner.passed)


def check_program(data: bytes, name: str, *, source: str) -> None:
    """Let pass a script that is a model: it can do anything, so it is the user's own, or trusted by its file's name.

    Raises
    ------
    UntrustedModel
        It is neither.
    """
    if name not in trusted_names():
        _let_pass(data, source, UntrustedModel(source, [name]))


def _let_pass(data: bytes, source: str, refusal: UntrustedModel) -> None:
    """Raise what is given, unless the data are the user's own work, or everything is allowed, which is said."""
    if _is_own(data):
        return
    if not settings.ALLOW_UNSAFE_PICKLE.get():
        raise refusal
    digest = hashlib.sha256(data).hexdigest()
    warnings.warn(
        f"{settings.ALLOW_UNSAFE_PICKLE.name} is set: the model {source} (sha256 {digest}) is loaded whatever it does.",
        FitbookWarning,
        stacklevel=3,
    )


def _looked_at(data: bytes, trusted: set[str]) -> tuple[Collection[str], list[str]]:
    """The names that may be imported, and those that the pickle holds and nobody trusts."""
    listed = allowed()
    contents = Contents(data)
    scanner = Scanner(data, contents.called, contents.built)
    with _holding_together():
        scanner.scan()
        unknown = {name for name in scanner.called if name not in listed["call"]}
        unknown |= {name for name in scanner.made if name not in listed["make"]}
        unknown |= {name for name in scanner.passed if name not in listed["name"]}
        unknown |= {name for name in scanner.named if name not in listed["any"]}
        if unknown or scanner.called_again:
            trusted |= trusted_names()
            unknown = {name for name in unknown if name.replace(" ", ".") not in trusted}
        if not unknown and any(name.replace(" ", ".") not in trusted for name in scanner.called_again):
            raise Refused("it calls what it has made itself")
        if not unknown:
            contents.finish(scanner.nodes, scanner.filled, scanner.passed)
    return scanner.named, sorted(name.replace(" ", ".") for name in unknown)


@contextlib.contextmanager
def _holding_together() -> Iterator[None]:
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError, MemoryError) as error:
        raise Refused(f"what it builds does not hold together ({type(error).__name__}: {error})") from error


def trusted_names() -> set[str]:
    """What the caller, the environment and the user's file trust, as ``module.name``."""
    return {*_trusted.get(), *_names(settings.TRUSTED.get().split(",")), *_from_file()}


def _names(texts: Iterable[str]) -> Iterator[str]:
    return (text.strip() for text in texts if text.strip())


def _from_file() -> Iterator[str]:
    file = Path(settings.TRUSTED_FILE.get()).expanduser()
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return iter(())
    except (OSError, ValueError) as error:
        raise InvalidValue(f"The list of trusted names {file} can't be read: {error}.") from error
    return _names(line.partition("#")[0] for line in lines)


def _is_own(data: bytes) -> bool:
    return hashlib.sha256(data).hexdigest() in _own.get()()  # of the very bytes that are loaded, not of the file


def _loaded(load: Callable[[], object], source: str) -> object:
    try:
        return load()
    except UntrustedModel:
        raise
    except ImportError as error:
        raise ModelError(
            f"The model {source} needs {error.name or 'a module'!r}, which can't be imported here ({error}). "
            "Its requirements.txt says what to install."
        ) from error
    except Exception as error:
        raise ModelError(
            f"The model {source} can't be unpickled: {error!r}. It is damaged, or was saved with other versions of its "
            "libraries; its requirements.txt names them."
        ) from error
