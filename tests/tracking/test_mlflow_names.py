"""Every public name of MLflow 3.17.2 is there with parameters that take the same calls, or its absence is explained."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

import fitbook
from fitbook import entities
from fitbook.tracking import Client

# Names and parameters (name, kind, default if any) as MLflow 3.17.2 itself tells them.
NAMES: dict[str, dict[str, list[list[Any]]]] = json.loads(
    (Path(__file__).parent / "scripts" / "mlflow_3_17_names.json").read_text(encoding="utf-8")
)
OURS: dict[str, Any] = {
    "mlflow": fitbook,
    "MlflowClient": Client(),
    "mlflow.artifacts": fitbook.artifacts,
    "mlflow.data": fitbook.data,
}

# Parameters that are not taken, and why.
NOT_TAKEN = {
    ("mlflow", "create_experiment", "trace_location"): "traces of LLM calls are not recorded",
    ("mlflow", "set_experiment", "trace_location"): "traces of LLM calls are not recorded",
    ("mlflow.entities", "Experiment", "workspace"): "there are no workspaces",
    ("mlflow.entities", "Experiment", "trace_location"): "traces of LLM calls are not recorded",
    ("mlflow.entities", "Experiment", "effective_trace_archival_retention"): "traces of LLM calls are not recorded",
    ("mlflow", "register_model", "env_pack"): "packs an environment for Databricks",
}
# Defaults that are others, and why.
OTHER_DEFAULTS = {
    ("mlflow", "register_model", "await_registration_for"): "a version is ready when it is registered",
    ("MlflowClient", "create_model_version", "await_creation_for"): "a version is ready when it is made",
}
# What has parameters of its own: autologging is fitbook's own design.
OWN = {("mlflow", "autolog")}
# Entities that are not there: MLflow's for LLM applications, its models apart from runs, its server, and Databricks.
OUT = (
    "Prompt ScorerVersion Issue IssueSeverity IssueStatus RunOutputs Link Span LiveSpan NoOpSpan SpanEvent SpanLogLevel "
    "SpanStatus SpanType Trace TraceData TraceInfo Session TraceLocation TraceLocationType MlflowExperimentLocation "
    "InferenceTableLocation UCSchemaLocation UnityCatalog TraceState SpanStatusCode _DatasetSummary LoggedModelInput "
    "LoggedModelOutput LoggedModelStatus LoggedModelTag LoggedModelParameter Document Assessment AssessmentError "
    "AssessmentSource AssessmentSourceType Expectation Feedback IssueReference DatasetRecord DatasetRecordSource "
    "DatasetRecordSourceType EntityAssociationType BudgetAction BudgetDuration BudgetDurationUnit BudgetTargetScope "
    "BudgetUnit FallbackConfig FallbackStrategy GatewayBudgetPolicy GatewayEndpoint GatewayEndpointBinding "
    "GatewayEndpointModelConfig GatewayEndpointModelMapping GatewayEndpointTag GatewayModelDefinition GatewayResourceType "
    "GatewaySecretInfo GatewayModelLinkageType RoutingStrategy Webhook WebhookEvent WebhookStatus WebhookTestResult "
    "TraceArchivalConfig Workspace WorkspaceDeletionMode GatewayGuardrail GatewayGuardrailConfig GuardrailAction "
    "GuardrailStage MCPAccessEndpoint MCPRemoteTransportType MCPServer ConnectOptionSettings MCPServerVersion MCPStatus "
    "MCPTool"
).split()
# Those that users make themselves; the others come from a store.
MADE_BY_USERS = ("Experiment", "ExperimentTag", "FileInfo", "Param", "RunTag", "Dataset", "InputTag", "DatasetInput")

ALL = [(owner, name) for owner in OURS for name in NAMES[owner] if (owner, name) not in OWN]


def _same(theirs: Any, mine: Any) -> bool:
    # What JSON can't hold is "…" there; an empty sequence and None mean the same.
    return theirs == "…" or theirs == mine or (theirs in ([], None) and (mine == () or repr(mine) == "<factory>"))


def _why_not(owner: str, name: str, theirs: list[list[Any]], ours: inspect.Signature) -> list[str]:
    """Say what calls that MLflow takes are not taken here."""
    found = []
    parameters = list(ours.parameters.values())
    named = {parameter.name: parameter for parameter in parameters}
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    for place, (parameter, kind, *default) in enumerate(theirs):
        if (owner, name, parameter) in NOT_TAKEN or kind in ("*", "**"):
            continue
        if parameter not in named:
            found += [] if takes_any and kind == "keyword" else [f"{parameter} is missing"]
            continue
        mine = named[parameter]
        if kind == "any" and (mine.kind is mine.KEYWORD_ONLY or parameters.index(mine) != place):
            found.append(f"{parameter} is not the {place + 1}.")
        if default and mine.default is mine.empty:
            found.append(f"{parameter} must be given")
        elif default and (owner, name, parameter) not in OTHER_DEFAULTS and not _same(default[0], mine.default):
            found.append(f"{parameter} is {mine.default!r} and not {default[0]!r} if not given")
    known = {parameter for parameter, *_ in theirs}
    return found + [
        f"{p.name} must be given"
        for p in parameters
        if p.name not in known and p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
    ]


@pytest.mark.parametrize(("owner", "name"), ALL, ids=[".".join(each) for each in ALL])
def test_a_call_is_taken_or_its_absence_explained(owner: str, name: str) -> None:
    mine = getattr(OURS[owner], name, None)
    if mine is None:
        with pytest.raises(AttributeError, match=f"has no attribute {name!r}: .+"):
            getattr(OURS[owner], name)
        return
    assert _why_not(owner, name, NAMES[owner][name], inspect.signature(mine)) == []


@pytest.mark.parametrize("name", sorted(NAMES["mlflow.entities"]))
def test_entities(name: str) -> None:
    if name in OUT:
        assert not hasattr(entities, name)
        return
    mine = getattr(entities, name)
    if name in MADE_BY_USERS:
        assert _why_not("mlflow.entities", name, NAMES["mlflow.entities"][name], inspect.signature(mine)) == []


def test_the_exceptions_are_of_use() -> None:
    for owner, name, parameter in (*NOT_TAKEN, *OTHER_DEFAULTS):
        assert parameter in [each[0] for each in NAMES[owner][name]]
    there = [name for owner, name in ALL if hasattr(OURS[owner], name)]
    assert len(there) > 110


# Calls of MLflow 1.x and 2.x that 3.x no longer has.
OLD_CALLS = {
    "list_experiments": (fitbook, "view_type max_results"),
    "list_run_infos": (fitbook, "experiment_id run_view_type max_results order_by"),
}
OLD_CLIENT_CALLS = {
    "list_experiments": "view_type max_results page_token",
    "list_run_infos": "experiment_id run_view_type max_results order_by page_token",
    "list_registered_models": "max_results page_token",
    "get_registered_model_details": "name",
    "get_model_version_details": "name version",
    "get_latest_versions": "name stages",
    "transition_model_version_stage": "name version stage archive_existing_versions",
    "get_model_version_stages": "name version",
}


@pytest.mark.parametrize("name", OLD_CALLS)
def test_old_calls(name: str) -> None:
    owner, parameters = OLD_CALLS[name]
    assert list(inspect.signature(getattr(owner, name)).parameters) == parameters.split()


@pytest.mark.parametrize("name", OLD_CLIENT_CALLS)
def test_old_calls_of_the_client(name: str) -> None:
    parameters = inspect.signature(getattr(Client(), name)).parameters
    theirs = OLD_CLIENT_CALLS[name].split()
    assert list(parameters)[: len(theirs)] == theirs
    # What is added can't take the place of anything.
    assert {parameters[ours].kind for ours in list(parameters)[len(theirs) :]} <= {inspect.Parameter.KEYWORD_ONLY}


def test_old_places() -> None:
    from fitbook.data.numpy_dataset import NumpyDataset
    from fitbook.data.pandas_dataset import PandasDataset
    from fitbook.exceptions import MlflowException, RestException
    from fitbook.models.signature import infer_signature
    from fitbook.store.entities import PagedList
    from fitbook.tracking.client import MlflowClient

    assert MlflowClient is Client
    assert PagedList is entities.PagedList
    assert infer_signature is fitbook.infer_signature
    assert MlflowException is RestException is fitbook.MlflowException is fitbook.FitbookError
    assert (NumpyDataset, PandasDataset) == (fitbook.data.NumpyDataset, fitbook.data.PandasDataset)
    with pytest.raises(fitbook.MlflowException) as caught:
        fitbook.get_run("0" * 32)
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"


@pytest.mark.parametrize(
    ("owner", "name", "advice"),
    [
        (fitbook, "evaluate", "sklearn.metrics"),
        (fitbook, "prophet", r"pyfunc\.log_model"),
        (fitbook, "start_span", "not recorded"),
        (Client(), "search_logged_models", "get_model_info"),
        (fitbook.data, "from_spark", "from_pandas"),
    ],
)
def test_what_is_not_there_says_what_to_use(owner: Any, name: str, advice: str) -> None:
    with pytest.raises(AttributeError, match=advice):
        getattr(owner, name)


@pytest.mark.parametrize("owner", [fitbook, Client(), fitbook.data, fitbook.artifacts])
def test_what_nobody_has_is_no_advice(owner: Any) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'$"):
        owner.nonsense
