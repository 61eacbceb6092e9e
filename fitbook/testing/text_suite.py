"""The part of the store contract that is about params and tags, as tests: keys and texts are kept exactly, or refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitbook.entities import Dataset, DatasetInput, Metric
from fitbook.errors import InvalidValue, NotFound, ParamConflict
from fitbook.store import DEFAULT_EXPERIMENT_ID, Store
from fitbook.testing.drafts import START, begin, draft, many_examples, names_of

TEXTS = [
    "",
    " ",
    "ü 模型 🙂 \u202e",
    "a\nb\tc\x01d\x7f\r",
    "'; DROP TABLE runs; --",
    "%_\\",
    "1e5",
    "nan",
    "x" * 100_000,
]
# What not every database holds, and what is too much for one statement of some.
BAD_TEXTS = ["a\x00b", "file\udce4\ud800", "x" * 6_000_001]
# Equal to those who do not look closely: in case, accents, spaces at the end, composed or not, beyond 16 bits.
ALIKE = [
    "key",
    "Key",
    "KEY",
    "kéy",
    "ke\u0301y",
    "key ",
    " key",
    "k\u200bey",
    "ｋｅｙ",
    "ß",
    "ss",
    "\U00010400",
    "\U00010428",
]
BAD_PATHS = ["/a", "a//b", "a/../b", ".", "..", "a/"]
BAD_KEYS: list[Any] = ["", "  ", "a*b", "a\nb", "x" * 251, "\ud800", *BAD_PATHS, None, 3, b"k"]


class TextSuite:
    """What every `Store` must do with params and tags; `StoreSuite` is the whole."""

    @pytest.mark.parametrize("value", TEXTS)
    def test_texts_are_kept_whole(self, store: Store, run_id: str, value: str) -> None:
        store.log_batch(run_id, params={"p": value}, tags={"t": value})
        for run in (store.get_run(run_id), *store.search_runs(["0"])):
            assert run.data.params["p"] == value
            assert run.data.tags["t"] == value

    def test_five_megabytes_are_kept_whole(self, store: Store, run_id: str) -> None:
        value = "0123456789ü" * 480_000
        assert len(value.encode()) > 5_000_000
        store.log_batch(run_id, params={"p": value})
        assert store.get_run(run_id).data.params["p"] == value

    def test_tags_of_a_megabyte_are_kept_whole(self, store: Store, run_id: str) -> None:
        value = "🙂'\\\"%\n" * 111_112
        assert len(value.encode()) > 1_000_000
        store.log_batch(run_id, tags={"t": value})
        store.set_experiment_tag(DEFAULT_EXPERIMENT_ID, "t", value)
        assert store.get_run(run_id).data.tags["t"] == value
        assert store.get_experiment(DEFAULT_EXPERIMENT_ID).tags["t"] == value

    @given(
        params=st.dictionaries(
            st.from_regex(r"[\w\- :]*\w", fullmatch=True),
            st.text(st.characters(codec="utf-8", exclude_characters="\x00")),
            max_size=5,
        )
    )
    @many_examples
    def test_any_params_come_back(self, store: Store, params: dict[str, str]) -> None:
        run_id = begin(store)
        store.log_batch(run_id, params=params)
        store.log_batch(run_id, params=params, tags=params)
        data = store.get_run(run_id).data
        assert dict(data.params) == params
        assert {key: data.tags[key] for key in params} == params

    @pytest.mark.parametrize("value", BAD_TEXTS, ids=["nul", "surrogate", "long"])
    def test_texts_that_not_every_store_holds_are_refused(self, store: Store, run_id: str, value: str) -> None:
        before = store.get_run(run_id)
        store.log_batch(other := begin(store, 2), params={"p": "1"})
        calls: list[Callable[[], object]] = [
            lambda: store.log_batch(run_id, [Metric("m", 1.0, START)], {"p": "1", "q": value}),
            lambda: store.log_batch(run_id, params={"p": "1"}, tags={"t": "1", "u": value}),
            lambda: store.log_batch(
                run_id, params={"p": "1"}, datasets=[DatasetInput(Dataset("d", "1", source=value))]
            ),
            lambda: store.log_batch(run_id, datasets=[DatasetInput(Dataset("d", "1"), {"t": value})]),
            lambda: store.set_tag_once(run_id, "t", value),
            lambda: store.correct_param(other, "p", value, user_id="ada"),
            lambda: store.correct_param(other, "p", "2", user_id="ada", reason=value),
            lambda: store.set_experiment_tag(DEFAULT_EXPERIMENT_ID, "t", value),
            lambda: store.create_experiment("new", tags={"t": value}),
            lambda: store.create_experiment("new", artifact_location=value),
            lambda: store.create_runs([draft(3), draft(4, tags={"t": value})]),
        ]
        for call in calls:
            with pytest.raises(InvalidValue):
                call()
        assert store.get_run(run_id) == before
        assert dict(store.get_run(other).data.params) == {"p": "1"}
        assert dict(store.get_experiment(DEFAULT_EXPERIMENT_ID).tags) == {}
        assert (len(store.search_runs(["0"])), store.get_experiment_by_name("new")) == (2, None)

    def test_what_looks_alike_is_not_the_same(self, store: Store, run_id: str) -> None:
        keys = [text for text in ALIKE if re.fullmatch(r"[\w ]+", text)]
        store.log_batch(
            run_id,
            [Metric(key, n, START) for n, key in enumerate(keys)],
            {key: key for key in keys},
            {key: key for key in keys},
        )
        numbers = {name: store.create_experiment(name) for name in ALIKE}
        assert {name: store.get_experiment(number).name for name, number in numbers.items()} == {n: n for n in ALIKE}
        for name in ALIKE:
            found = store.get_experiment_by_name(name)
            assert found is not None
            assert found.experiment_id == numbers[name]
            store.create_runs([draft(run_name=name, params={"alike": name})])
        run = store.get_run(run_id)
        assert dict(run.data.params) == {key: key for key in keys}
        assert dict(run.data.metrics) == {key: float(n) for n, key in enumerate(keys)}
        for name in ALIKE:
            assert names_of(store.search_runs(["0"], f"params.alike = '{name}'")) == [name]
            assert names_of(store.search_runs(["0"], f"attributes.run_name = '{name}'")) == [name]
        by_text = store.search_runs(["0"], "params.alike != ''", order_by=["params.alike ASC"])
        assert names_of(by_text) == sorted(ALIKE)

    def test_the_same_param_again_is_no_error_and_another_value_is(self, store: Store, run_id: str) -> None:
        store.log_batch(run_id, params={"p": "1"})
        store.log_batch(run_id, params={"p": "1", "q": "2"})
        with pytest.raises(ParamConflict, match="'p' of run .* is '1' and can't become '3'") as caught:
            store.log_batch(
                run_id,
                metrics=[Metric("m", 1.0, START)],
                params={"new": "1", "p": "3"},
                tags={"t": "v"},
                datasets=[DatasetInput(Dataset("d", "1"))],
            )
        assert (caught.value.key, caught.value.old, caught.value.new) == ("p", "1", "3")
        run = store.get_run(run_id)
        assert dict(run.data.params) == {"p": "1", "q": "2"}
        assert (run.data.metrics, set(run.data.tags), run.inputs.dataset_inputs) == ({}, {"mlflow.runName"}, ())

    def test_thousands_of_params_in_one_batch(self, store: Store, run_id: str) -> None:
        params = {f"p{n}": str(n) for n in range(3000)}
        store.log_batch(run_id, params=params)
        store.log_batch(run_id, params=params)
        assert dict(store.get_run(run_id).data.params) == params

    def test_a_tag_is_set_once_by_one_of_many(self, store: Store) -> None:
        run_id = begin(store)
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda n: store.set_tag_once(run_id, "mine", str(n)), range(16)))
        assert len(set(answers)) == 1
        assert store.get_run(run_id).data.tags["mine"] == answers[0]

    def test_tags_are_overwritten_and_removed(self, store: Store, run_id: str) -> None:
        store.log_batch(run_id, tags={"k": "1", "l": "2"})
        store.log_batch(run_id, tags={"k": "3"})
        assert dict(store.get_run(run_id).data.tags) == {"k": "3", "l": "2", "mlflow.runName": "run-1"}
        store.delete_tag(run_id, "k")
        with pytest.raises(NotFound, match="'k'.*'l'"):
            store.delete_tag(run_id, "k")
        assert set(store.get_run(run_id).data.tags) == {"l", "mlflow.runName"}

    def test_the_run_name_and_its_tag_are_one(self, store: Store, run_id: str) -> None:
        store.log_batch(run_id, tags={"mlflow.runName": "by tag"})
        assert store.get_run(run_id).info.run_name == "by tag"
        assert names_of(store.search_runs(["0"], "attributes.run_name = 'by tag'")) == ["by tag"]

    @pytest.mark.parametrize("key", BAD_KEYS)
    def test_bad_keys_leave_nothing(self, store: Store, run_id: str, key: Any) -> None:
        before = store.get_run(run_id)
        calls: list[Callable[[], object]] = [
            lambda: store.log_metric(run_id, Metric(key, 1.0, START)),
            lambda: store.log_batch(run_id, metrics=[Metric("m", 1.0, START), Metric(key, 1.0, START)]),
            lambda: store.log_batch(run_id, params={"p": "1", key: "1"}),
            lambda: store.log_batch(run_id, params={"p": "1"}, tags={"t": "1", key: "1"}),
        ]
        for call in calls:
            with pytest.raises(InvalidValue, match="key"):
                call()
        assert store.get_run(run_id) == before

    @pytest.mark.parametrize("wrong", [0, 1.5, b"k", [], {}, "\x00", "\ud800"])
    def test_what_no_text_can_be_is_not_looked_up(self, store: Store, run_id: str, wrong: Any) -> None:
        store.log_batch(run_id, [Metric("m", 1.0, START)], {"p": "1"}, {"t": "1"})
        store.set_experiment_tag(DEFAULT_EXPERIMENT_ID, "t", "1")
        before = store.get_run(run_id), store.get_experiment(DEFAULT_EXPERIMENT_ID)
        calls: list[Callable[[], object]] = [
            lambda: store.delete_tag(run_id, wrong),
            lambda: store.delete_experiment_tag(DEFAULT_EXPERIMENT_ID, wrong),
            lambda: store.get_metric_history(run_id, wrong),
            lambda: store.get_metric_history(run_id, wrong, 2),
            lambda: store.get_param_history(run_id, wrong),
            lambda: store.get_experiment_by_name(wrong),
            lambda: store.find_runs(wrong),
        ]
        for call in calls:
            with pytest.raises(InvalidValue, match="give a string|can have"):
                call()
        assert (store.get_run(run_id), store.get_experiment(DEFAULT_EXPERIMENT_ID)) == before

    @given(key=st.text(max_size=300))
    @many_examples
    def test_a_key_is_accepted_and_found_or_refused(self, store: Store, key: str) -> None:
        run_id = begin(store)
        try:
            store.log_batch(run_id, [Metric(key, 1.0, START)], {key: "1"}, {key: "1"})
        except InvalidValue:
            assert dict(store.get_run(run_id).data.params) == {}
        else:
            run = store.get_run(run_id)
            assert list(run.data.params) == list(run.data.metrics) == [key]
            assert len(store.get_metric_history(run_id, key)) == 1
