"""The module-level verbs on registered models."""

from __future__ import annotations

from pathlib import Path

import pytest

import fitbook


def test_the_registry_is_where_the_runs_are(tmp_path: Path) -> None:
    client = fitbook.Client()
    for name in ("a", "b"):
        client.create_registered_model(name)
    client.create_model_version("a", "runs:/0/m")
    assert [model.name for model in fitbook.search_registered_models(order_by=["name DESC"])] == ["b", "a"]
    assert [model.name for model in fitbook.search_registered_models(1, "name = 'a'")] == ["a"]
    assert [version.version for version in fitbook.search_model_versions(filter_string="name = 'a'")] == [1]
    assert fitbook.get_registry_uri() == fitbook.get_tracking_uri()
    fitbook.set_registry_uri(fitbook.get_tracking_uri())
    fitbook.set_registry_uri("")
    with pytest.warns(fitbook.FitbookWarning, match="changes nothing"):
        fitbook.set_registry_uri(tmp_path / "elsewhere")
