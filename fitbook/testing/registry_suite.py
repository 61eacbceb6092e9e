"""The registry contract as tests: subclass `RegistrySuite`, give it a fixture ``registry``, and run pytest.

::

    class TestMyRegistry(RegistrySuite):
        @pytest.fixture
        def registry(self):
            return MyRegistry(...)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fitbook.entities import ModelVersion, RegisteredModel
from fitbook.errors import AlreadyExists, InvalidFilter, InvalidValue, NotFound
from fitbook.registry import Registry, parse
from fitbook.testing.moves_suite import MovesSuite

BAD_NAMES = ["", "  ", "a/b", "a:b", "a\nb", "a\\b", "a?b", "a#b", " a", "..", "\ud800", "x" * 257, None, 3]
BAD_ALIASES = ["", "latest", "Latest", "v1", "V22", "a/b", "a:b", "a@b", "a b", "a\n", "x" * 256, None]
BAD_VERSIONS = ["", "one", "-1", "1.0", 1.0, True, None, "²", "٣", "1" * 30]


def _versions(found: Any) -> list[int]:
    return [version.version for version in found]


class RegistrySuite(MovesSuite):
    """What every `Registry` must do; ``registry`` is empty at the start of each test."""

    # -- models

    def test_a_created_model_is_read_back(self, registry: Registry) -> None:
        made = registry.create_registered_model("Größe & 模型", {"team": "α", "n": "1"}, "what it is for")
        assert made == registry.get_registered_model("Größe & 模型")
        assert (made.description, dict(made.tags)) == ("what it is for", {"team": "α", "n": "1"})
        assert (made.latest_versions, dict(made.aliases)) == ((), {})
        assert made.creation_timestamp == made.last_updated_timestamp > 1_600_000_000_000

    def test_a_name_is_taken_once(self, registry: Registry) -> None:
        registry.create_registered_model("a", description="first")
        with pytest.raises(AlreadyExists, match="'a'"):
            registry.create_registered_model("a", {"k": "v"})
        assert registry.get_registered_model("a").description == "first"
        assert dict(registry.get_registered_model("a").tags) == {}

    @pytest.mark.parametrize("name", BAD_NAMES)
    def test_bad_names_are_refused(self, registry: Registry, name: Any) -> None:
        with pytest.raises(InvalidValue):
            registry.create_registered_model(name)

    @pytest.mark.parametrize("name", ["a%b", "100%"])
    def test_a_name_that_urls_cannot_hold_is_not_given(self, registry: Registry, name: str) -> None:
        registry.create_registered_model("other")
        with pytest.raises(InvalidValue, match="contains '%'"):
            registry.create_registered_model(name)
        with pytest.raises(InvalidValue, match="contains '%'"):
            registry.rename_registered_model("other", name)
        registry.merge_registered_model(RegisteredModel(name, 1, 1, ""))  # elsewhere it was allowed
        assert registry.get_registered_model(name).name == name

    @pytest.mark.parametrize(
        ("first", "twin"),
        [
            ("churn", "\u0441hurn"),  # a Cyrillic letter
            ("churn", "chu\u200brn"),  # a space without width
            ("caf\u00e9", "cafe\u0301"),
            ("a-b", "a\u2011b"),
            ("a b", "a\u00a0b"),
            ("a b", "a  b"),
            ("ABO", "\u0391\u0392\u039f"),  # Greek
            ("fit", "\ufb01t"),
        ],
    )
    def test_a_name_that_looks_like_another_is_refused(self, registry: Registry, first: str, twin: str) -> None:
        for one, other in ((first, twin), (twin, first)):
            registry.create_registered_model(one)
            registry.create_registered_model("third")
            with pytest.raises(InvalidValue, match="looks like"):
                registry.create_registered_model(other)
            with pytest.raises(InvalidValue, match="looks like"):
                registry.rename_registered_model("third", other)
            assert [model.name for model in registry.search_registered_models()] == sorted([one, "third"])
            assert registry.rename_registered_model(one, other).name == other  # itself is no other
            registry.delete_registered_model(other)
            registry.delete_registered_model("third")

    def test_names_that_differ_visibly_are_two(self, registry: Registry) -> None:
        for name in ("churn", "Churn", "churn-1", "churn_1", "чурн", "cafe", "café"):
            registry.create_registered_model(name)

    def test_an_unknown_model_is_named_with_the_closest(self, registry: Registry) -> None:
        with pytest.raises(NotFound, match="registered model 'churn'"):
            registry.get_registered_model("churn")
        registry.create_registered_model("churn")
        with pytest.raises(NotFound, match="'chrun'.*'churn'"):
            registry.get_registered_model("chrun")

    def test_every_verb_on_an_unknown_model_says_so(self, registry: Registry) -> None:
        calls: list[Callable[[], object]] = [
            lambda: registry.rename_registered_model("x", "y"),
            lambda: registry.update_registered_model("x", "d"),
            lambda: registry.delete_registered_model("x"),
            lambda: registry.get_latest_versions("x"),
            lambda: registry.set_registered_model_tag("x", "k", "v"),
            lambda: registry.delete_registered_model_tag("x", "k"),
            lambda: registry.create_model_version("x", "s"),
            lambda: registry.get_model_version("x", 1),
            lambda: registry.update_model_version("x", 1, "d"),
            lambda: registry.transition_model_version_stage("x", 1, "Staging"),
            lambda: registry.delete_model_version("x", 1),
            lambda: registry.set_model_version_tag("x", 1, "k", "v"),
            lambda: registry.delete_model_version_tag("x", 1, "k"),
            lambda: registry.set_registered_model_alias("x", "a", 1),
            lambda: registry.delete_registered_model_alias("x", "a"),
            lambda: registry.get_model_version_by_alias("x", "a"),
        ]
        for call in calls:
            with pytest.raises(NotFound):
                call()

    def test_rename_takes_everything_along(self, registry: Registry, model: str) -> None:
        registry.set_registered_model_alias(model, "best", 2)
        registry.set_registered_model_tag(model, "k", "v")
        renamed = registry.rename_registered_model(model, "attrition")
        assert renamed == registry.get_registered_model("attrition")
        assert (dict(renamed.tags), dict(renamed.aliases)) == ({"k": "v"}, {"best": 2})
        assert registry.get_model_version("attrition", 3).run_id == "r3"
        with pytest.raises(NotFound):
            registry.get_registered_model(model)

    def test_rename_refuses_a_taken_or_bad_name(self, registry: Registry, model: str) -> None:
        registry.create_registered_model("other")
        with pytest.raises(AlreadyExists, match="'other'"):
            registry.rename_registered_model(model, "other")
        with pytest.raises(InvalidValue):
            registry.rename_registered_model(model, "a/b")
        assert registry.get_model_version(model, 1).name == model

    def test_the_description_is_replaced_and_emptied(self, registry: Registry, model: str) -> None:
        assert registry.update_registered_model(model, "new").description == "new"
        assert registry.get_registered_model(model).description == "new"
        assert registry.update_registered_model(model, None).description == ""

    def test_delete_removes_all_and_frees_the_name(self, registry: Registry, model: str) -> None:
        registry.set_registered_model_alias(model, "best", 2)
        registry.set_model_version_tag(model, 1, "k", "v")
        registry.delete_registered_model(model)
        assert registry.search_registered_models() == []
        assert registry.search_model_versions() == []
        assert dict(registry.create_registered_model(model).aliases) == {}
        assert registry.create_model_version(model, "s").version == 1
        assert dict(registry.get_model_version(model, 1).tags) == {}

    def test_model_tags(self, registry: Registry, model: str) -> None:
        registry.set_registered_model_tag(model, "k", "1")
        registry.set_registered_model_tag(model, "k", "2")
        registry.set_registered_model_tag(model, "long", "x" * 10_000)
        assert dict(registry.get_registered_model(model).tags) == {"k": "2", "long": "x" * 10_000}
        registry.delete_registered_model_tag(model, "k")
        registry.delete_registered_model_tag(model, "k")
        assert list(registry.get_registered_model(model).tags) == ["long"]
        with pytest.raises(InvalidValue):
            registry.set_registered_model_tag(model, "", "v")

    # -- versions

    def test_a_created_version_is_read_back(self, registry: Registry) -> None:
        registry.create_registered_model("m")
        model_id = "m-" + "a" * 32
        made = registry.create_model_version("m", "runs:/r/model", "r", {"k": "v"}, "first", model_id)
        assert made == registry.get_model_version("m", 1) == registry.get_model_version("m", "1")
        assert (made.name, made.version, made.source, made.run_id) == ("m", 1, "runs:/r/model", "r")
        assert (made.description, made.model_id, dict(made.tags)) == ("first", model_id, {"k": "v"})
        assert (made.current_stage, made.status, made.aliases) == ("None", "READY", ())

    def test_a_version_needs_only_a_source(self, registry: Registry) -> None:
        registry.create_registered_model("m")
        for run_id in ("", None):
            made = registry.create_model_version("m", "/somewhere", run_id)
            assert (made.run_id, made.description, made.model_id) == ("", "", None)
        with pytest.raises(InvalidValue, match="source"):
            registry.create_model_version("m", "")
        with pytest.raises(InvalidValue):
            registry.create_model_version("m", "s", tags={"": "v"})
        with pytest.raises(InvalidValue):
            registry.create_model_version("m", "\ud800")
        for text in ("a\x00b", "\ud800", "x" * 6_000_001):
            with pytest.raises(InvalidValue):
                registry.create_model_version("m", "s", description=text)
            with pytest.raises(InvalidValue):
                registry.create_model_version("m", "s", tags={"k": text})
            with pytest.raises(InvalidValue):
                registry.update_registered_model("m", text)

    def test_version_numbers_are_never_used_twice(self, registry: Registry, model: str) -> None:
        registry.delete_model_version(model, 3)
        registry.delete_model_version(model, 1)
        assert registry.create_model_version(model, "s").version == 4
        registry.delete_model_version(model, 4)
        registry.delete_model_version(model, 2)
        assert registry.create_model_version(model, "s").version == 5

    def test_concurrent_versions_get_distinct_numbers(self, registry: Registry) -> None:
        registry.create_registered_model("m")

        def create(n: int) -> int:
            return registry.create_model_version("m", f"s{n}", tags={"n": str(n)}).version

        with ThreadPoolExecutor(8) as pool:
            numbers = list(pool.map(create, range(8)))
        assert sorted(numbers) == [1, 2, 3, 4, 5, 6, 7, 8]
        assert {registry.get_model_version("m", v).source: v for v in numbers} == {
            f"s{n}": v for n, v in enumerate(numbers)
        }

    def test_concurrent_models_of_one_name_are_one(self, registry: Registry) -> None:
        def create(n: int) -> bool:
            try:
                registry.create_registered_model("m", {"n": str(n)})
            except AlreadyExists:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert sum(pool.map(create, range(8))) == 1
        assert len(registry.search_registered_models()) == 1

    def test_an_unknown_version_is_named_with_what_there_is(self, registry: Registry, model: str) -> None:
        with pytest.raises(NotFound, match=r"'churn/9'.*'churn/3'"):
            registry.get_model_version(model, 9)
        for version in (0, "0", 2**31, 2**40, "00000000000000009"):
            with pytest.raises(NotFound):
                registry.get_model_version(model, version)

    @pytest.mark.parametrize("version", BAD_VERSIONS)
    def test_bad_versions_are_refused(self, registry: Registry, model: str, version: Any) -> None:
        with pytest.raises(InvalidValue, match="version"):
            registry.get_model_version(model, version)

    def test_a_deleted_version_is_gone_everywhere(self, registry: Registry, model: str) -> None:
        registry.set_registered_model_alias(model, "best", 3)
        registry.transition_model_version_stage(model, 3, "Production")
        registry.delete_model_version(model, "3")
        calls: list[Callable[[], object]] = [
            lambda: registry.get_model_version(model, 3),
            lambda: registry.delete_model_version(model, 3),
            lambda: registry.update_model_version(model, 3, "d"),
            lambda: registry.set_model_version_tag(model, 3, "k", "v"),
            lambda: registry.set_registered_model_alias(model, "best", 3),
            lambda: registry.transition_model_version_stage(model, 3, "Staging"),
            lambda: registry.get_model_version_by_alias(model, "best"),
        ]
        for call in calls:
            with pytest.raises(NotFound):
                call()
        assert _versions(registry.search_model_versions()) == [2, 1]
        assert registry.search_model_versions("run_id = 'r3'") == []
        assert dict(registry.get_registered_model(model).aliases) == {}
        assert _versions(registry.get_latest_versions(model)) == [2]

    def test_the_description_of_a_version(self, registry: Registry, model: str) -> None:
        assert registry.update_model_version(model, 2, "d").description == "d"
        assert registry.get_model_version(model, 2).description == "d"
        assert registry.update_model_version(model, 2, None).description == ""
        assert registry.get_model_version(model, 1).description == ""

    def test_version_tags(self, registry: Registry, model: str) -> None:
        registry.set_model_version_tag(model, 1, "k", "1")
        registry.set_model_version_tag(model, "1", "k", "2")
        assert dict(registry.get_model_version(model, 1).tags) == {"k": "2"}
        assert dict(registry.get_model_version(model, 2).tags) == {}
        registry.delete_model_version_tag(model, 1, "k")
        registry.delete_model_version_tag(model, 1, "k")
        assert dict(registry.get_model_version(model, 1).tags) == {}

    # -- stages

    @pytest.mark.parametrize(
        ("given", "stored"), [("staging", "Staging"), ("PRODUCTION", "Production"), ("none", "None")]
    )
    def test_stages_in_any_case(self, registry: Registry, model: str, given: str, stored: str) -> None:
        assert registry.transition_model_version_stage(model, "2", given).current_stage == stored
        assert registry.get_model_version(model, 2).current_stage == stored

    def test_an_unknown_stage_is_refused(self, registry: Registry, model: str) -> None:
        for stage in ("prod", "Deleted", ""):
            with pytest.raises(InvalidValue, match="Staging"):
                registry.transition_model_version_stage(model, 1, stage)
            with pytest.raises(InvalidValue, match="Staging"):
                registry.get_latest_versions(model, [stage])

    def test_archiving_moves_only_the_others_of_that_stage(self, registry: Registry, model: str) -> None:
        registry.transition_model_version_stage(model, 1, "Production")
        registry.transition_model_version_stage(model, 2, "Staging")
        registry.create_registered_model("other")
        registry.create_model_version("other", "s")
        registry.transition_model_version_stage("other", 1, "Production")
        registry.transition_model_version_stage(model, 3, "Production", archive_existing_versions=True)
        stages = {v.version: v.current_stage for v in registry.search_model_versions(f"name = '{model}'")}
        assert stages == {1: "Archived", 2: "Staging", 3: "Production"}
        assert registry.get_model_version("other", 1).current_stage == "Production"

    def test_without_archiving_a_stage_holds_several(self, registry: Registry, model: str) -> None:
        registry.transition_model_version_stage(model, 1, "Production")
        registry.transition_model_version_stage(model, 2, "Production")
        assert registry.get_model_version(model, 1).current_stage == "Production"
        assert _versions(registry.get_latest_versions(model, ["production"])) == [2]

    @pytest.mark.parametrize("stage", ["None", "Archived"])
    def test_archiving_is_for_active_stages(self, registry: Registry, model: str, stage: str) -> None:
        with pytest.raises(InvalidValue, match="archive_existing_versions"):
            registry.transition_model_version_stage(model, 1, stage, archive_existing_versions=True)

    def test_latest_versions_are_one_of_each_stage(self, registry: Registry, model: str) -> None:
        registry.transition_model_version_stage(model, 1, "Staging")
        registry.set_registered_model_alias(model, "best", 1)
        assert _versions(registry.get_latest_versions(model)) == [1, 3]
        assert _versions(registry.get_latest_versions(model, [])) == [1, 3]
        assert _versions(registry.get_latest_versions(model, ["None"])) == [3]
        assert registry.get_latest_versions(model, ["Production"]) == []
        assert registry.get_registered_model(model).latest_versions == tuple(registry.get_latest_versions(model))
        assert registry.get_latest_versions(model, ["Staging"])[0].aliases == ("best",)
        with pytest.raises(InvalidValue, match="list"):
            registry.get_latest_versions(model, "Staging")

    # -- aliases

    def test_an_alias_points_at_one_version(self, registry: Registry, model: str) -> None:
        registry.set_registered_model_alias(model, "best", 1)
        registry.set_registered_model_alias(model, "best", "2")
        registry.set_registered_model_alias(model, "Größter-2_x", 2)
        found = registry.get_model_version_by_alias(model, "best")
        assert (found.version, found.aliases) == (2, ("Größter-2_x", "best"))
        assert found == registry.get_model_version(model, 2)
        assert dict(registry.get_registered_model(model).aliases) == {"best": 2, "Größter-2_x": 2}
        assert registry.get_model_version(model, 1).aliases == ()

    def test_aliases_belong_to_their_model(self, registry: Registry, model: str) -> None:
        registry.create_registered_model("other")
        registry.create_model_version("other", "s")
        registry.set_registered_model_alias(model, "best", 3)
        registry.set_registered_model_alias("other", "best", 1)
        assert registry.get_model_version_by_alias(model, "best").version == 3
        registry.delete_registered_model_alias("other", "best")
        registry.delete_registered_model_alias("other", "best")
        assert registry.get_model_version_by_alias(model, "best").version == 3

    def test_an_unknown_alias_is_named_with_the_closest(self, registry: Registry, model: str) -> None:
        registry.set_registered_model_alias(model, "champion", 1)
        with pytest.raises(NotFound, match="'churn@champoin'.*'churn@champion'"):
            registry.get_model_version_by_alias(model, "champoin")
        with pytest.raises(NotFound):
            registry.set_registered_model_alias(model, "champion", 9)
        assert registry.get_model_version_by_alias(model, "champion").version == 1

    @pytest.mark.parametrize("alias", BAD_ALIASES)
    def test_bad_aliases_are_refused(self, registry: Registry, model: str, alias: Any) -> None:
        with pytest.raises(InvalidValue, match="alias"):
            registry.set_registered_model_alias(model, alias, 1)

    def test_latest_as_alias_is_the_highest_version(self, registry: Registry, model: str) -> None:
        registry.transition_model_version_stage(model, 2, "Production")
        assert registry.get_model_version_by_alias(model, "Latest").version == 3
        registry.create_registered_model("empty")
        with pytest.raises(NotFound):
            registry.get_model_version_by_alias("empty", "latest")

    # -- uris

    def test_uris_resolve_to_versions(self, registry: Registry, model: str) -> None:
        registry.transition_model_version_stage(model, 1, "Production")
        registry.set_registered_model_alias(model, "best", 2)
        expected = {"churn/1": 1, "churn/production": 1, "churn/latest": 3, "churn@best": 2, "churn/None": 3}
        for path, version in expected.items():
            assert registry.resolve(parse(f"models:/{path}")).version == version  # type: ignore[arg-type]
        with pytest.raises(NotFound, match="in stage 'Staging'.*'Production'"):
            registry.resolve(parse("models:/churn/Staging"))  # type: ignore[arg-type]

    # -- search

    def test_search_models_by_name_and_tag(self, registry: Registry) -> None:
        for name, team in (("a1", "x"), ("a2", "y"), ("b1", "x")):
            registry.create_registered_model(name, {"team": team})
        registry.create_model_version("a2", "s")
        registry.set_registered_model_alias("a2", "best", 1)

        def names(*args: Any, **more: Any) -> list[str]:
            return [model.name for model in registry.search_registered_models(*args, **more)]

        assert names() == names("") == ["a1", "a2", "b1"]
        assert names("name LIKE 'a%'") == ["a1", "a2"]
        assert names("tags.team = 'x' AND name != 'a1'") == ["b1"]
        assert names(order_by=["name DESC"]) == ["b1", "a2", "a1"]
        assert registry.search_registered_models("name = 'a2'")[0] == registry.get_registered_model("a2")

    def test_search_versions(self, registry: Registry, model: str) -> None:
        registry.create_registered_model("other")
        registry.create_model_version("other", "s", "r1", {"k": "v"})
        registry.transition_model_version_stage(model, 2, "Staging")

        def found(text: str, **more: Any) -> set[tuple[str, int]]:
            return {(v.name, v.version) for v in registry.search_model_versions(text, **more)}

        assert found("name = 'churn'") == {("churn", 1), ("churn", 2), ("churn", 3)}
        assert found("name='churn' AND version_number > 1") == {("churn", 2), ("churn", 3)}
        assert found("run_id = 'r1'") == {("churn", 1), ("other", 1)}
        assert found("run_id IN ('r2', 'r3')") == {("churn", 2), ("churn", 3)}
        assert found("source_path LIKE 'runs:/r3%'") == {("churn", 3)}
        assert found("tags.k = 'v'") == {("other", 1)}
        ordered = registry.search_model_versions("name = 'churn'", order_by=["version_number ASC"])
        assert _versions(ordered) == [1, 2, 3]
        assert registry.search_model_versions("name = 'churn'", max_results=1)[0] in ordered

    def test_pages_cover_everything_once(self, registry: Registry) -> None:
        for n in range(7):
            registry.create_registered_model(f"m{n}")
            registry.create_model_version(f"m{n}", "s")
        for search in (registry.search_registered_models, registry.search_model_versions):
            names, token, sizes = [], None, []
            while True:
                page = search(max_results=3, order_by=["name ASC"], page_token=token)
                names += [item.name for item in page]
                sizes.append(len(page))
                token = page.token
                if token is None:
                    break
            assert (names, sizes) == ([f"m{n}" for n in range(7)], [3, 3, 1])
            assert search(max_results=7).token is None

    def test_bad_searches_are_refused(self, registry: Registry, model: str) -> None:
        for search in (registry.search_registered_models, registry.search_model_versions):
            for most in (0, -1, 10**7, "5", True, None):
                with pytest.raises(InvalidValue, match="max_results"):
                    search(max_results=most)  # type: ignore[arg-type]
            for token in ("x", "-1", "²"):
                with pytest.raises(InvalidValue, match="token"):
                    search(page_token=token)
            with pytest.raises(InvalidFilter):
                search("nonsense ==")

    def test_the_latest_change_comes_first(self, registry: Registry, model: str) -> None:
        before = registry.get_registered_model(model).last_updated_timestamp
        changed = registry.update_model_version(model, 1, "d")
        assert changed.last_updated_timestamp >= changed.creation_timestamp
        assert registry.get_registered_model(model).last_updated_timestamp >= before
        found = registry.search_model_versions()
        assert [v.last_updated_timestamp for v in found] == sorted(
            (v.last_updated_timestamp for v in found), reverse=True
        )

    def test_snapshots_do_not_change(self, registry: Registry, model: str) -> None:
        before = registry.get_registered_model(model)
        registry.update_registered_model(model, "later")
        assert before.description == ""
        with pytest.raises(dataclasses.FrozenInstanceError):
            before.description = "x"  # type: ignore[misc]

    # -- from elsewhere

    def test_a_model_from_elsewhere_keeps_its_numbers_and_times(self, registry: Registry) -> None:
        versions = [_elsewhere(2, current_stage="Production", tags={"k": "ü"}), _elsewhere(5, model_id="m-" + "0" * 32)]
        model = RegisteredModel("churn", 10, 20, "about", tags={"t": "v"}, aliases={"champion": 5})
        assert registry.merge_registered_model(model, versions, deleted=[6]) == [2, 5]
        read = registry.get_registered_model("churn")
        assert (read.creation_timestamp, read.last_updated_timestamp, read.description) == (10, 20, "about")
        assert (dict(read.tags), dict(read.aliases)) == ({"t": "v"}, {"champion": 5})
        assert registry.get_model_version("churn", 2) == versions[0]
        assert registry.get_model_version("churn", 5) == dataclasses.replace(versions[1], aliases=("champion",))
        assert registry.create_model_version("churn", "s").version == 7
        with pytest.raises(NotFound):
            registry.get_model_version("churn", 6)

    def test_merging_again_adds_what_is_new_and_changes_nothing(self, registry: Registry) -> None:
        model = RegisteredModel("churn", 10, 20, "about", tags={"t": "v"}, aliases={"a": 1})
        registry.merge_registered_model(model, [_elsewhere(1)])
        registry.update_registered_model("churn", "mine")
        registry.transition_model_version_stage("churn", 1, "Staging")
        later = dataclasses.replace(model, description="theirs", tags={"t": "w", "u": "x"}, aliases={"a": 3, "b": 3})
        assert registry.merge_registered_model(later, [_elsewhere(1, source="other"), _elsewhere(3)], [1, 2]) == [3]
        read = registry.get_registered_model("churn")
        assert (read.description, dict(read.tags)) == ("mine", {"t": "v", "u": "x"})
        assert dict(read.aliases) == {"a": 1, "b": 3}
        first = registry.get_model_version("churn", 1)
        assert (first.source, first.current_stage) == ("runs:/r/model", "Staging")
        assert registry.merge_registered_model(later, [_elsewhere(3)], [2]) == []

    @pytest.mark.parametrize(
        "wrong",
        [{"version": "x"}, {"current_stage": "Beta"}, {"source": ""}, {"tags": {"": "v"}}, {"run_id": "r" * 33}],
    )
    def test_a_bad_version_from_elsewhere_leaves_nothing(self, registry: Registry, wrong: dict[str, Any]) -> None:
        with pytest.raises(InvalidValue):
            registry.merge_registered_model(RegisteredModel("m", 1, 1, ""), [_elsewhere(1), _elsewhere(2, **wrong)])
        with pytest.raises(InvalidValue):
            registry.merge_registered_model(RegisteredModel("m", 1, 1, "", aliases={"v1": 1}), [_elsewhere(1)])
        assert registry.search_registered_models() == []


def _elsewhere(number: int, **more: Any) -> ModelVersion:
    values: dict[str, Any] = {
        "name": "churn",
        "version": number,
        "creation_timestamp": 100 + number,
        "last_updated_timestamp": 200 + number,
        "current_stage": "None",
        "description": f"the {number}.",
        "source": "runs:/r/model",
        "run_id": "r",
    }
    return ModelVersion(**values | more)
