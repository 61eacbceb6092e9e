"""imbalanced-learn: pipelines with samplers and ensembles are one run each, samplers none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from imblearn.ensemble import (
    BalancedBaggingClassifier,
    BalancedRandomForestClassifier,
    EasyEnsembleClassifier,
    RUSBoostClassifier,
)
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.pipeline import Pipeline, make_pipeline
from imblearn.under_sampling import InstanceHardnessThreshold, NearMiss
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

import fitbook
from fitbook.entities import Run

Runs = Callable[[], list[Run]]
Data = tuple[Any, Any]


@pytest.fixture
def skewed() -> Data:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 3))
    return X, (X[:, 0] + 0.2 * rng.normal(size=150) > 0.9).astype(int)


@pytest.mark.parametrize("sampler", [SMOTE(), RandomOverSampler(), NearMiss(), InstanceHardnessThreshold(cv=2)])
def test_a_sampler_makes_no_run_nor_does_what_it_fits_inside(sampler: Any, skewed: Data, on: None, runs: Runs) -> None:
    X, y = sampler.fit_resample(*skewed)
    assert len(X) == len(y)
    assert runs() == []


def test_a_pipeline_with_a_sampler_is_one_run(skewed: Data, on: None, runs: Runs) -> None:
    X, y = skewed
    pipeline = make_pipeline(StandardScaler(), SMOTE(random_state=0), LogisticRegression()).fit(X, y)
    (run,) = runs()
    assert run.data.params["smote__random_state"] == "0"
    assert run.data.tags["fitbook.estimator_type"] == "classifier"
    assert run.data.metrics["training_accuracy_score"] == pipeline.score(X, y)
    loaded = fitbook.sklearn.load_model(f"runs:/{run.info.run_id}/model")
    assert isinstance(loaded, Pipeline)
    assert (loaded.predict_proba(X) == pipeline.predict_proba(X)).all()


def test_a_search_over_a_sampler_is_one_run(skewed: Data, on: None, top: Runs) -> None:
    pipeline = make_pipeline(SMOTE(random_state=0), LogisticRegression())
    GridSearchCV(pipeline, {"smote__k_neighbors": [2, 3]}, cv=2).fit(*skewed)
    (run,) = top()
    assert run.data.params["best_smote__k_neighbors"] in ("2", "3")


@pytest.mark.parametrize(
    "cls", [BalancedBaggingClassifier, BalancedRandomForestClassifier, EasyEnsembleClassifier, RUSBoostClassifier]
)
def test_ensembles_are_one_complete_run(cls: Any, skewed: Data, on: None, runs: Runs) -> None:
    X, y = skewed
    model = cls(n_estimators=3, random_state=0).fit(X, y)
    (run,) = runs()
    assert run.data.params["n_estimators"] == "3"
    assert run.data.metrics["training_accuracy_score"] == model.score(X, y)
    loaded = fitbook.sklearn.load_model(f"runs:/{run.info.run_id}/model")
    assert (loaded.predict_proba(X) == model.predict_proba(X)).all()
