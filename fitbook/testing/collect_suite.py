"""The part of the store contract that deletes for good, as tests: subclass `CollectSuite` beside `StoreSuite`."""

from __future__ import annotations

from typing import Any

import pytest

from fitbook.entities import Dataset, DatasetInput, LoggedModel, Metric, StoredFile, ViewType
from fitbook.errors import NotFound
from fitbook.registry import Registry
from fitbook.store import DEFAULT_EXPERIMENT_ID, Store
from fitbook.testing.store_suite import START, UNKNOWN, begin

FUTURE = 2**50
PAST = START


def full(store: Store, number: int = 1, data: str = "shared", **more: Any) -> str:
    """Write a run with something of every kind."""
    metrics = [Metric("m", float(step), START, step) for step in range(3)]
    run_id = begin(store, number, **{"params": {"p": "1", "q": "2"}, "tags": {"t": "1"}, "metrics": metrics} | more)
    store.log_batch(run_id, datasets=[DatasetInput(Dataset(name, "d")) for name in ("iris", data)])
    store.correct_param(run_id, "p", "3", user_id="ada")
    store.record_files(run_id, [StoredFile("a.txt", 1, "0" * 64)])
    store.record_model(LoggedModel(f"m-{run_id}", run_id, "model", "sklearn", "0" * 64, 1, START))
    return run_id


class CollectSuite:
    """What every `Store` must do when it cleans up; ``store`` is new, and ``registry`` is that of the same place."""

    def test_what_was_deleted_is_listed_by_its_time(self, store: Store) -> None:
        kept, gone = begin(store), begin(store)
        other = store.create_experiment("other")
        inside = begin(store, experiment_id=other)
        store.delete_run(gone)
        store.delete_experiment(other)
        assert store.deleted_runs() == store.deleted_runs(before=FUTURE) == [gone, inside]
        assert store.deleted_experiments() == store.deleted_experiments(before=FUTURE) == [other]
        assert store.deleted_runs(before=PAST) == store.deleted_experiments(before=PAST) == []
        assert store.get_run(kept).info.lifecycle_stage == "active"

    def test_a_purged_run_is_gone_with_all_that_it_held(self, store: Store) -> None:
        kept, gone = full(store, 1), full(store, 2, data="only here")
        before = store.get_run(kept)
        store.delete_run(gone)
        assert store.count_rows([gone]) == {
            "runs": 1,
            "params": 2,
            "tags": 2,
            "metrics": 1,
            "metric_points": 3,
            "param_changes": 1,
            "run_datasets": 2,
            "datasets": 1,
            "files": 1,
            "logged_models": 1,
        }
        assert store.purge_runs([gone]) == [gone]
        for lost in (lambda: store.get_run(gone), lambda: store.get_logged_model(f"m-{gone}")):
            with pytest.raises(NotFound):
                lost()
        assert store.deleted_runs() == []
        assert store.count_rows([gone]) == {}
        assert store.get_run(kept) == before
        assert store.get_metric_history(kept, "m") == [Metric("m", float(n), START, n) for n in range(3)]
        assert [len(found) for found in (store.recorded_files(kept), store.get_param_history(kept))] == [1, 1]
        assert store.purge_runs([gone]) == []

    def test_a_purged_run_can_be_written_anew(self, store: Store) -> None:
        run_id = full(store)
        store.delete_run(run_id)
        store.purge_runs([run_id])
        begin(store, run_id=run_id, params={"p": "other"})
        assert store.get_run(run_id).data.params == {"p": "other"}
        assert store.get_run(run_id).inputs.dataset_inputs == ()
        assert store.recorded_files(run_id) == []

    def test_only_what_is_deleted_is_purged(self, store: Store) -> None:
        active, back = full(store, 1), full(store, 2)
        store.delete_run(back)
        store.restore_run(back)
        assert store.purge_runs([active, back, UNKNOWN]) == []
        assert store.count_rows([active, back])["runs"] == 2

    def test_many_runs_at_once(self, store: Store) -> None:
        ids = [begin(store, number) for number in range(1, 21)]
        for run_id in ids[:15]:
            store.delete_run(run_id)
        assert sorted(store.purge_runs(ids * 60)) == sorted(ids[:15])
        assert sorted(run.info.run_id for run in store.search_runs([DEFAULT_EXPERIMENT_ID])) == sorted(ids[15:])

    def test_children_outlive_their_parent(self, store: Store) -> None:
        parent = begin(store)
        child = begin(store, tags={"mlflow.parentRunId": parent})
        store.delete_run(parent)
        store.purge_runs([parent])
        assert store.get_run(child).info.parent_run_id == parent

    @pytest.mark.parametrize("way", ["run_id", "source", "runs-uri", "model_id"])
    def test_a_run_that_a_model_version_comes_from_stays(self, store: Store, registry: Registry, way: str) -> None:
        run_id, other = full(store, 1), full(store, 2)
        source = {
            "source": f"{store.get_run(run_id).info.artifact_uri}/model",
            "runs-uri": f"runs:/{run_id}/model",
        }.get(way, "s3://elsewhere/model")
        registry.create_registered_model("churn")
        registry.create_model_version(
            "churn", source, run_id if way == "run_id" else "", model_id=f"m-{run_id}" if way == "model_id" else None
        )
        for each in (run_id, other):
            store.delete_run(each)
        assert store.runs_of_models([other, run_id]) == {run_id: "churn/1"}
        assert store.purge_runs([run_id, other]) == [other]
        assert store.get_run(run_id).data.params == {"p": "3", "q": "2"}
        registry.delete_model_version("churn", 1)
        assert store.runs_of_models([run_id]) == {}
        assert store.purge_runs([run_id]) == [run_id]

    def test_unknown_runs_are_told_apart(self, store: Store) -> None:
        active, deleted = begin(store), begin(store)
        store.delete_run(deleted)
        assert store.unknown_runs([active, UNKNOWN, deleted]) == [UNKNOWN]

    def test_an_experiment_goes_when_it_is_deleted_and_empty(self, store: Store) -> None:
        gone, active = store.create_experiment("gone", tags={"k": "v"}), store.create_experiment("active")
        run_id = full(store, experiment_id=gone)
        assert store.purge_experiments([gone, active]) == []
        store.delete_experiment(gone)
        assert store.purge_experiments([gone]) == []
        assert store.purge_runs([run_id]) == [run_id]
        assert store.purge_experiments([gone, active, "77"]) == [gone]
        with pytest.raises(NotFound):
            store.get_experiment(gone)
        assert {e.name for e in store.search_experiments(ViewType.ALL)} == {"Default", "active"}
        assert store.create_experiment("gone") not in (gone, active)

    def test_the_id_of_the_newest_experiment_is_not_given_again(self, store: Store) -> None:
        gone = store.create_experiment("gone", tags={"k": "v"})
        store.delete_experiment(gone)
        assert store.purge_experiments([gone]) == [gone]
        assert store.deleted_experiments() == store.purge_experiments([gone]) == []
        assert store.get_experiment_by_name("gone") is None
        newer = store.create_experiment("gone")
        assert newer != gone
        assert dict(store.get_experiment(newer).tags) == {}
        assert store.purge_experiments([]) == []
        with pytest.raises(NotFound):
            store.get_experiment(gone)

    def test_the_default_experiment_stays_to_be_restored(self, store: Store) -> None:
        run_id = full(store)
        store.delete_experiment(DEFAULT_EXPERIMENT_ID)
        assert store.purge_runs([run_id]) == [run_id]
        assert store.deleted_experiments() == store.purge_experiments([DEFAULT_EXPERIMENT_ID]) == []
        store.restore_experiment(DEFAULT_EXPERIMENT_ID)
        begin(store)
