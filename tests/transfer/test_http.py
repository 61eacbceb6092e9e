from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fitbook.errors import InvalidValue, NotFound, StoreUnavailable
from fitbook.transfer import _http, open_source
from fitbook.transfer._http import Client

SEARCH = "mlflow/experiments/search"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited, instead of waiting."""
    found: list[float] = []
    monkeypatch.setattr(_http, "_sleep", found.append)
    return found


@pytest.fixture
def server(theirs: Any, serve: Any) -> Any:
    return serve(theirs)


def status(send: Any, code: int, body: bytes = b"busy") -> Callable[[Any], bool]:
    def fault(handler: Any) -> bool:
        send(handler, code, body)
        return True

    return fault


def hang_up(handler: Any) -> bool:
    handler.close_connection = True
    handler.connection.close()
    return True


def test_what_may_work_the_next_time_is_tried_again(server: Any, send: Any, pauses: list[float]) -> None:
    cut = lambda handler: send(handler, 200, b'{"experiments": [', 900) or hang_up(handler)  # noqa: E731
    server.faults = [status(send, 500), status(send, 429), hang_up, cut, status(send, 503)]
    answer = Client(server.url).post(SEARCH, {})
    assert len(answer["experiments"]) == 2
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0]


def test_a_server_says_how_long_to_wait(server: Any, pauses: list[float]) -> None:
    def slow_down(handler: Any) -> bool:
        handler.send_response(429)
        handler.send_header("Retry-After", "7")
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return True

    server.faults = [slow_down]
    Client(server.url).post(SEARCH, {})
    assert pauses == [7.0]


def test_after_some_tries_it_is_said(server: Any, send: Any, pauses: list[float]) -> None:
    server.faults = [status(send, 502)] * 6
    with pytest.raises(StoreUnavailable, match="answers 502.*busy"):
        Client(server.url).post(SEARCH, {})
    assert len(pauses) == 5
    server.faults = [hang_up] * 6
    with pytest.raises(StoreUnavailable, match=r"can't be reached.*Tried 6 times"):
        Client(server.url).post(SEARCH, {})


def test_what_is_wrong_is_not_tried_again(server: Any, send: Any, pauses: list[float]) -> None:
    server.faults = [status(send, 400, b'{"error_code": "INVALID", "message": "bad page"}')]
    with pytest.raises(StoreUnavailable, match="400 INVALID: bad page"):
        Client(server.url).post(SEARCH, {})
    with pytest.raises(NotFound, match="no such thing"):
        Client(server.url).get("mlflow/nothing")
    assert (pauses, len(server.asked)) == ([], 2)


@pytest.mark.parametrize("code", [401, 403])
def test_a_refusal_names_the_variables(server: Any, send: Any, code: int) -> None:
    server.faults = [status(send, code)]
    with pytest.raises(StoreUnavailable, match="MLFLOW_TRACKING_USERNAME"):
        Client(server.url).post(SEARCH, {})


def test_who_logs_in(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def sent(url: str) -> str | None:
        Client(url).post(SEARCH, {})
        return server.headers[-1].get("Authorization")  # type: ignore[no-any-return]

    basic = "Basic " + base64.b64encode(b"ada:pw").decode()
    assert sent(server.url) is None
    assert sent(server.url.replace("http://", "http://ada:pw@")) == basic
    odd = "Basic " + base64.b64encode(b"ada@home:p/w").decode()
    assert sent(server.url.replace("http://", "http://ada%40home:p%2Fw@")) == odd
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "tok")
    assert sent(server.url) == "Bearer tok"
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ada")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "pw")
    assert sent(server.url) == basic


def test_a_redirection_does_not_carry_the_password_away(
    theirs: Any, server: Any, serve: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    other = serve(theirs)

    def redirect(handler: Any) -> bool:
        handler.send_response(302)
        handler.send_header("Location", other.url + "/elsewhere")
        handler.send_header("Content-Length", "0")
        handler.end_headers()
        return True

    server.faults = [redirect]
    with pytest.raises(NotFound):
        Client(server.url).get("mlflow/anything")
    assert server.headers[-1]["Authorization"] == "Bearer secret"
    assert "Authorization" not in other.headers[-1]


def test_a_file_that_was_cut_is_downloaded_again(
    server: Any, send: Any, run_id: Any, pauses: list[float], tmp_path: Path
) -> None:
    server.faults = [lambda handler: send(handler, 200, b"only a part", 90_000) or hang_up(handler)]
    address = Client(server.url).address(f"mlflow-artifacts/artifacts/1/{run_id(1)}/artifacts/raw.bin")
    Client(server.url).download(address, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == bytes(range(256)) * 500
    assert len(pauses) == 1


@pytest.mark.parametrize("body", [b"<html>A page</html>", b"[1]", b""])
def test_another_server_is_told_apart(server: Any, send: Any, body: bytes) -> None:
    server.faults = [status(send, 200, body)]
    with pytest.raises(StoreUnavailable, match="is not an MLflow server"):
        open_source(server.url)
    server.faults = [status(send, 404, body)]
    with pytest.raises(StoreUnavailable, match="is not an MLflow server"):
        open_source(server.url)


@pytest.mark.parametrize("url", ["http://", "https:///x", "ftp://host", "http:host"])
def test_addresses_that_are_none(url: str) -> None:
    with pytest.raises(InvalidValue, match="not the address of a server"):
        Client(url)


def test_a_page_that_leads_to_itself_ends(server: Any, send: Any) -> None:
    same = status(send, 200, b'{"experiments": [{"n": 1}], "next_page_token": "t"}')
    server.faults = [same, same, same]
    assert len(list(Client(server.url).pages(SEARCH, "experiments", {}, post=True))) == 2
