import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV, calibration_curve
from sklearn.cluster import DBSCAN, KMeans
from sklearn.datasets import load_diabetes, make_classification
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    mean_squared_error,
    precision_score,
    recall_score,
    roc_auc_score,
)
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier, LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import LabelPropagation
from sklearn.svm import SVC, LinearSVC, OneClassSVM
from sklearn.tree import DecisionTreeClassifier

from fitbook.autolog.sklearn._report import training_report

X, y = make_classification(400, 6, n_informative=4, flip_y=0.2, random_state=0)
X3, y3 = make_classification(400, 6, n_informative=4, n_classes=3, flip_y=0.2, random_state=0)
D, d = load_diabetes(return_X_y=True, as_frame=True)


def report(model, X, y=None, sample_weight=None, **options):
    return training_report(model, X, y, sample_weight, **{"fit_seconds": 10.0, "budget_ms": 1000.0, **options})


def test_a_binary_classifier_has_mlflows_metrics():
    names = np.array(["no", "yes"])[y]
    model = LogisticRegression().fit(X, names)
    found = report(model, X, names)
    predicted, proba = model.predict(X), model.predict_proba(X)
    weighted = {"average": "weighted"}
    assert found.metrics == pytest.approx(
        {
            "training_accuracy_score": accuracy_score(names, predicted),
            "training_precision_score": precision_score(names, predicted, **weighted),
            "training_recall_score": recall_score(names, predicted, **weighted),
            "training_f1_score": f1_score(names, predicted, **weighted),
            "training_log_loss": log_loss(names, proba),
            "training_roc_auc": roc_auc_score(names, proba[:, 1]),
            "training_average_precision_score": found.metrics["training_average_precision_score"],
            "training_score": model.score(X, names),
        },
        rel=1e-12,
    )
    assert set(found.curves) == {"confusion_matrix", "roc_curve", "precision_recall_curve"}
    assert (found.rows_used, found.n_rows, found.kind, found.positive) == (400, 400, "classifier", "yes")
    cells = np.reshape(found.curves["confusion_matrix"].columns["count"], (2, 2))
    assert (cells == confusion_matrix(names, predicted)).all()


def test_several_classes_with_and_without_weights():
    model = LogisticRegression().fit(X3, y3)
    found = report(model, X3, y3).metrics
    expected = roc_auc_score(y3, model.predict_proba(X3), multi_class="ovo", average="weighted")
    assert found["training_roc_auc"] == pytest.approx(expected, rel=1e-12)
    weights = np.linspace(0.1, 2, 400)
    weighed = report(model, X3, y3, weights)
    assert weighed.metrics["training_score"] == pytest.approx(model.score(X3, y3, weights), rel=1e-12)
    assert "training_roc_auc" not in weighed.metrics
    assert any("roc_auc" in note for note in weighed.notes)


def test_a_positive_class_is_used():
    model = LogisticRegression().fit(X, y)
    found = report(model, X, y, pos_label=0)
    expected = precision_score(y, model.predict(X), pos_label=0)
    assert found.metrics["training_precision_score"] == pytest.approx(expected, rel=1e-12)
    assert found.positive == "0"
    assert any("pos_label 7" in note for note in report(model, X, y, pos_label=7).notes)


@pytest.mark.parametrize("weights", [None, np.linspace(0.1, 2, len(d))])
def test_a_regressor_has_mlflows_metrics(weights):
    model = Ridge().fit(D, d)
    found = report(model, D, d, weights)
    mse = mean_squared_error(d, model.predict(D), sample_weight=weights)
    assert found.metrics["training_mean_squared_error"] == pytest.approx(mse, rel=1e-12)
    assert found.metrics["training_root_mean_squared_error"] == pytest.approx(mse**0.5, rel=1e-12)
    assert found.metrics["training_score"] == pytest.approx(model.score(D, d, weights), rel=1e-12)
    assert len(found.curves["predicted_vs_true"]) == len(d)


def test_several_outputs():
    Y = np.column_stack([d, -d, d * 2])
    found = report(LinearRegression().fit(D, Y), D, Y)
    assert {f"training_r2_score_output{i}" for i in range(3)} < set(found.metrics)
    assert found.curves == {}
    labels = np.column_stack([y, 1 - y])
    found = report(KNeighborsClassifier().fit(X, labels), X, labels)
    assert found.metrics["training_score"] == found.metrics["training_accuracy_score"]


def test_a_decision_function_gives_curves_without_log_loss():
    model = SVC().fit(X, y)
    found = report(model, X, y)
    expected = roc_auc_score(y, model.decision_function(X))
    assert found.metrics["training_roc_auc"] == pytest.approx(expected, rel=1e-12)
    assert "training_log_loss" not in found.metrics


def test_an_isolation_forest_is_not_asked_to_predict(monkeypatch):
    forest = IsolationForest(n_estimators=5, random_state=0).fit(X)
    monkeypatch.setattr(IsolationForest, "score_samples", None)
    found = report(forest, X)
    assert (found.metrics, found.notes) == ({}, [])
    assert found.sample.dtype == int


def test_clusterers_and_detectors_and_densities():
    model = KMeans(3, n_init=1, random_state=0).fit(X)
    found = report(model, X)
    assert found.metrics["training_inertia"] == model.inertia_
    assert found.metrics["training_n_clusters"] == 3
    assert found.curves["cluster_sizes"].columns["size"] == np.bincount(model.labels_).tolist()
    noise = DBSCAN(0.5).fit(X)
    assert report(noise, X).metrics["training_n_noise"] == (noise.labels_ == -1).sum()
    forest = IsolationForest(n_estimators=5, random_state=0)
    judged = forest.fit_predict(X)
    assert report(forest, X, predicted=judged).metrics["training_outlier_share"] == (judged == -1).mean()
    machine = OneClassSVM(nu=0.2).fit(X)
    assert report(machine, X).metrics["training_outlier_share"] == (machine.predict(X) == -1).mean()
    local = LocalOutlierFactor()
    labels = local.fit_predict(X)
    expected = (labels == -1).mean()
    assert report(local, X).metrics["training_outlier_share"] == expected
    assert report(local, X, predicted=labels).metrics["training_outlier_share"] == expected
    mixture = GaussianMixture(2, random_state=0).fit(X)
    found = report(mixture, X).metrics
    assert found["training_bic"] == pytest.approx(mixture.bic(X))
    assert found["training_lower_bound"] == mixture.lower_bound_


class Own(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        raise AssertionError("called")

    predict_proba = decision_function = score = predict


def test_the_users_code_is_not_called():
    found = report(Own().fit(X, y), X, y)
    assert found.metrics == {}
    assert "Own" in found.notes[0]
    assert report(make_pipeline(StandardScaler(), Own()).fit(X, y), X, y).metrics == {}


@pytest.mark.parametrize(
    ("X", "y"),
    [(X, None), (None, y), (X, y[:-3]), (X[:, :2], y), ("text", y), (X, np.full(400, "other")), (object(), object())],
)
def test_strange_data_is_a_note(X, y):
    found = report(LogisticRegression().fit(*make_classification(400, 6, random_state=0)), X, y)
    assert "training_accuracy_score" not in found.metrics
    assert found.notes


def test_unlabelled_rows_are_left_out():
    partly = np.where(np.arange(400) % 4 == 0, -1, y)
    model = LabelPropagation().fit(X, partly)
    found = report(model, X, partly)
    known = partly >= 0
    assert found.rows_used == known.sum()
    assert found.metrics["training_accuracy_score"] == pytest.approx(accuracy_score(y[known], model.predict(X)[known]))
    assert any("100 rows" in note for note in found.notes)


def test_containers_of_all_kinds():
    model = LogisticRegression().fit(X, y)
    expected = report(model, X, y).metrics
    for data in (scipy.sparse.csr_matrix(X), X.tolist()):
        assert report(model, data, y.tolist()).metrics == pytest.approx(expected, rel=1e-9)
    frame = pd.DataFrame(X).add_prefix("c")
    expected = report(LogisticRegression().fit(frame, y), frame, pd.Series(y, index=range(400, 0, -1))).metrics
    assert expected["training_accuracy_score"] == report(model, X, y).metrics["training_accuracy_score"]


def test_what_exceeds_the_budget_is_sampled_or_skipped_and_says_so():
    many, labels = make_classification(30_000, 8, random_state=0)
    model = RandomForestClassifier(10, max_depth=3, random_state=0).fit(many, labels)
    found = report(model, many, labels, fit_seconds=0.0, budget_ms=60.0)
    if found.rows_used == 0:  # a busy machine
        assert any("skipped" in note for note in found.notes)
    elif found.rows_used < 30_000:
        assert any("sampled" in note for note in found.notes)
    none = report(model, many, labels, fit_seconds=0.0, budget_ms=0.0)
    assert none.metrics == {}
    assert any("skipped" in note and "30,000" in note for note in none.notes)


def test_a_sample_has_the_metrics_of_its_rows():
    many, labels = make_classification(5_000, 8, flip_y=0.3, random_state=0)
    model = KNeighborsClassifier().fit(many, labels)
    budgets = (50.0 * 2**k for k in range(20))  # on a busy machine, little can be predicted in as much
    found = next(
        one for budget in budgets if (one := report(model, many, labels, fit_seconds=0.0, budget_ms=budget)).rows_used
    )
    step = -(-5_000 // found.rows_used)
    expected = model.score(many[::step], labels[::step])
    assert found.metrics["training_accuracy_score"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("model", "target"),
    [
        (RandomForestClassifier(5, random_state=0), np.array(["no", "yes"])[y]),
        (LogisticRegression(), y),
        (LinearSVC(), y.astype(np.float32)),
        (KNeighborsClassifier(weights="distance"), y),
        (Ridge(), y.astype(np.float32)),
        (RandomForestClassifier(5, random_state=0), np.column_stack([y, 1 - y])),
        (GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2]}), y),
    ],
)
def test_the_sample_is_what_predict_returns(model, target):
    model.fit(X, target)
    sample, expected = report(model, X, target).sample, model.predict(X)[:5]
    assert sample.dtype == expected.dtype
    assert np.array_equal(sample, expected)


def test_several_outputs_with_several_classes_have_their_own_metrics():
    Y = np.column_stack([y3, np.array(["no", "yes"])[y3 % 2]]).astype(object)
    model = MultiOutputClassifier(DecisionTreeClassifier(max_depth=2)).fit(X3, Y)
    found, predicted = report(model, X3, Y), model.predict(X3)
    metrics = found.metrics
    for k in range(2):
        true, guessed = Y[:, k].astype(str), predicted[:, k].astype(str)
        assert metrics[f"training_accuracy_score_output{k}"] == accuracy_score(true, guessed)
        assert metrics[f"training_f1_score_output{k}"] == pytest.approx(f1_score(true, guessed, average="weighted"))
    assert metrics["training_accuracy_score"] == metrics["training_score"] == model.score(X3, Y)
    assert metrics["training_recall_score"] == pytest.approx(
        np.mean([metrics[f"training_recall_score_output{k}"] for k in range(2)])
    )


def test_several_labels_have_their_own_metrics():
    Y = np.column_stack([y, 1 - y, np.zeros_like(y)])
    model = DecisionTreeClassifier(max_depth=2).fit(X, Y)
    found, predicted = report(model, X, Y), model.predict(X)
    assert found.metrics["training_precision_score_output1"] == precision_score(Y[:, 1], predicted[:, 1])
    assert found.metrics["training_accuracy_score_output2"] == 1.0
    assert found.metrics["training_accuracy_score"] == accuracy_score(Y, predicted)
    assert found.metrics["training_recall_score"] == pytest.approx(
        recall_score(Y, predicted, average="weighted", zero_division=0)
    )


def test_a_calibrated_classifier_shows_how_well_it_is_calibrated():
    model = CalibratedClassifierCV(DecisionTreeClassifier(max_depth=2), cv=3).fit(X, y)
    found = report(model, X, y)
    curve = found.curves["calibration_curve"].columns
    share, given = calibration_curve(y, model.predict_proba(X)[:, 1], n_bins=10)
    assert curve["true"] == pytest.approx(share.tolist())
    assert curve["predicted"] == pytest.approx(given.tolist())
    error = np.average(np.abs(share - given), weights=curve["rows"])
    assert found.metrics["training_expected_calibration_error"] == pytest.approx(error)
    of_three = report(CalibratedClassifierCV(DecisionTreeClassifier(max_depth=2), cv=3).fit(X3, y3), X3, y3)
    assert sum(of_three.curves["calibration_curve"].columns["rows"]) == 400
    assert "calibration_curve" not in report(DecisionTreeClassifier().fit(X, y), X, y).curves
