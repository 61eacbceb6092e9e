"""XGBoost's flavor: models in its own formats, readable by ``mlflow.xgboost``."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fitbook.errors import InvalidValue
from fitbook.flavors._library import (
    Frozen,
    LibraryFlavor,
    Predict,
    accepted,
    class_named,
    loading,
    located,
    needed,
    own_class,
)
from fitbook.flavors._trust import check
from fitbook.flavors._xgboost_trees import check_xgboost

_FORMATS = ("ubj", "json")


class XGBoostFlavor(LibraryFlavor):
    """``xgboost.Booster`` and the estimators with scikit-learn's interface."""

    name = "xgboost"

    def freeze(self, model: Any, *, model_format: str = "ubj") -> Frozen:
        """Save a model; ``model_format`` is ``"ubj"`` or ``"json"``."""
        xgboost = needed("xgboost", "xgboost")
        kind = own_class(model, xgboost, xgboost.Booster, xgboost.XGBModel)
        if model_format not in _FORMATS:
            raise InvalidValue(f"The model_format {model_format!r} is unknown; use one of {_FORMATS}.")
        file = f"model.{model_format}"
        with tempfile.TemporaryDirectory(prefix="fitbook-") as folder:  # estimators write more than save_raw() gives
            model.save_model(Path(folder, file))
            content = Path(folder, file).read_bytes()
        estimator = not isinstance(model, xgboost.Booster)
        return Frozen(
            files={file: content},
            data=file,
            config={
                "data": file,
                "model_class": kind,
                "model_format": model_format,
                "xgb_version": xgboost.__version__,
            },
            modules=("xgboost", "numpy", "scipy", *(("sklearn",) if estimator else ())),
            loader="mlflow.xgboost",
        )

    def load(self, folder: Path, config: dict[str, Any]) -> object:
        """Load the booster or the estimator."""
        xgboost = needed("xgboost", "xgboost")
        kind = config.get("model_class", "xgboost.core.Booster")
        model = class_named(kind, xgboost, xgboost.Booster, xgboost.XGBModel)()
        path = located(folder, config, "data")
        with loading(path):
            data = path.read_bytes()
            check(lambda: check_xgboost(data), data, source=str(path))
            model.load_model(bytearray(data))
        return model

    def predictor(self, model: Any, config: Mapping[str, Any]) -> Predict:
        """Call ``predict``; a booster gets the data as its own kind of matrix."""
        xgboost = needed("xgboost", "xgboost")
        if not isinstance(model, xgboost.Booster):
            return super().predictor(model, config)
        return lambda data, params: model.predict(
            xgboost.DMatrix(data, enable_categorical=True), **accepted(model.predict, params)
        )
