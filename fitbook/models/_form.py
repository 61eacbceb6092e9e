"""What form the parts of an MLmodel file have: readers of a part need not ask again, and what is damaged is named."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from fitbook.errors import ModelError

_Forms = Mapping[str, tuple[type, ...]]
_TEXT, _TABLE, _VERSION = (str,), (dict,), (str, int, float)
_TOP: _Forms = {
    "artifact_path": _TEXT,
    "run_id": _TEXT,
    "utc_time_created": (str, date),
    "saved_input_example_info": _TABLE,
    "model_uuid": _TEXT,
    "model_id": _TEXT,
    "metadata": _TABLE,
    "model_size_bytes": (int,),
    "mlflow_version": _VERSION,
    "fitbook_version": _VERSION,
    "signature": _TABLE,
}
PARTS = (*_TOP, "flavors")
_SIGNATURE: _Forms = {"inputs": _TEXT, "outputs": _TEXT, "params": _TEXT}
_FLAVOR: _Forms = {"artifacts": _TABLE, "config": _TABLE, "loader_module": _TEXT, "predict_fn": _TEXT}
_ARTIFACT: _Forms = {"path": _TEXT, "uri": _TEXT}
_WORDS = {"str": "text", "dict": "a table", "int": "a number", "float": "a number", "date": "a time"}


def check_form(content: dict[str, Any]) -> None:
    """Look at the content of an MLmodel file before any of it is used.

    Raises
    ------
    ModelError
        A part has another form than fitbook and MLflow give it; it is named.
    """
    flavors = content.get("flavors")
    if not isinstance(flavors, dict):
        raise ModelError("The MLmodel file has no table of flavors; it is no model's, or damaged.")
    _check("", content, _TOP)
    _check("signature: ", content.get("signature") or {}, _SIGNATURE)
    for name, settings in flavors.items():
        if not isinstance(name, str) or not isinstance(settings, dict):
            raise ModelError(f"The MLmodel file is damaged: the flavor {name!r} is no table of settings under a name.")
        _check(f"flavors: {name}: ", settings, _FLAVOR)
        artifacts = settings.get("artifacts") or {}
        _check(f"flavors: {name}: artifacts: ", artifacts, dict.fromkeys(artifacts, _TABLE))
        for key, artifact in artifacts.items():
            _check(f"flavors: {name}: artifacts: {key}: ", artifact or {}, _ARTIFACT)


def _check(where: str, table: dict[Any, Any], forms: _Forms) -> None:
    for key, value in table.items():
        wanted = forms.get(key) if isinstance(key, str) else None
        if wanted is not None and value is not None and (type(value) is bool or not isinstance(value, wanted)):
            words = " or ".join(dict.fromkeys(_WORDS[kind.__name__] for kind in wanted))
            raise ModelError(f"The MLmodel file is damaged: {where}{key} is {value!r:.100}, and should be {words}.")
