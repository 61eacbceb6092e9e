from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

import fitbook
from fitbook.errors import InvalidValue
from fitbook.store import open_store
from fitbook.store._urls import hide_password
from fitbook.transfer import open_source


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql+psycopg://ada:s3cret@host:5432/db", "postgresql+psycopg://ada:***@host:5432/db"),
        ("postgresql+psycopg://ada:s3cret@host:port/db", "postgresql+psycopg://ada:***@host:port/db"),
        ("postgresql+psycopg://ada:s3c/r@et@host:port/db", "postgresql+psycopg://ada:***@host:port/db"),
        ("postgresql+psycopg:///db?host=h&password=s3cret", "postgresql+psycopg:///db?host=h&password=***"),
        ("sqlite:////home/ada/runs.db", "sqlite:////home/ada/runs.db"),
    ],
)
def test_passwords_are_not_shown(url: str, shown: str) -> None:
    assert hide_password(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://ada:s3cret@host:port/db",
        "postgresql+nosuch://ada:s3cret@host/db",
        "postgres://ada:s3cret@host/db",
        "http://ada:s3cret@/path",
        "http://ada:s3cret@[host/path",
        "http://ada:s3cret@host:port/path",
    ],
)
def test_errors_about_urls_do_not_show_their_passwords(url: str) -> None:
    every: dict[str, Sequence[Callable[[str], object]]] = {
        "http": [open_source],
        "postgresql+psycopg": [open_store, fitbook.set_tracking_uri, open_source],
    }
    for use in every.get(url.partition(":")[0], [open_store]):
        with pytest.raises(InvalidValue) as caught:
            use(url)
        assert "s3cret" not in str(caught.value)
