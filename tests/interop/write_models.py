"""Save models of every kind: ``write_models.py LIBRARY FOLDER``, where LIBRARY is ``mlflow`` or ``fitbook``.

Runs in an environment that has the library. Beside each model lies what it predicted, and for what.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from packaging.version import Version
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

LIBRARY, OUT = importlib.import_module(sys.argv[1]), Path(sys.argv[2])
for module in ("sklearn", "pyfunc", "models", "xgboost", "lightgbm"):
    if importlib.util.find_spec(f"{sys.argv[1]}.{module}"):
        importlib.import_module(f"{sys.argv[1]}.{module}")

# MLflow runs scripts since 2.12.
READER_RUNS_SCRIPTS = Version(importlib.metadata.version("mlflow")) >= Version("2.12")

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 3))
FRAME = pd.DataFrame({"a": X[:, 0], "n": np.arange(40), "c": np.tile(["x", "y"], 20), "flag": X[:, 1] > 0})
Y = (X[:, 0] + X[:, 1] > 0).astype(int)

HELPER = "def plus(values, offset):\n    return [float(value) + offset for value in values]\n"

SCRIPT = """
import mlflow
from mlflow.models import set_model


class Tripler(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [value * 3 for value in model_input["a"]]


set_model(Tripler())
"""


class Shifter(LIBRARY.pyfunc.PythonModel):
    """Adds what an artifact says, by a module of the user's own, times a parameter."""

    def load_context(self, context: Any) -> None:
        self.offset = float(Path(context.artifacts["offset"]).read_text())

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
        import shifting

        factor = (params or {}).get("factor", 1)
        return [value * factor for value in shifting.plus(model_input["a"], self.offset)]


def save(name: str, how: Any, data: Any, output: Any, params: Any = None, **options: Any) -> None:
    """Save a model with a signature, and write down what it is to predict."""
    signature = LIBRARY.models.infer_signature(data, output, params)
    how(path=str(OUT / name), signature=signature, input_example=data[:2], **options)
    described = {"predictions": np.asarray(output).tolist(), "signature": signature.to_dict()}
    (OUT / f"{name}.json").write_text(json.dumps(described))
    data.to_csv(OUT / f"{name}.csv", index=False) if isinstance(data, pd.DataFrame) else np.save(
        OUT / f"{name}.npy", data
    )


def estimators() -> None:
    """scikit-learn's, in every format that the library writes."""
    linear = LogisticRegression().fit(X, Y)
    formats = ["pickle", "cloudpickle"]
    if "skops" in inspect.getsource(LIBRARY.sklearn):
        formats.append("skops")
    for form in formats:
        save_model = LIBRARY.sklearn.save_model
        save(f"sklearn-{form}", save_model, X, linear.predict(X), sk_model=linear, serialization_format=form)
    columns = make_column_transformer((OneHotEncoder(), ["c"]), (StandardScaler(), ["a", "n", "flag"]))
    table = make_pipeline(columns, LogisticRegression()).fit(FRAME, Y)
    options = {"serialization_format": "cloudpickle"}
    save("sklearn-table", LIBRARY.sklearn.save_model, FRAME, table.predict(FRAME), sk_model=table, **options)
    several = RandomForestRegressor(5, random_state=0).fit(X, X[:, :2])
    save("sklearn-several", LIBRARY.sklearn.save_model, X, several.predict(X), sk_model=several, **options)
    function = make_pipeline(FunctionTransformer(lambda rows: rows * 2), LinearRegression()).fit(X, Y)
    save("sklearn-lambda", LIBRARY.sklearn.save_model, X, function.predict(X), sk_model=function, **options)


def python_models() -> None:
    """pyfunc's."""
    small = FRAME[["a", "n"]]
    (OUT / "shifting.py").write_text(HELPER)
    (OUT / "offset.txt").write_text("10")
    output = small["a"].to_numpy() + 10
    how = LIBRARY.pyfunc.save_model
    options = {"artifacts": {"offset": str(OUT / "offset.txt")}, "code_paths": [str(OUT / "shifting.py")]}
    options["pip_requirements"] = ["numpy"]
    if "code_paths" not in inspect.signature(how).parameters and sys.argv[1] == "mlflow":  # as MLflow 2 called it
        options["code_path"] = options.pop("code_paths")
    save("python", how, small, output, params={"factor": 1}, python_model=Shifter(), **options)
    (OUT / "tripler.py").write_text(SCRIPT)
    if hasattr(LIBRARY.models, "set_model") and READER_RUNS_SCRIPTS:
        options = {"python_model": str(OUT / "tripler.py"), "pip_requirements": ["numpy"]}
        save("python-code", how, small, small["a"].to_numpy() * 3, **options)


def boosters() -> None:
    """Those of XGBoost and LightGBM, where the library has the flavor."""
    if hasattr(LIBRARY, "xgboost"):
        import xgboost

        model = xgboost.XGBRegressor(n_estimators=5).fit(X, X[:, 0])
        save("xgboost", LIBRARY.xgboost.save_model, X, model.predict(X), xgb_model=model)
    if hasattr(LIBRARY, "lightgbm"):
        import lightgbm

        fitted = lightgbm.LGBMRegressor(n_estimators=5, verbose=-1).fit(X, X[:, 0])
        save("lightgbm", LIBRARY.lightgbm.save_model, X, fitted.predict(X), lgb_model=fitted)


if __name__ == "__main__":
    OUT.mkdir()
    sys.path.insert(0, str(OUT))
    estimators()
    python_models()
    boosters()
