"""What is true of fits in loky's workers is true of those in Dask's and Ray's."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import distributed
import joblib
import pytest
import ray
from joblib import Parallel, delayed
from ray.util.joblib import register_ray
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV

import fitbook
from fitbook.entities import Run


@contextlib.contextmanager
def dask_processes() -> Iterator[str]:
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster),
    ):
        yield "dask"


@contextlib.contextmanager
def dask_threads() -> Iterator[str]:
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=4, dashboard_address=None) as cluster,
        distributed.Client(cluster),
    ):
        yield "dask"


@contextlib.contextmanager
def dask_here() -> Iterator[str]:
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster),
    ):
        yield "dask"


@contextlib.contextmanager
def ray_processes() -> Iterator[str]:
    ray.init(num_cpus=2, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    register_ray()
    try:
        yield "ray"
    finally:
        ray.shutdown()


CLUSTERS: dict[str, Callable[[], contextlib.AbstractContextManager[str]]] = {
    "Dask, processes": dask_processes,
    "Dask, threads of one process": dask_threads,
    "Dask, threads of this process": dask_here,
    "Ray": ray_processes,
}


@pytest.fixture(scope="module", params=CLUSTERS)
def cluster(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    with CLUSTERS[request.param]() as backend:
        yield request.param, backend


@pytest.fixture
def backend(cluster: tuple[str, str]) -> Iterator[str]:
    fitbook.autolog(log_plots=False)
    with joblib.parallel_config(backend=cluster[1], n_jobs=2):
        yield cluster[0]


def runs() -> list[Run]:
    return fitbook.search_runs(output_format="list", search_all_experiments=True)


def fits(data: Any, number: int) -> list[Any]:
    return [delayed(LogisticRegression(C=n).fit)(*data) for n in range(1, number + 1)]


def test_each_fit_is_one_complete_run(backend: str, data: Any) -> None:
    fitbook.set_experiment("cluster")
    fitbook.autolog(log_plots=False, extra_tags={"team": "a"})
    began = time.perf_counter()
    models = Parallel()(fits(data, 20))
    seconds = time.perf_counter() - began
    assert [model.C for model in models] == list(range(1, 21))
    found = runs()
    assert sorted(int(run.data.params["C"]) for run in found) == list(range(1, 21))
    for run in found:
        assert run.info.status == "FINISHED"
        assert run.data.metrics["training_score"] > 0.5
        assert run.data.tags["team"] == "a"
        assert "mlflow.parentRunId" not in run.data.tags
        assert fitbook.get_experiment(run.info.experiment_id).name == "cluster"
        assert float(run.data.params["C"]) == fitbook.sklearn.load_model(f"runs:/{run.info.run_id}/model").C
    print(f"{backend}: 20 fits, {len(found)} runs, {seconds:.2f} s")


def test_fits_belong_to_the_run_that_is_active_where_they_were_sent_from(backend: str, data: Any) -> None:
    with fitbook.start_run() as mine:
        Parallel()(fits(data, 6))
    found = {run.info.run_id: run for run in runs()}
    first = found.pop(mine.info.run_id)
    assert {run.data.tags["mlflow.parentRunId"] for run in found.values()} == {mine.info.run_id}
    assert sorted(run.data.params["C"] for run in (first, *found.values())) == [str(n) for n in range(1, 7)]
    assert {run.info.status for run in (first, *found.values())} == {"FINISHED"}


def test_what_runs_inside_of_a_fit_makes_no_runs_of_its_own(backend: str, data: Any) -> None:
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1, 10]}, cv=3).fit(*data)
    RandomForestClassifier(n_estimators=5).fit(*data)
    assert set(search.best_params_) == {"C"}
    top = [run for run in runs() if "mlflow.parentRunId" not in run.data.tags]
    assert sorted(run.data.tags["estimator_name"] for run in top) == ["GridSearchCV", "RandomForestClassifier"]
    assert len(runs()) == 2 + 3
    assert {run.info.status for run in runs()} == {"FINISHED"}


class Fails(LogisticRegression):  # type: ignore[misc]
    def fit(self, X: Any, y: Any) -> Fails:
        raise ZeroDivisionError(f"in {os.getpid()}")


def test_a_fit_that_fails_is_recorded_and_its_error_arrives(backend: str, data: Any) -> None:
    with pytest.raises(ZeroDivisionError, match="in "):
        Parallel()([delayed(Fails(C=7).fit)(*data)])
    (run,) = runs()
    assert (run.info.status, run.data.params["C"]) == ("FAILED", "7")
    assert run.data.tags["fitbook.data.shape"] == "60 x 4"


def test_after_turning_off_nothing_is_recorded(backend: str, data: Any) -> None:
    Parallel()(fits(data, 2))
    fitbook.autolog(disable=True)
    Parallel()(fits(data, 2))
    assert len(runs()) == 2
