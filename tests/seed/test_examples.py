"""Every example of the seed page but the one on serving, run as it stands there, and what must be on record after it."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import fitbook
from fitbook.entities import Run

EXAMPLES = Path(__file__).parent / "examples"
NEEDED = {
    "04_versions_and_stages": ("03_registering_models",),
    "05_loading_models": ("03_registering_models", "04_versions_and_stages"),
    "08_comparing_experiments": ("01_basic_tracking", "02_advanced_tracking"),
}

Example = Callable[[str], None]


@pytest.fixture(params=[False, True], ids=["off", "on"])
def autologging(request: pytest.FixtureRequest) -> bool:
    """Whether the example runs under autologging, which must add to its record and change nothing in it."""
    return bool(request.param)


@pytest.fixture
def example(autologging: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Example:
    """Run an example in an empty folder, after those whose results its prose presumes."""
    folder = tmp_path / "script"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MPLBACKEND", "agg")
    if autologging:
        fitbook.autolog()

    def run(name: str) -> None:
        for each in (*NEEDED.get(name, ()), name):
            runpy.run_path(str(EXAMPLES / f"{each}.py"), run_name="__main__")
        plt.close("all")

    return run


def runs_of(experiment: str) -> list[Run]:
    """The outermost runs, oldest first."""
    found = fitbook.search_runs(experiment_names=[experiment], order_by=["start_time ASC"], output_format="list")
    assert isinstance(found, list)
    return [run for run in found if "mlflow.parentRunId" not in run.data.tags]


def files_of(run: Run) -> set[str]:
    return {file.path for file in fitbook.Client().list_artifacts(run.info.run_id)}


def test_every_example_is_run_here() -> None:
    names = {path.stem for path in EXAMPLES.glob("*.py")}
    assert len(names) == 9
    assert all(f'example("{name}")' in Path(__file__).read_text() for name in names)


def test_basic_tracking(example: Example, autologging: bool) -> None:
    example("01_basic_tracking")
    assert Path("mlruns/fitbook.db").is_file()
    (run,) = runs_of("my_experiment")
    assert run.info.status == "FINISHED"
    wanted = {"n_estimators": "100", "max_depth": "10", "random_state": "42"}
    assert wanted.items() <= run.data.params.items()
    assert run.data.metrics["training_samples"] == 1000
    accuracy = run.data.metrics["accuracy"]
    assert 0.9 < accuracy <= 1
    assert files_of(run) >= {"random_forest_model", "model_info.txt"}
    assert ("training_confusion_matrix.png" in files_of(run)) is autologging
    assert (run.data.metrics.get("training_accuracy_score") == accuracy) is autologging
    info = Path(fitbook.Client().download_artifacts(run.info.run_id, "model_info.txt")).read_text()
    assert info == f"Model trained with accuracy: {accuracy}"
    model = fitbook.sklearn.load_model(f"runs:/{run.info.run_id}/random_forest_model")
    assert model.get_params()["max_depth"] == 10


def test_advanced_tracking(example: Example) -> None:
    example("02_advanced_tracking")
    runs = runs_of("advanced_classification")
    assert [run.info.run_name for run in runs] == ["rf_experiment_1", "rf_experiment_2", "rf_experiment_3"]
    assert [run.data.params["n_estimators"] for run in runs] == ["50", "100", "200"]
    for run in runs:
        assert run.info.status == "FINISHED"
        assert {"accuracy", "precision", "recall", "f1_score"} <= run.data.metrics.keys()
        assert files_of(run) >= {"feature_importance.csv", "confusion_matrix.csv", "model"}
        model = fitbook.sklearn.load_model(f"runs:/{run.info.run_id}/model")
        assert str(model.n_estimators) == run.data.params["n_estimators"]


def test_registering_models(example: Example, capsys: pytest.CaptureFixture[str]) -> None:
    example("03_registering_models")
    assert capsys.readouterr().out == "Registered model: my_classifier\nVersion: 1\n"
    (run,) = runs_of("Default")
    version = fitbook.Client().get_model_version("my_classifier", 1)
    assert version.run_id == run.info.run_id
    # Beside the one that autologging has put there, if it is on.
    assert version.source.removesuffix("--2") == f"runs:/{run.info.run_id}/model"
    assert fitbook.sklearn.load_model("models:/my_classifier/1").n_estimators == 100


def test_versions_and_stages(example: Example, capsys: pytest.CaptureFixture[str]) -> None:
    example("04_versions_and_stages")
    (run,) = runs_of("Default")
    printed = capsys.readouterr().out
    assert "Model: my_classifier\nVersion: 1\nStage: None\n" in printed
    assert f"Run ID: {run.info.run_id}\n" in printed
    assert printed.endswith("Latest production model: 1\n")
    client = fitbook.Client()
    assert client.get_model_version("my_classifier", 1).current_stage == "Production"
    assert client.get_latest_versions("my_classifier", stages=["Staging"]) == []


def test_loading_models(example: Example, capsys: pytest.CaptureFixture[str]) -> None:
    example("05_loading_models")
    predictions = capsys.readouterr().out.rpartition("Predictions: ")[2].strip("[]\n").split()
    assert len(predictions) == 10
    assert set(predictions) <= {"0", "1"}


def test_custom_metrics_and_artifacts(example: Example) -> None:
    example("06_custom_metrics_and_artifacts")
    (run,) = runs_of("Default")
    history = fitbook.Client().get_metric_history(run.info.run_id, "val_loss")
    assert [(point.step, point.value) for point in history] == [(step, 1.2 / (step + 1)) for step in range(10)]
    assert run.data.metrics["train_loss"] == 0.1
    assert files_of(run) == {"training_plot.png", "training_history.csv", "model_config.json"}
    plot = Path(fitbook.Client().download_artifacts(run.info.run_id, "training_plot.png"))
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_custom_model(example: Example, capsys: pytest.CaptureFixture[str]) -> None:
    example("07_custom_model")
    predictions = capsys.readouterr().out.rpartition("Custom model predictions: ")[2].strip("[]\n").split()
    assert len(predictions) == 5
    assert set(predictions) <= {"0", "1"}
    (run,) = [run for run in runs_of("Default") if "custom_model" in files_of(run)]
    assert run.info.status == "FINISHED"


def test_comparing_experiments(example: Example, capsys: pytest.CaptureFixture[str]) -> None:
    example("08_comparing_experiments")
    printed = capsys.readouterr().out
    assert "Experiment: my_experiment (ID: 1)" in printed
    assert "Top runs for my_experiment:" in printed
    (best,) = runs_of("my_experiment")
    assert f"Run ID: {best.info.run_id}\nAccuracy: {best.data.metrics['accuracy']}\n" in printed
    table = printed.rpartition("---\n")[2]
    for run in runs_of("advanced_classification"):
        assert run.info.run_id in table


def test_hyperparameter_tuning(example: Example, autologging: bool) -> None:
    example("09_hyperparameter_tuning")
    (run,) = runs_of("hyperparameter_tuning")
    assert run.info.status == "FINISHED"
    assert {"n_estimators", "max_depth", "min_samples_split"} <= run.data.params.keys()
    assert 0.3 < run.data.metrics["best_cv_score"] < 0.7
    assert files_of(run) >= {"grid_search_results.csv", "best_model"}
    model = fitbook.sklearn.load_model(f"runs:/{run.info.run_id}/best_model")
    assert str(model.n_estimators) == run.data.params["n_estimators"]
    everything = fitbook.search_runs(experiment_names=["hyperparameter_tuning"], output_format="list")
    assert len(everything) == (1 + 8 if autologging else 1)
