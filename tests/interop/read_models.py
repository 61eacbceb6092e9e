"""Load what `write_models.py` saved, with the other library: ``read_models.py LIBRARY FOLDER``; prints what differs."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

NAME, FOLDER = sys.argv[1], Path(sys.argv[2])
LIBRARY = importlib.import_module(NAME)
for module in ("sklearn", "pyfunc", "models"):
    importlib.import_module(f"{NAME}.{module}")


MAY_NEED_TRUST = {"lightgbm", "python", "python-code", "sklearn-lambda"}


def load(name: str) -> tuple[Any, dict[str, Any]]:
    """Load a model; where fitbook refuses one that can run any code, by trusting what the refusal names."""
    folder = str(FOLDER / name)
    try:
        return LIBRARY.pyfunc.load_model(folder), {}
    except Exception as refused:
        if type(refused).__name__ != "UntrustedModel" or name not in MAY_NEED_TRUST:
            raise
        trusting = {"trusted": [*refused.names, "shifting"]}  # the user's own module beside the model `python`
        return LIBRARY.pyfunc.load_model(folder, **trusting), trusting


def differences(name: str) -> list[str]:
    """Load a model by every way that fits, and compare."""
    wanted = json.loads((FOLDER / f"{name}.json").read_text())
    table = FOLDER / f"{name}.csv"
    is_table = table.exists()
    data: Any = pd.read_csv(table, float_precision="round_trip") if is_table else np.load(FOLDER / f"{name}.npy")
    model, trusting = load(name)
    found = {"pyfunc": model.predict(data)}
    if name.startswith("sklearn"):
        found["sklearn"] = LIBRARY.sklearn.load_model(str(FOLDER / name), **trusting).predict(data)
    problems = [f"{way}: other predictions" for way, p in found.items() if not np.allclose(p, wanted["predictions"])]
    signature = model.metadata.signature.to_dict()
    for part, text in wanted["signature"].items():
        theirs = signature[part]
        if _plain(text) != _plain(theirs):
            problems.append(f"the {part} of the signature: {text} written, {theirs} read")
    if not is_table and LIBRARY.__version__.startswith("2.8."):
        return problems  # MLflow 3 has another layout for examples that are arrays, and each reads only its own
    example = model.metadata.load_input_example(str(FOLDER / name))
    if example is None or not np.allclose(model.predict(example), wanted["predictions"][:2]):
        problems.append("the input example does not predict the same")
    if wanted["signature"]["params"] and not np.allclose(
        model.predict(data, params={"factor": 2}), np.multiply(wanted["predictions"], 2)
    ):
        problems.append("a parameter has no effect")
    return problems


def _plain(text: str | None) -> Any:
    """A schema without what is meant anyway."""
    return text and [{key: v for key, v in spec.items() if (key, v) != ("required", True)} for spec in json.loads(text)]


def main() -> int:
    """Print a line for each model; returns how many differ."""
    other = {"mlflow": "fitbook", "fitbook": "mlflow"}[NAME]
    failures = 0
    if NAME == "mlflow" and importlib.util.find_spec(other):
        print(f"{other} is importable here, so this proves nothing")
        failures += 1
    for path in sorted(FOLDER.glob("*.json")):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                problems = differences(path.stem)
        except Exception as error:
            problems = [f"{type(error).__name__}: {error}"]
        failures += bool(problems)
        print(f"  {path.stem}: {'; '.join(problems) or 'equal'}")
    return failures


if __name__ == "__main__":
    sys.exit(main())
