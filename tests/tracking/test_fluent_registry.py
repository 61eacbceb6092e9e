"""The module-level verbs on registered models."""

from __future__ import annotations

from pathlib import Path

import pytest
from sklearn.dummy import DummyClassifier

import fitbook
import fitbook.sklearn
from fitbook.entities import Dataset, DatasetInput
from fitbook.errors import InvalidValue, NotFound
from fitbook.tracking import _context


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
            "runs:/0/m",  # no model is known there by an id
            {"k": "v", "fitbook.parent_version": "m/1"},
        )
    for wrong in ("runs:/0/m", "models:/m-" + "0" * 32, "./here"):
        with pytest.raises(InvalidValue, match="no version of a registered model"):
            client.copy_model_version(wrong, "n")
    with pytest.raises(NotFound):
        client.copy_model_version("models:/m/9", "n")


@pytest.mark.parametrize("where", ["run", "folder"])
def test_a_copy_outlives_the_version_that_it_was_made_of(where: str, client: fitbook.Client, tmp_path: Path) -> None:
    first, second = DummyClassifier().fit([[0]], [1]), DummyClassifier().fit([[0]], [2])
    for name, model in (("first", first), ("second", second)):
        fitbook.sklearn.save_model(model, tmp_path / name)
        with fitbook.start_run():
            info = fitbook.sklearn.log_model(model, name)
        fitbook.register_model(info.model_uri if where == "run" else str(tmp_path / name), "c")
    client.copy_model_version("models:/c/1", "d")
    client.copy_model_version("models:/d/1", "e")
    client.delete_registered_model("d")
    client.delete_registered_model("c")
    assert fitbook.sklearn.load_model("models:/e/1").predict([[0]]) == [1]
    with fitbook.start_run():
        fitbook.sklearn.log_model(second, "again", registered_model_name="d")
    assert fitbook.sklearn.load_model("models:/e/1").predict([[0]]) == [1]


def test_old_names(client: fitbook.Client) -> None:
    assert client.get_registered_model_details("m") == client.get_registered_model("m")
    assert client.get_model_version_details("m", 1) == client.get_model_version("m", 1)
    assert client.get_model_version_stages("m", 1) == ["None", "Staging", "Production", "Archived"]
    with pytest.raises(NotFound):
        client.get_model_version_stages("m", 2)


def test_moves_have_a_history_with_the_user_s_name(client: fitbook.Client) -> None:
    client.set_registered_model_alias("m", "best", 1, reason="the only one")
    client.transition_model_version_stage("m", 1, "Production", reason="go")
    client.delete_registered_model_alias("m", "best")
    user = _context.user_name()
    entries = client.get_model_history("m")
    assert [(e.old, e.new, e.reason, e.user_id) for e in entries] == [
        ("1", None, "", user),
        ("None", "Production", "go", user),
        (None, "1", "the only one", user),
    ]
    [undone] = client.undo_model_move("m", reason="too early")
    assert (undone.alias, undone.new, undone.undoes) == ("best", "1", entries[0].number)
    assert client.get_model_version_by_alias("m", "best").version == 1
    assert client.get_model_history("m", 1) == [undone]
    assert entries[1].to_dictionary()["figures"] == {}
    client.delete_model_version("m", 1)
    client.delete_registered_model("m")
    assert {e.user_id for e in client.get_model_history("m")} == {user}


def test_lineage_names_run_data_and_parent(client: fitbook.Client) -> None:
    data = Dataset("iris", "abc123")
    with fitbook.start_run() as run:
        fitbook.Client().log_inputs(run.info.run_id, [DatasetInput(data)])
        model = DummyClassifier().fit([[0]], [0])
        fitbook.sklearn.log_model(model, "model", registered_model_name="n")
    found = client.get_model_lineage("n", 1)
    assert (found.run_id, found.parent, found.datasets) == (run.info.run_id, None, (DatasetInput(data),))
    [logged] = client._store.list_logged_models(run.info.run_id)
    assert found.sha256 == logged.sha256 != ""
    later = fitbook.register_model(f"runs:/{run.info.run_id}/model", "n", tags={"fitbook.parent_version": "n/1"})
    assert client.get_model_lineage("n", later.version).parent == "n/1"
    copied = client.copy_model_version("models:/n/1", "o")
    assert client.get_model_lineage("o", copied.version).parent == "n/1"
    assert copied.tags["fitbook.parent_version"] == "n/1"
    assert client.get_model_lineage("o", copied.version).sha256 == found.sha256
    by_mlflow = client.create_model_version("o", "models:/n/2", run.info.run_id)
    assert client.get_model_lineage("o", by_mlflow.version).parent == "n/2"
    nowhere = client.get_model_lineage("m", 1)
    assert (nowhere.run_id, nowhere.datasets, nowhere.sha256) == (None, (), None)
    client.create_model_version("m", "runs:/x/model", "0" * 32)
    assert client.get_model_lineage("m", 2).datasets == ()
