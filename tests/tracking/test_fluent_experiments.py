"""The module-level verbs on experiments."""

from __future__ import annotations

import pytest

import fitbook
from fitbook.entities import ViewType
from fitbook.errors import InvalidValue, NotFound, WrongState


def test_the_chosen_experiment_gets_the_runs() -> None:
    made = fitbook.set_experiment("e")
    with fitbook.start_run() as run:
        assert run.info.experiment_id == made.experiment_id
    assert fitbook.set_experiment("e") == made
    other = fitbook.create_experiment("other", tags={"k": 1})
    assert fitbook.set_experiment(experiment_id=other).name == "other"
    fitbook.set_experiment_tag("l", 2)
    assert dict(fitbook.get_experiment(other).tags) == {"k": "1", "l": "2"}
    assert fitbook.get_experiment_by_name("other").experiment_id == other
    assert fitbook.get_experiment_by_name("none") is None
    assert [e.name for e in fitbook.search_experiments()] == ["other", "e", "Default"]
    assert [e.name for e in fitbook.search_experiments(filter_string="name = 'e'")] == ["e"]


@pytest.mark.parametrize("given", [{}, {"experiment_name": "a", "experiment_id": "0"}])
def test_an_experiment_is_chosen_by_name_or_id(given: dict[str, str]) -> None:
    with pytest.raises(InvalidValue, match="either a name or experiment_id"):
        fitbook.set_experiment(**given)


def test_experiments_that_can_not_be_chosen() -> None:
    with pytest.raises(NotFound, match="'77'"):
        fitbook.set_experiment(experiment_id="77")
    with pytest.raises(InvalidValue, match="empty"):
        fitbook.set_experiment(" ")
    gone = fitbook.create_experiment("gone")
    fitbook.delete_experiment(gone)
    with pytest.raises(NotFound, match="'gone'.*restore"):
        fitbook.set_experiment("gone")
    with pytest.raises(WrongState, match="'gone'.*restore"):
        fitbook.set_experiment(experiment_id=gone)
    with fitbook.start_run() as run:
        assert run.info.experiment_id == "0"


def test_a_chosen_experiment_that_is_deleted_takes_no_runs() -> None:
    fitbook.delete_experiment(fitbook.set_experiment("e").experiment_id)
    with pytest.raises(WrongState, match="'e'.*deleted; restore"):
        fitbook.start_run()
    assert fitbook.active_run() is None


def test_tags_of_the_chosen_experiment() -> None:
    number = fitbook.set_experiment("e").experiment_id
    fitbook.set_experiment_tags({"a": 1, "b": None})
    fitbook.delete_experiment_tag("a")
    assert dict(fitbook.get_experiment(number).tags) == {"b": "None"}
    with pytest.raises(NotFound, match="'a'"):
        fitbook.delete_experiment_tag("a")
    with pytest.raises(InvalidValue, match="set_experiment_tags got a list; give a dictionary"):
        fitbook.set_experiment_tags(["a"])  # type: ignore[arg-type]


def test_experiments_are_renamed_deleted_and_restored() -> None:
    number = fitbook.create_experiment("a")
    fitbook.rename_experiment(number, "b")
    fitbook.delete_experiment(number)
    assert [e.name for e in fitbook.list_experiments()] == ["Default"]
    assert [e.name for e in fitbook.list_experiments(ViewType.ALL, 1)] == ["b"]
    fitbook.restore_experiment(number)
    assert [e.name for e in fitbook.list_experiments()] == ["b", "Default"]
