"""Searches of every store, also where each page takes the longest way."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fitbook.store import Store, open_store
from fitbook.store._sql import _finding
from fitbook.testing.search_suite import SearchSuite


class TestSqlite(SearchSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = open_store(tmp_path / "tracking")
        yield store
        store.close()


class TestShortWalks(TestSqlite):
    """So few runs are few, and walked through, that a page is found in any of the ways."""

    @pytest.fixture(autouse=True)
    def short(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_finding, "_FEW", 3)
        monkeypatch.setattr(_finding, "_WALKED", 2)


class TestPostgresql(SearchSuite):
    max_examples = 25

    @pytest.fixture
    def store(self, postgresql: str) -> Iterator[Store]:
        store = open_store(postgresql)
        yield store
        store.close()


class TestMariadb(SearchSuite):
    max_examples = 25

    @pytest.fixture
    def store(self, mariadb: str) -> Iterator[Store]:
        store = open_store(mariadb)
        yield store
        store.close()
