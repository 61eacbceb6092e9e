"""fitbook in one sitting: ordinary scikit-learn code, and what is on record after it.

    make demo                      in a clone, or
    python examples/quickstart.py  wherever fitbook is installed

Three data sets that come with scikit-learn; everything is kept in ./fitbook-runs (or FITBOOK_TRACKING_URI).
"""

import time

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, mean_absolute_error, roc_auc_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import fitbook

MODEL = "breast-cancer"


def breast_cancer() -> str:
    """Compare three classifiers: each fit becomes a version of a registered model, the best one its champion."""
    fitbook.autolog(registered_model_name=MODEL)
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    for model in (
        make_pipeline(StandardScaler(), LogisticRegression(C=0.5)),
        RandomForestClassifier(n_estimators=100, random_state=0),
        GradientBoostingClassifier(random_state=0),
    ):
        model.fit(X_train, y_train)
        accuracy_score(y_test, model.predict(X_test))
        roc_auc_score(y_test, model.predict_proba(X_test)[:, 1])

    # Nothing was logged by hand, and yet the held-out scores are on record, to choose by.
    best = fitbook.search_runs(order_by=["metrics.roc_auc_score_X_test DESC"], max_results=1).iloc[0]
    client = fitbook.Client()
    (version,) = client.search_model_versions(f"run_id = '{best.run_id}'")
    client.set_registered_model_alias(MODEL, "champion", version.version)

    champion = fitbook.sklearn.load_model(f"models:/{MODEL}@champion")
    auc = roc_auc_score(y_test, champion.predict_proba(X_test)[:, 1])
    assert np.isclose(auc, best["metrics.roc_auc_score_X_test"]), "what is loaded is what was measured"
    return f"{best['tags.mlflow.runName']}, held-out ROC AUC {auc:.4f}, is version {version.version} of {MODEL}"


def wine() -> None:
    """Search a grid: one run, a child run for every candidate, and the best estimator as a model of its own."""
    fitbook.autolog(registered_model_name="wine")
    X, y = load_wine(return_X_y=True, as_frame=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    grid = {"svc__C": [0.1, 1, 10], "svc__gamma": ["scale", 0.01]}
    search = GridSearchCV(make_pipeline(StandardScaler(), SVC()), grid, cv=5).fit(X_train, y_train)
    accuracy_score(y_test, search.predict(X_test))


def diabetes() -> None:
    """Fit two regressors, each within a run of one's own: what is logged by hand and the fit are recorded together."""
    fitbook.autolog()
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    for model in (Ridge(alpha=0.1), RandomForestRegressor(n_estimators=100, random_state=0)):
        with fitbook.start_run(run_name=f"diabetes with {type(model).__name__}"):
            fitbook.set_tag("question", "how far does a linear model get?")
            model.fit(X_train, y_train)
            mean_absolute_error(y_test, model.predict(X_test))


def summary(began: float, winner: str) -> None:
    """Show what is on record since ``began``, in seconds since the epoch."""
    since = f"attributes.start_time >= {int(began * 1000)}"
    runs = fitbook.search_runs(filter_string=since, order_by=["start_time ASC"])
    is_child = runs["tags.mlflow.parentRunId"].notna()
    runs, children = runs[~is_child], runs[is_child]
    fit, added = runs["metrics.fit_duration_seconds"], runs["metrics.fitbook.overhead_ms"]
    columns = {
        "run": runs["tags.mlflow.runName"],
        "status": runs["status"],
        "training score": runs["metrics.training_score"],
        "accuracy": runs["metrics.accuracy_score_X_test"],
        "ROC AUC": runs["metrics.roc_auc_score_X_test"],
        "mean abs. error": runs["metrics.mean_absolute_error_X_test"],
        "fit": fit.map("{:.3f} s".format),
        "fitbook added": added.map("{:.0f} ms".format),
    }
    print(pd.DataFrame(columns).to_string(index=False, na_rep="", float_format="{:.3f}".format))
    print(f"\n{len(runs)} runs, and {len(children)} child runs for the candidates of the grid search.")
    print(f"Winner:   {winner};")
    print(f"          it is loaded back with load_model('models:/{MODEL}@champion').")
    print(f"Overhead: {added.median():.0f} ms for each fit (median), {added.sum() / 1000:.2f} s for all of them;")
    print(f"          the fits themselves took {fit.sum():.2f} s. Figures and files follow in the background.")
    print(f"Record:   {fitbook.get_tracking_uri()}")
    print("Next:     fitbook runs list")
    print(f"          fitbook runs show {runs['run_id'].iloc[0][:8]}")
    print(f"          fitbook runs compare {' '.join(run_id[:8] for run_id in runs['run_id'][:3])}")
    print("          fitbook models list")


if __name__ == "__main__":
    start = time.time()
    fitbook.set_experiment("quickstart")
    champion = breast_cancer()
    wine()
    diabetes()
    summary(start, champion)
