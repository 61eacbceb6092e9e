"""Models by hand: log, save, load and register, by every form of URI."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

import fitbook
import fitbook.pyfunc
import fitbook.sklearn
from fitbook.errors import AlreadyExists, DamagedFile, InvalidValue, ModelError, NotFound
from fitbook.models import infer_signature
from fitbook.tracking import ModelInfo, get_model_info
from fitbook.tracking._models import PendingModel, freeze_model
from fitbook.tracking._writer import writer

X = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 0.0, 1.0, 0.0]})
Y = np.array([0.0, 1.0, 2.0, 3.0])


def _model(factor: float = 1.0) -> LinearRegression:
    return LinearRegression().fit(X, Y * factor)


def _factor(uri: str) -> float:
    """Which of the models above is at a URI."""
    return round(float(fitbook.sklearn.load_model(uri).predict(X)[-1]) / 3, 3)


@pytest.fixture
def info() -> ModelInfo:
    """A model in a run of its own."""
    with fitbook.start_run():
        return fitbook.sklearn.log_model(_model(), "model", input_example=X.head(2))


# -- logging, saving, loading ----------------------------------------------------------------------------------------


def test_a_logged_model_is_loaded_by_its_uris(info: ModelInfo) -> None:
    assert (info.artifact_path, info.model_uri) == ("model", f"runs:/{info.run_id}/model")
    for uri in (info.model_uri, f"models:/{info.model_id}", "runs:/latest/model"):
        assert np.allclose(fitbook.sklearn.load_model(uri).predict(X), Y)
        assert np.allclose(fitbook.pyfunc.load_model(uri).predict(X), Y)
    assert info.registered_model_version is None


def test_what_is_written_about_a_model(info: ModelInfo) -> None:
    found = get_model_info(info.model_uri)
    assert (found.run_id, found.model_id, found.artifact_path) == (info.run_id, info.model_id, "model")
    assert set(found.flavors) == set(info.flavors) == {"sklearn", "python_function"}
    assert found.signature == info.signature
    assert [column.name for column in found.signature.inputs] == ["a", "b"]


def test_the_files_of_a_model(info: ModelInfo) -> None:
    files = {file.path for file in fitbook.Client().list_artifacts(info.run_id, "model")}
    assert {"model/MLmodel", "model/model.pkl", "model/requirements.txt", "model/conda.yaml"} <= files
    (note,) = json.loads(fitbook.get_run(info.run_id).data.tags["mlflow.log-model.history"])
    assert (note["run_id"], note["artifact_path"], note["model_uuid"]) == (info.run_id, "model", info.model_id)


def test_a_model_is_saved_and_loaded_without_a_store(tmp_path: Path) -> None:
    fitbook.sklearn.save_model(_model(), tmp_path / "m", signature=infer_signature(X, Y))
    for place in (tmp_path / "m", str(tmp_path / "m"), (tmp_path / "m").as_uri()):
        assert np.allclose(fitbook.sklearn.load_model(place).predict(X), Y)
        assert np.allclose(fitbook.pyfunc.load_model(place).predict(X), Y)
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_a_saved_model_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    fitbook.sklearn.save_model(_model(), tmp_path / "m")
    before = (tmp_path / "m" / "model.pkl").read_bytes()
    with pytest.raises(AlreadyExists, match="m' exists already.*new or empty"):
        fitbook.sklearn.save_model(_model(2), tmp_path / "m")
    assert (tmp_path / "m" / "model.pkl").read_bytes() == before


def test_without_a_run_one_is_begun() -> None:
    info = fitbook.sklearn.log_model(_model(), name="m")
    assert fitbook.active_run().run_id == info.run_id
    assert info.artifact_path == "m"


def test_a_python_model() -> None:
    class Doubler(fitbook.pyfunc.PythonModel):
        def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
            return model_input * 2

    with fitbook.start_run():
        info = fitbook.pyfunc.log_model("double", python_model=Doubler(), registered_model_name="doubler")
    assert list(fitbook.pyfunc.load_model("models:/doubler/1").predict(pd.Series([1, 2]))) == [2, 4]
    with pytest.raises(ModelError, match="no flavor 'sklearn'; it has python_function.*pyfunc.load_model"):
        fitbook.sklearn.load_model(info.model_uri)


def test_several_models_in_one_run() -> None:
    with fitbook.start_run() as run:
        infos = [fitbook.sklearn.log_model(_model(n), f"m/{n}") for n in (1, 2)]
        assert len({info.model_id for info in infos}) == 2
        assert [_factor(info.model_uri) for info in infos] == [1, 2]
        assert len(json.loads(run.data.tags["mlflow.log-model.history"])) == 2
        assert [_factor(f"models:/{info.model_id}") for info in infos] == [1, 2]


def test_a_second_model_of_a_path_leaves_the_first_as_it_is() -> None:
    client = fitbook.Client()
    with fitbook.start_run() as run:
        first = fitbook.sklearn.log_model(_model(1), "model", registered_model_name="m")
        second = fitbook.sklearn.log_model(_model(2), "model", registered_model_name="m")
    assert second.model_uri == f"runs:/{run.run_id}/model--2"
    assert [_factor(f"models:/{info.model_id}") for info in (first, second)] == [1, 2]
    assert [_factor(f"models:/m/{n}") for n in (1, 2)] == [1, 2]
    # A path is its last model's, as in MLflow.
    assert _factor(f"runs:/{run.run_id}/model") == _factor("runs:/latest/model") == 2
    with fitbook.start_run(run_id=run.run_id):
        fitbook.sklearn.log_model(_model(3), "model")
    assert _factor(f"runs:/{run.run_id}/model") == 3
    assert fitbook.register_model(f"runs:/{run.run_id}/model", "m").source.endswith("/model--3")
    assert client.get_model_version("m", 1).source == first.model_uri
    assert _factor("models:/m/1") == 1


def test_a_second_model_does_not_wait_for_the_files_of_the_first() -> None:
    with fitbook.start_run() as run:
        pending = freeze_model(run, "sklearn", _model(1), "model")
        assert fitbook.sklearn.log_model(_model(2), "model").artifact_path == "model--2"
        pending.write()
    assert _factor(f"models:/{pending.model_id}") == 1


def test_a_model_in_object_storage_is_loaded_and_registered(tmp_path: Path) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    fitbook.sklearn.save_model(_model(4), tmp_path / "m")
    MemoryFileSystem().put(str(tmp_path / "m"), "/bucket-of-models/churn", recursive=True)
    uri = "memory://bucket-of-models/churn"
    assert _factor(uri) == 4
    assert np.allclose(fitbook.pyfunc.load_model(uri).predict(X), Y * 4)
    assert fitbook.register_model(uri, "m").source == uri
    assert _factor("models:/m/1") == 4


def test_what_no_package_provides_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_steps_.py").write_text(
        "from sklearn.linear_model import LinearRegression\nclass Mine(LinearRegression): ...\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    import my_steps_  # type: ignore[import-not-found]

    model = my_steps_.Mine().fit(X, Y)
    with pytest.warns(fitbook.FitbookWarning, match="needs my_steps_, which no installable package.*code_paths"):
        fitbook.sklearn.save_model(model, tmp_path / "a")
    fitbook.sklearn.save_model(model, tmp_path / "b", infer_code_paths=True, freeze_environment=True)
    assert (tmp_path / "b" / "code" / "my_steps_.py").is_file()
    assert "numpy==" in (tmp_path / "b" / "requirements-frozen.txt").read_text()


# -- the latest ------------------------------------------------------------------------------------------------------


def test_the_latest_is_of_my_last_run_or_else_the_newest() -> None:
    with fitbook.start_run():
        fitbook.sklearn.log_model(_model(1), "model")

    def other() -> None:
        with fitbook.start_run():
            fitbook.sklearn.log_model(_model(2), "model")
            fitbook.sklearn.log_model(_model(3), "other")

    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert _factor("runs:/latest/model") == 1
    assert _factor("runs:/latest/other") == 3
    with fitbook.start_run():  # which has no model
        assert _factor("runs:/latest/model") == 2
    with pytest.raises(NotFound, match="'runs:/latest/none'.*No run in file:///.* has logged a model as 'none'"):
        fitbook.sklearn.load_model("runs:/latest/none")


# -- the registry ----------------------------------------------------------------------------------------------------


@pytest.fixture
def churn() -> list[ModelInfo]:
    """Three versions of the registered model ``churn``, of factor 1 to 3, each in a run of its own."""
    infos = []
    for n in (1, 2, 3):
        with fitbook.start_run():
            infos.append(fitbook.sklearn.log_model(_model(n), "model", registered_model_name="churn"))
    return infos


def test_versions_stages_and_aliases(churn: list[ModelInfo]) -> None:
    client = fitbook.Client()
    assert [info.registered_model_version for info in churn] == [1, 2, 3]
    client.transition_model_version_stage("churn", 1, "Production")
    client.set_registered_model_alias("churn", "champion", 2)
    expected = {"churn/1": 1, "churn/2": 2, "churn/Production": 1, "churn/production": 1, "churn/latest": 3}
    for path, factor in {**expected, "churn@champion": 2}.items():
        assert _factor(f"models:/{path}") == factor
    client.set_registered_model_alias("churn", "champion", 3)
    assert _factor("models:/churn@champion") == 3
    version = client.get_model_version("churn", 2)
    assert (version.run_id, version.model_id) == (churn[1].run_id, churn[1].model_id)
    assert version.source == churn[1].model_uri


def test_registering_what_is_logged(info: ModelInfo) -> None:
    for n, uri in enumerate((info.model_uri, f"models:/{info.model_id}", "runs:/latest/model"), 1):
        version = fitbook.register_model(uri, "m", tags={"k": 1}, description="d")
        assert (version.name, version.version, version.run_id) == ("m", n, info.run_id)
        assert (version.source, version.model_id) == (info.model_uri, info.model_id)
        assert (dict(version.tags), version.description) == ({"k": "1"}, "d")
        assert _factor(f"models:/m/{n}") == 1
    assert fitbook.Client().register_model(info.model_uri, "m").version == 4


def test_a_version_stays_what_it_was_registered_as(churn: list[ModelInfo], tmp_path: Path) -> None:
    client = fitbook.Client()
    client.set_registered_model_alias("churn", "champion", 1)
    for uri in ("models:/churn@champion", "models:/churn/latest", "runs:/latest/model"):
        fitbook.register_model(uri, "copy")
    client.set_registered_model_alias("churn", "champion", 2)
    with fitbook.start_run():
        fitbook.sklearn.log_model(_model(9), "model", registered_model_name="churn")
    assert [_factor(f"models:/copy/{n}") for n in (1, 2, 3)] == [1, 3, 3]
    client.delete_registered_model("churn")
    assert _factor("models:/copy/1") == 1


def test_registering_a_local_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitbook.sklearn.save_model(_model(5), tmp_path / "m")
    monkeypatch.chdir(tmp_path)
    version = fitbook.register_model("./m", "local")
    assert (version.source, version.run_id) == ((tmp_path / "m").as_uri(), "")
    monkeypatch.chdir("/")
    assert _factor("models:/local/1") == 5


def test_a_model_that_was_copied_into_a_run_belongs_to_that_run(info: ModelInfo) -> None:
    folder = fitbook.download_artifacts(info.model_uri)
    with fitbook.start_run() as run:
        fitbook.log_artifacts(folder, "copied")
    version = fitbook.register_model(f"runs:/{run.run_id}/copied", "m")
    assert (version.run_id, version.source) == (run.run_id, f"runs:/{run.run_id}/copied")


def test_a_circle_of_versions_is_noticed() -> None:
    client = fitbook.Client()
    client.create_registered_model("m")
    client.create_model_version("m", "models:/m/2")
    client.create_model_version("m", "models:/m/1")
    with pytest.raises(ModelError, match="again and again"):
        fitbook.sklearn.load_model("models:/m/1")


# -- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "error", "says"),
    [
        ("runs:/" + "f" * 32 + "/model", NotFound, "No run 'ffff"),
        ("models:/m-" + "0" * 32, NotFound, "No model 'm-000"),
        ("models:/none/1", NotFound, "'none'"),
        ("models:/none@best", NotFound, "none"),
        ("models:/none", InvalidValue, "models:/<name>/<version>"),
        ("runs:/x", InvalidValue, "runs:/<run_id>/<path>"),
        ("ftp://bucket/model", InvalidValue, "'ftp'"),
        ("", InvalidValue, "not a model URI"),
        ("./nothing/here", (NotFound, ModelError), "nothing/here"),
    ],
)
def test_models_that_are_not_there(uri: str, error: Any, says: str) -> None:
    calls = (fitbook.sklearn.load_model, fitbook.pyfunc.load_model, get_model_info)
    for call in (*calls, lambda uri: fitbook.register_model(uri, "m")):
        with pytest.raises(error, match=says):
            call(uri)
    assert fitbook.Client().search_registered_models() == []


def test_a_path_of_a_run_without_a_model(info: ModelInfo) -> None:
    with pytest.raises(NotFound, match="No artifact 'modle'.*'model'"):
        fitbook.sklearn.load_model(f"runs:/{info.run_id}/modle")
    with pytest.raises((NotFound, ModelError), match="MLmodel"):
        fitbook.register_model(f"runs:/{info.run_id}/model/MLmodel", "m")


@pytest.mark.parametrize("name", ["", "a/b", "a:b", None, 3])
def test_bad_names_of_registered_models(info: ModelInfo, name: Any) -> None:
    with pytest.raises(InvalidValue, match="name"):
        fitbook.register_model(info.model_uri, name)
    assert fitbook.Client().search_registered_models() == []


@pytest.mark.parametrize("path", ["../m", "/m", "a*b", "a//b"])
def test_bad_places_of_models(path: str) -> None:
    with fitbook.start_run() as run:
        with pytest.raises(InvalidValue, match=r"model key|path"):
            fitbook.sklearn.log_model(_model(), path)
        assert run.list_artifacts() == []


def test_options_that_mean_the_same_or_nothing() -> None:
    with pytest.raises(InvalidValue, match="artifact_path='a' and name='b'"):
        fitbook.sklearn.log_model(_model(), "a", name="b")
    with fitbook.start_run():
        with pytest.raises(NotFound, match="'x'.*code_paths"):
            fitbook.sklearn.log_model(_model(), "a", code_paths=["x"])
        assert fitbook.sklearn.log_model(_model(), "a", name="a", await_registration_for=0).artifact_path == "a"


def test_a_model_that_can_not_be_pickled_leaves_its_run() -> None:
    model = _model()
    model.lock_ = threading.Lock()
    with fitbook.start_run() as run:
        fitbook.log_param("p", 1)
        with pytest.raises(ModelError, match=r"LinearRegression.*lock"):
            fitbook.sklearn.log_model(model, "model", registered_model_name="m")
    assert (run.info.status, dict(run.data.params), run.list_artifacts()) == ("FINISHED", {"p": "1"}, [])
    assert fitbook.Client().search_registered_models() == []


def test_an_example_that_can_not_be_written_does_not_cost_the_model() -> None:
    with fitbook.start_run(), pytest.warns(fitbook.FitbookWarning, match="'model' is kept without its input example"):
        info = fitbook.sklearn.log_model(_model(), "model", input_example=[object()], signature=False)
    assert _factor(info.model_uri) == 1


def test_a_damaged_model_is_named(info: ModelInfo) -> None:
    folder = Path(fitbook.download_artifacts(info.model_uri))
    (folder / "model.pkl").write_bytes(b"nonsense")
    for call in (fitbook.sklearn.load_model, fitbook.pyfunc.load_model):
        with pytest.raises(DamagedFile, match="model.pkl"):
            call(info.model_uri)
        with pytest.raises(ModelError, match="model"):
            call(folder)
    (folder / "MLmodel").write_text("{")
    with pytest.raises(DamagedFile, match="MLmodel|model.pkl"):
        get_model_info(info.model_uri)
    with pytest.raises(ModelError, match="MLmodel"):
        get_model_info(folder)


def test_a_slash_at_the_end_of_a_model_uri(info: ModelInfo) -> None:
    assert get_model_info(f"{info.model_uri}/").model_id == info.model_id
    assert fitbook.register_model(f"{info.model_uri}/", "slashed").source == info.model_uri
    assert get_model_info("models:/slashed/1/").model_id == info.model_id


# -- freezing first, writing later -----------------------------------------------------------------------------------


def test_a_frozen_model_is_as_it_was_when_it_was_frozen() -> None:
    model = _model(1)
    run = fitbook.start_run()
    pending: PendingModel = freeze_model(run, "sklearn", model, "model", example=(X, Y))
    model.fit(X, Y * 7)
    assert run.list_artifacts() == []
    writer.fit_begins()
    run.later(pending.write)
    version = pending.register("m")
    fitbook.end_run()
    # Loading waits for the files.
    assert _factor("models:/m/1") == 1
    writer.fit_ends()
    assert (version.version, version.model_id) == (1, pending.model_id)
    assert [column.name for column in get_model_info("models:/m/1").signature.inputs] == ["a", "b"]


def test_a_classifier_keeps_its_probabilities(info: ModelInfo) -> None:
    model = LogisticRegression().fit(X, Y > 1)
    with fitbook.start_run():
        loaded = fitbook.sklearn.load_model(fitbook.sklearn.log_model(model, "clf").model_uri)
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))
