"""What MLflow has and fitbook has not, and what to use instead: the words of an AttributeError. Standard library only."""

from __future__ import annotations

import re

_ADVICE = {
    r"(.*_)?(traces?|spans?|sessions?|tracing)(_.*)?|otel|context": "traces of LLM calls are not recorded",
    r"(.*_)?prompts?(_.*)?|genai|gateway|.*_gateway_.*|deployments": "it is for LLM applications, which are MLflow's",
    r"(.*_)?(assessment|feedback|expectation|issue|scorers?)s?(_.*)?": "assessments of LLM answers are not recorded",
    r"(.*_)?mcp_.*|.*_telemetry_client|(.*_)?webhooks?(_.*)?|(.*_)?workspaces?(_.*)?|login": "there is no such service here",
    r"(.*_)?system_metrics(_.*)?": "nothing is recorded of the machine; log what you measure with log_metrics()",
    r"evaluate|validate_evaluation_results": "compute what you need with sklearn.metrics: autolog() records it with the model",
    r"run|projects|recipes": "start your script as you like: a run that it begins is recorded from anywhere",
    r"doctor": "run `fitbook doctor`",
    r"test": "pytest runs your tests",
    r"from_(huggingface|tensorflow|spark)|load_delta": "make a DataFrame or arrays of it, for from_pandas() or from_numpy()",
    r"(.*_)?logged_models?(_.*)?|.*_active_model(_.*)?|log_model_.*|import_checkpoints|create_external_model"
    r"|log_outputs": "models belong to their runs here: fitbook.sklearn.log_model(), Client.search_model_versions(), "
    "get_model_info()",
    r"(create|get|delete|search)_datasets?|(.*_)?dataset_tags?|(add|remove)_dataset_.*": "data sets belong to runs: "
    "log_input() notes one, run.inputs gives it back",
    r"keras|tensorflow|spark|pyspark(_.*)?|prophet|pmdarima|h2o|spacy"
    r"|transformers|sentence_transformers|paddle|diffusers|johnsnowlabs|shap|rfunc|fastai|gluon|mleap": "save such a model "
    "with fitbook.pyfunc.log_model(python_model=…), which takes any Python object with a predict",
    r"openai|langchain|llama_index|anthropic|bedrock|crewai|dspy|gemini|groq|litellm|mistral|autogen|ag2|agno|haystack"
    r"|pydantic_ai|semantic_kernel|smolagents|strands|txtai": "LLM libraries are not recorded",
    r"config|environment_variables|telemetry": "settings are environment variables: see docs/settings.md",
    r"list_artifacts_.*|get_artifact_repository": "use fitbook.artifacts.list_artifacts() and download_artifacts()",
}


def advice(owner: str, name: str) -> str:
    """Say that ``owner`` has no such attribute, and what to use instead where MLflow has it."""
    message = f"{owner} has no attribute {name!r}"
    for pattern, text in _ADVICE.items():
        if re.fullmatch(pattern, name):
            return f"{message}: {text}."
    return message
