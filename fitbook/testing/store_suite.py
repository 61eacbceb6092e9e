"""The store contract as tests: subclass `StoreSuite`, give it a fixture ``store``, and run pytest.

::

    class TestMyStore(StoreSuite):
        @pytest.fixture
        def store(self):
            return MyStore(...)
"""

from __future__ import annotations

import math
import struct
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitbook.entities import (
    Dataset,
    DatasetInput,
    LoggedModel,
    Metric,
    PagedList,
    RunStatus,
    StoredFile,
    ViewType,
)
from fitbook.errors import AlreadyExists, InvalidFilter, InvalidValue, NotFound, ParamConflict, WrongState
from fitbook.store import DEFAULT_EXPERIMENT_ID, DEFAULT_EXPERIMENT_NAME, Store
from fitbook.testing.drafts import START, begin, draft, many_examples, names_of
from fitbook.testing.text_suite import BAD_KEYS, TextSuite

__all__ = ["START", "StoreSuite", "begin", "draft"]

T = TypeVar("T")

UNKNOWN = "f" * 32
BAD_NAMES: list[Any] = ["", "  ", "a\nb", "a\x7f", "\ud800", "x" * 257, None, 3]
FINITE = [-0.0, 0.0, 5e-324, -5e-324, 1e308, -1.7976931348623157e308, 0.1 + 0.2, 2.0**53]
SPECIAL = [math.nan, math.inf, -math.inf, *FINITE]


def _bits(value: float) -> bytes:
    # NaN is unequal to itself and -0.0 equal to 0.0: what is written down exactly has the same bits.
    return b"nan" if math.isnan(value) else struct.pack("<d", value)


def _pages(search: Callable[[str | None], PagedList[T]]) -> list[PagedList[T]]:
    pages = [search(None)]
    while pages[-1].token is not None:
        pages.append(search(pages[-1].token))
    return pages


class StoreSuite(TextSuite):
    """What every `Store` must do; ``store`` is new at the start of each test."""

    @pytest.fixture
    def run_id(self, store: Store) -> str:
        """The id of a run without anything."""
        return begin(store)

    @pytest.fixture
    def gone(self, store: Store) -> str:
        """The id of a deleted run."""
        run_id = begin(store, 2)
        store.delete_run(run_id)
        return run_id

    # -- experiments

    def test_a_new_store_has_the_default_experiment(self, store: Store) -> None:
        found = store.search_experiments(ViewType.ALL)
        assert [(e.experiment_id, e.name) for e in found] == [(DEFAULT_EXPERIMENT_ID, DEFAULT_EXPERIMENT_NAME)]
        assert store.get_experiment_by_name(DEFAULT_EXPERIMENT_NAME) == store.get_experiment(DEFAULT_EXPERIMENT_ID)

    def test_a_created_experiment_is_read_back(self, store: Store) -> None:
        number = store.create_experiment("Größe & 模型", "file:///elsewhere/", {"team": "α", "n": "1"})
        found = store.get_experiment(number)
        assert (found.experiment_id, found.name, found.lifecycle_stage) == (number, "Größe & 模型", "active")
        assert (found.artifact_location, dict(found.tags)) == ("file:///elsewhere", {"team": "α", "n": "1"})
        assert found.creation_time == found.last_update_time
        assert (found.creation_time or 0) > START
        assert store.get_experiment_by_name("Größe & 模型") == found
        assert store.get_experiment_by_name("größe & 模型") is None

    def test_an_experiment_has_a_place_of_its_own_for_files(self, store: Store) -> None:
        one, two = store.create_experiment("one"), store.create_experiment("two", "s3://bucket/two")
        places = {store.get_experiment(e).artifact_location for e in (DEFAULT_EXPERIMENT_ID, one, two)}
        assert len(places) == 3
        assert store.get_run(begin(store, experiment_id=two)).info.artifact_uri.startswith("s3://bucket/two/")

    def test_a_name_is_taken_once(self, store: Store) -> None:
        number = store.create_experiment("a", tags={"k": "v"})
        with pytest.raises(AlreadyExists, match="'a'.*another name"):
            store.create_experiment("a", tags={"k": "w"})
        store.delete_experiment(number)
        with pytest.raises(AlreadyExists, match="deleted: restore it"):
            store.create_experiment("a")
        assert dict(store.get_experiment(number).tags) == {"k": "v"}

    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_bad_experiment_names_are_refused(self, store: Store, name: Any) -> None:
        number = store.create_experiment("good")
        with pytest.raises(InvalidValue, match="experiment name"):
            store.create_experiment(name)
        with pytest.raises(InvalidValue, match="experiment name"):
            store.rename_experiment(number, name)
        assert len(store.search_experiments(ViewType.ALL)) == 2

    def test_renaming(self, store: Store) -> None:
        number = store.create_experiment("old")
        store.create_experiment("taken")
        store.rename_experiment(number, "new")
        assert store.get_experiment(number).name == "new"
        assert store.get_experiment_by_name("old") is None
        with pytest.raises(AlreadyExists, match="'taken'"):
            store.rename_experiment(number, "taken")
        store.create_experiment("old")

    @pytest.mark.parametrize("unknown", ["77", "nonsense", "", "-1", "²", "1" * 40, None, "\ud800"])
    def test_unknown_experiments_are_named(self, store: Store, unknown: Any) -> None:
        for call in (
            lambda: store.get_experiment(unknown),
            lambda: store.rename_experiment(unknown, "x"),
            lambda: store.delete_experiment(unknown),
            lambda: store.restore_experiment(unknown),
            lambda: store.set_experiment_tag(unknown, "k", "v"),
            lambda: begin(store, experiment_id=unknown),
        ):
            with pytest.raises(NotFound) as caught:
                call()
            assert repr(unknown) in str(caught.value)

    def test_deleting_takes_the_runs_along_and_restoring_brings_them_back(self, store: Store) -> None:
        number = store.create_experiment("e")
        kept, before = begin(store, 1, experiment_id=number), begin(store, 2, experiment_id=number)
        other = begin(store, 3)
        store.delete_run(before)
        store.delete_experiment(number)
        assert store.get_experiment(number).lifecycle_stage == "deleted"
        assert [store.get_run(r).info.lifecycle_stage for r in (kept, before, other)] == [
            "deleted",
            "deleted",
            "active",
        ]
        store.restore_experiment(number)
        assert store.get_experiment(number).lifecycle_stage == "active"
        # What the user had deleted before stays deleted.
        assert [store.get_run(r).info.lifecycle_stage for r in (kept, before)] == ["active", "deleted"]

    def test_a_deleted_experiment_is_not_changed(self, store: Store) -> None:
        number = store.create_experiment("e")
        store.delete_experiment(number)
        for call in (
            lambda: store.rename_experiment(number, "x"),
            lambda: store.set_experiment_tag(number, "k", "v"),
            lambda: begin(store, experiment_id=number),
            lambda: store.delete_experiment(number),
        ):
            with pytest.raises(WrongState, match="'e'.*deleted"):
                call()
        assert store.get_experiment(number).name == "e"
        assert len(store.search_runs([number], run_view_type=ViewType.ALL)) == 0
        with pytest.raises(WrongState, match="active already"):
            store.restore_experiment(DEFAULT_EXPERIMENT_ID)

    def test_experiment_tags_are_overwritten(self, store: Store) -> None:
        store.set_experiment_tag("0", "k", "1")
        store.set_experiment_tag("0", "k", "ü" * 10_000)
        store.set_experiment_tag("0", "l", "")
        assert dict(store.get_experiment("0").tags) == {"k": "ü" * 10_000, "l": ""}
        for key in BAD_KEYS:
            with pytest.raises(InvalidValue, match="tag key"):
                store.set_experiment_tag("0", key, "v")

    def test_an_experiment_from_elsewhere_keeps_its_age(self, store: Store) -> None:
        made = store.get_experiment(store.create_experiment("old", creation_time=START))
        assert (made.creation_time, made.last_update_time) == (START, START)
        with pytest.raises(InvalidValue, match="timestamp"):
            store.create_experiment("never", creation_time=2**63)

    def test_searching_experiments(self, store: Store) -> None:
        ids = {name: store.create_experiment(name, tags={"team": name[0]}) for name in ("a1", "a2", "b1")}
        store.delete_experiment(ids["a2"])

        def names(*args: Any, **more: Any) -> list[str]:
            return [e.name for e in store.search_experiments(*args, **more)]

        assert names() == ["b1", "a1", "Default"]
        assert names(ViewType.DELETED_ONLY) == ["a2"]
        assert names(ViewType.ALL) == ["b1", "a2", "a1", "Default"]
        assert names(filter_string="tags.team = 'a'") == ["a1"]
        assert names(filter_string="name LIKE '%1'", order_by=["name ASC"]) == ["a1", "b1"]
        assert names(order_by=["name DESC"]) == ["b1", "a1", "Default"]
        with pytest.raises(InvalidFilter):
            store.search_experiments(filter_string="name ==")

    def test_pages_of_experiments_cover_everything_once(self, store: Store) -> None:
        made = {"Default"} | {f"e{n}" for n in range(6)}
        for name in sorted(made - {"Default"}):
            store.create_experiment(name)
        pages = _pages(lambda token: store.search_experiments(max_results=3, page_token=token))
        names = [e.name for page in pages for e in page]
        assert len(names) == 7
        assert set(names) == made

    # -- runs

    def test_a_created_run_is_read_back(self, store: Store) -> None:
        made = draft(
            7,
            end_time=START + 9,
            status=RunStatus.FAILED,
            params={"p": "1", "q": "ü"},
            metrics=[Metric("m", 1.0, START, 0), Metric("m", 2.0, START, 5), Metric("m", 3.0, START, 1)],
            tags={"t": "v"},
        )
        store.create_runs([made])
        run = store.get_run(made.run_id)
        assert (run.info.run_id, run.info.run_uuid, run.info.experiment_id) == (made.run_id, made.run_id, "0")
        assert (run.info.run_name, run.info.user_id, run.info.status) == ("run-7", "ada", "FAILED")
        assert (run.info.start_time, run.info.end_time) == (START + 7000, START + 9)
        assert run.info.lifecycle_stage == "active"
        assert made.run_id in run.info.artifact_uri
        assert dict(run.data.params) == {"p": "1", "q": "ü"}
        assert dict(run.data.metrics) == {"m": 2.0}
        assert dict(run.data.tags) == {"t": "v", "mlflow.runName": "run-7"}
        assert [m.value for m in store.get_metric_history(made.run_id, "m")] == [1.0, 2.0, 3.0]

    def test_many_runs_are_written_at_once(self, store: Store) -> None:
        drafts = [draft(n, params={"n": str(n)}, metrics=[Metric("m", n, START, 0)]) for n in range(1200)]
        store.create_runs(drafts)
        found = store.search_runs(["0"], max_results=2000)
        assert names_of(found) == [f"run-{n}" for n in reversed(range(1200))]
        assert [run.data.params["n"] for run in found] == [str(n) for n in reversed(range(1200))]
        assert sum(run.data.metrics["m"] for run in found) == sum(range(1200))
        store.create_runs([])
        assert len(store.search_runs(["0"], max_results=2000)) == 1200

    @pytest.mark.parametrize(
        "wrong",
        [
            {"params": {"a*": "1"}},
            {"tags": {"": "1"}},
            {"metrics": [Metric("a*", 1.0, START)]},
            {"metrics": [Metric("m", "1.0", START)]},  # type: ignore[arg-type]
            {"metrics": [Metric("m", 1.0, START, 2**63)]},
            {"run_name": ""},
            {"status": "DONE"},
            {"run_id": "a/b"},
            {"run_id": "x" * 33},
            {"user_id": "x" * 257},
            {"user_id": "a\x00b"},
            {"start_time": 2**63},
            {"end_time": "yesterday"},
            {"params": {"a": "a\x00b"}},
            {"tags": {"a": "\ud800"}},
        ],
    )
    def test_one_bad_run_of_many_leaves_none(self, store: Store, wrong: dict[str, Any]) -> None:
        with pytest.raises(InvalidValue):
            store.create_runs([draft(1), draft(2, **wrong)])
        assert store.search_runs(["0"]) == []

    def test_an_id_is_taken_once(self, store: Store, run_id: str) -> None:
        with pytest.raises(AlreadyExists, match=run_id):
            store.create_runs([draft(5), draft(6, run_id=run_id)])
        assert names_of(store.search_runs(["0"])) == ["run-1"]

    def test_runs_from_elsewhere_are_written_with_their_datasets_and_their_stage(self, store: Store) -> None:
        used = DatasetInput(Dataset("wine", "d1", profile="{}"), {"mlflow.data.context": "train"})
        kept, gone = draft(1, datasets=[used]), draft(2, datasets=[used], deleted_time=START + 5)
        store.create_runs([kept, gone])
        assert store.get_run(kept.run_id).inputs.dataset_inputs == (used,)
        read = store.get_run(gone.run_id)
        assert (read.info.lifecycle_stage, read.inputs.dataset_inputs) == ("deleted", (used,))
        assert [run.info.run_id for run in store.search_runs(["0"])] == [kept.run_id]
        store.restore_run(gone.run_id)
        assert store.get_run(gone.run_id).info.lifecycle_stage == "active"

    def test_runs_are_written_with_the_notes_of_their_files_and_models(self, store: Store) -> None:
        first, second = draft(1), draft(2, deleted_time=START)
        note = LoggedModel("m-1", second.run_id, "model", "sklearn", "0" * 64, 1, START)
        first.files = [StoredFile("a", 1, "1" * 64), StoredFile("a", 2, "2" * 64)]
        second.files, second.models = [StoredFile("b", 3, "3" * 64)], [note]
        store.create_runs([first, second])
        assert store.recorded_files(first.run_id) == [StoredFile("a", 2, "2" * 64)]
        assert store.recorded_files(second.run_id) == second.files
        assert store.list_logged_models(second.run_id) == [note] == [store.get_logged_model("m-1")]
        with pytest.raises(AlreadyExists, match="model 'm-1'"):
            store.create_runs([draft(3, models=[note])])
        assert len(store.search_runs(["0"], run_view_type=ViewType.ALL)) == 2

    def test_a_deleted_experiment_takes_deleted_runs_only_and_they_come_back_with_it(self, store: Store) -> None:
        experiment = store.create_experiment("gone")
        store.delete_experiment(experiment)
        since = store.get_experiment(experiment).last_update_time
        gone = draft(1, experiment_id=experiment, deleted_time=since)
        with pytest.raises(WrongState, match="'gone'"):
            store.create_runs([gone, draft(2, experiment_id=experiment)])
        store.create_runs([gone])
        store.restore_experiment(experiment)
        assert [run.info.run_id for run in store.search_runs([experiment])] == [gone.run_id]

    def test_updating_changes_what_is_given(self, store: Store, run_id: str) -> None:
        before = store.get_run(run_id)
        store.update_run(run_id)
        assert store.get_run(run_id) == before
        store.update_run(run_id, status=RunStatus.FINISHED, end_time=START + 5)
        info = store.get_run(run_id).info
        assert (info.status, info.end_time, info.run_name) == ("FINISHED", START + 5, "run-1")
        store.update_run(run_id, run_name="other")
        run = store.get_run(run_id)
        assert (run.info.run_name, run.data.tags["mlflow.runName"], run.info.status) == ("other", "other", "FINISHED")

    def test_bad_updates_are_refused(self, store: Store, run_id: str) -> None:
        with pytest.raises(InvalidValue, match="'DONE'.*FINISHED"):
            store.update_run(run_id, status="DONE", run_name="x")
        for name in BAD_NAMES:
            if isinstance(name, str):
                with pytest.raises(InvalidValue, match="run name"):
                    store.update_run(run_id, run_name=name, status="FAILED")
        assert store.get_run(run_id).info.status == "RUNNING"
        assert store.get_run(run_id).data.tags["mlflow.runName"] == "run-1"

    def test_deleting_and_restoring_runs(self, store: Store, run_id: str) -> None:
        store.log_metric(run_id, Metric("m", 1.0, START))
        for _ in range(2):
            store.delete_run(run_id)
        assert store.get_run(run_id).info.lifecycle_stage == "deleted"
        assert store.search_runs(["0"]) == []
        assert [m.value for m in store.get_metric_history(run_id, "m")] == [1.0]
        for _ in range(2):
            store.restore_run(run_id)
        assert store.get_run(run_id).data.metrics == {"m": 1.0}
        assert len(store.search_runs(["0"])) == 1

    @pytest.mark.parametrize("unknown", [UNKNOWN, "", "nonsense", "ü" * 100, "a\x00", "\ud800", None, 0, 3, b"a", []])
    def test_unknown_runs_are_named(self, store: Store, run_id: str, unknown: Any) -> None:
        for call in (
            lambda: store.get_run(unknown),
            lambda: store.get_run_info(unknown),
            lambda: store.update_run(unknown, status="FAILED"),
            lambda: store.delete_run(unknown),
            lambda: store.restore_run(unknown),
            lambda: store.log_metric(unknown, Metric("m", 1.0, START)),
            lambda: store.log_batch(unknown, params={"p": "1"}),
            lambda: store.delete_tag(unknown, "k"),
            lambda: store.get_metric_history(unknown, "m"),
        ):
            with pytest.raises(NotFound) as caught:
                call()
            assert repr(unknown) in str(caught.value)
        assert len(store.search_runs(["0"], run_view_type=ViewType.ALL)) == 1

    def test_the_closest_run_id_is_offered(self, store: Store, run_id: str) -> None:
        with pytest.raises(NotFound, match=f"Did you mean '{run_id}'"):
            store.get_run(run_id[:-1] + ("0" if run_id[-1] != "0" else "1"))

    def test_a_deleted_run_is_not_changed(self, store: Store, gone: str) -> None:
        before = store.get_run(gone)
        calls: list[Callable[[], object]] = [
            lambda: store.update_run(gone, status="FINISHED"),
            lambda: store.log_metric(gone, Metric("m", 1.0, START)),
            lambda: store.log_batch(gone, tags={"k": "v"}),
            lambda: store.delete_tag(gone, "mlflow.runName"),
            lambda: store.record_model(LoggedModel("m-1", gone, "model", "sklearn", "", 1, START)),
        ]
        for call in calls:
            with pytest.raises(WrongState, match=f"{gone} is deleted.*restore"):
                call()
        assert store.get_run(gone) == before

    def test_an_ended_run_still_takes_what_belongs_to_it(self, store: Store, run_id: str) -> None:
        store.update_run(run_id, status=RunStatus.FINISHED, end_time=START)
        store.log_metric(run_id, Metric("late", 1.0, START))
        store.log_batch(run_id, params={"late": "1"})
        assert store.get_run(run_id).data.metrics == {"late": 1.0}

    def test_finding_runs_by_the_beginning_of_their_id(self, store: Store) -> None:
        ids = [prefix + uuid.uuid4().hex[4:] for prefix in ("abcd", "abce", "abce", "b000")]
        for run_id in ids:
            begin(store, run_id=run_id)
        assert store.find_runs("abcd") == [ids[0]]
        assert set(store.find_runs("abce")) == {ids[1], ids[2]}
        assert set(store.find_runs("ab")) == set(ids[:3])
        assert store.find_runs(ids[3]) == [ids[3]]
        assert store.find_runs("c") == []
        assert len(store.find_runs("", 2)) == 2

    # -- searching runs

    def test_newest_runs_come_first_and_the_last_written_among_equals(self, store: Store) -> None:
        for n in (2, 3, 1):
            begin(store, n)
        for name in ("x", "y"):
            begin(store, 2, run_name=name)
        assert names_of(store.search_runs(["0"])) == ["run-3", "y", "x", "run-2", "run-1"]

    def test_views(self, store: Store, run_id: str, gone: str) -> None:
        def ids(view: int) -> set[str]:
            return {run.info.run_id for run in store.search_runs(["0"], run_view_type=view)}

        assert ids(ViewType.ACTIVE_ONLY) == {run_id}
        assert ids(ViewType.DELETED_ONLY) == {gone}
        assert ids(ViewType.ALL) == {run_id, gone}

    def test_filters_and_orderings(self, store: Store) -> None:
        for n in range(6):
            begin(
                store,
                n,
                params={"depth": str(n), "kind": "even" if n % 2 == 0 else "odd"},
                metrics=[Metric("acc", n / 10, START)] if n else [],
                tags={"team": "x"} if n < 3 else {},
            )

        def names(text: str, **more: Any) -> str:
            return "".join(name[-1] for name in names_of(store.search_runs(["0"], text, **more)))

        assert names("metrics.acc > 0.3") == "54"
        assert names("params.kind = 'odd' AND tags.team = 'x'") == "1"
        assert names("params.depth >= 4 OR run_name = 'run-0'") == "540"
        assert names("attributes.status = 'FINISHED'") == ""
        assert names("", order_by=["metrics.acc ASC"]) == "123450"
        assert names("tags.team = 'x'", order_by=["params.depth DESC"]) == "210"
        with pytest.raises(InvalidFilter):
            store.search_runs(["0"], "metrics.acc >")
        with pytest.raises(InvalidValue):
            store.search_runs(["0"], order_by=["nonsense.x"])

    def test_a_search_looks_only_where_it_is_told(self, store: Store, run_id: str) -> None:
        number = store.create_experiment("e")
        other = begin(store, 2, experiment_id=number)
        assert [r.info.run_id for r in store.search_runs([number])] == [other]
        assert {r.info.run_id for r in store.search_runs([number, "0"])} == {run_id, other}
        assert store.search_runs([]) == []
        assert store.search_runs(["4711"]) == []
        with pytest.raises(NotFound, match="'nonsense'"):
            store.search_runs(["nonsense"])

    @pytest.mark.parametrize("order", [None, ["metrics.m DESC"], ["params.same ASC"]])
    def test_pages_of_runs_cover_everything_once(self, store: Store, order: list[str] | None) -> None:
        store.create_runs([draft(n, params={"same": "1"}, metrics=[Metric("m", n % 3, START)]) for n in range(23)])
        pages = _pages(lambda token: store.search_runs(["0"], max_results=5, order_by=order, page_token=token))
        assert [len(page) for page in pages] == [5, 5, 5, 5, 3]
        assert sorted(name for page in pages for name in names_of(page)) == sorted(f"run-{n}" for n in range(23))
        assert store.search_runs(["0"], max_results=23, order_by=order).token is None

    @pytest.mark.parametrize("search", ["search_runs", "search_experiments"])
    def test_bad_pages_are_refused(self, store: Store, search: str) -> None:
        def call(**more: Any) -> Any:
            return getattr(store, search)(**more, **({"experiment_ids": ["0"]} if search == "search_runs" else {}))

        for most in (0, -1, "5", None, 1.5):
            with pytest.raises(InvalidValue, match="max_results"):
                call(max_results=most)
        for token in ("x", "-1", "²", "1.5"):
            with pytest.raises(InvalidValue, match="token"):
                call(page_token=token)
        with pytest.raises(InvalidValue):
            call(page_token="9" * 30)

    # -- metrics

    def test_the_latest_value_has_the_highest_step_then_timestamp(self, store: Store, run_id: str) -> None:
        def latest_after(value: float, timestamp: int, step: int) -> float:
            store.log_metric(run_id, Metric("m", value, timestamp, step))
            return store.get_run(run_id).data.metrics["m"]

        assert latest_after(1.0, START, 0) == 1.0
        assert latest_after(2.0, START, 3) == 2.0
        assert latest_after(3.0, START + 9, 2) == 2.0
        assert latest_after(4.0, START - 1, 3) == 2.0
        assert latest_after(5.0, START, 3) == 5.0
        assert latest_after(6.0, START + 1, 3) == 6.0
        assert latest_after(7.0, START + 9, -5) == 6.0
        history = store.get_metric_history(run_id, "m")
        assert [(m.value, m.timestamp - START, m.step) for m in history] == [
            (1.0, 0, 0),
            (2.0, 0, 3),
            (3.0, 9, 2),
            (4.0, -1, 3),
            (5.0, 0, 3),
            (6.0, 1, 3),
            (7.0, 9, -5),
        ]

    @given(
        points=st.lists(st.tuples(st.floats(), st.integers(-3, 3), st.integers(0, 3)), min_size=1, max_size=12),
        cut=st.integers(0, 12),
    )
    @many_examples
    def test_batches_and_single_points_agree(
        self, store: Store, points: list[tuple[float, int, int]], cut: int
    ) -> None:
        metrics = [Metric("m", value, START + moment, step) for value, step, moment in points]
        run_id = begin(store, metrics=metrics[:cut])
        rest = metrics[cut:]
        store.log_batch(run_id, metrics=rest[: cut // 2])
        for metric in rest[cut // 2 :]:
            store.log_metric(run_id, metric)
        assert [_bits(m.value) for m in store.get_metric_history(run_id, "m")] == [_bits(m.value) for m in metrics]
        expected = max(enumerate(metrics), key=lambda item: (item[1].step, item[1].timestamp, item[0]))[1]
        assert _bits(store.get_run(run_id).data.metrics["m"]) == _bits(expected.value)

    @pytest.mark.parametrize("value", SPECIAL)
    def test_special_values_are_kept_exactly(self, store: Store, run_id: str, value: float) -> None:
        store.log_metric(run_id, Metric("one", value, START))
        store.log_batch(run_id, metrics=[Metric("batch", value, START)])
        drafted = begin(store, metrics=[Metric("draft", value, START)])
        for run, key in ((run_id, "one"), (run_id, "batch"), (drafted, "draft")):
            assert _bits(store.get_run(run).data.metrics[key]) == _bits(value)
            assert [_bits(m.value) for m in store.get_metric_history(run, key)] == [_bits(value)]
        found = {r.info.run_id: r.data.metrics for r in store.search_runs(["0"])}
        assert _bits(found[run_id]["one"]) == _bits(value)

    @given(value=st.floats(), step=st.integers(1 - 2**63, 2**63 - 1), timestamp=st.integers(1 - 2**63, 2**63 - 1))
    @many_examples
    def test_any_point_comes_back(self, store: Store, value: float, step: int, timestamp: int) -> None:
        run_id = begin(store)
        store.log_metric(run_id, Metric("m", value, timestamp, step))
        [point] = store.get_metric_history(run_id, "m")
        assert (_bits(point.value), point.timestamp, point.step) == (_bits(value), timestamp, step)

    @pytest.mark.parametrize("wrong", ["1.0", None, 1 + 2j, [1.0], object(), 10**400])
    def test_values_that_are_no_numbers_are_refused(self, store: Store, run_id: str, wrong: Any) -> None:
        with pytest.raises(InvalidValue, match="'m'"):
            store.log_metric(run_id, Metric("m", wrong, START))
        with pytest.raises(InvalidValue, match="'m'"):
            store.log_batch(run_id, metrics=[Metric("good", 1.0, START), Metric("m", wrong, START)])
        assert store.get_run(run_id).data.metrics == {}

    @pytest.mark.parametrize("wrong", [2**63, 1.5, math.nan, "1", 10**400])
    def test_bad_steps_and_timestamps_are_refused(self, store: Store, run_id: str, wrong: Any) -> None:
        with pytest.raises(InvalidValue, match="step"):
            store.log_metric(run_id, Metric("m", 1.0, START, wrong))
        if wrong != 1.5:
            with pytest.raises(InvalidValue, match="timestamp"):
                store.log_metric(run_id, Metric("m", 1.0, wrong))
        assert store.get_metric_history(run_id, "m") == []

    # -- data sets

    def test_data_sets_are_noted_once_and_shared(self, store: Store, run_id: str) -> None:
        data = Dataset("train", "abc", "local", '{"uri": "x"}', '{"cols": 1}', '{"rows": 2}')
        used = [DatasetInput(data, {"mlflow.data.context": "train"}), DatasetInput(Dataset("other", "def"))]
        other = begin(store, 2)
        for run in (run_id, run_id, other):
            store.log_batch(run, datasets=used)
        for run in (run_id, other):
            assert store.get_run(run).inputs.dataset_inputs == tuple(used)
        assert len(store.search_runs(["0"], "dataset.digest = 'abc'")) == 2
        assert len(store.search_runs(["0"], "dataset.context = 'train'")) == 2
        assert len(store.search_runs(["0"], "dataset.name = 'none'")) == 0

    # -- models of runs

    def test_logged_models(self, store: Store, run_id: str) -> None:
        other = begin(store, 2)
        notes = [
            LoggedModel(f"m-{n}", run, path, "sklearn", "0" * 64, 10**12, START + n)
            for n, (run, path) in enumerate([(run_id, "model"), (run_id, "best"), (other, "model")])
        ]
        for note in notes:
            store.record_model(note)
        assert store.list_logged_models(run_id) == notes[:2]
        assert store.get_logged_model("m-2") == notes[2]
        assert store.latest_logged_model("model") == notes[2]
        assert store.latest_logged_model("nothing") is None
        store.delete_run(other)
        assert store.latest_logged_model("model") == notes[0]
        assert store.list_logged_models(UNKNOWN) == []
        with pytest.raises(NotFound, match="'m-77'"):
            store.get_logged_model("m-77")
        with pytest.raises(NotFound, match=UNKNOWN):
            store.record_model(LoggedModel("m-9", UNKNOWN, "model", "sklearn", "", 1, START))
        with pytest.raises(AlreadyExists, match="'m-0'"):
            store.record_model(notes[0])

    # -- threads, snapshots, closing

    def test_threads_write_at_once(self, store: Store, run_id: str) -> None:
        def work(thread: int) -> None:
            own = begin(store, thread)
            for n in range(10):
                store.log_metric(run_id, Metric("shared", n, START, n))
                store.log_batch(own, [Metric("m", n, START, n)], {f"p{n}": str(n)}, {"t": str(n)})
                store.log_batch(run_id, params={f"t{thread}.{n}": "1"})

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
        assert len(store.get_metric_history(run_id, "shared")) == 80
        run = store.get_run(run_id)
        assert (run.data.metrics["shared"], len(run.data.params)) == (9.0, 80)
        own_runs = [r for r in store.search_runs(["0"]) if r.info.run_id != run_id]
        assert [len(r.data.params) for r in own_runs] == [10] * 8
        assert {r.data.tags["t"] for r in own_runs} == {"9"}

    def test_threads_that_race_for_a_param_agree(self, store: Store, run_id: str) -> None:
        def work(thread: int) -> int:
            try:
                store.log_batch(run_id, params={"p": str(thread)})
            except ParamConflict:
                return 0
            return 1

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(work, range(8))) == 1

    def test_one_thread_at_a_time_holds_a_lock(self, store: Store, run_id: str) -> None:
        inside: list[int] = []
        most: list[int] = []

        def work(thread: int) -> None:
            for _ in range(5):
                with store.exclusively("a lock"):
                    inside.append(thread)
                    most.append(len(inside))
                    store.log_batch(run_id, tags={"t": str(thread)})
                    inside.remove(thread)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(work, range(4)))
        assert (max(most), len(most)) == (1, 20)
        with pytest.raises(KeyError), store.exclusively("a lock"):
            raise KeyError
        with store.exclusively("a lock"):
            pass

    def test_snapshots_do_not_change(self, store: Store, run_id: str) -> None:
        before = store.get_run(run_id)
        store.log_batch(run_id, params={"p": "1"})
        assert dict(before.data.params) == {}
