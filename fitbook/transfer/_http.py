"""A small client of MLflow's REST protocol: JSON answers, pages, files; tries again what may work the next time."""

from __future__ import annotations

import base64
import http.client
import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from fitbook import settings
from fitbook._version import __version__
from fitbook.errors import InvalidValue, NotFound, StoreUnavailable
from fitbook.store._urls import hide_password

TRIES = 6
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 30.0  # seconds; the pause doubles from try to try
_AGAIN = (408, 429, 500, 502, 503, 504)
_sleep = time.sleep


class Client:
    """Reads from an MLflow server; safe to use from several threads.

    Every method raises `StoreUnavailable` if the server can't be reached, refuses, or does not answer in JSON, and
    `NotFound` for what it does not have.

    Parameters
    ----------
    url : str
        Where the server is; a user and password in it are used, else those of ``MLFLOW_TRACKING_USERNAME`` and
        ``MLFLOW_TRACKING_PASSWORD``, or the token of ``MLFLOW_TRACKING_TOKEN``.
    timeout : float
        Seconds that an answer may take.
    """

    def __init__(self, url: str, timeout: float = 60.0) -> None:
        try:
            parts = urlsplit(url)
            known = parts.scheme in ("http", "https") and parts.hostname and (parts.port or True)
        except ValueError:
            known = False
        if not known:
            raise InvalidValue(
                f"{hide_password(url)!r} is not the address of a server; write http://host:port or https://host."
            )
        host = parts.netloc.rpartition("@")[2]
        self.url = f"{parts.scheme}://{host}{parts.path.rstrip('/')}"
        self._timeout = timeout
        user = unquote(parts.username or "") or settings.MLFLOW_USERNAME.get()
        password = unquote(parts.password or "") or settings.MLFLOW_PASSWORD.get()
        token = settings.MLFLOW_TOKEN.get()
        self._authorization = ""
        if user or password:
            self._authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        elif token:
            self._authorization = f"Bearer {token}"

    def get(self, path: str, query: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Read one answer; ``path`` follows ``/api/2.0/``."""
        return self._json(path, self._request(self.address(path, query)))

    def post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Ask a question that has a body."""
        request = self._request(self.address(path))
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
        return self._json(path, request)

    def pages(self, path: str, items: str, asked: Mapping[str, Any], *, post: bool = False) -> Iterator[dict[str, Any]]:
        """Read a list to its end: the things under the name ``items``, from every page."""
        token = ""
        while True:
            page = {**asked, "page_token": token} if token else dict(asked)
            answer = self.post(path, page) if post else self.get(path, page)
            yield from answer.get(items) or ()
            following = str(answer.get("next_page_token") or answer.get("token") or "")
            if not following or following == token:
                return
            token = following

    def download(self, address: str, file: Path) -> None:
        """Copy what is at an address into a local file."""

        def copy(response: http.client.HTTPResponse) -> None:
            with file.open("wb") as opened:
                shutil.copyfileobj(response, opened, 1 << 20)
                # A connection that was cut reads like the end of the file.
                if response.length:
                    raise http.client.IncompleteRead(b"", response.length)

        self._send(self._request(address), copy)

    def address(self, path: str, query: Mapping[str, Any] | None = None, *, under: str = "/api/2.0/") -> str:
        """Write the address of a path of the server."""
        text = f"{self.url}{under}{quote(path)}"
        return f"{text}?{urlencode(query)}" if query else text

    # -- inside ------------------------------------------------------------------------------------------------------

    def _request(self, address: str) -> urllib.request.Request:
        request = urllib.request.Request(address, headers={"User-Agent": f"fitbook/{__version__}"})
        if self._authorization:
            # Not to be repeated to whatever host the server redirects to.
            request.add_unredirected_header("Authorization", self._authorization)
        return request

    def _json(self, path: str, request: urllib.request.Request) -> dict[str, Any]:
        content = self._send(request, lambda response: response.read())
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise StoreUnavailable(
                f"{self.url} is not an MLflow server: it answers {path!r} with {content[:60]!r}. Give the address at which "
                "MLflow's pages begin."
            )
        return answer

    def _send(self, request: urllib.request.Request, read: Any) -> Any:
        pause = _FIRST_PAUSE
        for attempt in range(1, TRIES + 1):
            wait = pause
            try:
                with urllib.request.urlopen(request, timeout=self._timeout) as response:
                    return read(response)
            except urllib.error.HTTPError as error:
                with error:
                    if error.code not in _AGAIN or attempt == TRIES:
                        raise self._refused(request, error) from None
                    wait = max(wait, _seconds(error.headers.get("Retry-After")))
            except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
                if attempt == TRIES:
                    reason = getattr(error, "reason", None) or error
                    raise StoreUnavailable(
                        f"The MLflow server {self.url} can't be reached: {reason}. Tried {TRIES} times."
                    ) from None
            _sleep(min(wait, _LONGEST_PAUSE))
            pause *= 2
        raise AssertionError("the last try returns or raises")

    def _refused(self, request: urllib.request.Request, error: urllib.error.HTTPError) -> Exception:
        said = error.read(2000).decode("utf-8", "replace")
        try:
            answer = json.loads(said)
            code, message = str(answer.get("error_code", "")), str(answer.get("message", ""))
        except (ValueError, AttributeError):
            code, message = "", " ".join(said.split())[:100]
        if error.code in (401, 403):
            return StoreUnavailable(
                f"The MLflow server {self.url} refuses access ({error.code}). Set MLFLOW_TRACKING_USERNAME and "
                "MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN."
            )
        if error.code == 404:
            return NotFound(
                "answer", urlsplit(request.full_url).path, hint=message if code else "Is it MLflow's address?"
            )
        return StoreUnavailable(f"The MLflow server {self.url} answers {error.code} {code}: {message}")


def _seconds(text: str | None) -> float:
    return float(text) if text and text.isdigit() else 0.0
