"""`SqlStore`: the store contract on any database that SQLAlchemy reaches."""

from __future__ import annotations

import weakref
from contextlib import AbstractContextManager

from fitbook.store._database import Database
from fitbook.store._failures import retrying
from fitbook.store._locks import exclusive
from fitbook.store._sql._collecting import SqlCollecting
from fitbook.store._sql._completing import SqlCompleting
from fitbook.store._sql._files import SqlFiles
from fitbook.store._sql._models import SqlModels
from fitbook.store._sql._searching import SqlSearching

__all__ = ["SqlStore"]


@retrying
class SqlStore(SqlSearching, SqlCompleting, SqlFiles, SqlModels, SqlCollecting):
    """Experiments and runs in SQL tables; see `SqlPart` for the parameters."""

    def __init__(self, database: Database, artifact_root: str) -> None:
        super().__init__(database, artifact_root)
        database.fill = weakref.WeakMethod(self._ensure_default_experiment)
        self._ensure_default_experiment()

    def exclusively(self, name: str) -> AbstractContextManager[None]:
        return exclusive(self.database, name)

    def generation(self) -> int:
        return self.database.generation()

    def close(self) -> None:
        self.database.close()
