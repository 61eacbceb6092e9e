from __future__ import annotations

import json
from collections.abc import Callable

from click.testing import Result

from fitbook.tracking._backend import Backend

Call = Callable[..., Result]


def fill(backend: Backend) -> None:
    registry = backend.registry
    registry.create_registered_model("churn")
    for n in (1, 2, 3):
        registry.create_model_version("churn", f"runs:/{n}/model", f"{n}" * 32, {"n": str(n)})
    registry.transition_model_version_stage("churn", 2, "Production")
    registry.set_registered_model_alias("churn", "champion", 3)
    registry.set_registered_model_alias("churn", "best", 3)
    registry.create_registered_model("empty")
    registry.create_registered_model("a-first")
    registry.create_model_version("a-first", "somewhere")


def test_models_list(fitbook: Call, backend: Backend) -> None:
    fill(backend)
    lines = [line.split()[:5] for line in fitbook("models", "list").output.splitlines()]
    assert lines == [
        ["name", "version", "aliases", "stage", "run"],
        ["a-first", "1", "-", "None", "-"],
        ["churn", "3", "best,", "champion", "None"],
        ["churn", "2", "-", "Production", "22222222"],
        ["churn", "1", "-", "None", "11111111"],
        ["empty", "-", "-", "-", "-"],
    ]


def test_models_filter_and_max(fitbook: Call, backend: Backend) -> None:
    fill(backend)
    output = fitbook("models", "list", "--filter", "name = 'churn'", "--max", "2").output
    assert [line.split()[1] for line in output.splitlines()[1:3]] == ["3", "2"]
    assert "first 2 versions" in output
    assert "No version fits" in fitbook("models", "list", "--filter", "name = 'x'").output


def test_models_json(fitbook: Call, backend: Backend) -> None:
    fill(backend)
    found = json.loads(fitbook("models", "list", "--json").output)
    assert [(v["name"], v["version"]) for v in found] == [("a-first", 1), ("churn", 3), ("churn", 2), ("churn", 1)]
    assert found[1]["aliases"] == ["best", "champion"]
    assert found[2]["tags"] == {"n": "2"}


def test_no_models_yet(fitbook: Call, backend: Backend) -> None:
    assert "registered_model_name=" in fitbook("models", "list").output
    assert json.loads(fitbook("models", "list", "--json").output) == []
