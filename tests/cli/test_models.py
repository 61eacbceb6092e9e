from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from click.testing import Result
from sklearn.dummy import DummyClassifier

from fitbook import tracking
from fitbook.sklearn import log_model
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


def test_models_history_and_undo(fitbook: Call, backend: Backend) -> None:
    fill(backend)
    backend.registry.settle_registered_model_alias(
        "churn",
        "champion",
        2,
        holder=3,
        wins=False,
        figures={"by": "folds", "p": 0.4},
        user_id="ada",
        reason="not \x1b better",
    )
    lines = fitbook("models", "history", "churn").output.splitlines()
    assert lines[0].split() == ["entry", "when", "who", "what", "from", "to", "why"]
    assert lines[1].split()[3:] == ["ada", "@champion", "3", "kept", "not", "\\x1b", "better"]
    assert [line.split()[-3:] for line in lines[2:]] == [
        ["@best", "-", "3"],
        ["@champion", "-", "3"],
        ["2", "None", "Production"],
    ]
    assert "comes from" not in "".join(lines)
    backend.registry.set_model_version_tag("churn", 3, "fitbook.parent_version", "churn/2")
    assert fitbook("models", "history", "churn").output.splitlines()[5:] == ["Version 3 comes from churn/2."]
    found = json.loads(fitbook("models", "history", "churn", "--json", "--max", "1").output)
    assert found[0]["figures"] == {"by": "folds", "p": 0.4}
    assert "The alias 'best' is removed (it was 3)." in fitbook("models", "undo", "churn").output
    assert "The alias 'champion' is removed" in fitbook("models", "undo", "churn", "--reason", "why not").output
    assert "The stage of version 2 is back at None (it was Production)." in fitbook("models", "undo", "churn").output
    assert "No move to undo" in fitbook("models", "undo", "churn", expect=3).output
    undone = json.loads(fitbook("models", "history", "churn", "--json").output)
    assert [entry["reason"] for entry in undone[:3]] == ["", "why not", ""]
    assert all(entry["user_id"] for entry in undone[:3])
    again = json.loads(fitbook("models", "undo", "churn", "--entry", str(undone[1]["number"]), "--json").output)
    assert again[0]["new"] == "3"
    assert backend.registry.get_model_version_by_alias("churn", "champion").version == 3


def test_models_history_of_nothing(fitbook: Call, backend: Backend) -> None:
    fill(backend)
    assert "No alias or stage of empty has been moved" in fitbook("models", "history", "empty").output
    assert "'churn'" in fitbook("models", "history", "chrun", expect=3).output
    assert "can't be undone" in _moved_again(fitbook, backend)


def _moved_again(fitbook: Call, backend: Backend) -> str:
    first = backend.registry.get_model_history("churn")[1]
    backend.registry.set_registered_model_alias("churn", "champion", 1)
    return fitbook("models", "undo", "churn", "--entry", str(first.number), expect=1).output


def test_models_verify(fitbook: Call, backend: Backend, uri: str) -> None:
    tracking.set_tracking_uri(uri)
    with tracking.start_run() as run:
        model = DummyClassifier().fit([[0.0], [1.0]], [0, 1])
        log_model(model, "model", registered_model_name="m", input_example=np.array([[0.5]]))
    lines = fitbook("models", "verify", "models:/m/1").output.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ok", name] for name in ("files", "requirements", "load", "example")
    ]
    assert fitbook("models", "verify", "m/1").output.splitlines() == lines
    file = Path(run.info.artifact_uri.removeprefix("file://")) / "model" / "model.pkl"
    file.write_bytes(b"changed")
    assert fitbook("models", "verify", "models:/m/1", expect=1).output.startswith("FAIL  files")
    [found] = json.loads(fitbook("models", "verify", "models:/m/1", "--json", expect=1).output)
    assert (found["check"], found["ok"]) == ("files", False)
    assert "No version" in fitbook("models", "verify", "models:/m/9", expect=3).output
    assert "not a model URI" in fitbook("models", "verify", "models:/", expect=2).output
    assert "No model 'm/1'" in fitbook("models", "verify", "./m/1", expect=3).output
