"""The history of a metric: complete, or thinned to points at even distances."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fitbook.entities import Metric, RunDraft
from fitbook.errors import InvalidValue
from fitbook.store import Store, open_store

_number = iter(range(1, 10**6))


def new_run(store: Store) -> str:
    run_id = f"{next(_number):032x}"
    store.create_runs([RunDraft("0", run_id, run_name="run", user_id="me", start_time=1)])
    return run_id


def opened(uri: str) -> Iterator[Store]:
    store = open_store(uri)
    yield store
    store.close()


def points(count: int, key: str = "loss") -> list[Metric]:
    return [Metric(key, float(step % 7), 1000 + step, step) for step in range(count)]


def steps(history: list[Metric]) -> list[int]:
    return [point.step for point in history]


class History:
    """What holds for every database."""

    @pytest.mark.parametrize("count", [0, 1, 2, 5])
    def test_few_points_are_all_given(self, store: Store, count: int) -> None:
        run_id = new_run(store)
        if count:
            store.log_batch(run_id, points(count))
        assert store.get_metric_history(run_id, "loss", 5) == store.get_metric_history(run_id, "loss") == points(count)

    @settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
    @given(count=st.integers(2, 400), wanted=st.integers(2, 50))
    def test_of_many_the_first_the_last_and_some_at_even_distances(self, store: Store, count: int, wanted: int) -> None:
        run_id = new_run(store)
        store.log_batch(run_id, points(count))
        found = steps(store.get_metric_history(run_id, "loss", wanted))
        assert len(found) == min(count, wanted)
        assert (found[0], found[-1]) == (0, count - 1)
        distances = [after - before for before, after in zip(found, found[1:], strict=False)]
        assert max(distances) - min(distances) <= 1
        assert min(distances) >= 1

    def test_points_between_those_of_others_are_thinned_evenly_too(self, store: Store) -> None:
        run_id, other = new_run(store), new_run(store)
        store.log_batch(run_id, points(50))
        store.log_batch(other, points(2000))
        store.log_batch(run_id, points(500, "other"))
        store.log_batch(run_id, [Metric("loss", 1.0, 0, step) for step in range(50, 100)])
        assert steps(store.get_metric_history(run_id, "loss", 12)) == [0, 9, 18, 27, 36, 45, 54, 63, 72, 81, 90, 99]
        assert len(store.get_metric_history(run_id, "other", 12)) == 12

    def test_the_order_is_that_of_writing(self, store: Store) -> None:
        run_id = new_run(store)
        for step in (5, 1, 9, 3):
            store.log_metric(run_id, Metric("loss", 1.0, 10 - step, step))
        assert steps(store.get_metric_history(run_id, "loss")) == [5, 1, 9, 3]
        assert steps(store.get_metric_history(run_id, "loss", 3)) == [5, 1, 3]

    def test_special_values_survive_thinning(self, store: Store) -> None:
        run_id = new_run(store)
        values = [math.inf, 1.0, 2.0, -0.0, 4.0, 5.0, math.nan]
        store.log_batch(run_id, [Metric("loss", value, 1, step) for step, value in enumerate(values)])
        first, middle, last = store.get_metric_history(run_id, "loss", 3)
        assert first.value == math.inf
        assert math.copysign(1.0, middle.value) == -1.0
        assert math.isnan(last.value)

    @pytest.mark.parametrize("wrong", [1, 0, -1, 2.0, "10", True])
    def test_a_number_of_points_that_makes_no_sense(self, store: Store, wrong: object) -> None:
        run_id = new_run(store)
        with pytest.raises(InvalidValue, match="max_points"):
            store.get_metric_history(run_id, "loss", wrong)  # type: ignore[arg-type]

    def test_what_a_peak_was_is_known_though_no_point_shows_it(self, store: Store) -> None:
        run_id = new_run(store)
        flat = [Metric("loss", 1.0, 1, step) for step in range(100)]
        store.log_batch(run_id, [*flat[:50], Metric("loss", 99.0, 1, 50), *flat[51:]])
        assert {point.value for point in store.get_metric_history(run_id, "loss", 4)} == {1.0}
        assert store.get_metric_summaries(run_id)["loss"].max == 99.0


class TestSqlite(History):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        yield from opened(str(tmp_path / "runs"))


class TestPostgresql(History):
    @pytest.fixture
    def store(self, postgresql: str) -> Iterator[Store]:
        yield from opened(postgresql)


class TestMariadb(History):
    @pytest.fixture
    def store(self, mariadb: str) -> Iterator[Store]:
        yield from opened(mariadb)
