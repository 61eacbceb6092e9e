"""The module-level verbs on registered models."""

from __future__ import annotations

from pathlib import Path

import pytest

import fitbook
from fitbook.errors import InvalidValue, NotFound


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


@pytest.fixture
def client() -> fitbook.Client:
    client = fitbook.Client()
    client.create_registered_model("m")
    client.create_model_version("m", "runs:/0/m", tags={"k": "v"}, description="first")
    return client


def test_tags_of_versions_by_number_or_stage(client: fitbook.Client) -> None:
    client.transition_model_version_stage("m", 1, "Staging")
    fitbook.set_model_version_tag("m", "1", "a", 1)
    client.set_model_version_tag("m", key="b", value=2, stage="Staging")
    client.delete_model_version_tag("m", key="k", stage="Staging")
    assert dict(client.get_model_version("m", 1).tags) == {"a": "1", "b": "2"}
    for wrong in ({"key": "a", "value": 1}, {"version": 1, "stage": "Staging", "key": "a", "value": 1}):
        with pytest.raises(InvalidValue, match="either the version of the model 'm' or a stage"):
            client.set_model_version_tag("m", **wrong)
    for wrong in ({"key": "a"}, {"value": 1}):
        with pytest.raises(InvalidValue, match="needs (key|value)="):
            client.set_model_version_tag("m", 1, **wrong)
    with pytest.raises(InvalidValue, match="needs key="):
        client.delete_model_version_tag("m", 1)


def test_a_version_is_copied_to_another_model(client: fitbook.Client) -> None:
    client.set_registered_model_alias("m", "best", 1)
    for uri, number in (("models:/m@best", 1), ("models:/m/1", 2)):
        copied = client.copy_model_version(uri, "n")
        assert (copied.name, copied.version, copied.source, dict(copied.tags)) == (
            "n",
            number,
            "models:/m/1",
            {"k": "v"},
        )
    for wrong in ("runs:/0/m", "models:/m-" + "0" * 32, "./here"):
        with pytest.raises(InvalidValue, match="no version of a registered model"):
            client.copy_model_version(wrong, "n")
    with pytest.raises(NotFound):
        client.copy_model_version("models:/m/9", "n")


def test_old_names(client: fitbook.Client) -> None:
    assert client.get_registered_model_details("m") == client.get_registered_model("m")
    assert client.get_model_version_details("m", 1) == client.get_model_version("m", 1)
    assert client.get_model_version_stages("m", 1) == ["None", "Staging", "Production", "Archived"]
    with pytest.raises(NotFound):
        client.get_model_version_stages("m", 2)
