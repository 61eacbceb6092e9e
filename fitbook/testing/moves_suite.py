"""The part of the registry's contract that is about its history, as tests; `RegistrySuite` has them, too."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fitbook.entities import ModelMove, ModelVersion, RegisteredModel
from fitbook.errors import InvalidValue, NotFound, WrongState
from fitbook.registry import Registry

ADA: dict[str, Any] = {"user_id": "ada", "reason": "because"}


def _told(entries: list[ModelMove]) -> list[tuple[Any, ...]]:
    """What moved from where to where, the oldest first."""
    return [(e.alias or e.version, e.old, e.new) for e in reversed(entries)]


class MovesSuite:
    """What every `Registry` must note of moved aliases and stages; ``registry`` is empty at the start of each test."""

    @pytest.fixture
    def model(self, registry: Registry) -> str:
        """Name of a model with versions 1 to 3 of the runs ``r1`` to ``r3``."""
        registry.create_registered_model("churn")
        for n in (1, 2, 3):
            registry.create_model_version("churn", f"runs:/r{n}/model", f"r{n}")
        return "churn"

    def test_every_move_is_an_entry(self, registry: Registry, model: str) -> None:
        assert registry.get_model_history(model) == []
        registry.set_registered_model_alias(model, "best", 1, **ADA)
        registry.set_registered_model_alias(model, "best", 1)  # moves nothing
        registry.set_registered_model_alias(model, "best", 2)
        registry.delete_registered_model_alias(model, "best", **ADA)
        registry.delete_registered_model_alias(model, "best")
        registry.transition_model_version_stage(model, 3, "staging", **ADA)
        registry.transition_model_version_stage(model, 3, "Staging")
        entries = registry.get_model_history(model)
        assert _told(entries) == [
            ("best", None, "1"),
            ("best", "1", "2"),
            ("best", "2", None),
            (3, "None", "Staging"),
        ]
        last = entries[0]
        assert (last.name, last.user_id, last.reason, last.undoes, last.part_of) == (
            model,
            "ada",
            "because",
            None,
            None,
        )
        assert last.timestamp >= entries[-1].timestamp > 1_600_000_000_000
        assert [entry.number for entry in entries] == sorted({entry.number for entry in entries}, reverse=True)
        assert registry.get_model_history(model, max_results=1) == [last]

    def test_archived_versions_belong_to_the_move(self, registry: Registry, model: str) -> None:
        for version in (1, 2):
            registry.transition_model_version_stage(model, version, "Production")
        registry.transition_model_version_stage(model, 3, "Production", archive_existing_versions=True)
        *parts, main = registry.get_model_history(model, max_results=3)
        assert _told([main]) == [(3, "None", "Production")]
        assert {(p.version, p.old, p.new, p.part_of) for p in parts} == {
            (version, "Production", "Archived", main.number) for version in (1, 2)
        }
        undone = registry.undo_model_move(model)
        assert [(e.version, e.new) for e in undone[:1]] == [(3, "None")]
        assert {e.part_of for e in undone[1:]} == {undone[0].number}
        stages = {v.version: v.current_stage for v in registry.search_model_versions()}
        assert stages == {1: "Production", 2: "Production", 3: "None"}

    def test_undo_goes_back_step_by_step_and_is_noted(self, registry: Registry, model: str) -> None:
        for version in (1, 2, 3):
            registry.set_registered_model_alias(model, "best", version)
        for expected in (2, 1):
            [entry] = registry.undo_model_move(model, **ADA)
            assert (entry.new, entry.user_id, entry.reason) == (str(expected), "ada", "because")
            assert registry.get_model_version_by_alias(model, "best").version == expected
        registry.set_registered_model_alias(model, "best", 3)
        registry.undo_model_move(model)
        registry.undo_model_move(model)
        with pytest.raises(NotFound):
            registry.get_model_version_by_alias(model, "best")
        with pytest.raises(NotFound, match="move to undo"):
            registry.undo_model_move(model)
        entries = registry.get_model_history(model)
        assert len(entries) == 8
        numbers = {e.number for e in entries}
        assert {e.undoes for e in entries} - {None} < numbers

    def test_an_undo_can_be_undone_by_its_number(self, registry: Registry, model: str) -> None:
        registry.set_registered_model_alias(model, "best", 1)
        [back] = registry.undo_model_move(model)
        registry.undo_model_move(model, back.number)
        assert registry.get_model_version_by_alias(model, "best").version == 1

    def test_what_can_not_be_undone_is_left_and_said(self, registry: Registry, model: str) -> None:
        registry.set_registered_model_alias(model, "best", 1)
        registry.set_registered_model_alias(model, "best", 2)
        last, first = registry.get_model_history(model)
        with pytest.raises(WrongState, match="is at 2 now"):
            registry.undo_model_move(model, first.number)
        registry.delete_model_version(model, 1)
        with pytest.raises(WrongState, match="version 1 has been deleted"):
            registry.undo_model_move(model, last.number)
        with pytest.raises(NotFound, match="entry in the history"):
            registry.undo_model_move(model, 10**6)
        with pytest.raises(InvalidValue):
            registry.undo_model_move(model, "x")  # type: ignore[arg-type]
        assert registry.get_model_version_by_alias(model, "best").version == 2
        assert registry.get_model_history(model) == [last, first]

    def test_the_history_outlives_versions(self, registry: Registry, model: str) -> None:
        registry.set_registered_model_alias(model, "best", 3)
        registry.transition_model_version_stage(model, 3, "Production")
        registry.delete_model_version(model, 3, user_id="ada")
        entries = registry.get_model_history(model)
        assert _told(entries)[2:] == [("best", "3", None), (3, "Production", None)]
        assert {(e.user_id, e.reason) for e in entries[:2]} == {("ada", "version 3 was deleted")}

    def test_the_history_outlives_the_model_and_takes_its_new_name(self, registry: Registry, model: str) -> None:
        registry.set_registered_model_alias(model, "best", 1)
        registry.rename_registered_model(model, "attrition")
        assert {e.name for e in registry.get_model_history("attrition")} == {"attrition"}
        with pytest.raises(NotFound):
            registry.get_model_history(model)
        registry.delete_registered_model("attrition", **ADA)
        assert _told(registry.get_model_history("attrition")) == [("best", None, "1"), ("best", "1", None)]
        registry.create_registered_model("attrition")
        registry.create_registered_model("another")
        assert len(registry.get_model_history("attrition")) == 2
        assert registry.get_model_history("another") == []
        with pytest.raises(NotFound, match="move to undo"):  # of the model that is gone
            registry.undo_model_move("attrition")

    def test_what_comes_from_elsewhere_is_noted(self, registry: Registry) -> None:
        theirs = ModelVersion("m", 4, 1, 1, "Production", "", "runs:/r/model", "r")
        for _ in range(2):
            registry.merge_registered_model(RegisteredModel("m", 1, 1, "", aliases={"best": 4}), [theirs])
        assert _told(registry.get_model_history("m")) == [(4, None, "Production"), ("best", None, "4")]

    # -- decisions

    def test_a_decision_moves_the_alias_or_notes_that_it_stays(self, registry: Registry, model: str) -> None:
        def settle(version: int, holder: int | None, wins: bool) -> bool:
            figures = {"new": version, "note": "ü"}
            return registry.settle_registered_model_alias(
                model, "champion", version, holder=holder, wins=wins, figures=figures, **ADA
            )

        assert settle(1, None, True)
        assert settle(2, 1, False)
        assert settle(3, 1, True)
        entries = registry.get_model_history(model)
        assert _told(entries) == [("champion", None, "1"), ("champion", "1", "1"), ("champion", "1", "3")]
        assert [dict(e.figures) for e in entries] == [{"new": n, "note": "ü"} for n in (3, 2, 1)]
        assert '"new": 2' in registry.get_model_version(model, 2).tags["fitbook.promotion"]
        registry.undo_model_move(model)
        assert registry.get_model_version_by_alias(model, "champion").version == 1
        with pytest.raises(InvalidValue, match="moved nothing"):
            registry.undo_model_move(model, entries[1].number)

    def test_a_decision_about_what_has_changed_is_not_written(self, registry: Registry, model: str) -> None:
        registry.set_registered_model_alias(model, "champion", 1)
        for holder in (None, 2, 3):
            assert not registry.settle_registered_model_alias(
                model, "champion", 2, holder=holder, wins=True, figures={}
            )
        assert registry.get_model_version_by_alias(model, "champion").version == 1
        assert len(registry.get_model_history(model)) == 1
        assert dict(registry.get_model_version(model, 2).tags) == {}

    def test_of_several_decisions_at_once_one_is_written(self, registry: Registry, model: str) -> None:
        def settle(version: int) -> bool:
            return registry.settle_registered_model_alias(
                model, "champion", version, holder=None, wins=True, figures={}
            )

        with ThreadPoolExecutor(3) as pool:
            written = list(pool.map(settle, (1, 2, 3)))
        assert sum(written) == 1
        assert registry.get_model_version_by_alias(model, "champion").version == written.index(True) + 1
        assert len(registry.get_model_history(model)) == 1

    def test_bad_moves_are_refused(self, registry: Registry, model: str) -> None:
        registry.set_registered_model_alias(model, "champion", 1)
        calls: list[Callable[[], object]] = [
            lambda: registry.set_registered_model_alias(model, "best", 1, user_id="x" * 257),
            lambda: registry.set_registered_model_alias(model, "best", 1, reason="a\x00b"),
            lambda: registry.set_registered_model_alias(model, "\u0441hampion", 2),  # a Cyrillic letter
            lambda: registry.get_model_history(model, max_results=0),
            lambda: registry.get_model_history("a/b"),
        ]
        for call in calls:
            with pytest.raises(InvalidValue):
                call()
        unknown: list[Callable[[], object]] = [
            lambda: registry.get_model_history("unknown"),
            lambda: registry.undo_model_move("unknown"),
            lambda: registry.settle_registered_model_alias(model, "champion", 9, holder=1, wins=True, figures={}),
        ]
        for call in unknown:
            with pytest.raises(NotFound):
                call()
        assert len(registry.get_model_history(model)) == 1
