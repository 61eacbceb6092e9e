from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fitbook.errors import InvalidValue, StoreUnavailable
from fitbook.transfer import open_source


@pytest.mark.parametrize("form", ["mlruns", "folder", "uri", "database", "folder of the database", "url"])
def test_every_way_to_name_a_source(form: str, theirs: Any, mlruns: Any, database: Any, tmp_path: Path) -> None:
    files, other = tmp_path / "a" / "mlruns", tmp_path / "b" / "mlflow.db"
    mlruns(theirs, files)
    database(theirs, other)
    names = {
        "mlruns": files,
        "folder": files.parent,
        "uri": files.as_uri(),
        "database": other,
        "folder of the database": str(other.parent),
        "url": f"sqlite:///{other}",
    }
    source = open_source(names[form])
    assert len(list(source.experiments())) == 3
    source.close()


def test_what_is_no_source(theirs: Any, mlruns: Any, database: Any, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="nothing at"):
        open_source(tmp_path / "none")
    with pytest.raises(InvalidValue, match="not MLflow's"):
        open_source(tmp_path)
    with pytest.raises(InvalidValue, match="another machine"):
        open_source("file://host/mlruns")
    mlruns(theirs, tmp_path / "mlruns")
    database(theirs, tmp_path / "mlflow.db")
    with pytest.raises(InvalidValue, match="say which one"):
        open_source(tmp_path)
