"""What `autolog` is to do: what the call says, else the environment, else pyproject.toml, else the defaults."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from fitbook import _validate, settings
from fitbook.autolog._config import EVERYTHING, Config, Selection
from fitbook.autolog.sklearn._findings import NAMES
from fitbook.errors import InvalidValue
from fitbook.tracking._promotion import check_names

PREFIX = "FITBOOK_AUTOLOG_"
TABLE = "tool.fitbook.autolog"


@dataclass(frozen=True, slots=True)
class _Kind:
    """What an option may be in TOML, and how it is read from an environment variable."""

    types: tuple[type, ...]
    read: Callable[[str], Any]
    expected: str

    def or_none(self) -> _Kind:
        """The same, where "none" is a value too."""
        return _Kind(
            self.types,
            lambda text: None if text.strip().lower() == "none" else self.read(text),
            f"{self.expected}, or none",
        )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _patterns(text: str) -> bool | tuple[str, ...]:
    try:
        return settings.flag(text)
    except ValueError:
        return _names(text)


def _label(text: str) -> int | str:
    return int(text) if text.strip().lstrip("-").isdecimal() else text


def _tags(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if not all(equals for _, equals, _ in pairs):
        raise ValueError(text)
    return {key.strip(): value.strip() for key, _, value in pairs}


_FLAG = _Kind((bool,), settings.flag, "true or false")
_WHOLE = _Kind((int,), int, "a whole number")
_NUMBER = _Kind((int, float), float, "a number")
_TEXT = _Kind((str,), str, "a text")
_NAMES = _Kind((str, list), _names, "a name or several")
_PATTERNS = _Kind((bool, str, list), _patterns, "true, false or patterns")

KINDS: dict[str, _Kind] = {
    "log_input_examples": _FLAG,
    "log_model_signatures": _FLAG,
    "log_models": _FLAG,
    "log_datasets": _FLAG,
    "disable": _FLAG,
    "exclusive": _FLAG,
    "disable_for_unsupported_versions": _FLAG,
    "silent": _FLAG,
    "extra_tags": _Kind((dict,), _tags, "keys with values (key=value,key=value)"),
    "max_tuning_runs": _WHOLE.or_none(),
    "log_post_training_metrics": _FLAG,
    "log_plots": _FLAG,
    "serialization_format": _TEXT,
    "registered_model_name": _TEXT,
    "promote": _TEXT,
    "pos_label": _Kind((int, str), _label, "a label"),
    "include": _NAMES,
    "exclude": _NAMES,
    "params": _PATTERNS,
    "metrics": _PATTERNS,
    "artifacts": _PATTERNS,
    "findings": _PATTERNS,
    "budget_ms": _NUMBER.or_none(),
    "budget_share": _NUMBER,
    "sampling": _FLAG,
    "explain": _FLAG,
    "resume_search": _FLAG,
    "progress": _FLAG.or_none(),
    "log_traces": _FLAG,
    "exclude_flavors": _NAMES,
}

# What says whether, and not how, there is autologging.
_SWITCHES = ("disable", "disable_for_unsupported_versions", "log_traces", "exclude_flavors")


def from_outside() -> tuple[dict[str, Any], list[str]]:
    """Options from the environment and from pyproject.toml, and what is wrong with the names there.

    Raises
    ------
    InvalidValue
        A value is of the wrong kind, or pyproject.toml can't be read.
    """
    options, complaints = _from_pyproject()
    fixed = {setting.name for setting in settings.ALL}
    for variable, text in os.environ.items():
        name = variable.removeprefix(PREFIX).lower()
        if not variable.startswith(PREFIX) or variable in fixed or text == "":
            continue
        if name not in KINDS:
            others = [*fixed, *(PREFIX + known.upper() for known in KINDS)]
            complaints.append(f"the environment variable {variable} means nothing{nearest(variable, others)}")
            continue
        try:
            options[name] = KINDS[name].read(text)
        except ValueError:
            raise InvalidValue(
                f"The environment variable {variable} is {text!r}; expected {KINDS[name].expected}."
            ) from None
    return options, complaints


def _from_pyproject() -> tuple[dict[str, Any], list[str]]:
    path, table = _nearest_table()
    complaints = [
        f"{path} has a key {key!r} in [tool.fitbook]; there is only 'autolog'" for key in table.keys() - {"autolog"}
    ]
    options = table.get("autolog", {})
    if not isinstance(options, dict):
        raise InvalidValue(f"In {path}, [{TABLE}] is {options!r}; make it a table of options.")
    known = {name: value for name, value in options.items() if name in KINDS}
    complaints += [
        f"{path} has an option {name!r} in [{TABLE}], which means nothing{nearest(name, KINDS)}"
        for name in options.keys() - known.keys()
    ]
    for name, value in known.items():
        if type(value) not in KINDS[name].types:
            raise InvalidValue(f"In {path}, {name} in [{TABLE}] is {value!r}; expected {KINDS[name].expected}.")
    return known, complaints


def _nearest_table() -> tuple[Path | None, dict[str, Any]]:
    """The table [tool.fitbook] of the nearest pyproject.toml, from the working directory upwards."""
    try:
        here = Path.cwd()
        path = next((p for folder in (here, *here.parents) if (p := folder / "pyproject.toml").is_file()), None)
        content = b"" if path is None else path.read_bytes()
    except OSError:  # no working directory any more, or nothing that this user may read: no options there
        return None, {}
    if b"tool.fitbook" not in content:
        return path, {}
    import tomllib  # noqa: PLC0415

    try:
        table = tomllib.loads(content.decode()).get("tool", {}).get("fitbook", {})
    except ValueError as error:
        raise InvalidValue(f"{path} can't be read, so neither can its [{TABLE}]: {error}.") from error
    if not isinstance(table, dict):
        raise InvalidValue(f"In {path}, [tool.fitbook] is {table!r}; make it a table.")
    return path, table


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence that says what may have been meant."""
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def config(options: Mapping[str, Any]) -> Config:
    """Check options, and put them into the form that autologging works with.

    Raises
    ------
    InvalidValue
        An option has a value that it can't have.
    """
    how = {name: value for name, value in options.items() if name not in _SWITCHES}
    for name in ("params", "metrics", "artifacts", "findings"):
        if name in how:
            how[name] = _selection(name, how[name])
    for name in ("include", "exclude"):
        chosen = how.pop(name, None)
        if chosen is not None:
            how[name] = _classes(name, chosen)
    how["extra_tags"] = dict(how.get("extra_tags") or {})
    made = Config(**how)
    _check(made)
    return made


def _selection(name: str, chosen: Any) -> Selection:
    if isinstance(chosen, bool):
        return EVERYTHING if chosen else Selection(())
    patterns = (chosen,) if isinstance(chosen, str) else chosen
    if not isinstance(patterns, (list, tuple, set, frozenset)) or not all(isinstance(p, str) and p for p in patterns):
        raise InvalidValue(f"{name} is {chosen!r}; give True, False, or patterns like 'training_*' and '!*_score'.")
    unwanted = tuple(pattern[1:] for pattern in patterns if pattern.startswith("!"))
    wanted = tuple(pattern for pattern in patterns if not pattern.startswith("!"))
    return Selection(wanted or ("*",), unwanted)


def _classes(name: str, chosen: Any) -> tuple[str | type, ...]:
    several = (chosen,) if isinstance(chosen, (str, type)) else chosen
    if not isinstance(several, (list, tuple, set, frozenset)) or not all(isinstance(c, (str, type)) for c in several):
        raise InvalidValue(f"{name} is {chosen!r}; give classes, or names like 'SVC' and 'sklearn.cluster'.")
    return tuple(several)


def _check(config: Config) -> None:
    if config.registered_model_name is not None:
        check_names(config.registered_model_name, config.promote)
    elif config.promote is not None:
        raise InvalidValue(f"promote={config.promote!r} is for registered models; give registered_model_name, too.")
    if config.serialization_format not in (None, "pickle", "cloudpickle"):
        raise InvalidValue(
            f"serialization_format is {config.serialization_format!r}; 'pickle' and 'cloudpickle' are possible."
        )
    tuning = config.max_tuning_runs
    if tuning is not None and (not isinstance(tuning, int) or tuning < 0):
        raise InvalidValue(f"max_tuning_runs is {tuning!r}; give a whole number, or None for all.")
    if config.budget_ms is not None and not _is_amount(config.budget_ms):
        raise InvalidValue(f"budget_ms is {config.budget_ms!r}; give milliseconds, or None for no limit.")
    if not _is_amount(config.budget_share):
        raise InvalidValue(f"budget_share is {config.budget_share!r}; give a share of the fit's time, such as 0.05.")
    for finding in (*config.findings.wanted, *config.findings.unwanted):
        if finding not in NAMES and not re.search(r"[*?\[]", finding):
            raise InvalidValue(
                f"There is no finding {finding!r}{nearest(finding, NAMES)}; there is {', '.join(NAMES)}."
            )
    for key, value in config.extra_tags.items():
        _validate.text(f"tag {_validate.key('tag', key)!r}", value)


def _is_amount(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf
