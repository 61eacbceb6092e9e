from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fitbook.store import Store, open_store
from fitbook.testing.completing_suite import CompletingSuite


class TestDirectory(CompletingSuite):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        store = open_store(tmp_path / "tracking")
        yield store
        store.close()


class TestMemory(CompletingSuite):
    @pytest.fixture
    def store(self) -> Iterator[Store]:
        store = open_store("sqlite://")
        yield store
        store.close()


class TestPostgresql(CompletingSuite):
    @pytest.fixture
    def store(self, postgresql: str) -> Iterator[Store]:
        store = open_store(postgresql)
        yield store
        store.close()


class TestMariadb(CompletingSuite):
    @pytest.fixture
    def store(self, mariadb: str) -> Iterator[Store]:
        store = open_store(mariadb)
        yield store
        store.close()
