"""Every environment variable that fitbook reads: name, type, default and one line of help. Standard library only."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from fitbook.errors import InvalidValue

T = TypeVar("T")


def flag(text: str) -> bool:
    """Read yes or no.

    Raises
    ------
    ValueError
        It is neither.
    """
    lowered = text.strip().lower()
    if lowered in ("1", "true", "yes", "on"):
        return True
    if lowered in ("0", "false", "no", "off", ""):
        return False
    raise ValueError(text)


def _duration(text: str) -> float:
    seconds = float(text)
    if 0 < seconds <= 1e9:
        return seconds
    raise ValueError(text)


_EXPECTED: dict[object, str] = {flag: "true or false", _duration: "a number of seconds above 0"}


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """One environment variable."""

    name: str
    parse: Callable[[str], T]
    default: T
    help: str

    def get(self) -> T:
        """The value now.

        Raises
        ------
        InvalidValue
            The variable is set to something that does not parse.
        """
        text = os.environ.get(self.name)
        if text is None or text == "":
            return self.default
        try:
            return self.parse(text)
        except ValueError:
            expected = _EXPECTED.get(self.parse, "a number")
            raise InvalidValue(f"The environment variable {self.name} is {text!r}; expected {expected}.") from None


TRACKING_URI = Setting("FITBOOK_TRACKING_URI", str, "./fitbook-runs", "Where runs and models are kept.")
EXPERIMENT_NAME = Setting("FITBOOK_EXPERIMENT_NAME", str, "Default", "The experiment that new runs belong to.")
RUN_ID = Setting("FITBOOK_RUN_ID", str, "", "Id of an existing run that the first start_run() resumes.")
RUN_LEASE = Setting(
    "FITBOOK_RUN_LEASE",
    _duration,
    60.0,
    "Seconds after which a run whose process has died becomes FAILED; a live one says so three times in that.",
)
UNATTENDED_RUN_LEASE = Setting(
    "FITBOOK_UNATTENDED_RUN_LEASE",
    _duration,
    7 * 86400.0,
    "Seconds after which a run that Client.create_run() began, and nobody has ended, becomes FAILED.",
)
SQLITE_TIMEOUT = Setting(
    "FITBOOK_SQLITE_TIMEOUT", float, 30.0, "Seconds that a write waits for another process's write lock."
)
AUTOLOG_STORE_TIMEOUT = Setting(
    "FITBOOK_AUTOLOG_STORE_TIMEOUT", float, 2.0, "Seconds that a fit waits at most for a locked store."
)
PENDING_MB = Setting("FITBOOK_PENDING_MB", float, 64.0, "Megabytes that may wait for the background writer.")
EXIT_TIMEOUT = Setting(
    "FITBOOK_EXIT_TIMEOUT", float, 60.0, "Seconds that the interpreter's exit waits for the background writer at most."
)
S3_ENDPOINT_URL = Setting(
    "MLFLOW_S3_ENDPOINT_URL", str, "", "Address of an S3 service other than Amazon's; AWS_ENDPOINT_URL works as well."
)
MLFLOW_USERNAME = Setting("MLFLOW_TRACKING_USERNAME", str, "", "The user that `fitbook import mlflow` logs in with.")
MLFLOW_PASSWORD = Setting("MLFLOW_TRACKING_PASSWORD", str, "", "The password of that user.")
MLFLOW_TOKEN = Setting("MLFLOW_TRACKING_TOKEN", str, "", "The token that stands in for user and password.")
TRUSTED = Setting(
    "FITBOOK_TRUSTED", str, "", "Names, separated by commas, that models may hold besides those that fitbook knows."
)
TRUSTED_FILE = Setting(
    "FITBOOK_TRUSTED_FILE",
    str,
    "~/.config/fitbook/trusted.txt",
    "A file of such names, one a line; # begins a comment.",
)
KEY_FILE = Setting(
    "FITBOOK_KEY_FILE",
    str,
    "~/.config/fitbook/own-models.key",
    "The key by which your own models are known; made when the first is saved.",
)
ALLOW_UNSAFE_PICKLE = Setting(
    "FITBOOK_ALLOW_UNSAFE_PICKLE", flag, False, "Load every model whatever it does, with a warning each time."
)
DEBUG = Setting(
    "FITBOOK_DEBUG", flag, False, "Print the traceback of whatever autologging swallowed to standard error."
)

ALL: tuple[Setting[object], ...] = tuple(v for v in list(globals().values()) if isinstance(v, Setting))
