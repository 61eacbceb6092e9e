"""Where options come from, what they may be, and what they do to the record."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import fitbook
from fitbook._log import FitbookWarning
from fitbook.autolog import _options, _switch
from fitbook.autolog._config import Config, Selection
from fitbook.entities import Run
from fitbook.errors import InvalidValue

Runs = Callable[[], list[Run]]
Files = Callable[[str], set[str]]


def config() -> Config:
    found = _switch.INTEGRATIONS["sklearn"].config
    assert found is not None
    return found


@pytest.fixture
def pyproject(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Write a pyproject.toml, and work in a folder two levels below it."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")

    def write(text: str) -> None:
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")

    return write


def test_every_option_can_be_given_everywhere() -> None:
    parameters = inspect.signature(fitbook.autolog).parameters
    assert list(parameters)[:8] == [
        "log_input_examples",
        "log_model_signatures",
        "log_models",
        "log_datasets",
        "disable",
        "exclusive",
        "disable_for_unsupported_versions",
        "silent",
    ]
    assert set(_options.KINDS) == set(parameters)
    given = {name: parameter.default for name, parameter in parameters.items()}
    assert _options.config(given) == Config() == _options.config({})


def test_the_call_goes_before_the_environment_before_pyproject_before_the_default(
    pyproject: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    pyproject("[tool.fitbook.autolog]\nmax_tuning_runs = 3\nlog_plots = false\nbudget_share = 0.5\nsilent = true\n")
    monkeypatch.setenv("FITBOOK_AUTOLOG_MAX_TUNING_RUNS", "4")
    monkeypatch.setenv("FITBOOK_AUTOLOG_LOG_PLOTS", "true")
    fitbook.autolog(max_tuning_runs=5)
    found = config()
    assert (found.max_tuning_runs, found.log_plots, found.budget_share, found.budget_ms) == (5, True, 0.5, 50.0)
    fitbook.autolog(max_tuning_runs=None, silent=False)
    assert (config().max_tuning_runs, config().silent) == (None, False)
    fitbook.autolog()
    assert (config().max_tuning_runs, config().silent) == (4, True)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("LOG_MODELS", "no", {"log_models": False}),
        ("EXTRA_TAGS", "team=a b, stage=test=1", {"extra_tags": {"team": "a b", "stage": "test=1"}}),
        ("MAX_TUNING_RUNS", "none", {"max_tuning_runs": None}),
        ("BUDGET_MS", "None", {"budget_ms": None}),
        ("BUDGET_MS", "12.5", {"budget_ms": 12.5}),
        ("POS_LABEL", "-1", {"pos_label": -1}),
        ("POS_LABEL", "yes", {"pos_label": "yes"}),
        ("METRICS", "training_*, !*_f1_score", {"metrics": Selection(("training_*",), ("*_f1_score",))}),
        ("ARTIFACTS", "false", {"artifacts": Selection(())}),
        ("EXCLUDE", "SVC,sklearn.cluster", {"exclude": ("SVC", "sklearn.cluster")}),
        ("PROGRESS", "off", {"progress": False}),
        ("RESUME_SEARCH", "1", {"resume_search": True}),
        ("SILENT", "", {"silent": False}),
    ],
)
def test_variables(monkeypatch: pytest.MonkeyPatch, name: str, text: str, expected: dict[str, Any]) -> None:
    monkeypatch.setenv(f"FITBOOK_AUTOLOG_{name}", text)
    fitbook.autolog()
    for key, value in expected.items():
        assert getattr(config(), key) == value


def test_pyproject_has_the_types_of_toml(pyproject: Callable[[str], None]) -> None:
    pyproject(
        "[tool.fitbook.autolog]\nextra_tags = {a = 'b'}\nexclude = ['SVC']\nmetrics = ['!x']\npos_label = '1'\n"
        "findings = false\nbudget_ms = 20\n"
    )
    fitbook.autolog()
    found = config()
    assert (found.extra_tags, found.exclude, found.pos_label) == ({"a": "b"}, ("SVC",), "1")
    assert (found.metrics, found.findings, found.budget_ms) == (Selection(unwanted=("x",)), Selection(()), 20)


@pytest.mark.parametrize("text", ["", "[tool.other]\nx = 1\n", "this is no TOML at all ["])
def test_a_pyproject_that_says_nothing_of_fitbook_is_not_read(pyproject: Callable[[str], None], text: str) -> None:
    pyproject(text)
    fitbook.autolog()
    assert config() == Config()


def test_only_the_nearest_pyproject_counts(pyproject: Callable[[str], None], tmp_path: Path) -> None:
    pyproject("[tool.fitbook.autolog]\nlog_plots = false\n")
    (tmp_path / "a" / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    fitbook.autolog()
    assert config().log_plots


def test_no_working_directory_is_no_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pyproject: Callable[[str], None]
) -> None:
    pyproject("[tool.fitbook.autolog]\nlog_plots = false\n")
    (tmp_path / "a" / "b").rmdir()
    fitbook.set_tracking_uri(tmp_path / "elsewhere")
    fitbook.autolog()
    assert config().log_plots
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("toml", "variables", "message"),
    [
        (
            "[tool.fitbook.autolog]\nlog_plots = 'yes'",
            {},
            r"pyproject.toml, log_plots in .* is 'yes'; expected true or",
        ),
        ("[tool.fitbook.autolog]\nmax_tuning_runs = true", {}, "max_tuning_runs .* expected a whole number, or none"),
        ("[tool.fitbook]\nautolog = 1", {}, "make it a table"),
        ("[tool]\nfitbook = 1 # tool.fitbook", {}, "make it a table"),
        ("[tool.fitbook.autolog", {}, "can't be read"),
        ("", {"BUDGET_MS": "much"}, "FITBOOK_AUTOLOG_BUDGET_MS is 'much'; expected a number, or none"),
        ("", {"LOG_PLOTS": "maybe"}, "expected true or false"),
        ("", {"EXTRA_TAGS": "a"}, "key=value"),
        ("", {"BUDGET_SHARE": "-1"}, "budget_share is -1.0"),
        ("", {"MAX_TUNING_RUNS": "-2"}, "max_tuning_runs is -2"),
    ],
)
def test_what_can_t_be_is_refused_with_its_place(
    pyproject: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    toml: str,
    variables: dict[str, str],
    message: str,
) -> None:
    pyproject(toml)
    for name, text in variables.items():
        monkeypatch.setenv(f"FITBOOK_AUTOLOG_{name}", text)
    with pytest.raises(InvalidValue, match=message):
        fitbook.autolog()
    fitbook.autolog(disable=True)  # whatever is written around it
    assert _switch.INTEGRATIONS["sklearn"].config is None


@pytest.mark.parametrize(
    "options",
    [
        {"metrics": 5},
        {"artifacts": [""]},
        {"params": [None]},
        {"include": 5},
        {"exclude": [LogisticRegression()]},
        {"findings": "!overfitted"},
        {"findings": ["overfit", "none"]},
        {"budget_ms": -1},
        {"budget_ms": float("nan")},
        {"budget_share": None},
        {"budget_share": True},
    ],
)
def test_arguments_that_can_t_be_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue, match=next(iter(options)).removesuffix("s")):
        fitbook.autolog(**options)


def test_names_that_mean_nothing_are_told_with_the_nearest_one(
    pyproject: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(TypeError, match=r"no option 'log_plot'; did you mean 'log_plots'\?"):
        fitbook.autolog(log_plot=False)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="no option 'log_plot'"):
        fitbook.sklearn.autolog(log_plot=False)
    pyproject("[tool.fitbook]\nother = 1\n[tool.fitbook.autolog]\nlog_modles = false\nlog_plots = false\n")
    monkeypatch.setenv("FITBOOK_AUTOLOG_STORE_TIMEOUT", "3")  # a setting of its own
    monkeypatch.setenv("FITBOOK_AUTOLOG_EXCLUDED", "x")
    with pytest.warns(FitbookWarning) as told:
        fitbook.autolog()
    assert not config().log_plots
    said = "\n".join(str(one.message) for one in told)
    assert len(told) == 3
    assert "FITBOOK_AUTOLOG_EXCLUDED means nothing; did you mean 'FITBOOK_AUTOLOG_EXCLUDE'?" in said
    assert "'log_modles' in [tool.fitbook.autolog], which means nothing; did you mean 'log_models'?" in said
    assert "a key 'other' in [tool.fitbook]" in said
    fitbook.autolog(silent=True)


def test_disabled_from_outside_unless_the_call_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FITBOOK_AUTOLOG_DISABLE", "1")
    fitbook.autolog()
    assert _switch.INTEGRATIONS["sklearn"].config is None
    fitbook.autolog(disable=False)
    assert config() == Config()


def test_mlflow_s_options_for_other_libraries_are_taken() -> None:
    fitbook.autolog(log_traces=False, exclude_flavors=["sklearn"])
    assert _switch.INTEGRATIONS["sklearn"].config is None
    fitbook.autolog(exclude_flavors=["spark"])
    assert config() == Config()


# -- what they do --------------------------------------------------------------------------------------------------------


class Mine(LogisticRegression):
    """A class of the user's."""


@pytest.mark.parametrize(
    ("options", "recorded"),
    [
        ({"include": LogisticRegression}, {"LogisticRegression", "Mine"}),
        ({"include": "LogisticRegression"}, {"LogisticRegression"}),
        ({"include": ["sklearn.tree", "Ri?ge"]}, {"DecisionTreeClassifier", "Ridge"}),
        ({"include": "sklearn.linear_model.LogisticRegression"}, {"LogisticRegression"}),
        ({"include": "sklearn"}, {"LogisticRegression", "DecisionTreeClassifier", "Ridge", "Pipeline"}),
        ({"exclude": [LogisticRegression, "sklearn.pipeline"]}, {"DecisionTreeClassifier", "Ridge"}),
        ({"include": "sklearn.linear_model", "exclude": Ridge}, {"LogisticRegression"}),
        ({"include": []}, set()),
        ({"exclude": "*"}, set()),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_which_classes_are_recorded(data: Any, runs: Runs, options: dict[str, Any], recorded: set[str]) -> None:
    fitbook.autolog(log_plots=False, log_models=False, **options)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    for model in (LogisticRegression(), Mine(), DecisionTreeClassifier(), Ridge(), pipeline):
        model.fit(*data)
    assert {run.data.tags["estimator_name"] for run in runs()} == recorded


def test_which_metrics_params_and_artifacts_are_kept(data: Any, runs: Runs, files: Files) -> None:
    fitbook.autolog(
        metrics=["training_*", "mean_*", "!*_f1_score"], params="!verbose", artifacts=["*.csv", "best_estimator"]
    )
    X, y = data
    search = GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2]}, cv=2).fit(X, y)
    search.score(X, y)
    (parent,) = (run for run in runs() if "mlflow.parentRunId" not in run.data.tags)
    children = [run for run in runs() if run.info.run_id != parent.info.run_id]
    kept = set(parent.data.metrics)
    assert {"training_accuracy_score", "fitbook.overhead_ms", "fitbook.bytes_copied"} <= kept
    assert not kept & {"training_f1_score", "best_cv_score", "fit_duration_seconds", "GridSearchCV_score_X"}
    assert "verbose" not in parent.data.params
    assert "cv" in parent.data.params
    found = files(parent.info.run_id)
    assert {"cv_results.csv", "best_estimator", "training_confusion_matrix.csv"} <= found
    assert not [name for name in found if name.endswith((".png", ".html")) or name == "model"]
    assert len(children) == 2
    for child in children:
        assert "mean_test_score" in child.data.metrics
        assert not [key for key in child.data.metrics if key.startswith(("rank", "std", "split"))]


def test_nothing_but_that_there_was_a_fit(data: Any, runs: Runs, files: Files) -> None:
    fitbook.autolog(metrics=False, params=False, artifacts=False, findings=False)
    LogisticRegression().fit(*data)
    (run,) = runs()
    assert set(run.data.metrics) == {"fitbook.overhead_ms", "fitbook.bytes_copied"}
    assert run.data.params == {}
    assert files(run.info.run_id) == set()
    assert run.info.status == "FINISHED"


def test_the_run_of_the_user_s_own_takes_what_the_user_writes(data: Any, files: Files) -> None:
    fitbook.autolog(metrics=False, params=False, artifacts=False)
    with fitbook.start_run() as run:
        LogisticRegression().fit(*data)
        fitbook.log_metric("mine", 1.0)
        fitbook.log_param("own", 1)
        fitbook.log_text("x", "mine.txt")
    assert run.data.metrics["mine"] == 1.0
    assert run.data.params == {"own": "1"}
    assert files(run.run_id) == {"mine.txt"}


def test_a_model_that_is_not_wanted_is_not_even_pickled(data: Any, runs: Runs) -> None:
    class Unpicklable(LogisticRegression):
        def __reduce__(self) -> Any:
            raise AssertionError("pickled")

    fitbook.autolog(artifacts="!model", log_plots=False)
    Unpicklable().fit(*data)
    assert "fitbook.dropped" not in runs()[0].data.tags


def test_what_the_budget_does_not_allow_for_is_sampled_or_skipped_or_asked_for(runs: Runs) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 20))
    y = (X[:, 0] > 0).astype(int)
    used = "fitbook.training_rows_used"
    fitbook.autolog(log_plots=False, budget_ms=0, budget_share=0)
    KNeighborsClassifier(algorithm="brute").fit(X, y)
    fitbook.autolog(log_plots=False, budget_ms=1500, sampling=False)
    KNeighborsClassifier(algorithm="brute").fit(X, y)
    fitbook.autolog(log_plots=False, budget_ms=None)
    KNeighborsClassifier(algorithm="brute").fit(X[:2000], y[:2000])
    none, unsampled, everything = runs()
    assert "training_accuracy_score" not in none.data.metrics
    assert "predictions: skipped" in none.data.tags["fitbook.notes"]
    assert used not in unsampled.data.tags
    assert "training_accuracy_score" in everything.data.metrics
    assert used not in everything.data.tags
    assert {run.data.tags["estimator_name"] for run in runs()} == {"KNeighborsClassifier"}


def test_every_run_says_what_was_copied(runs: Runs) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 25))  # 4 MB
    y = (X[:, 0] > 0).astype(int)
    fitbook.autolog(log_plots=False)
    Ridge().fit(X, y)
    Ridge().fit(np.asfortranarray(X), y)
    KNeighborsClassifier().fit(X, y)
    plain, by_blocks, in_model = (run.data.metrics["fitbook.bytes_copied"] for run in runs())
    assert 0 < plain < 100_000
    assert X.nbytes <= by_blocks < X.nbytes + 100_000
    assert X.nbytes <= in_model
