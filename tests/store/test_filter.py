"""What the filter language reads, and what it makes of it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fitbook.errors import InvalidFilter, InvalidValue
from fitbook.store._filter import (
    EXPERIMENTS,
    MAX_CONDITIONS,
    MAX_ORDERS,
    MAX_VALUES,
    MODEL_VERSIONS,
    REGISTERED_MODELS,
    RUNS,
    And,
    Compare,
    Entity,
    Field,
    Or,
    Order,
    parse,
    parse_order,
)


def _run(kind: str, key: str, op: str, *values: str | float, complement: bool = False) -> Compare:
    return Compare(Field(kind, key), op, values, complement)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [None, "", "  \n\t "])
def test_nothing_admits_everything(text: str | None) -> None:
    assert parse(text, RUNS) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("metrics.acc > 0.9", _run("metric", "acc", ">", 0.9)),
        ("metric.acc>=-1e-3", _run("metric", "acc", ">=", -0.001)),
        ("metrics.a < inf", _run("metric", "a", "<", float("inf"))),
        ("metrics.`a b` != .5", _run("metric", "a b", "!=", 0.5)),
        ("`metrics`.a = 1", _run("metric", "a", "=", 1)),
        ('metrics."a b" = 5.', _run("metric", "a b", "=", 5.0)),
        ("metrics.f1-score/macro = 1", _run("metric", "f1-score/macro", "=", 1)),
        ("params.lr = '0.1'", _run("param", "lr", "=", "0.1")),
        ('param.lr = "0.1"', _run("param", "lr", "=", "0.1")),
        ("parameter.lr = 0.1", _run("param", "lr", "=", 0.1)),
        ("parameters.x LIKE 'it''s %'", _run("param", "x", "LIKE", "it's %")),
        ('params.x = "say ""hi"""', _run("param", "x", "=", 'say "hi"')),
        ("tags.mlflow.runName iLike 'A%'", _run("tag", "mlflow.runName", "ILIKE", "A%")),
        ("tag.`a``b` not like 'A%'", _run("tag", "a`b", "NOT LIKE", "A%")),
        ("tags.x RLIKE '^a+$'", _run("tag", "x", "RLIKE", "^a+$")),
        ("tags.and = 'x'", _run("tag", "and", "=", "x")),
        ("status IN ('RUNNING', \"FAILED\",'RUNNING')", _run("attribute", "status", "IN", "RUNNING", "FAILED")),
        ("attributes.status NOT IN ('RUNNING')", _run("attribute", "status", "NOT IN", "RUNNING")),
        ("attr.start_time BETWEEN 1 AND 2", _run("attribute", "start_time", "BETWEEN", 1, 2)),
        ("start_time NOT BETWEEN 1 AND 2", _run("attribute", "start_time", "NOT BETWEEN", 1, 2)),
        ("run.end_time IS NULL", _run("attribute", "end_time", "IS NOT NULL", complement=True)),
        ("params.x is not null", _run("param", "x", "IS NOT NULL")),
        ("NOT params.x IS NULL", _run("param", "x", "IS NOT NULL")),
        ("datasets.context = 'train'", _run("dataset", "context", "=", "train")),
        ("dataset.name = 'iris'", _run("dataset", "name", "=", "iris")),
        ("experiment_id = '7'", _run("attribute", "experiment_id", "=", 7)),
        ("start_time = 9223372036854775807", _run("attribute", "start_time", "=", 2**63 - 1)),
        ("not status = 'x'", _run("attribute", "status", "=", "x", complement=True)),
        ("NOT NOT ((status = 'x'))", _run("attribute", "status", "=", "x")),
    ],
)
def test_conditions(text: str, expected: Compare) -> None:
    assert parse(text, RUNS) == expected


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("created > 1", "start_time"),
        ("Created > 1", "start_time"),
        ("`Start Time` > 1", "start_time"),
        ("\"run name\" = 'x'", "run_name"),
        ("`Run name` = 'x'", "run_name"),
        ("attributes.`Run Name` = 'x'", "run_name"),
        ("`Run ID` = 'x'", "run_id"),
        ("run_uuid = 'x'", "run_id"),
        ("user_id = 'x'", "user_id"),
        ("artifact_uri = 'x'", "artifact_uri"),
    ],
)
def test_attributes_go_by_several_names(text: str, key: str) -> None:
    tree = parse(text, RUNS)
    assert isinstance(tree, Compare)
    assert tree.field == Field("attribute", key)


A, B, C = (_run("param", name, "IS NOT NULL") for name in "abc")
NOT_A, NOT_B, NOT_C = (_run("param", name, "IS NOT NULL", complement=True) for name in "abc")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{a} AND {b} and {c}", And((A, B, C))),
        ("{a} AND ({b} AND {c})", And((A, B, C))),
        ("{a} OR {b} AND {c}", Or((A, And((B, C))))),
        ("({a} OR {b}) AND {c}", And((Or((A, B)), C))),
        ("NOT {a} AND {b}", And((NOT_A, B))),
        ("NOT ({a} AND {b})", Or((NOT_A, NOT_B))),
        ("NOT ({a} OR NOT ({b} OR {c}))", And((NOT_A, Or((B, C))))),
        ("NOT ({a} AND {b}) OR {c}", Or((NOT_A, NOT_B, C))),
        ("NOT NOT NOT ({a} OR {b})", And((NOT_A, NOT_B))),
    ],
)
def test_logic(text: str, expected: And | Or) -> None:
    assert parse(text.format(**{name: f"params.{name} IS NOT NULL" for name in "abc"}), RUNS) == expected


@pytest.mark.parametrize(
    ("entity", "text"),
    [
        (EXPERIMENTS, "name LIKE 'a%' AND creation_time > 5 AND tags.x = 'y' AND attribute.last_update_time < 7"),
        (EXPERIMENTS, "experiment_id IN ('1', '2') AND lifecycle_stage = 'active'"),
        (REGISTERED_MODELS, "name ILIKE 'a%' AND tag.x = 'y' AND last_updated_timestamp > 1"),
        (MODEL_VERSIONS, "name = 'a' AND version_number > 1 AND run_id IN ('a') AND source_path LIKE 'x%'"),
        (MODEL_VERSIONS, "current_stage = 'Production' AND tags.x = 'y' AND version = 2 AND stage != 'None'"),
    ],
)
def test_other_entities(entity: Entity, text: str) -> None:
    assert isinstance(parse(text, entity), And)


@pytest.mark.parametrize("entity", [EXPERIMENTS, REGISTERED_MODELS, MODEL_VERSIONS])
@pytest.mark.parametrize("text", ["metrics.a > 1", "params.a = 'x'", "datasets.name = 'x'", "start_time > 1"])
def test_other_entities_lack_what_runs_have(entity: Entity, text: str) -> None:
    with pytest.raises(InvalidFilter, match=entity.name):
        parse(text, entity)


@pytest.mark.parametrize(
    ("text", "at", "reason"),
    [
        ("mertics.a > 1", "mertics", "did you mean 'metrics'"),
        ("attributes.statsu = 'x'", "statsu", "did you mean 'status'"),
        ("acc > 1", "acc", "metrics.acc, params.acc, tags.acc"),
        ("datasets.nam = 'x'", "nam", "did you mean 'name'"),
        ("metrics.a = '1'", "'1'", "without quotes"),
        ("metrics.a LIKE '1'", "'1'", "LIKE is for texts"),
        ("start_time = 'x'", "'x'", "a number"),
        ("experiment_id = 'x'", "'x'", "a number"),
        ("tags.a = 5", "5", "in quotes: '5'"),
        ("status = 5", "5", "in quotes: '5'"),
        ("params.a = nan", "nan", "only metrics"),
        ("start_time < inf", "inf", "only metrics"),
        ("metrics.a < nan", "nan", "no order"),
        ("metrics.a IN (1, nan)", "nan", "no order"),
        ("params.a IN ('a', 5)", "params", "mixes"),
    ],
)
def test_errors_point_at_what_is_wrong(text: str, at: str, reason: str) -> None:
    text = f"params.fine = 'x' AND {text}"
    with pytest.raises(InvalidFilter) as caught:
        parse(text, RUNS)
    assert text[caught.value.position :].startswith(at)
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("metrics.loss", Field("metric", "loss")),
        ("metrics.loss.latest", Field("metric", "loss")),
        ("metrics.loss.min", Field("metric", "loss", "min")),
        ("metrics.loss.max", Field("metric", "loss", "max")),
        ("metrics.val_loss.best", Field("metric", "val_loss", "min")),
        ("metrics.accuracy.best", Field("metric", "accuracy", "max")),
        ("metric.`a b`.min", Field("metric", "a b", "min")),
        ('metrics."a.b".best', Field("metric", "a.b", "max")),
        # In quotes, and with any other end, a key is meant as it is.
        ("metrics.`loss.min`", Field("metric", "loss.min")),
        ('metrics."loss.best"', Field("metric", "loss.best")),
        ('metrics."loss.min".max', Field("metric", "loss.min", "max")),
        ("metrics.a.b.min", Field("metric", "a.b", "min")),
        ("metrics.a.b", Field("metric", "a.b")),
        ("metrics.a.MAX", Field("metric", "a.MAX")),
        ("metrics.min", Field("metric", "min")),
        ("params.a.min", Field("param", "a.min")),
        ("tags.a.best", Field("tag", "a.best")),
        ("parent", Field("attribute", "parent_run_id")),
        ("attributes.parent_run_id", Field("attribute", "parent_run_id")),
    ],
)
def test_which_value_of_a_metric_is_meant(name: str, field: Field) -> None:
    node = parse(f"{name} IS NOT NULL", RUNS)
    assert isinstance(node, Compare)
    assert node.field == field
    assert parse_order([f"{name} DESC"], RUNS) == [Order(field, ascending=False)]


@pytest.mark.parametrize(
    ("text", "position", "reason"),
    [
        ("metrics.`a`.mean > 1", 11, "found '.mean'"),
        ("params.`a`.min > 1", 10, "only metrics have a min"),
        ('tags."a".best = 1', 8, "only metrics have a best"),
        ("metrics.a.min = nan", 16, "never nan"),
        ("metrics.a.max = 'x'", 16, "is a number"),
    ],
)
def test_errors_point_at_the_wrong_value_of_a_metric(text: str, position: int, reason: str) -> None:
    with pytest.raises(InvalidFilter) as caught:
        parse(text, RUNS)
    assert caught.value.position == position
    assert reason in caught.value.reason


def test_limits() -> None:
    wide = " OR ".join(["params.a = 'x'"] * MAX_CONDITIONS)
    assert isinstance(parse(wide, RUNS), Or)
    with pytest.raises(InvalidFilter, match="conditions"):
        parse(f"{wide} OR params.a = 'x'", RUNS)
    with pytest.raises(InvalidFilter, match="values"):
        parse(f"params.a IN ({','.join(map(str, range(MAX_VALUES + 1)))})", RUNS)


@pytest.mark.parametrize("text", ["NOT " * 24_000 + "status = 'x'", "NOT (" * 90 + "status = 'x'" + ")" * 90])
def test_many_nots(text: str) -> None:
    assert parse(text, RUNS) == _run("attribute", "status", "=", "x")


def test_alternating_levels_are_limited() -> None:
    def nested(levels: int) -> str:
        # AND binds tighter, so that each pair of parentheses is two levels.
        text = "params.a = 'x'"
        for _ in range(levels // 2):
            text = f"params.a = 'x' OR params.a = 'y' AND ({text})"
        return text

    parse(nested(100), RUNS)
    with pytest.raises(InvalidFilter, match="100 levels of AND and OR"):
        parse(nested(102), RUNS)


def test_orderings() -> None:
    clauses = ["metrics.acc DESC", "start_time", "params.`a b` asc", "metrics.acc", "Created desc", "tags.x"]
    assert parse_order(clauses, RUNS) == [
        Order(Field("metric", "acc"), ascending=False),
        Order(Field("attribute", "start_time")),
        Order(Field("param", "a b")),
        Order(Field("tag", "x")),
    ]
    assert parse_order(("timestamp DESC",), REGISTERED_MODELS) == [
        Order(Field("attribute", "last_updated_timestamp"), ascending=False)
    ]
    assert parse_order(None, RUNS) == parse_order([], RUNS) == []


@pytest.mark.parametrize(
    ("clause", "position"),
    [("metrics.a DOWN", 10), ("metrics.a DESC, tags.b", 14), ("", 0), ("  foo", 2), ("datasets.name", 0), ("a b c", 2)],
)
def test_orderings_that_cannot_be_read(clause: str, position: int) -> None:
    with pytest.raises(InvalidFilter) as caught:
        parse_order([clause], RUNS)
    assert caught.value.position == position


@pytest.mark.parametrize("clauses", ["metrics.a", 5, [5], [f"metrics.m{i}" for i in range(MAX_ORDERS + 1)]])
def test_orderings_of_the_wrong_kind(clauses: list[str]) -> None:
    with pytest.raises(InvalidValue):
        parse_order(clauses, RUNS)


def test_filters_of_the_wrong_kind() -> None:
    with pytest.raises(InvalidValue, match="give a string"):
        parse(5, RUNS)  # type: ignore[arg-type]


WORDS = """metrics.a params.`b` tags."c" status start_time datasets.name AND OR NOT not IN LIKE RLIKE BETWEEN IS NULL (
) , = != > < <= 5 -1.5e3 inf nan 'x' "y" '%a' ' " ` . ; -- == tags. 9""".split()
PIECES = st.lists(st.sampled_from(WORDS), max_size=25)


def _refusal(read: Callable[[], object]) -> InvalidFilter | None:
    try:
        read()
    except InvalidFilter as error:
        return error
    return None


@settings(max_examples=300)
@given(st.one_of(st.text(), PIECES.map(" ".join), PIECES.map("".join)))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    for refusal in (_refusal(lambda: parse(text, RUNS)), _refusal(lambda: parse_order([text], RUNS))):
        assert refusal is None or (0 <= refusal.position <= len(text) and refusal.reason)


@settings(max_examples=50)
@given(
    st.lists(st.sampled_from(["(", "NOT ", "NOT(", "status='x' AND (", "status='x' OR NOT ("]), max_size=5),
    st.integers(0, 6000),
)
def test_depth_never_overflows(pieces: list[str], times: int) -> None:
    opening = "".join(pieces) * times
    _refusal(lambda: parse(f"{opening}status = 'x'{')' * opening.count('(')}", RUNS))


def test_lark_is_loaded_on_first_use_only() -> None:
    code = "import sys; import fitbook.store._filter; assert 'lark' not in sys.modules, 'lark'"
    subprocess.run([sys.executable, "-c", code], check=True)
